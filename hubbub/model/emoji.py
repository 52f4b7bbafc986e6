"""Checks that a text is a single emoji, by Unicode's list (emoji-test.txt, UTS 51).

The list comes from the `emoji` package, which is loaded at first use to keep starts fast.
"""

from functools import cache

from hubbub.model.errors import Invalid

EMOJI_MAX = 40  # code points; the longest sequence of Unicode 16 has 10
_VARIATION_SELECTOR = "\ufe0f"  # requests a picture instead of a letter


def canonical_emoji(text: str) -> str:
    """The fully-qualified form of an emoji, in which it is stored.

    ``❤`` without a variation selector is the same as ``❤️``. Raises Invalid.
    """
    found = None
    if 0 < len(text) <= EMOJI_MAX:
        found = _emoji_table().get(text.replace(_VARIATION_SELECTOR, ""))
    if found is None:
        raise Invalid("A reaction must be a single emoji, such as 👍.")
    return found


@cache
def _emoji_table() -> dict[str, str]:
    """Emoji without variation selectors → its fully-qualified form."""
    from emoji import EMOJI_DATA, STATUS

    fully_qualified = STATUS["fully_qualified"]
    return {
        sequence.replace(_VARIATION_SELECTOR, ""): sequence
        for sequence, data in EMOJI_DATA.items()
        if data["status"] == fully_qualified
    }
