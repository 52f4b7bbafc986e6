"""A hub without sockets: the clients' transports record what is written to them."""

import asyncio
import json
from typing import Any, cast

from hubbub.live.client import Client
from hubbub.live.hub import Hub
from hubbub.live.room import Room
from hubbub.model.accounts import Actor
from hubbub.model.errors import NotFound
from hubbub.model.events import RoomEvent
from hubbub.model.messages import Message
from hubbub.model.outcome import RoomSnapshot
from hubbub.model.policy import ServerRole
from tests.support.waiting import until

HIGH_WATER = 10_000
LOW_WATER = HIGH_WATER // 4


def payloads(data: bytes) -> list[bytes]:
    """The payloads of the text frames in these bytes; pings are skipped (RFC 6455)."""
    found = []
    while data:
        opcode, size, at = data[0] & 15, data[1], 2
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(data[2:at], "big")
        if opcode == 1:
            found.append(data[at : at + size])
        data = data[at + size :]
    return found


class FakeTransport:
    """Records what is written; ``buffered_bytes`` is what the kernel has not taken yet."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.buffered_bytes = 0

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return self.buffered_bytes

    def is_closing(self) -> bool:
        return False


class FakeConnectionHandler:
    """The gateway's side of a connection; it records the hub's calls."""

    def __init__(self) -> None:
        self.is_full = False
        self.send_missed_count = 0
        self.resumed_count = 0
        self.close_codes: list[int] = []
        self.removed_from: list[str] = []

    def send_missed(self) -> None:
        self.send_missed_count += 1

    def resume_reading(self) -> None:
        self.resumed_count += 1

    def close(self, code: int, reason: str) -> None:
        self.close_codes.append(code)

    def on_removed(self, room: str) -> None:
        self.removed_from.append(room)


class HubHarness:
    """A hub whose database is a dict of each room's events."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stored: dict[str, list[RoomEvent]] = {"lobby": []}
        self.members: dict[str, int] = {}
        self.reads: list[tuple[str, int | None]] = []
        self.changes_max = 1_000  # in one snapshot
        self.reads_allowed = asyncio.Event()
        self.reads_allowed.set()
        self.hub = Hub(self._read, clock=lambda: self.now)

    async def _read(self, room: str, after: int | None) -> RoomSnapshot:
        self.reads.append((room, after))
        await self.reads_allowed.wait()
        if room not in self.stored:
            raise NotFound()
        latest = {(type(event), getattr(event, "seq", 0)): event for event in self.stored[room]}
        events = sorted(latest.values(), key=lambda event: event.rev)
        head = max((event.rev for event in events), default=0)
        changes = [event for event in events if event.rev > (after or 0)][: self.changes_max]
        return RoomSnapshot(
            events=changes,
            floor=after or 0,
            seq=max((getattr(event, "seq", 0) for event in events), default=0),
            rev=head,
            through=changes[-1].rev if len(changes) == self.changes_max else head,
            mrev=0,
            members=self.members.get(room, 1),
            is_public=True,
        )

    def store(self, *events: RoomEvent) -> None:
        for event in events:
            self.stored.setdefault(event.room, []).append(event)

    def publish(self, *events: RoomEvent) -> None:
        """Store events and publish them at once."""
        for event in events:
            self.store(event)
            self.hub.sequencer.publish(event)

    def connect(self, name: str, dialect: str = "json", session: str = "s") -> Client:
        """Connect a client that is in no room yet."""
        role = ServerRole.GUEST if name.startswith("~") else ServerRole.MEMBER
        key = f"~key-of-{name}" if name.startswith("~") else None
        actor = Actor(user_id=1, name=name, role=role, session=session, guest_key=key)
        transport = cast(asyncio.WriteTransport, FakeTransport())
        client = Client(
            transport, dialect, actor, "address", self.now, FakeConnectionHandler(), self.hub.queue
        )
        self.hub.connect(client)
        return client

    async def enter(
        self, name: str, *rooms: str, dialect: str = "json", session: str = "s"
    ) -> Client:
        """Connect a client and attach it to these rooms, by default the lobby."""
        client = self.connect(name, dialect, session)
        for room in rooms or ("lobby",):
            self.hub.attach(client, await self.hub.load_room(room))
        return client

    def set_buffered(self, client: Client, count: int) -> None:
        """Set the size of the write buffer; it is full between asyncio's two water marks."""
        transport(client).buffered_bytes = count
        was_full = handler(client).is_full
        handler(client).is_full = count > (LOW_WATER if was_full else HIGH_WATER)
        if handler(client).is_full and not was_full:
            self.hub.backpressure.mark_lagging(client)

    async def drain(self) -> None:
        """Wait until everything that has been published so far is written."""
        await end_turn()
        await until(lambda: not self.hub.queue.waiting)

    def room(self, room: str = "lobby") -> Room:
        return self.hub.rooms[room]


def transport(client: Client) -> FakeTransport:
    return cast(FakeTransport, client.transport)


def handler(client: Client) -> FakeConnectionHandler:
    return cast(FakeConnectionHandler, client.handler)


def received(client: Client) -> list[bytes]:
    """All payloads that were written to this client, in order."""
    return payloads(b"".join(transport(client).writes))


def events(client: Client, kind: str | None = None) -> list[dict[str, Any]]:
    """The JSON events that were written, of one kind or all."""
    found = [json.loads(payload) for payload in received(client)]
    return [event for event in found if kind in (None, event.get("on"))]


def lines(client: Client) -> list[str]:
    return [payload.decode() for payload in received(client)]


def clear(*clients: Client) -> None:
    """Forget what has been written so far."""
    for client in clients:
        transport(client).writes.clear()


async def end_turn() -> None:
    """Let the loop finish this turn and the next ones that it has scheduled."""
    for _ in range(3):
        await asyncio.sleep(0)


async def wait_for_revs(client: Client, revs: list[int]) -> None:
    """Wait until exactly these revs of messages were written to this client, in this order."""
    await until(lambda: [event["rev"] for event in events(client, "message")] == revs)


def message(seq: int, rev: int | None = None, text: str = "hi", **more: Any) -> Message:
    given: dict[str, Any] = {"room": "lobby", "by": "ana", "at": 0, **more}
    return Message(seq=seq, rev=rev or seq, text=text, **given)
