"""Bystanders: a few people who post at a low rate while somebody else floods their server.

Most are on JSON sockets and receive each other's messages; some post over HTTP, as bots do. Post
number k is due at k / rate, independent of earlier posts. Measured is the time until it is
acknowledged, and until each of the others has received it.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec

from bench.frames import PING_FRAME, PONG, frame, frames_in, upgrade
from bench.returning import HELLO, decode_reply
from bench.server import HOST
from hubbub.model.names import LOBBY

#: Separate addresses, so that the limits for the flood from 127.0.3 do not apply to them.
ADDRESS = "127.0.1"
ON_SOCKETS = 4
OVER_HTTP = 2
POSTS_PER_S = 24.0
CONNECT_TIMEOUT_S = 20.0
#: A post that has not reached everybody by then is lost.
DELIVERY_TIMEOUT_S = 5.0
MESSAGE = b'{"on":"message"'
MARKER = "bystander "


class MessageText(msgspec.Struct):
    text: str = ""


decode_text = msgspec.json.Decoder(MessageText).decode


@dataclass
class PostLog:
    """The posts of one phase and their latencies."""

    began: dict[int, float] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    deliveries: dict[int, int] = field(default_factory=dict)
    taken_ms: list[float] = field(default_factory=list)
    #: How late this process itself posted.
    late_ms: list[float] = field(default_factory=list)

    def on_acknowledged(self, number: int) -> None:
        if number in self.began and number not in self.acknowledged:
            self.acknowledged.add(number)
            self._add_latency(number)

    def on_delivered(self, number: int) -> None:
        if number in self.began:
            self.deliveries[number] = self.deliveries.get(number, 0) + 1
            self._add_latency(number)

    def _add_latency(self, number: int) -> None:
        self.taken_ms.append((time.perf_counter() - self.began[number]) * 1000)

    def latencies_ms(self, listeners: int) -> list[float]:
        """All latencies; one that never came counts with the whole timeout."""
        expected = len(self.began) * (1 + listeners)
        return self.taken_ms + [DELIVERY_TIMEOUT_S * 1000] * (expected - len(self.taken_ms))

    def lost(self, listeners: int) -> int:
        """The number of posts that were not acknowledged, or not delivered to everybody."""
        return sum(
            number not in self.acknowledged or self.deliveries.get(number, 0) < listeners
            for number in self.began
        )


class Listener(asyncio.Protocol):
    """A bystander on a JSON socket."""

    def __init__(self, bystanders: "Bystanders", port: int, token: str) -> None:
        self._bystanders = bystanders
        self._hello = upgrade(port, token)
        self._buffer = bytearray()
        self._is_upgraded = False
        self.transport: asyncio.Transport
        self.welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._hello)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if not self.welcomed.done():
            self.welcomed.set_exception(ConnectionError("A bystander could not connect."))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._is_upgraded = True
            del self._buffer[: end + 4]
            self.transport.write(frame({"do": "hello", "id": HELLO}))
        for opcode, payload in frames_in(self._buffer):
            if payload.startswith(MESSAGE):
                text = decode_text(payload).text
                if text.startswith(MARKER):
                    self._bystanders.log.on_delivered(int(text.removeprefix(MARKER)))
            elif opcode == PING_FRAME & 15:
                self.transport.write(PONG)
            elif payload.startswith(b'{"re":'):
                self._on_reply(payload)

    def _on_reply(self, payload: bytes) -> None:
        reply = decode_reply(payload)
        if reply.re == HELLO:
            if not self.welcomed.done():
                self.welcomed.set_result(None)
        elif reply.re is not None and reply.ok is not None:
            self._bystanders.log.on_acknowledged(reply.re)

    def post(self, number: int) -> None:
        command = {"do": "post", "id": number, "room": LOBBY, "text": f"{MARKER}{number}"}
        self.transport.write(frame(command))


class Poster:
    """A bystander who posts over HTTP, on one connection while it lasts."""

    def __init__(self, bystanders: "Bystanders", port: int, token: str, address: str) -> None:
        self._bystanders = bystanders
        self._port = port
        self._token = token
        self._address = address
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, number: int) -> None:
        async with self._lock:
            # A connection that the server has closed is replaced once.
            for _ in range(2):
                try:
                    status = await self._request(number)
                except (OSError, EOFError, ValueError):
                    self.close()
                    continue
                if status == 201:
                    self._bystanders.log.on_acknowledged(number)
                return

    async def _request(self, number: int) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                HOST, self._port, local_addr=(self._address, 0)
            )
        reader, writer = self._streams
        body = msgspec.json.encode({"text": f"{MARKER}{number}", "nonce": str(number)})
        writer.write(
            f"POST /api/rooms/{LOBBY}/messages HTTP/1.1\r\nHost: {HOST}:{self._port}\r\n"
            f"Authorization: Bearer {self._token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(
            int(line.partition(":")[2])
            for line in head.split("\r\n")
            if line.startswith("content-length:")
        )
        await reader.readexactly(length)
        return int(head.split(" ", 2)[1])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Bystanders:
    """All bystanders."""

    def __init__(self, port: int, tokens: Sequence[str]) -> None:
        self._port = port
        self._tokens = tokens
        self._numbers = itertools.count(HELLO + 1)
        self._listeners: list[Listener] = []
        self._posters: list[Poster] = []
        self.log = PostLog()

    async def connect(self) -> None:
        """Connect all. Raises OSError or TimeoutError if somebody is refused."""
        loop = asyncio.get_running_loop()
        for nth, token in enumerate(self._tokens[: ON_SOCKETS + OVER_HTTP]):
            address = f"{ADDRESS}.{nth + 1}"
            if nth < ON_SOCKETS:
                listener = Listener(self, self._port, token)
                await loop.create_connection(
                    lambda one=listener: one,  # type: ignore[misc]
                    HOST,
                    self._port,
                    local_addr=(address, 0),
                )
                self._listeners.append(listener)
            else:
                self._posters.append(Poster(self, self._port, token, address))
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await asyncio.gather(*(listener.welcomed for listener in self._listeners))

    async def post_for(self, seconds: float) -> PostLog:
        """Post for so long, and wait until all posts are delivered or the timeout has passed."""
        self.log = log = PostLog()
        began = time.perf_counter()
        people: Iterator[Listener | Poster] = itertools.cycle([*self._listeners, *self._posters])
        tasks: set[asyncio.Task[None]] = set()
        for turn in range(int(seconds * POSTS_PER_S)):
            due = began + turn / POSTS_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            number = next(self._numbers)
            now = log.began[number] = time.perf_counter()
            log.late_ms.append((now - due) * 1000)
            person = next(people)
            if isinstance(person, Poster):
                tasks.add(asyncio.create_task(person.post(number)))
            else:
                person.post(number)
        await asyncio.sleep(max(0.0, began + seconds - time.perf_counter()))
        await self._wait_for_delivery(log)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return log

    async def _wait_for_delivery(self, log: PostLog) -> None:
        until = time.perf_counter() + DELIVERY_TIMEOUT_S
        while time.perf_counter() < until:
            if not log.lost(ON_SOCKETS):
                return
            await asyncio.sleep(0.01)

    @property
    def closed_count(self) -> int:
        """The number of sockets that the server has closed."""
        return sum(listener.is_closed for listener in self._listeners)

    def close(self) -> None:
        for listener in self._listeners:
            listener.transport.abort()
        for poster in self._posters:
            poster.close()
