"""What nodes tell each other over the bus; see `nodes`."""

import asyncio

import msgspec

from hubbub.live.cluster.bus import PAYLOAD_BYTES, Bus
from hubbub.model.base import Millis
from hubbub.model.outcome import Entry, ToPerson, ToRoom, ToRooms
from hubbub.model.reading import PresenceState


class PresenceUpdate(msgspec.Struct, frozen=True, tag="Here", omit_defaults=True):
    """Who is in a room at this node: what changed, or (``whole``) all of them.

    Offline: gone from this node, and so from all its rooms; None: from this room only.
    ``online`` instead, how many, where a room is large.
    """

    room: str
    people: dict[str, PresenceState | None] = {}
    whole: bool = False
    online: int | None = None


class PresenceQuery(msgspec.Struct, frozen=True, tag="Who"):
    """This node has somebody in a room from now on: who is there at the others?"""

    room: str


class TypingNotice(msgspec.Struct, frozen=True, tag="Writes"):
    """Somebody is writing in a room."""

    room: str
    user: str


class Heartbeat(msgspec.Struct, frozen=True, tag="Alive", omit_defaults=True):
    """This node is there, once a second; or it says goodbye (``leaves``)."""

    epoch: str
    version: str
    now: Millis
    leaves: bool = False


Item = (
    ToRoom | ToPerson | ToRooms | Entry | PresenceUpdate | PresenceQuery | TypingNotice | Heartbeat
)


class Envelope(msgspec.Struct, frozen=True):
    """Some of a node's news, in the order in which it had them."""

    node: str
    items: list[Item]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Envelope).decode


class Outbox:
    """What goes out from this node: all of a turn of the loop in one parcel for each subject."""

    def __init__(self, bus: Bus, node: str) -> None:
        self.bus = bus
        self.node = node
        self.epoch = ""
        self._outgoing: dict[str, list[Item]] = {}

    def subject(self, words: str) -> str:
        """Chats that share a bus by mistake do not hear each other."""
        return f"hubbub.{self.epoch}.{words}"

    def publish(self, words: str, item: Item) -> None:
        """At the end of the loop's turn, with what else there is for this subject."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self.flush)
        self._outgoing.setdefault(words, []).append(item)

    def flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, {}
        if not self.bus.is_connected:
            return
        for words, items in outgoing.items():
            for payload in self._payloads(items):
                self.bus.publish(self.subject(words), payload)

    def _payloads(self, items: list[Item]) -> list[bytes]:
        payload = encode(Envelope(self.node, items))
        if len(payload) <= PAYLOAD_BYTES or len(items) == 1:
            return [payload]
        half = len(items) // 2
        return [*self._payloads(items[:half]), *self._payloads(items[half:])]
