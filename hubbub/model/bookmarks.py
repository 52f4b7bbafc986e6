"""What people keep for themselves: bookmarks and drafts, mentions and threads to come back to."""

import re
from typing import Annotated

import msgspec

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
    restate,
)
from hubbub.model.errors import Invalid, TooLarge
from hubbub.model.messages import TEXT_MAX, Message, Person
from hubbub.model.rooms import MyRoom, line

NOTE_MAX = 500
KEPT_PAGE = 100
AWAKE_MS = 14 * 24 * 3600 * 1000
"""How long after the last answer a thread is among one's rooms; `threads` lists all."""

_HALF = re.compile("[\ud800-\udfff]")

PageLimit = Annotated[int, msgspec.Meta(ge=1, le=KEPT_PAGE)]
Cursor = Annotated[str, msgspec.Meta(max_length=200, description="The page before's `cursor`")]


class Bookmark(Command, frozen=True, kw_only=True, omit_defaults=True, tag="bookmark"):
    """Keep a message for oneself, with a note; ``on`` false forgets it. Nobody else knows."""

    room: RoomId
    seq: Seq
    note: str = ""
    on: bool = True

    def __post_init__(self) -> None:
        restate(self, "note", line(self.note, NOTE_MAX, "note"))


class Bookmarks(Query, frozen=True, kw_only=True, omit_defaults=True, tag="bookmarks"):
    """My bookmarks, the latest first."""

    after: Cursor = ""
    limit: PageLimit = KEPT_PAGE


class BookmarkEntry(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A bookmark. Without a ``message`` I may not read that room any more; the note is mine."""

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
    """A bookmark of mine was made, changed, or forgotten (``gone``). ``rev`` is mine."""

    rev: Rev
    room: RoomId
    seq: Seq
    gone: bool = False
    note: str = ""
    at: Millis = 0


class Draft(Command, frozen=True, kw_only=True, omit_defaults=True, tag="draft"):
    """What I am writing in a room, for my other devices; an empty text forgets it."""

    room: RoomId
    text: str = ""
    reply_to: Seq | None = None

    def __post_init__(self) -> None:
        if len(self.text) > TEXT_MAX:
            raise TooLarge(f"A draft has at most {TEXT_MAX:,} characters.")
        if _HALF.search(self.text):
            raise Invalid("A draft has no half characters.")


class Drafts(Query, frozen=True, kw_only=True, omit_defaults=True, tag="drafts"):
    """My drafts in the rooms that I may still write in, the latest first."""


class DraftEntry(Value, frozen=True, kw_only=True, omit_defaults=True):
    room: RoomId
    text: str
    at: Millis
    reply_to: int | None = None


class DraftsPage(Reply, frozen=True, kw_only=True):
    drafts: list[DraftEntry]


class DraftChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="draft"):
    """A draft of mine changed on one of my devices; without a text it is gone. ``rev`` is mine."""

    rev: Rev
    room: RoomId
    text: str = ""
    at: Millis = 0
    reply_to: int | None = None


class Mentions(Query, frozen=True, kw_only=True, omit_defaults=True, tag="mentions"):
    """Where I was mentioned, in rooms that I am in, the latest first; ``unread`` ones only."""

    unread: bool = False
    after: Cursor = ""
    limit: PageLimit = 50


class MentionEntry(Value, frozen=True, kw_only=True):
    message: Message
    unread: bool


class MentionsPage(Reply, frozen=True, kw_only=True):
    mentions: list[MentionEntry]
    people: list[Person]
    cursor: str | None


class Threads(Query, frozen=True, kw_only=True, omit_defaults=True, tag="threads"):
    """The threads that I follow, the latest answer first; ``unread`` ones only."""

    unread: bool = False
    after: Cursor = ""
    limit: PageLimit = 50


class ThreadFollow(Value, frozen=True, kw_only=True):
    """A thread: its room, the message that it is about, and the latest answer."""

    thread: MyRoom
    root: Message
    last: Message | None


class ThreadsPage(Reply, frozen=True, kw_only=True):
    threads: list[ThreadFollow]
    people: list[Person]
    cursor: str | None
