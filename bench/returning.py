"""People who come back: a crowd of JSON clients, light enough to be ten thousand on one core.

Each speaks as much of the protocol as the web client does to be up to date again: the upgrade,
`hello` with what it has, `about` to know that the welcome is over, a `sync` for each room that
is still short of its head, and the pauses that a client keeps after a connection was lost.
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

HELLO, ABOUT = 1, 2  # the numbers of these two; commands after them count on
NOTICE = b'{"on":"notice"'
SYNCED = b'{"on":"synced"'
REPLY = b'{"re":'


class PostFailed(Exception):
    """A post was refused, or its connection was lost."""


class Room(msgspec.Struct):
    room: str
    rev: int


class Ok(msgspec.Struct):
    """What is looked at of the answers to hello, sync and post."""

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
    """What is looked at of `synced` and `notice`."""

    room: str = ""
    through: int = 0
    retry_after: float | None = None


reply_of = msgspec.json.Decoder(Reply).decode
event_of = msgspec.json.Decoder(Event).decode


@dataclass
class Seen:
    """What was seen of one return, in seconds from its beginning."""

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


class Person:
    """One of them, over all their connections."""

    __slots__ = ("_crowd", "asked_s", "epoch", "failures", "have", "is_back", "transport", "token")

    def __init__(self, crowd: "Crowd", token: str) -> None:
        self._crowd = crowd
        self.token = token
        self.epoch: str | None = None
        self.have: dict[str, int] = {}
        self.failures = 0
        self.asked_s: float | None = None
        self.transport: Transport | None = None
        self.is_back = False

    def hello(self) -> bytes:
        command = {"do": "hello", "id": HELLO, "epoch": self.epoch, "rooms": self.have}
        return frame(command)

    async def connect(self) -> None:
        self._crowd.seen.connects += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(
                    lambda: Transport(self._crowd, self), HOST, self._crowd.port
                )
        except (OSError, TimeoutError):
            self.lost()

    def lost(self) -> None:
        """Come back, after as long as a client waits."""
        self.transport, self.is_back = None, False
        self._crowd.left(self)
        delay_s = self._crowd.backoff.delay_s(self.failures, self.asked_s)
        self.failures += 1
        self.asked_s = None
        self._crowd.come_again(self, delay_s)


class Transport(asyncio.Protocol):
    """One connection of theirs."""

    __slots__ = ("_buffer", "_crowd", "_due", "_is_upgraded", "_next", "_person", "transport")

    def __init__(self, crowd: "Crowd", person: Person) -> None:
        self._crowd = crowd
        self._person = person
        self._buffer = bytearray()
        self._is_upgraded = False
        self._due: dict[str, int] = {}
        self._next = itertools.count(ABOUT + 1)
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.transport.write(upgrade(self._crowd.port, self._person.token))

    def data_received(self, data: bytes) -> None:
        person = self._person
        self._crowd.seen.bytes_in += len(data)
        if person.is_back and person not in self._crowd.posters:
            self._glance(data)
            return
        self._buffer += data
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:20]:
                self._not_let_in(bytes(self._buffer[:end]))
                return
            self._is_upgraded = True
            del self._buffer[: end + 4]
            self.transport.write(person.hello())
        self._read_frames()

    def _glance(self, data: bytes) -> None:
        """Who is up to date and only listens need not take the frames apart."""
        if data == PING:
            self.transport.write(PONG)
        elif (at := data.find(NOTICE)) >= 0:
            self._notice(data[at : data.index(b"}", at) + 1])

    def _not_let_in(self, head: bytes) -> None:
        for line in head.decode("latin-1").splitlines():
            name, _, value = line.partition(":")
            if name.lower() == "retry-after":
                self._person.asked_s = float(value)
        self.transport.abort()

    def _read_frames(self) -> None:
        for opcode, payload in frames_in(self._buffer):
            self._take(opcode, payload)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.transport.write(PONG)
        elif opcode == 8:
            self.transport.close()
        elif payload.startswith(REPLY):
            self._replied(reply_of(payload))
        elif payload.startswith(SYNCED):
            event = event_of(payload)
            self._reached(event.room, event.through)
        elif payload.startswith(NOTICE):
            self._notice(payload)

    def _notice(self, payload: bytes) -> None:
        """The server goes, and has said when to come back."""
        self._person.asked_s = event_of(payload).retry_after
        self.transport.close()

    def _replied(self, reply: Reply) -> None:
        if reply.error is not None:
            self._refused(reply)
        elif reply.ok is None or reply.re is None:
            return
        elif reply.re == HELLO:
            self._welcome(reply.ok)
        elif reply.re == ABOUT:
            self._welcome_over()
        elif (room := self._crowd.syncing.pop((self, reply.re), None)) is not None:
            self._reached(room, reply.ok.through or 0)
            self._welcome_over()
        else:
            self._crowd.posted(self, reply.re, reply.ok.rev)

    def _refused(self, reply: Reply) -> None:
        assert reply.error
        if reply.re in (HELLO, ABOUT):
            self._person.asked_s = reply.error.retry_after
            self.transport.abort()
        elif reply.re is not None:
            self._crowd.posted(self, reply.re, None)

    def _welcome(self, ok: Ok) -> None:
        person = self._person
        person.failures = 0
        person.epoch = ok.epoch
        heads = self._crowd.heads
        self._due = {
            room.room: heads[room.room]
            for room in ok.rooms
            if heads.get(room.room, 0) > person.have.get(room.room, 0)
        }
        self.transport.write(frame({"do": "about", "id": ABOUT}))

    def _reached(self, room: str, through: int) -> None:
        self._person.have[room] = through
        if room in self._due and through >= self._due[room]:
            del self._due[room]

    def _welcome_over(self) -> None:
        """What has not come with the welcome is asked for."""
        if not self._due:
            if not self._person.is_back:
                self._person.is_back, self._person.transport = True, self
                self._crowd.arrived(self._person)
            return
        room = next(iter(self._due))
        number = next(self._next)
        self._crowd.syncing[self, number] = room
        self._crowd.seen.syncs += 1
        after = self._person.have.get(room, 0)
        self.transport.write(frame({"do": "sync", "id": number, "room": room, "after": after}))

    def post(self, room: str, text: str) -> int:
        number = next(self._next)
        self.transport.write(frame({"do": "post", "id": number, "room": room, "text": text}))
        return number

    def connection_lost(self, error: Exception | None) -> None:
        self._crowd.unlinked(self)
        self._person.lost()


class Crowd:
    """All of them. Used in one event loop, uvloop's if ten thousand are to be light."""

    def __init__(self, port: int, tokens: Sequence[str]) -> None:
        self.port = port
        self.backoff = Backoff()
        self.seen = Seen()
        #: Room → the rev that everybody in it has to reach.
        self.heads: dict[str, int] = {}
        self.syncing: dict[tuple[Transport, int], str] = {}
        self.posters: set[Person] = set()
        self._posting: dict[tuple[Transport, int], asyncio.Future[int]] = {}
        self._people = [Person(self, token) for token in tokens]
        # In the order in which they came.
        self._here: dict[Person, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._leaving = False
        self.has_stopped_talking = False

    # What is asked of them

    def come(self) -> None:
        """All at once."""
        for person in self._people:
            self.come_again(person, 0.0)

    def begin(self) -> Seen:
        """From now on it is another return that is looked at."""
        self.seen = Seen()
        self._here.clear()
        return self.seen

    @property
    def missing(self) -> int:
        """How many are not up to date yet."""
        return len(self._people) - len(self._here)

    async def all_here(self, timeout_s: float) -> None:
        """Wait until all are up to date, or for so long."""
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
        for person in self._people:
            if person.transport is not None:
                person.transport.transport.abort()

    def members(self) -> Iterator[Person]:
        """Those who are here and are no guests (who are in the lobby only), as they came."""
        return (person for person in self._here if len(person.have) > 1)

    def stop_talking(self) -> None:
        self.has_stopped_talking = True

    async def post(self, person: Person, room: str, text: str) -> int:
        """The room's rev after it. Raises PostFailed."""
        if person.transport is None:
            raise PostFailed("not connected")
        self.posters.add(person)
        number = person.transport.post(room, text)
        key = person.transport, number
        self._posting[key] = asyncio.get_running_loop().create_future()
        return await self._posting[key]

    async def post_for_all(self, person: Person, room: str, text: str) -> None:
        """The same; who comes back has to have it."""
        self.heads[room] = await self.post(person, room, text)

    # What they tell

    def come_again(self, person: Person, after_s: float) -> None:
        if not self._leaving:
            task = asyncio.get_running_loop().create_task(self._connect(person, after_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, person: Person, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await person.connect()

    def arrived(self, person: Person) -> None:
        self._here[person] = None
        self.seen.back_s.append(self.seen.now_s)
        self._changed.set()

    def left(self, person: Person) -> None:
        self._here.pop(person, None)

    def posted(self, transport: Transport, number: int, rev: int | None) -> None:
        answer = self._posting.pop((transport, number), None)
        if answer is None or answer.done():
            return
        if rev is None:
            answer.set_exception(PostFailed("refused"))
        else:
            answer.set_result(rev)

    def unlinked(self, transport: Transport) -> None:
        for key in [key for key in self._posting if key[0] is transport]:
            self._posting.pop(key).set_exception(PostFailed("the connection was lost"))
        for key in [key for key in self.syncing if key[0] is transport]:
            del self.syncing[key]
