"""Rules for user names, display names and room ids.

User names and room ids are handles, which never change, so they can be used in URLs, logs and
messages. Two user names are the same if their skeletons are equal (Unicode TR 39, section 4), so
that nobody can impersonate somebody else with a Cyrillic "а".
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

# Names that could be mistaken for the server itself, and words reserved for mentions.
RESERVED = frozenset({"hubbub", "server", "system", "here", "room", "everyone", "all", "channel"})

# Cc controls, Cf formats (joiners, bidi overrides), Cs lone surrogates, Zl/Zp separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def user_name(text: str) -> str:
    """The canonical handle of a typed name: NFKC and casefold.

    Raises Invalid unless it is 1 to 32 letters, digits, ``.``, ``-`` or ``_`` that begin and end
    with a letter or digit.
    """
    length = f"A name has 1 to {USER_NAME_MAX} characters."
    folded = normalized(text.strip(), "NFKC", USER_NAME_MAX, length).casefold()
    name = normalized(folded, "NFKC", USER_NAME_MAX, length)
    if not 1 <= len(name) <= USER_NAME_MAX:
        raise Invalid(length)
    if not all(_is_word(character) or character in "._-" for character in name):
        raise Invalid("A name may have only letters, digits, dots, hyphens and underscores.")
    if not (_is_word(name[0]) and _is_word(name[-1])) or unicodedata.category(name[0])[0] == "M":
        raise Invalid("A name must begin and end with a letter or a digit.")
    if name in RESERVED:
        raise Invalid(f"The name “{name}” is reserved. Choose another.")
    return name


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def display_name(text: str) -> str:
    """The canonical display name: NFC, one line, 1 to 64 characters, none of them invisible."""
    length = f"A display name has 1 to {DISPLAY_NAME_MAX} characters."
    shown = " ".join(normalized(text.strip(), "NFC", DISPLAY_NAME_MAX, length).split())
    if not 1 <= len(shown) <= DISPLAY_NAME_MAX:
        raise Invalid(length)
    if any(unicodedata.category(character) in _INVISIBLE for character in shown):
        raise Invalid("A display name cannot contain control or invisible characters.")
    return shown


def thread_id(room: str, seq: int) -> str:
    """The id of a message's thread; ids of other rooms have no dot."""
    return f"{room}.{seq}"


def thread_of(room: str) -> tuple[str, int] | None:
    """The room and the message of a thread id; None for the id of any other room."""
    parent, dot, seq = room.rpartition(".")
    if not (dot and parent and seq.isascii() and seq.isdigit()) or seq.startswith("0"):
        return None
    return (parent, int(seq)) if len(seq) <= 16 else None


def room_or_thread_id(text: str) -> str:
    """The canonical id of a room or a thread. Raises Invalid."""
    if "." in text and (found := thread_of(text.strip().removeprefix("#"))):
        return thread_id(room_id(found[0]), found[1])
    return room_id(text)


def room_id(text: str) -> str:
    """The canonical id of a public room; a leading ``#`` is accepted. Raises Invalid."""
    slug = text.strip().removeprefix("#").lower()
    if not ROOM_ID.fullmatch(slug):
        raise Invalid(
            "A room's address must have 1 to 32 characters (a-z, 0-9, hyphens) and must not begin "
            "with a hyphen."
        )
    return slug


def skeleton(name: str) -> str:
    """The skeleton of a user name: equal for names that look alike (UTS 39, section 4).

    The first call is slow, as it loads a table of 6,000 characters: call it off the event loop.
    """
    table = _prototypes()
    decomposed = normalized(name, "NFD", USER_NAME_MAX, "The user name is too long.")
    mapped = "".join(table.get(character, character) for character in decomposed)
    # Its length has been checked: the longest replacements make it a few hundred characters.
    return unicodedata.normalize("NFD", mapped).casefold()  # noqa: TID251


@cache
def _prototypes() -> dict[str, str]:
    """Character → the representative of all its look-alikes, such as ``m`` → ``rn``.

    The library has the groups of look-alikes; any fixed representative of a group is correct.
    ASCII letters are preferred, and the longest of them, as ``rn`` is never looked up as a whole.
    """
    from confusable_homoglyphs import confusables

    # The table is a graph with an edge for each pair; its connected components are the groups.
    parent: dict[str, str] = {}

    def root(glyph: str) -> str:
        while parent.setdefault(glyph, glyph) != glyph:
            parent[glyph] = parent[parent[glyph]]
            glyph = parent[glyph]
        return glyph

    def rank(glyph: str) -> tuple[bool, bool, int, str]:
        return (not glyph.isascii(), not glyph.isalnum(), -len(glyph), glyph)

    for glyph, look_alikes in confusables.confusables_data.items():
        for look_alike in look_alikes:
            preferred, other = sorted((root(glyph), root(look_alike["c"])), key=rank)
            parent[other] = preferred
    return {glyph: root(glyph) for glyph in parent if len(glyph) == 1 and root(glyph) != glyph}
