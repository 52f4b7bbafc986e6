"""The gateway's side of one WebSocket connection, whatever it speaks."""

import asyncio
import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

import structlog
from aiohttp import web

from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.websocket.socket import Socket
from hubbub.live.client import Client
from hubbub.model.accounts import Actor
from hubbub.model.errors import Forbidden, HubbubError, SignInRequired
from hubbub.model.messages import FRAME_MAX_BYTES
from hubbub.wire.frames import (
    CLOSE_POLICY,
    CLOSE_SIGN_IN_AGAIN,
    CLOSE_TOO_SLOW,
    CLOSE_TRY_LATER,
)

IN_FLIGHT_MAX = 64  # commands of one connection; above it, reading waits
STRANGER_MESSAGE_MAX_BYTES = 8 * 1024
CHARGED_BYTES = 16 * 1024  # of what is refused cost as much as one more refusal

_CLOSE_CODES: dict[type[HubbubError], int] = {
    SignInRequired: CLOSE_SIGN_IN_AGAIN,
    Forbidden: CLOSE_POLICY,
}

log = structlog.get_logger()


class Connection(ABC):
    """Reads commands, hands them to the desk, writes replies.

    Commands in flight are bounded, and so are replies: above the bound reading from the
    connection stops, and TCP tells the sender.
    """

    dialect: str

    def __init__(self, dispatcher: Dispatcher, address: str) -> None:
        self.dispatcher = dispatcher
        self.address = address
        self.socket: Socket
        self.client: Client | None = None
        self.closing = False
        self._seat: str | None = None
        self._in_flight = 0
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiter: asyncio.Future[None] | None = None
        self._throttle = dispatcher.throttle(address)

    @classmethod
    @abstractmethod
    async def opened(
        cls, dispatcher: Dispatcher, request: web.Request, address: str, token: str | None
    ) -> Self:
        """Before the upgrade: who is it? Raises HubbubError, which refuses the upgrade."""

    def connected(self, transport: asyncio.Transport) -> Socket:
        """The upgrade is done; `start` comes next."""
        high = self.dispatcher.settings.send_buffer_bytes
        transport.set_write_buffer_limits(high=high, low=high // 4)
        self.socket = Socket(transport, self, FRAME_MAX_BYTES, self.dispatcher.turns)
        self.dispatcher.sockets.add(self.socket)
        return self.socket

    async def start(self) -> None:
        """After the upgrade; nothing is read before it is over."""
        try:
            await self.begin()
        except HubbubError as error:
            # It is too late for an answer over HTTP.
            self.refuse(error)
            self.close(_CLOSE_CODES.get(type(error), CLOSE_TRY_LATER), error.message)
        self.go_on()

    @abstractmethod
    async def begin(self) -> None:
        """Enter. Raises HubbubError, which ends the connection."""

    @abstractmethod
    def take(self, data: str) -> None:
        """One frame. Never raises."""

    def take_bytes(self, data: bytes) -> None:
        """Some clients send text in binary frames."""
        self.take(data.decode("utf-8", "replace"))

    def _take_user_slot(self, actor: Actor) -> None:
        """One connection more of this person. Raises TooManyConnections."""
        key = actor.guest_key or actor.name
        if self._seat != key:
            self.dispatcher.take_user_slot(key)
            self._release_user_slot()
            self._seat = key

    def _release_user_slot(self) -> None:
        if self._seat is not None:
            self.dispatcher.release_user_slot(self._seat)
            self._seat = None

    def admit(self, actor: Actor) -> Client:
        """Now we know who it is; from here on the hub ends it when they may be here no longer.

        Nothing may be awaited between `Dispatcher.still` or `Dispatcher.identify` and this. Raises
        TooManyConnections, or SignInRequired if the connection has ended meanwhile.
        """
        if self.closing:
            raise SignInRequired("This connection has ended. Come back.")
        self._take_user_slot(actor)
        transport = self.socket.transport
        hub, now = self.dispatcher.hub, self.dispatcher.clock()
        client = Client(transport, self.dialect, actor, self.address, now, self, hub.queue)
        self.client = client
        hub.connect(client)
        if self.is_full:  # the transport says so once, and that was before
            hub.backpressure.fall_behind(client)
        return client

    def ended(self) -> None:
        """Nothing more comes from here."""
        self.leave()

    def gone(self) -> None:
        """The connection is over, or never came to be."""
        if hasattr(self, "socket"):
            self.dispatcher.sockets.discard(self.socket)
        self.dispatcher.release_connection_slot(self.address)

    def leave(self) -> None:
        """Out of the hub, and nothing goes on."""
        self.closing = True
        for task in self._tasks:
            task.cancel()
        if self.client is not None:
            self.dispatcher.hub.disconnect(self.client)
            self.client = None
        self._release_user_slot()

    def seen(self) -> None:
        if self.client is not None:
            self.client.seen_at = self.dispatcher.clock()

    # Bounds

    @property
    def message_max_bytes(self) -> int:
        return STRANGER_MESSAGE_MAX_BYTES if self.is_stranger else FRAME_MAX_BYTES

    @property
    def is_stranger(self) -> bool:
        """Whether it is not known yet who they are; then they send no more than a token needs."""
        return False

    def take_control(self) -> None:
        self.charge()

    def charge(self, size: int = 0) -> None:
        """They sent what leads to nothing: read from them more slowly, and in the end no more.

        ``size`` is how large it was, as what is large costs more to refuse.
        """
        if self._throttle is None or self.closing:
            return
        wait_s = self._throttle.take(1 + size // CHARGED_BYTES)
        if wait_s == math.inf:
            self.dispatcher.connections.count("flood")
            self.close(CLOSE_POLICY, "Too much that leads to nothing. Come back later.")
            self.socket.ignore_rest()
        elif wait_s:
            self.socket.slow_down(wait_s)

    @property
    def must_wait(self) -> bool:
        return self._in_flight >= IN_FLIGHT_MAX or (self.client is not None and self.client.behind)

    def go_on(self) -> None:
        """It is not behind any more, or there is room for more commands: read on."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if not self.must_wait:
            self.socket.go_on()

    def write(self, frames: bytes) -> None:
        """An answer: never dropped; but who does not read answers is not read from either."""
        if self.closing:
            return
        if self.client is not None:
            self.client.write(frames)
        else:
            self.socket.write(frames)

    @property
    def is_full(self) -> bool:
        return self.socket.is_full

    def filled(self) -> None:
        """They read more slowly than is written to them."""
        if self.closing:
            return
        if self.client is None:
            self.close(CLOSE_TOO_SLOW, "You read too slowly.")
        else:
            self.dispatcher.hub.backpressure.fall_behind(self.client)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For what waits: one after the other, in order, and none while answers are not read.

        Each may be answered with a megabyte, and all commands in flight may ask for one.
        """
        async with self._turn:
            while self.client is not None and self.client.behind:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            yield

    def started(self) -> None:
        """One more command in flight."""
        self._in_flight += 1

    def answered(self) -> None:
        """One less."""
        self._in_flight -= 1
        if self._in_flight == IN_FLIGHT_MAX - 1:
            self.go_on()

    def run(self, operation: Callable[[], Awaitable[None]]) -> None:
        """Do something that waits, as long as the connection lasts.

        Nothing of it has begun if the connection ends in this very turn of the loop; hence a
        function, and not a coroutine that would be left over.
        """
        task = asyncio.get_running_loop().create_task(self._guarded(operation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, operation: Callable[[], Awaitable[None]]) -> None:
        try:
            await operation()
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
            self.dispatcher.hub.disconnect(self.client)
        self.socket.close(code, reason)
