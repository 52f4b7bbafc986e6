"""Blocks: a blocked person cannot add me to rooms or send me direct messages."""

from hubbub.model.base import Command, Event, Query, Reply, Rev, UserName
from hubbub.model.messages import Person


class Block(Command, frozen=True, kw_only=True, omit_defaults=True, tag="block"):
    """Stop somebody from adding me to rooms and writing to me directly (``on`` false: unblock).

    Shared rooms stay as they are, and the blocked person is not notified.
    """

    user: UserName
    on: bool = True


class Blocks(Query, frozen=True, kw_only=True, omit_defaults=True, tag="blocks"):
    """The people that I have blocked."""


class BlocksPage(Reply, frozen=True, kw_only=True):
    people: list[Person]


class BlockChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="block"):
    """I blocked somebody on one of my devices, or unblocked them (``gone``). ``rev`` is mine."""

    rev: Rev
    user: UserName
    gone: bool = False
