"""What a person has read, and who is there now."""

from typing import Annotated, Literal

import msgspec

from hubbub.model.base import Command, Event, Reply, Rev, RoomId, UserName, Value

READ_EVERY_S = 2.0  # at most one marker per person and room is stored in this time

PresenceState = Literal["online", "away", "offline"]


class Read(Command, frozen=True, kw_only=True, omit_defaults=True, tag="read"):
    """I have read up to this message. Moves forward only, unless ``back`` (mark as unread).

    Stored at most every two seconds, so the answer to a second one may take as long.
    """

    room: RoomId
    seq: Annotated[int, msgspec.Meta(ge=0)]
    back: bool = False


class ReadMarker(Reply, frozen=True, kw_only=True):
    read_seq: int
    mentions: int


class ReadChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="read"):
    """My marker moved, on whichever device. ``rev`` is mine; null while not stored yet."""

    room: RoomId
    read_seq: int
    mentions: int = 0
    rev: Rev | None = None


class Active(Command, frozen=True, kw_only=True, omit_defaults=True, tag="active"):
    """I am at this device (online), or have left it (away)."""

    active: bool


class Presence(Event, frozen=True, kw_only=True, omit_defaults=True, tag="presence"):
    """Somebody I share a small room with came or went; or how many are in a large room."""

    user: UserName | None = None
    state: PresenceState | None = None
    room: RoomId | None = None
    online: int | None = None


class RoomHead(Value, frozen=True, kw_only=True):
    seq: int
    rev: Rev


class Behind(Event, frozen=True, kw_only=True, omit_defaults=True, tag="behind"):
    """I read too slowly and live events were left out: sync the rooms I am behind in.

    With ``rev``, mine, events of my own were left out as well: a gap to it asks for `me`.
    """

    rooms: dict[str, RoomHead]
    rev: Rev | None = None


class Notice(Event, frozen=True, kw_only=True, omit_defaults=True, tag="notice"):
    """A word from the server. With ``retry_after`` it is about to stop: come back then."""

    text: str
    retry_after: float | None = None
