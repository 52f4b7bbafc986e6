"""What nodes tell each other over the bus; see `nodes`."""

import msgspec

from hubbub.model.base import Millis
from hubbub.model.outcome import Entry, ToPerson, ToRoom, ToRooms
from hubbub.model.reading import PresenceState


class Here(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Who is in a room at this node: what changed, or (``whole``) all of them.

    ``online`` instead, how many, where a room is large.
    """

    room: str
    people: dict[str, PresenceState] = {}
    whole: bool = False
    online: int | None = None


class Who(msgspec.Struct, frozen=True, tag=True):
    """This node has somebody in a room from now on: who is there at the others?"""

    room: str


class Writes(msgspec.Struct, frozen=True, tag=True):
    """Somebody is writing in a room."""

    room: str
    user: str


class Alive(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """This node is there, once a second; or it says goodbye (``leaves``)."""

    epoch: str
    version: str
    now: Millis
    leaves: bool = False


Item = ToRoom | ToPerson | ToRooms | Entry | Here | Who | Writes | Alive


class Parcel(msgspec.Struct, frozen=True):
    """Some of a node's news, in the order in which it had them."""

    node: str
    items: list[Item]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Parcel).decode
