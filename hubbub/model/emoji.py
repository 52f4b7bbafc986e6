"""Which texts are one emoji, by Unicode's own list (emoji-test.txt, UTS 51).

The list is the `emoji` package's, loaded at first use: most servers start without it.
"""

from functools import cache

from hubbub.model.errors import Invalid

EMOJI_MAX = 40  # code points; the longest sequence of Unicode 16 has 10
_AS_PICTURE = "\ufe0f"  # the selector that asks for a picture instead of a letter


def canonical_emoji(text: str) -> str:
    """The one way in which this emoji is kept: its fully-qualified form.

    ``❤`` typed without its selector is the same as ``❤️``. Raises Invalid.
    """
    found = None
    if 0 < len(text) <= EMOJI_MAX:
        found = _known().get(text.replace(_AS_PICTURE, ""))
    if found is None:
        raise Invalid("A reaction is one emoji, such as 👍.")
    return found


@cache
def _known() -> dict[str, str]:
    """Emoji without selectors → as it is kept."""
    from emoji import EMOJI_DATA, STATUS

    whole = STATUS["fully_qualified"]
    return {
        sequence.replace(_AS_PICTURE, ""): sequence
        for sequence, about in EMOJI_DATA.items()
        if about["status"] == whole
    }
