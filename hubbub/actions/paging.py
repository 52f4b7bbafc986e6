"""Pages of lists: how much fits into one reply, and the cursor at which the next page begins."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from hubbub.model.errors import Malformed
from hubbub.store.statements.paging import Cursor

T = TypeVar("T")

REPLY_MAX = 1_000_000  # code points of text in one reply
_NEWEST = 2**62  # greater than any time or number


def fit_into_reply(entries: Iterable[T], length: Callable[[T], int]) -> list[T]:
    """The first entries whose texts fit into one reply; always at least one.

    ``length`` is the length of an entry's texts in code points.
    """
    found: list[T] = []
    total = 0
    for entry in entries:
        total += length(entry)
        if total > REPLY_MAX and found:
            break
        found.append(entry)
    return found


def format_cursor(at: int, room_pk: int, seq: int) -> str:
    return f"{at}.{room_pk}.{seq}"


def parse_cursor(cursor: str) -> Cursor:
    """The position after which a page begins, newest first. Raises Malformed."""
    if not cursor:
        return _NEWEST, 0, 0
    parts = cursor.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise Malformed("“after” must be the `cursor` of the page before.")
    at, room_pk, seq = (min(int(part), _NEWEST) for part in parts)
    return at, room_pk, seq
