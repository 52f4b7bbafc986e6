"""Read markers and presence."""

from typing import Annotated, Literal

import msgspec

from hubbub.model.base import Command, Event, Reply, Rev, RoomId, UserName, Value

READ_INTERVAL_S = 2.0  # at most one marker per person and room is stored in this time

PresenceState = Literal["online", "away", "offline"]


class Read(Command, frozen=True, kw_only=True, omit_defaults=True, tag="read"):
    """Set my read marker to this message. It moves only forward, unless ``back`` (mark unread).

    It is stored at most every two seconds, so a second reply may take that long.
    """

    room: RoomId
    seq: Annotated[int, msgspec.Meta(ge=0)]
    back: bool = False


class ReadMarker(Reply, frozen=True, kw_only=True):
    read_seq: int
    mentions: int


class ReadChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="read"):
    """My read marker moved, on any device. ``rev`` is my own, or null while not stored yet."""

    room: RoomId
    read_seq: int
    mentions: int = 0
    rev: Rev | None = None


class Active(Command, frozen=True, kw_only=True, omit_defaults=True, tag="active"):
    """I am using this device (online), or not (away)."""

    active: bool


class Presence(Event, frozen=True, kw_only=True, omit_defaults=True, tag="presence"):
    """The presence of somebody in my small rooms, or how many are online in a large room."""

    user: UserName | None = None
    state: PresenceState | None = None
    room: RoomId | None = None
    online: int | None = None


class RoomHead(Value, frozen=True, kw_only=True):
    seq: int
    rev: Rev


class Behind(Event, frozen=True, kw_only=True, omit_defaults=True, tag="behind"):
    """This client reads too slowly, so events were skipped: sync these rooms.

    With ``rev``, my own, events about me were skipped as well: after a gap, ask for `me`.
    """

    rooms: dict[str, RoomHead]
    rev: Rev | None = None


class Notice(Event, frozen=True, kw_only=True, omit_defaults=True, tag="notice"):
    """A text from the server. With ``retry_after`` it is about to stop: reconnect after that."""

    text: str
    retry_after: float | None = None
