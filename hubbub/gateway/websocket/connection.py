"""The base class of the JSON and plain-text connections."""

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

IN_FLIGHT_MAX = 64  # commands of one connection; above it, reading pauses
ANONYMOUS_MESSAGE_MAX_BYTES = 8 * 1024
BYTES_PER_REFUSAL = 16 * 1024  # a refused message is charged once, plus once per this many bytes

_CLOSE_CODES: dict[type[HubbubError], int] = {
    SignInRequired: CLOSE_SIGN_IN_AGAIN,
    Forbidden: CLOSE_POLICY,
}

log = structlog.get_logger()


class Connection(ABC):
    """Reads commands, passes them to the dispatcher, and writes replies.

    Commands in flight and unread replies are bounded: above the bound, reading from the connection
    pauses, which TCP passes on to the sender.
    """

    dialect: str

    def __init__(self, dispatcher: Dispatcher, address: str) -> None:
        self.dispatcher = dispatcher
        self.address = address
        self.socket: Socket
        self.client: Client | None = None
        self.closing = False
        self._slot_key: str | None = None
        self._in_flight = 0
        self._order_lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._resumed: asyncio.Future[None] | None = None
        self._throttle = dispatcher.throttle(address)

    @classmethod
    @abstractmethod
    async def from_request(
        cls, dispatcher: Dispatcher, request: web.Request, address: str, token: str | None
    ) -> Self:
        """Identify the caller before the upgrade. Raises HubbubError, which refuses the upgrade."""

    def make_socket(self, transport: asyncio.Transport) -> Socket:
        """Make the socket after the upgrade. `start` is called next."""
        high = self.dispatcher.settings.send_buffer_bytes
        transport.set_write_buffer_limits(high=high, low=high // 4)
        self.socket = Socket(transport, self, FRAME_MAX_BYTES, self.dispatcher.turn_queue)
        self.dispatcher.sockets.add(self.socket)
        return self.socket

    async def start(self) -> None:
        """Enter the hub after the upgrade. Nothing is read before that is done."""
        try:
            await self.enter()
        except HubbubError as error:
            self.refuse(error)
            self.close(_CLOSE_CODES.get(type(error), CLOSE_TRY_LATER), error.message)
        self.resume_reading()

    @abstractmethod
    async def enter(self) -> None:
        """Enter the hub. Raises HubbubError, which closes the connection."""

    @abstractmethod
    def on_text(self, data: str) -> None:
        """Handle one text message. Never raises."""

    def on_binary(self, data: bytes) -> None:
        """Handle a binary message as text, as some clients send text in binary frames."""
        self.on_text(data.decode("utf-8", "replace"))

    def _take_user_slot(self, actor: Actor) -> None:
        """Count this connection for a person. Raises TooManyConnections."""
        key = actor.guest_key or actor.name
        if self._slot_key != key:
            self.dispatcher.take_user_slot(key)
            self._release_user_slot()
            self._slot_key = key

    def _release_user_slot(self) -> None:
        if self._slot_key is not None:
            self.dispatcher.release_user_slot(self._slot_key)
            self._slot_key = None

    def admit(self, actor: Actor) -> Client:
        """Connect an identified person to the hub, which closes the connection on revocation.

        Nothing may be awaited between `Dispatcher.reidentify` or `Dispatcher.identify` and this.
        Raises TooManyConnections, or SignInRequired if the connection has ended meanwhile.
        """
        if self.closing:
            raise SignInRequired("This connection has ended. Connect again.")
        self._take_user_slot(actor)
        transport = self.socket.transport
        hub, now = self.dispatcher.hub, self.dispatcher.clock()
        client = Client(transport, self.dialect, actor, self.address, now, self, hub.queue)
        self.client = client
        hub.connect(client)
        if self.is_full:  # the transport reports it only once, and has already
            hub.backpressure.mark_lagging(client)
        return client

    def on_end(self) -> None:
        """Leave the hub, as nothing more will be read."""
        self.leave_hub()

    def on_closed(self) -> None:
        """Release the slot, as the connection is closed or the upgrade failed."""
        if hasattr(self, "socket"):
            self.dispatcher.sockets.discard(self.socket)
        self.dispatcher.release_connection_slot(self.address)

    def leave_hub(self) -> None:
        """Disconnect from the hub, and cancel all operations."""
        self.closing = True
        for task in self._tasks:
            task.cancel()
        if self.client is not None:
            self.dispatcher.hub.disconnect(self.client)
            self.client = None
        self._release_user_slot()

    def on_activity(self) -> None:
        if self.client is not None:
            self.client.seen_at = self.dispatcher.clock()

    # Bounds

    @property
    def message_max_bytes(self) -> int:
        return ANONYMOUS_MESSAGE_MAX_BYTES if self.is_anonymous else FRAME_MAX_BYTES

    @property
    def is_anonymous(self) -> bool:
        """Whether the caller is not identified yet; then messages are limited to a token's size."""
        return False

    def on_control_frame(self) -> None:
        self.charge()

    def charge(self, size: int = 0) -> None:
        """Charge a refusal: reading slows down, and in the end the connection is closed.

        ``size`` is that of the message in bytes, as large ones cost more to refuse.
        """
        if self._throttle is None or self.closing:
            return
        wait_s = self._throttle.take(1 + size // BYTES_PER_REFUSAL)
        if wait_s == math.inf:
            self.dispatcher.connection_limiter.count("flood")
            self.close(CLOSE_POLICY, "Too many invalid or refused commands. Try again later.")
            self.socket.ignore_rest()
        elif wait_s:
            self.socket.pause(wait_s)

    @property
    def is_reading_paused(self) -> bool:
        return self._in_flight >= IN_FLIGHT_MAX or (
            self.client is not None and self.client.is_lagging
        )

    def resume_reading(self) -> None:
        """Read again, as it is no longer lagging or there is room for more commands."""
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        if not self.is_reading_paused:
            self.socket.resume_reading()

    def write(self, frames: bytes) -> None:
        """Write replies. They are never dropped, but reading pauses while they are not read."""
        if self.closing:
            return
        if self.client is not None:
            self.client.write(frames)
        else:
            self.socket.write(frames)

    @property
    def is_full(self) -> bool:
        return self.socket.is_full

    def on_buffer_full(self) -> None:
        """Mark the client as lagging, as it reads more slowly than we write."""
        if self.closing:
            return
        if self.client is None:
            self.close(CLOSE_TOO_SLOW, "This client reads too slowly.")
        else:
            self.dispatcher.hub.backpressure.mark_lagging(self.client)

    @contextlib.asynccontextmanager
    async def in_order(self) -> AsyncIterator[None]:
        """Run operations one at a time, in order, and none while the client is lagging.

        A reply may have a megabyte, so only one may be in memory at a time.
        """
        async with self._order_lock:
            while self.client is not None and self.client.is_lagging:
                self._resumed = asyncio.get_running_loop().create_future()
                await self._resumed
            yield

    def on_command_started(self) -> None:
        """Count one more command in flight."""
        self._in_flight += 1

    def on_command_done(self) -> None:
        """Count one less, and read again if that makes room."""
        self._in_flight -= 1
        if self._in_flight == IN_FLIGHT_MAX - 1:
            self.resume_reading()

    def run(self, operation: Callable[[], Awaitable[None]]) -> None:
        """Run an operation that waits, until it is done or the connection ends.

        It takes a function, not a coroutine, which would never be awaited if the connection ended
        in the same turn of the loop.
        """
        task = asyncio.get_running_loop().create_task(self._run_guarded(operation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_guarded(self, operation: Callable[[], Awaitable[None]]) -> None:
        try:
            await operation()
        except HubbubError as error:
            self.refuse(error)
        except Exception:
            log.exception("an operation of a connection failed")
            self.refuse(HubbubError())

    @abstractmethod
    def refuse(self, error: HubbubError) -> None:
        """Send an error that belongs to no numbered command."""

    # live.client.ConnectionHandler

    @abstractmethod
    def send_missed(self) -> None: ...

    @abstractmethod
    def on_removed(self, room: str) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Close the connection. It leaves the hub first, as no frame may follow the close frame."""
        if self.closing:
            return
        self.closing = True
        if self.client is not None:
            self.dispatcher.hub.disconnect(self.client)
        self.socket.close(code, reason)
