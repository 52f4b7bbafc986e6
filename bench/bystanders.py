"""Bystanders: a few people who talk quietly while somebody else floods their server.

Most are on JSON sockets and hear each other; some post over HTTP, as bots do. Post number k is
due at k / rate, whatever has become of those before. What is measured is the time until it is
acknowledged, and until each of the others has heard it.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec

from bench.frames import PINGS, PONG, frame, frames_in, upgrade
from bench.returning import HELLO, reply_of
from bench.server import HOST
from hubbub.model.names import LOBBY

#: Addresses of their own: what one floods from 127.0.3 is not to be counted as theirs.
ADDRESS = "127.0.1"
ON_SOCKETS = 4
OVER_HTTP = 2
POSTS_PER_S = 24.0
HERE_WITHIN_S = 20.0
#: A post that has not come to everybody by then is lost.
HEARD_WITHIN_S = 5.0
MESSAGE = b'{"on":"message"'
MARK = "bystander "


class Heard(msgspec.Struct):
    text: str = ""


heard_of = msgspec.json.Decoder(Heard).decode


@dataclass
class Talk:
    """The posts of one phase and their latencies."""

    began: dict[int, float] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    deliveries: dict[int, int] = field(default_factory=dict)
    taken_ms: list[float] = field(default_factory=list)
    #: By how much this process itself was late to post.
    late_ms: list[float] = field(default_factory=list)

    def is_acknowledged(self, number: int) -> None:
        if number in self.began and number not in self.acknowledged:
            self.acknowledged.add(number)
            self._took(number)

    def is_delivered(self, number: int) -> None:
        if number in self.began:
            self.deliveries[number] = self.deliveries.get(number, 0) + 1
            self._took(number)

    def _took(self, number: int) -> None:
        self.taken_ms.append((time.perf_counter() - self.began[number]) * 1000)

    def latencies_ms(self, listeners: int) -> list[float]:
        """Of all acknowledgements and deliveries; one that never came took as long as we waited."""
        expected = len(self.began) * (1 + listeners)
        return self.taken_ms + [HEARD_WITHIN_S * 1000] * (expected - len(self.taken_ms))

    def lost(self, listeners: int) -> int:
        """Posts that were not acknowledged, or that somebody has not heard."""
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
        self.is_here: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._hello)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True
        if not self.is_here.done():
            self.is_here.set_exception(ConnectionError("A bystander was not let in."))

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
                text = heard_of(payload).text
                if text.startswith(MARK):
                    self._bystanders.talk.is_delivered(int(text.removeprefix(MARK)))
            elif opcode == PINGS & 15:
                self.transport.write(PONG)
            elif payload.startswith(b'{"re":'):
                self._replied(payload)

    def _replied(self, payload: bytes) -> None:
        reply = reply_of(payload)
        if reply.re == HELLO:
            if not self.is_here.done():
                self.is_here.set_result(None)
        elif reply.re is not None and reply.ok is not None:
            self._bystanders.talk.is_acknowledged(reply.re)

    def post(self, number: int) -> None:
        command = {"do": "post", "id": number, "room": LOBBY, "text": f"{MARK}{number}"}
        self.transport.write(frame(command))


class Poster:
    """A bystander who posts over HTTP, on one connection as long as that lasts."""

    def __init__(self, bystanders: "Bystanders", port: int, token: str, address: str) -> None:
        self._bystanders = bystanders
        self._port = port
        self._token = token
        self._address = address
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, number: int) -> None:
        async with self._turn:
            # A connection that the server has closed meanwhile may be replaced once.
            for _ in range(2):
                try:
                    status = await self._request(number)
                except (OSError, EOFError, ValueError):
                    self.leave()
                    continue
                if status == 201:
                    self._bystanders.talk.is_acknowledged(number)
                return

    async def _request(self, number: int) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                HOST, self._port, local_addr=(self._address, 0)
            )
        reader, writer = self._streams
        body = msgspec.json.encode({"text": f"{MARK}{number}", "nonce": str(number)})
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

    def leave(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Bystanders:
    """All of them."""

    def __init__(self, port: int, tokens: Sequence[str]) -> None:
        self._port = port
        self._tokens = tokens
        self._numbers = itertools.count(HELLO + 1)
        self._listeners: list[Listener] = []
        self._posters: list[Poster] = []
        self.talk = Talk()

    async def come(self) -> None:
        """Raises OSError or TimeoutError if somebody is not let in."""
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
        async with asyncio.timeout(HERE_WITHIN_S):
            await asyncio.gather(*(listener.is_here for listener in self._listeners))

    async def talk_for(self, seconds: float) -> Talk:
        """Post for so long, and wait until everybody has heard, or would have."""
        self.talk = talk = Talk()
        began = time.perf_counter()
        people: Iterator[Listener | Poster] = itertools.cycle([*self._listeners, *self._posters])
        tasks: set[asyncio.Task[None]] = set()
        for turn in range(int(seconds * POSTS_PER_S)):
            due = began + turn / POSTS_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            number = next(self._numbers)
            now = talk.began[number] = time.perf_counter()
            talk.late_ms.append((now - due) * 1000)
            person = next(people)
            if isinstance(person, Poster):
                tasks.add(asyncio.create_task(person.post(number)))
            else:
                person.post(number)
        await asyncio.sleep(max(0.0, began + seconds - time.perf_counter()))
        await self._all_heard(talk)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return talk

    async def _all_heard(self, talk: Talk) -> None:
        until = time.perf_counter() + HEARD_WITHIN_S
        while time.perf_counter() < until:
            if not talk.lost(ON_SOCKETS):
                return
            await asyncio.sleep(0.01)

    @property
    def gone(self) -> int:
        """Those whose sockets the server has closed."""
        return sum(listener.is_gone for listener in self._listeners)

    def leave(self) -> None:
        for listener in self._listeners:
            listener.transport.abort()
        for poster in self._posters:
            poster.leave()
