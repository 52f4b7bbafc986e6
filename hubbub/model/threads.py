"""Threads: the list of those that a person follows."""

from hubbub.model.base import Query, Reply, Value
from hubbub.model.messages import Message, Person
from hubbub.model.paging import Cursor, PageLimit
from hubbub.model.rooms import MyRoom

ACTIVE_MS = 14 * 24 * 3600 * 1000
"""A thread is in the list of one's rooms for so long after its last reply; `threads` lists all."""


class Threads(Query, frozen=True, kw_only=True, omit_defaults=True, tag="threads"):
    """The threads that I follow, by latest reply, newest first; ``unread`` filters them."""

    unread: bool = False
    after: Cursor = ""
    limit: PageLimit = 50


class ThreadFollow(Value, frozen=True, kw_only=True):
    """A thread: its room, the root message, and the latest reply."""

    thread: MyRoom
    root: Message
    last: Message | None


class ThreadsPage(Reply, frozen=True, kw_only=True):
    threads: list[ThreadFollow]
    people: list[Person]
    cursor: str | None
