"""The messages that nodes send each other over the bus; see `nodes`."""

import asyncio

import msgspec

from hubbub.live.cluster.bus import PAYLOAD_BYTES, Bus
from hubbub.model.base import Millis
from hubbub.model.outcome import Entry, ToPerson, ToRoom, ToRooms
from hubbub.model.reading import PresenceState


class PresenceUpdate(msgspec.Struct, frozen=True, tag="Here", omit_defaults=True):
    """The people in a room at this node: those whose state has changed, or (``whole``) all.

    "offline" means that a person has left this node, and so all its rooms; None that they have
    left this room only. A large room has only their number, in ``online``.
    """

    room: str
    people: dict[str, PresenceState | None] = {}
    whole: bool = False
    online: int | None = None


class PresenceQuery(msgspec.Struct, frozen=True, tag="Who"):
    """Asks the other nodes who is in a room, which this node serves from now on."""

    room: str


class TypingNotice(msgspec.Struct, frozen=True, tag="Writes"):
    """A person is typing in a room."""

    room: str
    user: str


class Heartbeat(msgspec.Struct, frozen=True, tag="Alive", omit_defaults=True):
    """Sent once a second while a node runs, and with ``leaves`` when it stops."""

    epoch: str
    version: str
    now: Millis
    leaves: bool = False


Item = (
    ToRoom | ToPerson | ToRooms | Entry | PresenceUpdate | PresenceQuery | TypingNotice | Heartbeat
)


class Envelope(msgspec.Struct, frozen=True):
    """Some items from one node, in the order in which it published them."""

    node: str
    items: list[Item]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Envelope).decode


class Outbox:
    """Collects what this node publishes in a turn of the loop: one envelope for each subject."""

    def __init__(self, bus: Bus, node: str) -> None:
        self.bus = bus
        self.node = node
        self.epoch = ""
        self._outgoing: dict[str, list[Item]] = {}

    def subject(self, suffix: str) -> str:
        """The full subject; chats that share a bus have different ones, by their epoch."""
        return f"hubbub.{self.epoch}.{suffix}"

    def publish(self, suffix: str, item: Item) -> None:
        """Send at the end of the loop's turn, with the other items for this subject."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self.flush)
        self._outgoing.setdefault(suffix, []).append(item)

    def flush(self) -> None:
        """Send everything now; without a connection it is dropped."""
        outgoing, self._outgoing = self._outgoing, {}
        if not self.bus.is_connected:
            return
        for suffix, items in outgoing.items():
            for payload in self._payloads(items):
                self.bus.publish(self.subject(suffix), payload)

    def _payloads(self, items: list[Item]) -> list[bytes]:
        payload = encode(Envelope(self.node, items))
        if len(payload) <= PAYLOAD_BYTES or len(items) == 1:
            return [payload]
        half = len(items) // 2
        return [*self._payloads(items[:half]), *self._payloads(items[half:])]
