"""Bookmarks: messages that a person has saved, with notes."""

from hubbub.model.base import (
    Command,
    Event,
    Millis,
    Query,
    Reply,
    Rev,
    RoomId,
    Seq,
    Value,
    set_canonical,
)
from hubbub.model.messages import Message, Person
from hubbub.model.paging import LIST_PAGE_MAX, Cursor, PageLimit
from hubbub.model.rooms import single_line

NOTE_MAX = 500


class Bookmark(Command, frozen=True, kw_only=True, omit_defaults=True, tag="bookmark"):
    """Bookmark a message privately, with a note; ``on`` false removes the bookmark."""

    room: RoomId
    seq: Seq
    note: str = ""
    on: bool = True

    def __post_init__(self) -> None:
        set_canonical(self, "note", single_line(self.note, NOTE_MAX, "note"))


class Bookmarks(Query, frozen=True, kw_only=True, omit_defaults=True, tag="bookmarks"):
    """My bookmarks, newest first."""

    after: Cursor = ""
    limit: PageLimit = LIST_PAGE_MAX


class BookmarkEntry(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A bookmark. Without a ``message`` I may no longer read the room; the note remains."""

    room: RoomId
    seq: Seq
    at: Millis
    note: str = ""
    message: Message | None = None


class BookmarksPage(Reply, frozen=True, kw_only=True):
    bookmarks: list[BookmarkEntry]
    people: list[Person]
    cursor: str | None


class BookmarkChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="bookmark"):
    """A bookmark of mine was added, changed or removed (``gone``). ``rev`` is my own."""

    rev: Rev
    room: RoomId
    seq: Seq
    gone: bool = False
    note: str = ""
    at: Millis = 0
