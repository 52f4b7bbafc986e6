"""What a committed command means for those who are connected.

Actions return an `Outcome`; the hub carries it out once it is on disk. These are plain values, so
that a bus can take them to other nodes.
"""

from typing import Generic, TypeVar

import msgspec

from hubbub.model.base import Event, Reply
from hubbub.model.events import PersonEvent, RoomEvent
from hubbub.model.rooms import MemberChanged

R = TypeVar("R", bound=Reply)


class ToRoom(msgspec.Struct, frozen=True, tag=True):
    """Everyone present in the room is told, in order of rev."""

    room: str
    event: RoomEvent


class ToPerson(msgspec.Struct, frozen=True, tag=True):
    """All of a person's devices are told."""

    user: str
    event: PersonEvent


class ToRooms(msgspec.Struct, frozen=True, tag=True):
    """Everyone present in any of the rooms is told once."""

    rooms: tuple[str, ...]
    event: Event


class ToAll(msgspec.Struct, frozen=True, tag=True):
    """Everyone connected is told."""

    event: Event


class MembershipChanged(msgspec.Struct, frozen=True, tag=True):
    """Somebody became a member (``event.role`` set) or is none any more: their devices come or go.

    The room is told, one by one or, if it is large, by count.
    """

    room: str
    event: MemberChanged


class RoomGone(msgspec.Struct, frozen=True, tag=True):
    """The room was deleted: nobody is in it any more."""

    room: str


class SessionsEnded(msgspec.Struct, frozen=True, tag=True):
    """These sessions are no longer good: their sockets close."""

    user: str
    sessions: tuple[str, ...]


class AccountChanged(msgspec.Struct, frozen=True, tag=True):
    """Role or lock of an account changed: what is remembered of it is no longer true."""

    user: str


Told = (
    ToRoom
    | ToPerson
    | ToRooms
    | ToAll
    | MembershipChanged
    | RoomGone
    | SessionsEnded
    | AccountChanged
)


class Outcome(Generic[R]):
    """The reply to the one who asked, and what the others are told."""

    __slots__ = ("reply", "told")

    def __init__(self, reply: R, told: list[Told] | None = None) -> None:
        self.reply = reply
        self.told = told or []


class RoomState(msgspec.Struct, frozen=True, kw_only=True):
    """A room as one snapshot of the database has it, for the hub.

    ``events`` are its changes above ``floor``, in order of rev.
    """

    events: list[RoomEvent]
    floor: int
    seq: int
    rev: int
    mrev: int
    members: int
    is_public: bool
