"""Blocking people: whom one wants neither to be added by nor to be written to by alone."""

from hubbub.model.base import Command, Event, Query, Reply, Rev, UserName
from hubbub.model.messages import Person


class Block(Command, frozen=True, kw_only=True, omit_defaults=True, tag="block"):
    """Let somebody neither add me to rooms nor write to me alone; ``on`` false: again.

    Rooms that we share go on as they are. They are not told.
    """

    user: UserName
    on: bool = True


class Blocks(Query, frozen=True, kw_only=True, omit_defaults=True, tag="blocks"):
    """Whom I have blocked."""


class BlocksPage(Reply, frozen=True, kw_only=True):
    people: list[Person]


class BlockChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="block"):
    """I blocked somebody on one of my devices, or unblocked them (``gone``). ``rev`` is mine."""

    rev: Rev
    user: UserName
    gone: bool = False
