"""HTTP connections, from their acceptance on: what aiohttp leaves open is bounded here."""

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
from hubbub.gateway.transport.turn_queue import Turns, Unread
from hubbub.gateway.websocket.socket import Socket
from hubbub.model.errors import HubbubError, Malformed, RateLimited, TooLarge
from hubbub.model.messages import FRAME_MAX_BYTES

HEADERS_MAX_BYTES = 32 * 1024  # of one request, its first line included
SLICE_BYTES = 8 * 1024  # parsed in one turn of the loop; what is left lines up in `Turns`
TOO_LARGE = 413
BODY_MAX_BYTES = FRAME_MAX_BYTES  # if more is announced, the rest of it is not even parsed
PIPELINED_MAX_BYTES = 64 * 1024  # of requests sent without waiting for answers
DROPPED_MAX_BYTES = 256 * 1024  # read after a refusal, so that the answer is seen
LINGERING_S = 2.0  # for those who go on sending a body that has been refused

# A body in chunks may need so many bytes for each of its own, beside a first few. As a chunk may be
# of one byte, less of it is parsed at once.
CHUNKED_FACTOR = 2
CHUNKED_FREE_BYTES = 1024
CHUNKED_SLICE_BYTES = 1024

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Arrivals:
    """Makes the protocols of accepted connections."""

    def __init__(
        self,
        server: web.Server,
        limiter: ConnectionLimiter,
        network_of: Callable[[str], str | None],
        throttle_of: Callable[[web.BaseRequest], Throttle | None],
        turns: Turns,
        handler_args: dict[str, Any],
    ) -> None:
        """``network_of`` gives the network of a peer's address, or None for our own proxies.

        ``throttle_of`` gives what slows a connection down whose requests lead to nothing, and
        None where there are no limits.
        """
        self.server = server
        self.limiter = limiter
        self.network_of = network_of
        self.throttle_of = throttle_of
        self.turns = turns
        self._handler_args = {**handler_args, "lingering_time": LINGERING_S}

    def __call__(self) -> asyncio.Protocol:
        return Arrival(self)

    def connection(self, slot: Slot) -> "HttpConnection":
        return HttpConnection(self, slot, **self._handler_args)


class Arrival(asyncio.Protocol):
    """A connection just accepted. If there is a slot for it, an `HttpConnection` takes it over."""

    __slots__ = ("_arrivals",)

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        arrivals = self._arrivals
        peer = transport.get_extra_info("peername")
        network = arrivals.network_of(str(peer[0]) if peer else "")
        try:
            slot = arrivals.limiter.open_slot(network, transport.abort)
        except RateLimited:
            transport.abort()  # an answer would cost what the limit is there to save
        except HubbubError as error:
            transport.write(raw_problem(error))
            transport.close()
        else:
            connection = arrivals.connection(slot)
            transport.set_protocol(connection)
            connection.connection_made(transport)


class HttpConnection(RequestHandler):
    """aiohttp's side of a connection, until it ends or becomes a WebSocket."""

    __slots__ = (
        "_arrivals",
        "_body",
        "_body_bytes",
        "_dropped",
        "_header_bytes",
        "_is_broken",
        "_is_chunked",
        "_nap",
        "_slot",
        "_throttle",
        "_unread",
    )

    def __init__(self, arrivals: Arrivals, slot: Slot, **handler_args: Any) -> None:
        super().__init__(arrivals.server, loop=asyncio.get_running_loop(), **handler_args)
        self._arrivals = arrivals
        self._slot: Slot | None = slot
        self._throttle: Throttle | None = None
        self._header_bytes = 0
        self._body: StreamReader | None = None  # of the request that came last
        self._body_bytes = 0  # as they came, in their chunks
        self._dropped = 0  # bytes
        self._unread = Unread()
        self._is_broken = False
        self._is_chunked = False
        self._nap: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came, as much as one turn of the loop may cost."""
        if self._is_broken:
            self._dropped += len(data)
            if self._dropped > DROPPED_MAX_BYTES:
                self._pause_transport_reading()
            return
        if not data:  # aiohttp goes on with what it has kept
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
                self.close()  # once the request in hand is answered
            elif self._unread:
                self._line_up()

    @property
    def _is_in_body(self) -> bool:
        """Whether what comes next belongs to a request whose headers have come."""
        body = self._messages[-1][1] if self._messages else self._body
        return body is not None and not body.is_eof()

    def _line_up(self) -> None:
        self._pause_transport_reading()
        self._arrivals.turns.line_up(self)

    def take_turn(self) -> None:
        """Parse the next slice of what came."""
        self._parse(self._unread.take(CHUNKED_SLICE_BYTES if self._is_chunked else SLICE_BYTES))
        if self._is_broken or self.transport is None:
            self._unread.clear()
        elif self._unread:
            self._line_up()
        elif not self._reading_paused and not self._buffer_paused:
            self._resume_transport_reading()

    def _resume_transport_reading(self) -> None:
        """Resume reading, unless some of what was read still waits to be parsed."""
        if not self._unread:
            super()._resume_transport_reading()

    def _parse(self, data: bytes) -> None:
        slot = self._slot
        if slot is None:
            return
        if slot.state == "idle":
            slot.enter("headers")
        super().data_received(data)
        if self._messages:
            self._header_bytes = self._body_bytes = 0
            message, self._body = self._messages[-1]
            self._is_chunked = isinstance(message, RawRequestMessage) and message.chunked
            if slot.state == "headers":
                slot.enter("request")
            self._look_at(message)
        elif self._body is not None and not self._body.is_eof():  # answered by now, or not yet
            self._body_bytes += len(data)
            self._require_large_chunks(self._body.total_bytes)
        elif slot.state == "headers" or self._current_request is not None:
            self._header_bytes += len(data)
            if self._header_bytes > HEADERS_MAX_BYTES:
                self._refuse(TooLarge("The headers of a request have at most 32 KB."), status=431)

    def _require_large_chunks(self, carried: int) -> None:
        """Chunks of a byte each cost hundreds of times more than the body that they make."""
        if self._body_bytes > CHUNKED_FREE_BYTES + CHUNKED_FACTOR * carried:
            self._refuse(Malformed("The chunks of this body are too small."), status=400)

    def _look_at(self, message: object) -> None:
        """After broken HTTP nothing is read any more: it would only be broken again."""
        if isinstance(message, _ErrInfo):
            self._is_broken = True
            # Its frames hold what was read, and this message: a circle, of up to 256 KB.
            message.exc.__traceback__ = message.exc.__context__ = None
            self._pause_transport_reading()

    def _refuse(self, error: HubbubError, status: int) -> None:
        self._is_broken = True
        self._arrivals.limiter.count("flood")
        if self.transport is not None:
            self.transport.write(raw_problem(error, status=status))
        self.force_close()

    async def _handle_request(
        self, request: web.BaseRequest, start_time: float | None, request_handler: Handler
    ) -> tuple[web.StreamResponse, bool]:
        if self._slot is not None:
            self._slot.enter("request")
        await self._drain_helper()  # the next answer is made when the last ones are being read
        answer = await super()._handle_request(request, start_time, request_handler)
        is_too_large = (request.content_length or math.inf) > BODY_MAX_BYTES
        if not request.content.is_eof() and (is_too_large or answer[0].status == TOO_LARGE):
            self._is_broken = True  # whatever still comes of the body is dropped as it is
            self._unread.clear()
        if 400 <= answer[0].status < 500:
            await self._slow_down(request)
        if self._slot is not None:  # else it has become a WebSocket, or it is gone
            self._slot.enter("idle")
        return answer

    async def _slow_down(self, request: web.BaseRequest) -> None:
        """Nothing more is read from here until what was refused has been paid for."""
        if self._throttle is None:
            self._throttle = self._arrivals.throttle_of(request)
        wait_s = self._throttle.take() if self._throttle is not None else 0
        if wait_s == math.inf:
            self._arrivals.limiter.count("flood")
            self.force_close()
        elif wait_s and self._slot is not None:
            self._nap = self._loop.create_future()
            alarm = self._loop.call_later(wait_s, self._wake)
            await self._nap
            alarm.cancel()

    def _wake(self) -> None:
        if self._nap is not None and not self._nap.done():
            self._nap.set_result(None)

    def become(self, socket: Socket) -> None:
        """The connection is a WebSocket from now on."""
        transport, slot = self.transport, self._slot
        assert transport is not None
        assert slot is not None
        slot.keep()
        socket.slot, self._slot = slot, None
        self._arrivals.turns.leave(self)
        transport.resume_reading()
        self.set_parser(socket)  # type: ignore[arg-type]  # all that is asked of one
        transport.set_protocol(socket)
        socket.data_received(self._unread.take(len(self._unread)))
        self.transport = None  # else it would be closed with this
        self.connection_lost(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._slot is not None:
            self._slot.release()
            self._slot = None
        self._wake()
        self._unread.clear()
        self._arrivals.turns.leave(self)
        super().connection_lost(exc)


class Site(web.BaseSite):
    """A listening address, whose connections `Arrivals` makes."""

    __slots__ = ("_arrivals", "_host", "_port", "_reuse_port")

    def __init__(
        self,
        runner: web.AppRunner,
        arrivals: Arrivals,
        host: str,
        port: int,
        *,
        backlog: int,
        reuse_port: bool,
    ) -> None:
        super().__init__(runner, backlog=backlog)
        self._arrivals = arrivals
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
            self._arrivals,
            self._host,
            self._port,
            backlog=self._backlog,
            reuse_port=self._reuse_port,
        )
