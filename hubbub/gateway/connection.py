"""The gateway's side of one WebSocket connection, whatever it speaks."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

import structlog
from aiohttp import web

from hubbub.gateway.desk import Desk
from hubbub.live.client import Client
from hubbub.live.hub import CLOSE_TOO_SLOW
from hubbub.model.accounts import Actor
from hubbub.model.errors import HubbubError

CLOSE_WITHIN_S = 5.0
IN_FLIGHT_MAX = 64  # commands of one connection; above it, reading waits

log = structlog.get_logger()


class Connection(ABC):
    """Reads commands, hands them to the desk, writes replies.

    Commands in flight are bounded, and so are replies: above the bound reading from the
    connection stops, and TCP tells the sender.
    """

    dialect: str

    def __init__(self, desk: Desk, socket: web.WebSocketResponse, address: str) -> None:
        self.desk = desk
        self.socket = socket
        self.address = address
        self.client: Client | None = None
        self.closing = False
        self._in_flight = 0
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._close_task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.WriteTransport | None = None

    @classmethod
    @abstractmethod
    async def opened(
        cls,
        desk: Desk,
        socket: web.WebSocketResponse,
        request: web.Request,
        address: str,
        token: str | None,
    ) -> Self:
        """Before the upgrade: who is it? Raises HubbubError, which refuses the upgrade."""

    @abstractmethod
    async def begin(self) -> None:
        """After the upgrade."""

    @abstractmethod
    def take(self, data: str) -> None:
        """One frame. Never raises."""

    def admit(self, actor: Actor, transport: asyncio.WriteTransport) -> Client:
        """Now we know who it is. Raises TooManyConnections."""
        key = actor.guest_key or actor.name
        self.desk.take_seat(key)
        client = Client(transport, self.dialect, actor, self.address, self.desk.clock(), self)
        self.client = client
        self.desk.hub.connect(client)
        return client

    async def end(self) -> None:
        """The connection is over: nothing of it stays behind."""
        self.leave()
        if self._close_task is not None:
            await asyncio.gather(self._close_task, return_exceptions=True)

    def leave(self) -> None:
        """Out of the hub, and nothing goes on."""
        self.closing = True
        for task in self._tasks:
            task.cancel()
        if self.client is not None:
            self.desk.hub.disconnect(self.client)
            self.desk.give_seat_back(self.client.key)
            self.client = None
        self._go_on()

    def seen(self) -> None:
        if self.client is not None:
            self.client.seen_at = self.desk.clock()

    # Bounds

    @property
    def must_wait(self) -> bool:
        return self._in_flight >= IN_FLIGHT_MAX or (self.client is not None and self.client.behind)

    async def room_for_more(self) -> None:
        """Wait until commands may be read again."""
        if self.client is not None:
            await self.client.drained()
        while self._in_flight >= IN_FLIGHT_MAX and not self.closing:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def write(self, frames: bytes) -> None:
        """An answer: never dropped; but who does not read answers is not read from either."""
        transport, client = self._transport, self.client
        if transport is None or self.closing or transport.is_closing():
            return
        transport.write(frames)
        if transport.get_write_buffer_size() <= self.desk.settings.send_buffer_bytes:
            return
        if client is None:
            self.close(CLOSE_TOO_SLOW, "You read too slowly.")
        elif not client.behind:
            self.desk.hub.fall_behind(client)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For what waits: one after the other, in order, and none while answers are not read.

        Each may be answered with a megabyte, and all commands in flight may ask for one.
        """
        async with self._turn:
            if self.client is not None:
                await self.client.drained()
            yield

    def started(self) -> None:
        """One more command in flight."""
        self._in_flight += 1

    def answered(self) -> None:
        """One less."""
        self._in_flight -= 1
        if self._in_flight < IN_FLIGHT_MAX:
            self._go_on()

    def _go_on(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something that waits, as long as the connection lasts.

        Nothing of it has begun if the connection ends in this very turn of the loop; hence a
        function, and not a coroutine that would be left over.
        """
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except HubbubError as error:
            self.refuse(error)
        except Exception:
            log.exception("a connection's work failed")
            self.refuse(HubbubError())

    @abstractmethod
    def refuse(self, error: HubbubError) -> None:
        """Say what is wrong, where no command's number is known."""

    # What the hub asks (live.client.Door)

    @abstractmethod
    def catch_up(self) -> None: ...

    @abstractmethod
    def removed(self, room: str) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """End it: no frame comes after the close frame, so it leaves the hub first."""
        if self.closing:
            return
        self.closing = True
        if self.client is not None:
            self.desk.hub.disconnect(self.client)
        self._close_task = asyncio.get_running_loop().create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        transport = self._transport
        try:
            # Who does not read would make even the goodbye wait for ever.
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self.socket.close(code=code, message=reason.encode()[:120])
        finally:
            # Whoever does not read does not read this either.
            if transport is not None and transport.get_write_buffer_size():
                transport.abort()
