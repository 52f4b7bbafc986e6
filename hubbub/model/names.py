"""What a name may be.

User names and room ids are handles: chosen once, never changed, so they can stand in URLs,
logs and messages. Two user names are the same if their skeletons are (Unicode TR 39, section 4),
so that nobody can pass for somebody else with a Cyrillic "а".
"""

import re
import unicodedata
from functools import cache

from hubbub.model.errors import Invalid
from hubbub.model.normalize import normalized

USER_NAME_MAX = 32
DISPLAY_NAME_MAX = 64
ROOM_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
GUEST_PREFIX = "~"
LOBBY = "lobby"

# Names that a person could take for the server itself, and words that mentions will need.
RESERVED = frozenset({"hubbub", "server", "system", "here", "room", "everyone", "all", "channel"})

# Cc controls, Cf formats (joiners, bidi overrides), Cs lone surrogates, Zl/Zp separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def user_name(text: str) -> str:
    """The canonical handle for what a person typed: NFKC and casefold.

    Raises Invalid if it is not 1 to 32 letters, digits, ``.``, ``-`` or ``_`` that begin and end
    with a letter or digit.
    """
    length = f"A name has 1 to {USER_NAME_MAX} characters."
    folded = normalized(text.strip(), "NFKC", USER_NAME_MAX, length).casefold()
    name = normalized(folded, "NFKC", USER_NAME_MAX, length)
    if not 1 <= len(name) <= USER_NAME_MAX:
        raise Invalid(length)
    if not all(_is_word(character) or character in "._-" for character in name):
        raise Invalid("A name has letters, digits, dots, hyphens and underscores, no spaces.")
    if not (_is_word(name[0]) and _is_word(name[-1])) or unicodedata.category(name[0])[0] == "M":
        raise Invalid("A name begins and ends with a letter or a digit.")
    if name in RESERVED:
        raise Invalid(f"The name “{name}” is kept for the server. Choose another.")
    return name


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def display_name(text: str) -> str:
    """What is shown beside a message: NFC, one line, no invisible characters, 1 to 64 long."""
    length = f"A display name has 1 to {DISPLAY_NAME_MAX} characters."
    shown = " ".join(normalized(text.strip(), "NFC", DISPLAY_NAME_MAX, length).split())
    if not 1 <= len(shown) <= DISPLAY_NAME_MAX:
        raise Invalid(length)
    if any(unicodedata.category(character) in _INVISIBLE for character in shown):
        raise Invalid("A display name has no control or invisible characters.")
    return shown


def thread_id(room: str, seq: int) -> str:
    """The address of the thread under a message; no other room's has a dot."""
    return f"{room}.{seq}"


def thread_of(room: str) -> tuple[str, int] | None:
    """The room and the message that a thread's address names; None for any other room's."""
    parent, dot, seq = room.rpartition(".")
    if not (dot and parent and seq.isascii() and seq.isdigit()) or seq.startswith("0"):
        return None
    return (parent, int(seq)) if len(seq) <= 16 else None


def any_room_id(text: str) -> str:
    """The address of a room or of a thread, as typed. Raises Invalid."""
    if "." in text and (found := thread_of(text.strip().removeprefix("#"))):
        return thread_id(room_id(found[0]), found[1])
    return room_id(text)


def room_id(text: str) -> str:
    """A public room's address, as typed; a leading ``#`` is forgiven. Raises Invalid."""
    slug = text.strip().removeprefix("#").lower()
    if not ROOM_ID.fullmatch(slug):
        raise Invalid(
            "A room's address has 1 to 32 of a-z, 0-9 and hyphens, and begins with one of a-z, 0-9."
        )
    return slug


def skeleton(name: str) -> str:
    """Two user names look alike if and only if their skeletons are equal (UTS 39, section 4).

    Slow at the first call (it loads a table of 6,000 characters); call it off the event loop.
    """
    table = _prototypes()
    decomposed = normalized(name, "NFD", USER_NAME_MAX, "This is too long for a user name.")
    mapped = "".join(table.get(character, character) for character in decomposed)
    # Of a user name; even the longest stand-ins leave it a text of a few hundred characters.
    return unicodedata.normalize("NFD", mapped).casefold()  # noqa: TID251


@cache
def _prototypes() -> dict[str, str]:
    """Character → what stands for all its look-alikes, ``m`` → ``rn`` among them.

    The library knows which glyphs look alike; any fixed choice within a group will do. ASCII
    letters come first, and of those the longest, as ``rn`` in a name is not looked up whole.
    """
    from confusable_homoglyphs import confusables

    # The table is a graph with an edge for each pair; a name is confusable over any path.
    parent: dict[str, str] = {}

    def root(glyph: str) -> str:
        while parent.setdefault(glyph, glyph) != glyph:
            parent[glyph] = parent[parent[glyph]]
            glyph = parent[glyph]
        return glyph

    def rank(glyph: str) -> tuple[bool, bool, int, str]:
        return (not glyph.isascii(), not glyph.isalnum(), -len(glyph), glyph)

    for glyph, likes in confusables.confusables_data.items():
        for like in likes:
            one, other = sorted((root(glyph), root(like["c"])), key=rank)
            parent[other] = one
    return {glyph: root(glyph) for glyph in parent if len(glyph) == 1 and root(glyph) != glyph}
