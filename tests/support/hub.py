"""A hub without sockets: clients whose transports remember what was written to them."""

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
    """The payloads of text frames, as RFC 6455 has them; pings have none."""
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


class Transport:
    """Keeps what is written; ``waiting`` is what the kernel is said not to have taken yet."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.waiting = 0

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return False


class ConnectionHandler:
    """The gateway's side of a connection: what the hub asked of it."""

    def __init__(self) -> None:
        self.is_full = False
        self.catch_ups = 0
        self.goes_on = 0
        self.closed: list[int] = []
        self.left: list[str] = []

    def catch_up(self) -> None:
        self.catch_ups += 1

    def go_on(self) -> None:
        self.goes_on += 1

    def close(self, code: int, reason: str) -> None:
        self.closed.append(code)

    def removed(self, room: str) -> None:
        self.left.append(room)


class Hall:
    """A hub over a database that is a table of events."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stored: dict[str, list[RoomEvent]] = {"lobby": []}
        self.members: dict[str, int] = {}
        self.reads: list[tuple[str, int | None]] = []
        self.changes_max = 1_000  # in one answer
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.hub = Hub(self._read, clock=lambda: self.now)

    async def _read(self, room: str, after: int | None) -> RoomSnapshot:
        self.reads.append((room, after))
        await self.may_read.wait()
        if room not in self.stored:
            raise NotFound()
        latest = {(type(event), getattr(event, "seq", 0)): event for event in self.stored[room]}
        events = sorted(latest.values(), key=lambda event: event.rev)
        head = max((event.rev for event in events), default=0)
        told = [event for event in events if event.rev > (after or 0)][: self.changes_max]
        return RoomSnapshot(
            events=told,
            floor=after or 0,
            seq=max((getattr(event, "seq", 0) for event in events), default=0),
            rev=head,
            through=told[-1].rev if len(told) == self.changes_max else head,
            mrev=0,
            members=self.members.get(room, 1),
            is_public=True,
        )

    def store(self, *events: RoomEvent) -> None:
        for event in events:
            self.stored.setdefault(event.room, []).append(event)

    def say(self, *events: RoomEvent) -> None:
        """Committed, and told at once."""
        for event in events:
            self.store(event)
            self.hub.sequencer.publish(event)

    def client(self, name: str, dialect: str = "json", session: str = "s") -> Client:
        role = ServerRole.GUEST if name.startswith("~") else ServerRole.MEMBER
        key = f"~key-of-{name}" if name.startswith("~") else None
        actor = Actor(user_id=1, name=name, role=role, session=session, guest_key=key)
        transport = cast(asyncio.WriteTransport, Transport())
        made = Client(
            transport, dialect, actor, "address", self.now, ConnectionHandler(), self.hub.queue
        )
        self.hub.connect(made)
        return made

    async def come(
        self, name: str, *rooms: str, dialect: str = "json", session: str = "s"
    ) -> Client:
        """Somebody connects and enters these rooms (the lobby)."""
        made = self.client(name, dialect, session)
        for room in rooms or ("lobby",):
            self.hub.attach(made, await self.hub.room(room))
        return made

    def waits(self, client: Client, count: int) -> None:
        """So many bytes are now waiting to be read; said as asyncio says it, between two marks."""
        transport(client).waiting = count
        was_full = door(client).is_full
        door(client).is_full = count > (LOW_WATER if was_full else HIGH_WATER)
        if door(client).is_full and not was_full:
            self.hub.backpressure.fall_behind(client)

    async def written(self) -> None:
        """Wait until everything that has been shown so far is written."""
        await turn()
        await until(lambda: not self.hub.queue.waiting)

    def room(self, room: str = "lobby") -> Room:
        return self.hub.rooms[room]


def transport(client: Client) -> Transport:
    return cast(Transport, client.transport)


def door(client: Client) -> ConnectionHandler:
    return cast(ConnectionHandler, client.handler)


def received(client: Client) -> list[bytes]:
    """All payloads that were written to this client, in order."""
    return payloads(b"".join(transport(client).writes))


def events(client: Client, kind: str | None = None) -> list[dict[str, Any]]:
    """The JSON events, of one kind or all."""
    found = [json.loads(payload) for payload in received(client)]
    return [event for event in found if kind in (None, event.get("on"))]


def lines(client: Client) -> list[str]:
    return [payload.decode() for payload in received(client)]


def forget(*clients: Client) -> None:
    """What was written so far is of no interest."""
    for client in clients:
        transport(client).writes.clear()


async def turn() -> None:
    """Let the loop end this turn, and the one that it has called for."""
    for _ in range(3):
        await asyncio.sleep(0)


async def sees(client: Client, revs: list[int]) -> None:
    """Wait until this client has been shown these revs of messages, in this order."""
    await until(lambda: [event["rev"] for event in events(client, "message")] == revs)


def message(seq: int, rev: int | None = None, text: str = "hi", **more: Any) -> Message:
    given: dict[str, Any] = {"room": "lobby", "by": "ana", "at": 0, **more}
    return Message(seq=seq, rev=rev or seq, text=text, **given)
