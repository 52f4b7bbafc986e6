"""Reconnecting JSON clients, light enough for ten thousand on one core.

Each uses as much of the protocol as the web client needs to catch up: the upgrade, `hello` with
the revs that it has, `about` to know that the welcome is complete, a `sync` for each room that is
still behind its head, and the delays after a lost connection.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec

from bench.frames import PING, PONG, frame, frames_in, upgrade
from bench.server import HOST
from hubbub.client import Backoff
from hubbub.client.transport import CONNECT_TIMEOUT_S

HELLO, ABOUT = 1, 2  # the numbers of these two commands; later ones follow
NOTICE = b'{"on":"notice"'
SYNCED = b'{"on":"synced"'
REPLY = b'{"re":'


class PostFailed(Exception):
    """A post was refused, or its connection was lost."""


class Room(msgspec.Struct):
    room: str
    rev: int


class Ok(msgspec.Struct):
    """The fields that are used from the replies to hello, sync and post."""

    epoch: str | None = None
    rooms: list[Room] = []
    through: int | None = None
    more: bool = False
    rev: int = 0


class Refusal(msgspec.Struct):
    code: str
    retry_after: float | None = None


class Reply(msgspec.Struct):
    re: int | None
    ok: Ok | None = None
    error: Refusal | None = None


class Event(msgspec.Struct):
    """The fields that are used from `synced` and `notice`."""

    room: str = ""
    through: int = 0
    retry_after: float | None = None


decode_reply = msgspec.json.Decoder(Reply).decode
decode_event = msgspec.json.Decoder(Event).decode


@dataclass
class ReturnStats:
    """Statistics of one mass reconnect; times are in seconds since its beginning."""

    began: float = field(default_factory=time.perf_counter)
    back_s: list[float] = field(default_factory=list)
    posts_ms: list[float] = field(default_factory=list)
    failed_posts: int = 0
    connects: int = 0
    syncs: int = 0
    bytes_in: int = 0

    @property
    def now_s(self) -> float:
        return time.perf_counter() - self.began


class Client:
    """One client, across its connections."""

    __slots__ = (
        "_clients",
        "asked_s",
        "epoch",
        "failures",
        "have",
        "is_up_to_date",
        "token",
        "transport",
    )

    def __init__(self, clients: "Clients", token: str) -> None:
        self._clients = clients
        self.token = token
        self.epoch: str | None = None
        self.have: dict[str, int] = {}
        self.failures = 0
        self.asked_s: float | None = None
        self.transport: Transport | None = None
        self.is_up_to_date = False

    def hello(self) -> bytes:
        command = {"do": "hello", "id": HELLO, "epoch": self.epoch, "rooms": self.have}
        return frame(command)

    async def connect(self) -> None:
        self._clients.stats.connects += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(
                    lambda: Transport(self._clients, self), HOST, self._clients.port
                )
        except (OSError, TimeoutError):
            self.on_lost()

    def on_lost(self) -> None:
        """Reconnect after the delay of a real client."""
        self.transport, self.is_up_to_date = None, False
        self._clients.on_left(self)
        delay_s = self._clients.backoff.delay_s(self.failures, self.asked_s)
        self.failures += 1
        self.asked_s = None
        self._clients.reconnect(self, delay_s)


class Transport(asyncio.Protocol):
    """One connection of a client."""

    __slots__ = ("_buffer", "_client", "_clients", "_due", "_is_upgraded", "_next", "transport")

    def __init__(self, clients: "Clients", client: Client) -> None:
        self._clients = clients
        self._client = client
        self._buffer = bytearray()
        self._is_upgraded = False
        self._due: dict[str, int] = {}
        self._next = itertools.count(ABOUT + 1)
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's class is not a subclass
        self.transport.write(upgrade(self._clients.port, self._client.token))

    def data_received(self, data: bytes) -> None:
        client = self._client
        self._clients.stats.bytes_in += len(data)
        if client.is_up_to_date and client not in self._clients.posters:
            self._skim(data)
            return
        self._buffer += data
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:20]:
                self._on_upgrade_refused(bytes(self._buffer[:end]))
                return
            self._is_upgraded = True
            del self._buffer[: end + 4]
            self.transport.write(client.hello())
        self._read_frames()

    def _skim(self, data: bytes) -> None:
        """Look only for pings and notices, as this client is up to date and only listens."""
        if data == PING:
            self.transport.write(PONG)
        elif (at := data.find(NOTICE)) >= 0:
            self._notice(data[at : data.index(b"}", at) + 1])

    def _on_upgrade_refused(self, head: bytes) -> None:
        for line in head.decode("latin-1").splitlines():
            name, _, value = line.partition(":")
            if name.lower() == "retry-after":
                self._client.asked_s = float(value)
        self.transport.abort()

    def _read_frames(self) -> None:
        for opcode, payload in frames_in(self._buffer):
            self._on_frame(opcode, payload)

    def _on_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.transport.write(PONG)
        elif opcode == 8:
            self.transport.close()
        elif payload.startswith(REPLY):
            self._on_reply(decode_reply(payload))
        elif payload.startswith(SYNCED):
            event = decode_event(payload)
            self._on_synced(event.room, event.through)
        elif payload.startswith(NOTICE):
            self._notice(payload)

    def _notice(self, payload: bytes) -> None:
        """The server is stopping, and has said when to reconnect."""
        self._client.asked_s = decode_event(payload).retry_after
        self.transport.close()

    def _on_reply(self, reply: Reply) -> None:
        if reply.error is not None:
            self._on_refused(reply)
        elif reply.ok is None or reply.re is None:
            return
        elif reply.re == HELLO:
            self._on_welcome(reply.ok)
        elif reply.re == ABOUT:
            self._sync_next()
        elif (room := self._clients.syncing.pop((self, reply.re), None)) is not None:
            self._on_synced(room, reply.ok.through or 0)
            self._sync_next()
        else:
            self._clients.on_post_reply(self, reply.re, reply.ok.rev)

    def _on_refused(self, reply: Reply) -> None:
        assert reply.error
        if reply.re in (HELLO, ABOUT):
            self._client.asked_s = reply.error.retry_after
            self.transport.abort()
        elif reply.re is not None:
            self._clients.on_post_reply(self, reply.re, None)

    def _on_welcome(self, ok: Ok) -> None:
        client = self._client
        client.failures = 0
        client.epoch = ok.epoch
        heads = self._clients.heads
        self._due = {
            room.room: heads[room.room]
            for room in ok.rooms
            if heads.get(room.room, 0) > client.have.get(room.room, 0)
        }
        self.transport.write(frame({"do": "about", "id": ABOUT}))

    def _on_synced(self, room: str, through: int) -> None:
        self._client.have[room] = through
        if room in self._due and through >= self._due[room]:
            del self._due[room]

    def _sync_next(self) -> None:
        """Request the next room that is not up to date; without one the client is ready."""
        if not self._due:
            if not self._client.is_up_to_date:
                self._client.is_up_to_date, self._client.transport = True, self
                self._clients.on_up_to_date(self._client)
            return
        room = next(iter(self._due))
        number = next(self._next)
        self._clients.syncing[self, number] = room
        self._clients.stats.syncs += 1
        after = self._client.have.get(room, 0)
        self.transport.write(frame({"do": "sync", "id": number, "room": room, "after": after}))

    def post(self, room: str, text: str) -> int:
        number = next(self._next)
        self.transport.write(frame({"do": "post", "id": number, "room": room, "text": text}))
        return number

    def connection_lost(self, error: Exception | None) -> None:
        self._clients.on_closed(self)
        self._client.on_lost()


class Clients:
    """All clients, in one event loop; for ten thousand it should be uvloop's."""

    def __init__(self, port: int, tokens: Sequence[str]) -> None:
        self.port = port
        self.backoff = Backoff()
        self.stats = ReturnStats()
        #: The rev that all members must reach, by room.
        self.heads: dict[str, int] = {}
        self.syncing: dict[tuple[Transport, int], str] = {}
        self.posters: set[Client] = set()
        self._posting: dict[tuple[Transport, int], asyncio.Future[int]] = {}
        self._all = [Client(self, token) for token in tokens]
        # In the order in which they became ready.
        self._ready: dict[Client, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._leaving = False
        self.is_posting_over = False

    # Called by scenarios

    def connect_all(self) -> None:
        """Connect all at once."""
        for client in self._all:
            self.reconnect(client, 0.0)

    def reset_stats(self) -> ReturnStats:
        """Begin the statistics of another reconnect."""
        self.stats = ReturnStats()
        self._ready.clear()
        return self.stats

    @property
    def missing(self) -> int:
        """The number of clients that are not up to date."""
        return len(self._all) - len(self._ready)

    async def wait_all(self, timeout_s: float) -> None:
        """Wait until all are up to date, at most for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.missing:
                    self._changed.clear()
                    await self._changed.wait()

    async def leave(self) -> None:
        self._leaving = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._all:
            if client.transport is not None:
                client.transport.transport.abort()

    def members(self) -> Iterator[Client]:
        """Clients that are ready and not guests (who are only in the lobby), in order."""
        return (client for client in self._ready if len(client.have) > 1)

    def stop_posting(self) -> None:
        self.is_posting_over = True

    async def post(self, client: Client, room: str, text: str) -> int:
        """Post a message, and return the room's rev after it. Raises PostFailed."""
        if client.transport is None:
            raise PostFailed("not connected")
        self.posters.add(client)
        number = client.transport.post(room, text)
        key = client.transport, number
        self._posting[key] = asyncio.get_running_loop().create_future()
        return await self._posting[key]

    async def post_for_all(self, client: Client, room: str, text: str) -> None:
        """Post a message that returning clients must receive."""
        self.heads[room] = await self.post(client, room, text)

    # Called by clients and their transports

    def reconnect(self, client: Client, after_s: float) -> None:
        if not self._leaving:
            task = asyncio.get_running_loop().create_task(self._connect(client, after_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: Client, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await client.connect()

    def on_up_to_date(self, client: Client) -> None:
        self._ready[client] = None
        self.stats.back_s.append(self.stats.now_s)
        self._changed.set()

    def on_left(self, client: Client) -> None:
        self._ready.pop(client, None)

    def on_post_reply(self, transport: Transport, number: int, rev: int | None) -> None:
        answer = self._posting.pop((transport, number), None)
        if answer is None or answer.done():
            return
        if rev is None:
            answer.set_exception(PostFailed("refused"))
        else:
            answer.set_result(rev)

    def on_closed(self, transport: Transport) -> None:
        for key in [key for key in self._posting if key[0] is transport]:
            self._posting.pop(key).set_exception(PostFailed("the connection was lost"))
        for key in [key for key in self.syncing if key[0] is transport]:
            del self.syncing[key]
