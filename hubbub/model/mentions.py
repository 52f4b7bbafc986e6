"""Mentions: the list of messages that mention a person."""

from hubbub.model.base import Query, Reply, Value
from hubbub.model.messages import Message, Person
from hubbub.model.paging import Cursor, PageLimit


class Mentions(Query, frozen=True, kw_only=True, omit_defaults=True, tag="mentions"):
    """The messages in my rooms that mention me, newest first; ``unread`` filters them."""

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
