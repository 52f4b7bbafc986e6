"""The outcome of a command: its reply, and its effects on connected clients.

Actions return an `Outcome`; the hub applies its effects after the commit. They are plain values,
so that a bus can carry them to other nodes.
"""

from typing import Generic, TypeVar

import msgspec

from hubbub.model.accounts import UserChanged
from hubbub.model.base import Millis, Reply
from hubbub.model.events import PersonEvent, RoomEvent
from hubbub.model.rooms import MemberChanged

R = TypeVar("R", bound=Reply)


class ToRoom(msgspec.Struct, frozen=True, tag="ToRoom", omit_defaults=True):
    """Send an event to everybody connected to the room, in order of rev.

    ``mrev`` is the version of the member list that may receive it: a node with an older list must
    first learn who has left. In a thread ``parent_mrev`` is the version of its room's list.
    """

    room: str
    event: RoomEvent
    mrev: int = 0
    parent_mrev: int = 0


class ToPerson(msgspec.Struct, frozen=True, tag="ToPerson"):
    """Send an event to all of a person's devices."""

    user: str
    event: PersonEvent


class ToRooms(msgspec.Struct, frozen=True, tag="ToRooms"):
    """Send an event once to everybody connected to any of the rooms."""

    rooms: tuple[str, ...]
    event: UserChanged


class SettingsChanged(msgspec.Struct, frozen=True, tag="SettingsChanged"):
    """The server's settings changed: its name, registration mode, or whether it has an owner."""

    values: dict[str, str]
    needs_owner: bool


class MembershipChanged(msgspec.Struct, frozen=True, tag="MembershipChanged"):
    """Somebody joined a room (``event.role`` set) or left it: add or remove their devices.

    The room gets each change or, if it is large, only the number of members.
    """

    room: str
    event: MemberChanged


class RoomGone(msgspec.Struct, frozen=True, tag="RoomGone"):
    """A room was deleted: remove everybody from it."""

    room: str


class SessionsEnded(msgspec.Struct, frozen=True, tag="SessionsEnded"):
    """These sessions have ended: close their sockets."""

    user: str
    sessions: tuple[str, ...]


class AccountChanged(msgspec.Struct, frozen=True, tag="AccountChanged"):
    """An account's role or disabled flag changed: drop what is cached of it."""

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

# Effects that no node may miss, and that must be applied in order: they are in the journal.
Journaled = SettingsChanged | MembershipChanged | RoomGone | SessionsEnded | AccountChanged
JOURNALED = (SettingsChanged, MembershipChanged, RoomGone, SessionsEnded, AccountChanged)


class Entry(msgspec.Struct, frozen=True, tag="Entry"):
    """A journal entry: the effects of one batch of one node. Numbers are consecutive."""

    number: int
    node: str
    effects: tuple[Journaled, ...] = msgspec.field(name="told")


class Head(msgspec.Struct, frozen=True):
    """The present counters of a room."""

    seq: int
    rev: int
    mrev: int
    members: int


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """The present counters of rooms and people, from one snapshot of the database.

    Deleted rooms are missing from ``rooms``; ``people`` has revs by handle. The journal has the
    entries from ``journal_floor`` to ``journal``; both are 0 when it is empty. ``now`` is the
    database's clock.
    """

    rooms: dict[str, Head]
    people: dict[str, int]
    journal: int
    journal_floor: int
    epoch: str
    now: Millis


class Outcome(Generic[R]):
    """The reply to a command, and its effects on others."""

    __slots__ = ("reply", "effects")

    def __init__(self, reply: R, effects: list[Effect] | None = None) -> None:
        self.reply = reply
        self.effects = effects or []


class RoomSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a room in one snapshot of the database, for the hub.

    ``events`` are its changes above ``floor``, in order of rev, up to ``through``: the room's
    rev, or less if there are too many for one answer.
    """

    events: list[RoomEvent]
    floor: int
    through: int
    seq: int
    rev: int
    mrev: int
    members: int
    is_public: bool
