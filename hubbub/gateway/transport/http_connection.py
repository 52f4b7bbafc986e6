"""HTTP connections from their acceptance on, with the bounds that aiohttp does not set."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from hubbub.gateway.dispatch.limits import Throttle
from hubbub.gateway.http.problem import raw_problem
from hubbub.gateway.transport.connection_limiter import ConnectionLimiter, Slot
from hubbub.gateway.transport.turn_queue import ReadBuffer, TurnQueue
from hubbub.gateway.websocket.socket import Socket
from hubbub.model.errors import HubbubError, Malformed, RateLimited, TooLarge
from hubbub.model.messages import FRAME_MAX_BYTES

HEADERS_MAX_BYTES = 32 * 1024  # of one request, its first line included
SLICE_BYTES = 8 * 1024  # parsed in one turn of the loop; for the rest see `TurnQueue`
TOO_LARGE = 413
BODY_MAX_BYTES = FRAME_MAX_BYTES  # the body of a larger Content-Length is not parsed
PIPELINED_MAX_BYTES = 64 * 1024  # of requests sent without waiting for responses
DROPPED_MAX_BYTES = 256 * 1024  # read after a refusal, so that the client gets the response
LINGERING_S = 2.0  # for clients that go on sending a refused body

# A chunked body may take this many bytes on the wire for each byte of content, plus a few free.
# As a chunk may carry only one byte, such bodies are parsed in smaller slices.
CHUNKED_FACTOR = 2
CHUNKED_FREE_BYTES = 1024
CHUNKED_SLICE_BYTES = 1024

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class ConnectionFactory:
    """Makes the asyncio protocol of each accepted connection."""

    def __init__(
        self,
        server: web.Server,
        limiter: ConnectionLimiter,
        network_of: Callable[[str], str | None],
        throttle_of: Callable[[web.BaseRequest], Throttle | None],
        turn_queue: TurnQueue,
        handler_args: dict[str, Any],
    ) -> None:
        """``network_of`` maps a peer's address to its network, or to None for our own proxies.

        ``throttle_of`` returns the throttle for connections with refused requests, or None if
        limits are off.
        """
        self.server = server
        self.limiter = limiter
        self.network_of = network_of
        self.throttle_of = throttle_of
        self.turn_queue = turn_queue
        self._handler_args = {**handler_args, "lingering_time": LINGERING_S}

    def __call__(self) -> asyncio.Protocol:
        return AcceptedConnection(self)

    def connection(self, slot: Slot) -> "HttpConnection":
        return HttpConnection(self, slot, **self._handler_args)


class AcceptedConnection(asyncio.Protocol):
    """A connection just accepted. An `HttpConnection` takes it over if there is a slot for it."""

    __slots__ = ("_factory",)

    def __init__(self, factory: ConnectionFactory) -> None:
        self._factory = factory

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        factory = self._factory
        peer = transport.get_extra_info("peername")
        network = factory.network_of(str(peer[0]) if peer else "")
        try:
            slot = factory.limiter.open_slot(network, transport.abort)
        except RateLimited:
            transport.abort()  # a response would cost what the limit should save
        except HubbubError as error:
            transport.write(raw_problem(error))
            transport.close()
        else:
            connection = factory.connection(slot)
            transport.set_protocol(connection)
            connection.connection_made(transport)


class HttpConnection(RequestHandler):
    """aiohttp's protocol of a connection, until it ends or becomes a WebSocket."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_dropped_bytes",
        "_header_bytes",
        "_factory",
        "_is_broken",
        "_is_chunked",
        "_pause",
        "_slot",
        "_throttle",
        "_unread",
    )

    def __init__(self, factory: ConnectionFactory, slot: Slot, **handler_args: Any) -> None:
        super().__init__(factory.server, loop=asyncio.get_running_loop(), **handler_args)
        self._factory = factory
        self._slot: Slot | None = slot
        self._throttle: Throttle | None = None
        self._header_bytes = 0
        self._body: StreamReader | None = None  # of the latest request
        self._body_bytes = 0  # on the wire, with their chunk headers
        self._dropped_bytes = 0
        self._unread = ReadBuffer()
        self._is_broken = False
        self._is_chunked = False
        self._pause: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Parse a bounded part of the data; the rest waits in the `TurnQueue`."""
        if self._is_broken:
            self._dropped_bytes += len(data)
            if self._dropped_bytes > DROPPED_MAX_BYTES:
                self._pause_transport_reading()
            return
        if not data:  # aiohttp calls this to parse what it has kept
            super().data_received(data)
        elif self._unread:
            self._unread.add(data)
        else:
            self._unread.add(data)
            self._parse(self._unread.take(CHUNKED_SLICE_BYTES))
            if self._unread and not self._is_chunked:
                self._parse(self._unread.take(SLICE_BYTES))
            if len(self._unread) > PIPELINED_MAX_BYTES and not self._is_in_body:
                self._is_broken = True
                self._unread.clear()
                self.close()  # after the response to the current request
            elif self._unread:
                self._join_queue()

    @property
    def _is_in_body(self) -> bool:
        """Whether the next bytes belong to the body of a request."""
        body = self._messages[-1][1] if self._messages else self._body
        return body is not None and not body.is_eof()

    def _join_queue(self) -> None:
        self._pause_transport_reading()
        self._factory.turn_queue.add(self)

    def take_turn(self) -> None:
        """Parse the next slice of what was read."""
        self._parse(self._unread.take(CHUNKED_SLICE_BYTES if self._is_chunked else SLICE_BYTES))
        if self._is_broken or self.transport is None:
            self._unread.clear()
        elif self._unread:
            self._join_queue()
        elif not self._reading_paused and not self._buffer_paused:
            self._resume_transport_reading()

    def _resume_transport_reading(self) -> None:
        """Resume reading, unless something that was read is still unparsed."""
        if not self._unread:
            super()._resume_transport_reading()

    def _parse(self, data: bytes) -> None:
        slot = self._slot
        if slot is None:
            return
        if slot.state == "idle":
            slot.set_state("headers")
        super().data_received(data)
        if self._messages:
            self._header_bytes = self._body_bytes = 0
            message, self._body = self._messages[-1]
            self._is_chunked = isinstance(message, RawRequestMessage) and message.chunked
            if slot.state == "headers":
                slot.set_state("request")
            self._stop_if_broken(message)
        elif self._body is not None and not self._body.is_eof():  # even if it is answered already
            self._body_bytes += len(data)
            self._require_large_chunks(self._body.total_bytes)
        elif slot.state == "headers" or self._current_request is not None:
            self._header_bytes += len(data)
            if self._header_bytes > HEADERS_MAX_BYTES:
                self._refuse(
                    TooLarge("The headers of a request may have at most 32 KB."), status=431
                )

    def _require_large_chunks(self, body_bytes: int) -> None:
        """Refuse tiny chunks, which cost hundreds of times as much to parse as one large chunk."""
        if self._body_bytes > CHUNKED_FREE_BYTES + CHUNKED_FACTOR * body_bytes:
            self._refuse(Malformed("The chunks of this body are too small."), status=400)

    def _stop_if_broken(self, message: object) -> None:
        """Read nothing more after invalid HTTP, as what follows is invalid, too."""
        if isinstance(message, _ErrInfo):
            self._is_broken = True
            # Its frames refer to what was read and to this message: a cycle of up to 256 KB.
            message.exc.__traceback__ = message.exc.__context__ = None
            self._pause_transport_reading()

    def _refuse(self, error: HubbubError, status: int) -> None:
        self._is_broken = True
        self._factory.limiter.count("flood")
        if self.transport is not None:
            self.transport.write(raw_problem(error, status=status))
        self.force_close()

    async def _handle_request(
        self, request: web.BaseRequest, start_time: float | None, request_handler: Handler
    ) -> tuple[web.StreamResponse, bool]:
        if self._slot is not None:
            self._slot.set_state("request")
        await self._drain_helper()  # wait until the client reads the earlier responses
        answer = await super()._handle_request(request, start_time, request_handler)
        is_too_large = (request.content_length or math.inf) > BODY_MAX_BYTES
        if not request.content.is_eof() and (is_too_large or answer[0].status == TOO_LARGE):
            self._is_broken = True  # the rest of the body is dropped
            self._unread.clear()
        if 400 <= answer[0].status < 500:
            await self._slow_down(request)
        if self._slot is not None:  # else it is a WebSocket now, or closed
            self._slot.set_state("idle")
        return answer

    async def _slow_down(self, request: web.BaseRequest) -> None:
        """Charge a refused request, and wait as long as the throttle demands, or close."""
        if self._throttle is None:
            self._throttle = self._factory.throttle_of(request)
        wait_s = self._throttle.take() if self._throttle is not None else 0
        if wait_s == math.inf:
            self._factory.limiter.count("flood")
            self.force_close()
        elif wait_s and self._slot is not None:
            self._pause = self._loop.create_future()
            timer = self._loop.call_later(wait_s, self._end_pause)
            await self._pause
            timer.cancel()

    def _end_pause(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    def become_websocket(self, socket: Socket) -> None:
        """Hand the transport over to a WebSocket."""
        transport, slot = self.transport, self._slot
        assert transport is not None
        assert slot is not None
        slot.exempt()
        socket.slot, self._slot = slot, None
        self._factory.turn_queue.remove(self)
        transport.resume_reading()
        self.set_parser(socket)  # type: ignore[arg-type]  # has the methods that are used
        transport.set_protocol(socket)
        socket.data_received(self._unread.take(len(self._unread)))
        self.transport = None  # else connection_lost would close it
        self.connection_lost(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._slot is not None:
            self._slot.release()
            self._slot = None
        self._end_pause()
        self._unread.clear()
        self._factory.turn_queue.remove(self)
        super().connection_lost(exc)


class Site(web.BaseSite):
    """A listening address, with protocols made by `ConnectionFactory`."""

    __slots__ = ("_factory", "_host", "_port", "_reuse_port")

    def __init__(
        self,
        runner: web.AppRunner,
        factory: ConnectionFactory,
        host: str,
        port: int,
        *,
        backlog: int,
        reuse_port: bool,
    ) -> None:
        super().__init__(runner, backlog=backlog)
        self._factory = factory
        self._host = host
        self._port = port
        self._reuse_port = reuse_port

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            self._factory,
            self._host,
            self._port,
            backlog=self._backlog,
            reuse_port=self._reuse_port,
        )
