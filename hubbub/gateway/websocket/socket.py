"""A WebSocket after its handshake, apart from the HTTP request by which it came.

aiohttp checks the handshake and parses the frames. But what it keeps of a request (two tasks,
the headers of both sides, a parser of HTTP) is two thirds of what an idle connection costs, for
as long as it lasts. So once the handshake is answered, the transport gets a protocol of ours,
and aiohttp's is told that its connection is over (docs/decisions/0016-sockets.md).
"""

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from aiohttp import hdrs, web
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http import WS_KEY, WebSocketError, WebSocketReader, WSCloseCode, WSMessage, WSMsgType

from hubbub.gateway.transport.connection_limiter import Slot
from hubbub.gateway.transport.turn_queue import Turns, Unread
from hubbub.model.errors import Malformed
from hubbub.wire.frames import close_frame, pong_frame

CLOSE_CODE_MAX = 4999
CLOSE_WITHIN_S = 5.0  # for the other side's close frame; then the connection is cut

# What one connection may cost in one turn of the loop; what is left of it lines up in `Turns`.
FRAMES_PER_TURN = 64
SLICE_BYTES = 8 * 1024  # parsed at once
SLICE_COST = 32  # in frames
DROPPED_MAX_BYTES = 256 * 1024  # read after the end, so that the close frame is seen


class Listener(Protocol):
    """Who reads from a socket. None of these may raise."""

    @property
    def message_max_bytes(self) -> int:
        """How much a message may have just now, as far as the parser lets through more."""

    def take(self, data: str) -> None:
        """One text message."""

    def take_bytes(self, data: bytes) -> None:
        """One binary message."""

    def take_control(self) -> None:
        """A ping or a pong."""

    def seen(self) -> None:
        """Something came: the other side is alive."""

    @property
    def must_wait(self) -> bool:
        """Whether nothing more is to be read until `Socket.go_on`."""

    def filled(self) -> None:
        """More waits to be read by the other side than the transport's limit."""

    def ended(self) -> None:
        """Nothing more comes; called once, before `gone`.

        What is still to be written must be written now: a close frame may be next.
        """

    def gone(self) -> None:
        """The connection is no more; called once, and nothing after it."""


class Socket(asyncio.Protocol):
    """One connection. Writing goes straight to ``transport``, in whole frames.

    Nothing is read until `go_on` has been called. While the listener must wait, or this
    connection has had its share of the loop's turn, the transport is paused, and of what has been
    read already at most one chunk of the transport is kept.
    """

    __slots__ = (
        "_closing",
        "_deadline",
        "_dropped",
        "_frames",
        "_has_begun",
        "_has_ended",
        "_in_line",
        "_is_handling",
        "_is_lost",
        "_left",
        "_loop",
        "_paused",
        "_reader",
        "_since_message",
        "_timer",
        "_turns",
        "_unread",
        "is_full",
        "listener",
        "slot",
        "transport",
    )

    def __init__(
        self, transport: asyncio.Transport, listener: Listener, most_bytes: int, turns: Turns
    ) -> None:
        """Messages of more than ``most_bytes`` close the connection with 1009."""
        self._loop = asyncio.get_running_loop()
        self._turns = turns
        self.transport = transport
        self.listener = listener
        # aiohttp takes messages that are smaller than its limit, not as large.
        self._reader: WebSocketReader | None = WebSocketReader(
            _Frames(self, self._loop), most_bytes + 1, compress=False, decode_text=True
        )
        # What was read and not yet parsed, and what was parsed and not yet handled.
        self._unread = Unread()
        self._frames: deque[WSMessage] = deque()
        self._since_message = 0  # bytes
        self._dropped = 0  # bytes
        # How much more may be done in this turn of the loop; what goes on after it, or later.
        self._left = FRAMES_PER_TURN
        self._in_line = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_handling = False
        self._paused = False
        self._closing = False
        self._has_ended = False
        self._has_begun = False
        self._is_lost = False
        self._deadline: asyncio.TimerHandle | None = None
        # The other side reads more slowly than we write.
        self.is_full = False
        self.slot: Slot | None = None

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._reader is None or not data:
            return
        if self._has_ended:
            self._drop(data)
            return
        self._unread.add(data)
        if len(self._unread) > 4 * self.listener.message_max_bytes + SLICE_BYTES:
            self._unread.clear()
            self.failed(WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, "more than it may have"))
        if not self._in_line:
            self._left = FRAMES_PER_TURN
        self._read()

    def _drop(self, data: bytes) -> None:
        self._dropped += len(data)
        if self._dropped > DROPPED_MAX_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self.is_full = True
        self.listener.filled()

    def resume_writing(self) -> None:
        self.is_full = False
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.slot is not None:
            self.slot.release()
            self.slot = None
        self._is_lost = True
        if self._timer or self._closing:
            self._over()
        elif self._has_begun:
            self._read()
        elif self._unread:
            # They spoke and went before anybody listened.
            self._wait_for(self._over)
        else:
            self._over()

    def _over(self) -> None:
        if self._reader is None:
            return
        self._reader = None  # and with it the way back here
        self._end()
        self._forget_deadline()
        self.listener.gone()

    def ignore_rest(self) -> None:
        """Listen to nothing more, not even to the answer to our close frame."""
        self._end()

    def _end(self) -> None:
        self._closing = True
        self._unread.clear()
        self._frames.clear()
        self._forget_turn()
        if not self._has_ended:
            self._has_ended = True
            self.listener.ended()

    # Reading

    def go_on(self) -> None:
        """The listener can take more."""
        self._has_begun = True
        self._read()

    @property
    def _may_go_on(self) -> bool:
        """Whether the next frame may be handled now; once the end has begun, nothing must wait."""
        if self._in_line or self._timer:
            return False
        if self._closing:
            return True
        return self._has_begun and (self._is_lost or not self.listener.must_wait)

    def _read(self) -> None:
        """Handle what has come, until it is the others' turn or the listener must wait."""
        if self._is_handling:  # who handles a frame goes on with the next afterwards
            return
        self._is_handling = True
        while (self._frames or self._unread) and self._may_go_on:
            if self._frames:
                self._left -= 1
                self._handle(self._frames.popleft())
            else:
                self._parse()
            if self._left <= 0 and not self._timer:
                self._line_up()
        self._is_handling = False
        if not (self._frames or self._unread or self._in_line or self._timer):
            self._read_on()
        elif not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def _parse(self) -> None:
        """Make frames of the next slice of what was read."""
        assert self._reader is not None
        piece = self._unread.take(SLICE_BYTES)
        self._since_message += len(piece)
        self._left -= len(piece) * SLICE_COST // SLICE_BYTES
        self._reader.feed_data(piece)
        # Fragments cost more than they carry, and empty ones would never make a message.
        if self._since_message > 1.25 * self.listener.message_max_bytes + SLICE_BYTES:
            self.failed(WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, "more than it may have"))

    def failed(self, error: BaseException) -> None:
        """Fail once the frames so far are handled: the bytes after them are invalid or too many."""
        self._frames.append(WSMessage(WSMsgType.ERROR, error, None))

    def parsed(self, frame: WSMessage) -> None:
        """The next frame, in the order in which they came."""
        if frame.type is WSMsgType.TEXT or frame.type is WSMsgType.BINARY:
            self._since_message = 0
        self._frames.append(frame)

    def _line_up(self) -> None:
        self._in_line = True
        self._turns.line_up(self)

    def take_turn(self) -> None:
        """Go on where the last turn ended."""
        self._in_line = False
        self._timer = None
        self._left = FRAMES_PER_TURN
        self._read()

    def slow_down(self, delay_s: float) -> None:
        """Handle nothing more of what comes for so long."""
        self._forget_turn()
        self._timer = self._loop.call_later(delay_s, self.take_turn)

    def _forget_turn(self) -> None:
        if self._in_line:
            self._turns.leave(self)
            self._in_line = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _read_on(self) -> None:
        """All that came has been handled."""
        if self._is_lost:
            self._over()
        elif self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def _handle(self, frame: WSMessage) -> None:
        kind = frame.type
        if kind is WSMsgType.CLOSE:
            self._answer_close(cast(int, frame.data))
            return
        if self._closing:
            return
        if kind is WSMsgType.ERROR:
            self._break_off(cast(BaseException, frame.data))
            return
        self.listener.seen()
        if kind is WSMsgType.TEXT:
            self.listener.take(frame.data)
        elif kind is WSMsgType.BINARY:
            self.listener.take_bytes(frame.data)
        else:
            if kind is WSMsgType.PING:
                self.write(pong_frame(bytes(frame.data)))
            self.listener.take_control()

    def _break_off(self, error: BaseException) -> None:
        """Close with the code that RFC 6455 names for what is wrong."""
        code = error.code if isinstance(error, WebSocketError) else WSCloseCode.PROTOCOL_ERROR
        self._end()  # as the listener may still have something to write
        self._say_goodbye(code, "")
        # What is still on its way is read and dropped: a reset would overtake the close frame.
        if not self.transport.is_closing():
            self.transport.write_eof()

    # Writing and closing

    def write(self, frames: bytes) -> None:
        """Whole frames; no frame comes after the close frame."""
        if not self._closing:
            self._send(frames)

    def _send(self, frames: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(frames)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and cut the connection if the other side does not in time."""
        if self._closing:
            return
        self._closing = True
        self._say_goodbye(code, reason)
        # Its close frame is waited for, so reading goes on, and all else of it is dropped.
        self._forget_turn()
        self._line_up()

    def _answer_close(self, code: int) -> None:
        """The other side closes (or answers our close): nothing more comes from it."""
        is_answer = not self._closing
        self._end()
        if is_answer:
            # Whoever closes without reading what was sent is not waited for.
            self._say_goodbye(_answer_to(code), "")
        self.transport.close()

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._send(close_frame(code, reason))
        self._wait_for(self.transport.abort)

    def cut(self) -> None:
        """End it now, whatever has not been sent."""
        self.transport.abort()

    def _wait_for(self, end: Callable[[], None]) -> None:
        self._forget_deadline()
        self._deadline = self._loop.call_later(CLOSE_WITHIN_S, end)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # What `aiohttp.web_protocol.RequestHandler.set_parser` expects

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """What came right behind the handshake."""
        self.data_received(data)
        return False, b""

    def feed_eof(self) -> None:
        """aiohttp is told that its connection is over; ours is not."""


class _Frames(WebSocketDataQueue):
    """Where aiohttp's parser puts what it has found: on to the socket, with no queue between."""

    def __init__(self, socket: Socket, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(socket, 0, loop=loop)  # type: ignore[arg-type]  # is asked for nothing
        self._socket = socket

    def feed_data(self, data: object, size: int) -> None:
        self._socket.parsed(cast(WSMessage, data))

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self._socket.failed(exc)


def _answer_to(code: int) -> int:
    """The close code to answer another with (RFC 6455, section 7.4); 0 stands for none given.

    aiohttp's parser lets through some that must not be sent, or that nobody has given a meaning.
    """
    if not code:
        return WSCloseCode.OK
    if code == WSCloseCode.ABNORMAL_CLOSURE or code > CLOSE_CODE_MAX:
        return WSCloseCode.PROTOCOL_ERROR
    return code


class Upgradable(Protocol):
    """An HTTP connection that can become a WebSocket."""

    def become(self, socket: Socket) -> None: ...


async def upgrade(
    request: web.Request,
    protocols: tuple[str, ...],
    made: Callable[[asyncio.Transport], Socket],
) -> web.StreamResponse:
    """Answer the handshake (RFC 6455, section 4.2.2) and hand the transport over to a socket.

    Raises HTTPBadRequest or Malformed if it is no handshake, ConnectionError if nobody is there
    any more.
    """
    handshake = web.WebSocketResponse(protocols=protocols, compress=False)
    try:
        agreed = handshake.can_prepare(request)
        if not agreed:
            await handshake.prepare(request)  # says what is wrong
    except ValueError as error:  # raw bytes in the headers, of which it cannot even say so
        raise Malformed("This is no WebSocket handshake.") from error
    key = request.headers[hdrs.SEC_WEBSOCKET_KEY].encode()
    accepted = base64.b64encode(hashlib.sha1(key + WS_KEY, usedforsecurity=False).digest())
    headers = {
        hdrs.UPGRADE: "websocket",
        hdrs.CONNECTION: "upgrade",
        hdrs.SEC_WEBSOCKET_ACCEPT: accepted.decode(),
    }
    if agreed.protocol:
        headers[hdrs.SEC_WEBSOCKET_PROTOCOL] = agreed.protocol
    answer = web.StreamResponse(status=101, headers=headers)
    answer.force_close()
    await answer.prepare(request)
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("they left during the handshake")
    cast(Upgradable, request.protocol).become(made(transport))
    return answer
