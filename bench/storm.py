"""A storm: everybody comes back at once after the server was pulled out from under them.

The load speaks just enough of the protocol: upgrade, hello with what it has, and it is up to date
when the room's head has come. A few of those who are back go on to post.
"""

import asyncio
import base64
import contextlib
import json
import os
import random
import struct
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

from bench.server import HOST
from hubbub import client

POSTERS = 10
POSTS_EVERY_S = 1.0
GIVES_UP_AFTER_S = 120
#: As the web client does after a connection that failed: at random between these.
AGAIN_AFTER_S = (0.5, 1.5)
#: What the kernel may hold of connections that nobody has accepted yet.
CONNECTS_AT_ONCE = 4_000


@dataclass
class Storm:
    """What was seen of it, in seconds from its beginning."""

    back_s: list[float] = field(default_factory=list)
    posts_ms: list[float] = field(default_factory=list)
    retries: int = 0
    bytes_in: int = 0

    @property
    def all_back_s(self) -> float:
        return max(self.back_s, default=float("inf"))

    @property
    def posts_p99_ms(self) -> float:
        found = sorted(self.posts_ms)
        return found[int(len(found) * 0.99)] if found else float("inf")


def frame(payload: bytes) -> bytes:
    """A text frame of a client, whose mask is nothing: the server unmasks it all the same."""
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + struct.pack(">H", size)
    return head + b"\0\0\0\0" + payload


class Returning(asyncio.Protocol):
    """One client on its way back."""

    def __init__(self, crowd: "Crowd", token: str) -> None:
        self._crowd = crowd
        self._token = token
        self._buffer = bytearray()
        self._is_upgraded = False
        self.is_back = False
        self.transport: asyncio.Transport
        self.waiting: dict[int, float] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {HOST}:{self._crowd.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: hubbub.v1\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._crowd.storm.bytes_in += len(data)
        self._buffer += data
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:20]:
                self.transport.abort()
                return
            self._is_upgraded = True
            del self._buffer[: end + 4]
            self.transport.write(self._crowd.hello)
        self._read_frames()

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) < start + size:
                break
            self._take(buffer[at] & 15, bytes(buffer[start : start + size]))
            at = start + size
        del buffer[:at]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.transport.write(b"\x8a\x80\0\0\0\0")
        elif payload.startswith(b'{"on":"synced"') and not self.is_back:
            if json.loads(payload)["through"] >= self._crowd.head:
                self.is_back = True
                self._crowd.came_back(self)
        elif payload.startswith(b'{"re":') and (self.waiting or not self.is_back):
            reply = json.loads(payload)
            number = reply["re"]
            if number == 1 and "error" in reply:
                self.transport.abort()  # busy: again in a moment, as any client would
            elif number in self.waiting:
                self._crowd.storm.posts_ms.append(
                    (time.perf_counter() - self.waiting.pop(number)) * 1000
                )

    def post(self, number: int) -> None:
        self.waiting[number] = time.perf_counter()
        words = {"do": "post", "id": number, "room": "lobby", "text": "I am back"}
        self.transport.write(frame(json.dumps(words).encode()))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_back:
            self._crowd.again(self._token)


class Crowd:
    """All of them."""

    def __init__(self, port: int, tokens: Sequence[str], epoch: str, have: int, head: int) -> None:
        self.port = port
        self.head = head
        hello = {"do": "hello", "id": 1, "epoch": epoch, "rooms": {"lobby": have}}
        self.hello = frame(json.dumps(hello).encode())
        self.storm = Storm()
        self._tokens = tokens
        self._all = len(tokens)
        self._began = 0.0
        self._done = asyncio.Event()
        self._gate = asyncio.Semaphore(CONNECTS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._back: list[Returning] = []

    async def come(self) -> Storm:
        """All at once."""
        self._began = time.perf_counter()
        for token in self._tokens:
            self._start(self._connect(token, 0.0))
        posting = asyncio.create_task(self._post())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVES_UP_AFTER_S):
                await self._done.wait()
        posting.cancel()
        for one in self._back:
            one.transport.abort()
        return self.storm

    def came_back(self, one: Returning) -> None:
        self.storm.back_s.append(time.perf_counter() - self._began)
        self._back.append(one)
        if len(self.storm.back_s) == self._all:
            self._done.set()

    def again(self, token: str) -> None:
        if not self._done.is_set():
            self.storm.retries += 1
            self._start(self._connect(token, random.uniform(*AGAIN_AFTER_S)))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, token: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        loop = asyncio.get_running_loop()
        try:
            async with self._gate:
                await loop.create_connection(lambda: Returning(self, token), HOST, self.port)
        except OSError:
            self.again(token)

    async def _post(self) -> None:
        """Those who were first to be back go on."""
        number = 1
        while True:
            await asyncio.sleep(POSTS_EVERY_S / POSTERS)
            if self._back:
                number += 1
                self._back[number % min(len(self._back), POSTERS)].post(number)


def come_back(port: int, tokens: Sequence[str], epoch: str, have: int, head: int) -> Storm:
    """Have everybody come back to a server that has just started."""

    async def run() -> Storm:
        return await Crowd(port, tokens, epoch, have, head).come()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def welcome(port: int, token: str) -> tuple[int, int, str]:
    """What a client of the lobby has that is up to date: its rev, the room's, the epoch."""

    async def run() -> tuple[int, int, str]:
        async with client.connect(f"http://{HOST}:{port}", token) as one:
            await one.caught_up()
            lobby = one.rooms["lobby"]
            assert one.replica.epoch
            return lobby.have or 0, lobby.rev, one.replica.epoch

    return asyncio.run(run())
