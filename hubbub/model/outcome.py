"""What a committed command means for those who are connected.

Actions return an `Outcome`; the hub carries it out once it is on disk. These are plain values, so
that a bus can take them to other nodes.
"""

from typing import Generic, TypeVar

import msgspec

from hubbub.model.accounts import UserChanged
from hubbub.model.base import Millis, Reply
from hubbub.model.events import PersonEvent, RoomEvent
from hubbub.model.rooms import MemberChanged

R = TypeVar("R", bound=Reply)


class ToRoom(msgspec.Struct, frozen=True, tag="ToRoom", omit_defaults=True):
    """Everyone present in the room is told, in order of rev.

    ``mrev`` is that of the members who may be told: a node that knows of older ones only must
    first hear who has gone. In a thread ``parent_mrev`` is the same of the room it belongs to.
    """

    room: str
    event: RoomEvent
    mrev: int = 0
    parent_mrev: int = 0


class ToPerson(msgspec.Struct, frozen=True, tag="ToPerson"):
    """All of a person's devices are told."""

    user: str
    event: PersonEvent


class ToRooms(msgspec.Struct, frozen=True, tag="ToRooms"):
    """Everyone present in any of the rooms is told once."""

    rooms: tuple[str, ...]
    event: UserChanged


class SettingsChanged(msgspec.Struct, frozen=True, tag="SettingsChanged"):
    """What the server knows of itself has changed: name, registration, whether it has an owner."""

    values: dict[str, str]
    needs_owner: bool


class MembershipChanged(msgspec.Struct, frozen=True, tag="MembershipChanged"):
    """Somebody became a member (``event.role`` set) or is none any more: their devices come or go.

    The room is told, one by one or, if it is large, by count.
    """

    room: str
    event: MemberChanged


class RoomGone(msgspec.Struct, frozen=True, tag="RoomGone"):
    """The room was deleted: nobody is in it any more."""

    room: str


class SessionsEnded(msgspec.Struct, frozen=True, tag="SessionsEnded"):
    """These sessions are no longer good: their sockets close."""

    user: str
    sessions: tuple[str, ...]


class AccountChanged(msgspec.Struct, frozen=True, tag="AccountChanged"):
    """Role or lock of an account changed: what is remembered of it is no longer true."""

    user: str


Effect = (
    ToRoom
    | ToPerson
    | ToRooms
    | SettingsChanged
    | MembershipChanged
    | RoomGone
    | SessionsEnded
    | AccountChanged
)

# What nodes must not miss, and must carry out in order: it stands in the journal.
Journaled = SettingsChanged | MembershipChanged | RoomGone | SessionsEnded | AccountChanged
JOURNALED = (SettingsChanged, MembershipChanged, RoomGone, SessionsEnded, AccountChanged)


class Entry(msgspec.Struct, frozen=True, tag="Entry"):
    """What one batch of one node means for all nodes; numbers count commits, without a hole."""

    number: int
    node: str
    effects: tuple[Journaled, ...] = msgspec.field(name="told")


class Head(msgspec.Struct, frozen=True):
    """How far a room is."""

    seq: int
    rev: int
    mrev: int
    members: int


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """How far things are in the database, in one snapshot.

    A room that is gone is not among ``rooms``; ``people`` are handles with their revs. The
    journal has the entries from ``journal_floor`` to ``journal``; both are 0 when it is empty.
    ``now`` is the database's clock.
    """

    rooms: dict[str, Head]
    people: dict[str, int]
    journal: int
    journal_floor: int
    epoch: str
    now: Millis


class Outcome(Generic[R]):
    """The reply to the one who asked, and what the others are told."""

    __slots__ = ("reply", "effects")

    def __init__(self, reply: R, effects: list[Effect] | None = None) -> None:
        self.reply = reply
        self.effects = effects or []


class RoomSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A room as one snapshot of the database has it, for the hub.

    ``events`` are its changes above ``floor``, in order of rev, up to ``through``: the room's own
    rev, unless there are too many for one answer.
    """

    events: list[RoomEvent]
    floor: int
    through: int
    seq: int
    rev: int
    mrev: int
    members: int
    is_public: bool
