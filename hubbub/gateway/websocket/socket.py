"""A WebSocket after its handshake, detached from the HTTP request that opened it.

aiohttp checks the handshake and parses the frames. But what it keeps of a request (two tasks, the
headers of both sides, an HTTP parser) is two thirds of the memory of an idle connection. So after
the handshake the transport gets a protocol of ours, and aiohttp is told that its connection is
closed (docs/decisions/0016-sockets.md).
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
from hubbub.gateway.transport.turn_queue import ReadBuffer, TurnQueue
from hubbub.model.errors import Malformed
from hubbub.wire.frames import close_frame, pong_frame

CLOSE_CODE_MAX = 4999
CLOSE_WITHIN_S = 5.0  # for the client's close frame; then the connection is aborted

# What one connection may cost in one turn of the loop; the rest waits in the `TurnQueue`.
FRAMES_PER_TURN = 64
SLICE_BYTES = 8 * 1024  # parsed at once
SLICE_COST = 32  # of a slice, in frames
DROPPED_MAX_BYTES = 256 * 1024  # read after the close frame, so that the client receives it


class Listener(Protocol):
    """Receives what comes from a socket. No method may raise."""

    @property
    def message_max_bytes(self) -> int:
        """The size of a message that is accepted now; the parser may accept larger ones."""

    def on_text(self, data: str) -> None:
        """Handle a text message."""

    def on_binary(self, data: bytes) -> None:
        """Handle a binary message."""

    def on_control_frame(self) -> None:
        """Handle a ping or a pong."""

    def on_activity(self) -> None:
        """Note that the client is alive, as it has sent a frame."""

    @property
    def is_reading_paused(self) -> bool:
        """Whether no frame may be handled until `Socket.resume_reading` is called."""

    def on_buffer_full(self) -> None:
        """React to a full write buffer: the client reads too slowly."""

    def on_end(self) -> None:
        """React to the end of reading; called once, before `on_closed`.

        This is the last chance to write, as a close frame may be next.
        """

    def on_closed(self) -> None:
        """React to the closed connection; the last call of all."""


class Socket(asyncio.Protocol):
    """One WebSocket. Others may also write to ``transport`` directly, but only whole frames.

    No frame is handled until `resume_reading` is called. While the listener pauses reading, or this
    connection has used up its budget of the loop's turn, the transport is paused too, and at most
    one chunk of it is kept unparsed.
    """

    __slots__ = (
        "_closing",
        "_deadline",
        "_dropped_bytes",
        "_frames",
        "_has_started",
        "_has_ended",
        "_is_queued",
        "_is_handling",
        "_is_lost",
        "_budget",
        "_loop",
        "_paused",
        "_reader",
        "_bytes_since_message",
        "_timer",
        "_turn_queue",
        "_unread",
        "is_full",
        "listener",
        "slot",
        "transport",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        listener: Listener,
        max_bytes: int,
        turn_queue: TurnQueue,
    ) -> None:
        """Messages of more than ``max_bytes`` close the connection with 1009."""
        self._loop = asyncio.get_running_loop()
        self._turn_queue = turn_queue
        self.transport = transport
        self.listener = listener
        # aiohttp accepts messages smaller than its limit, not equal to it.
        self._reader: WebSocketReader | None = WebSocketReader(
            _Frames(self, self._loop), max_bytes + 1, compress=False, decode_text=True
        )
        # Bytes read but not parsed, and frames parsed but not handled.
        self._unread = ReadBuffer()
        self._frames: deque[WSMessage] = deque()
        self._bytes_since_message = 0
        self._dropped_bytes = 0
        # Frames that may still be handled in this turn of the loop.
        self._budget = FRAMES_PER_TURN
        self._is_queued = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_handling = False
        self._paused = False
        self._closing = False
        self._has_ended = False
        self._has_started = False
        self._is_lost = False
        self._deadline: asyncio.TimerHandle | None = None
        # Whether the write buffer is over its limit.
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
            self.on_parse_error(WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, "message too big"))
        if not self._is_queued:
            self._budget = FRAMES_PER_TURN
        self._read()

    def _drop(self, data: bytes) -> None:
        self._dropped_bytes += len(data)
        if self._dropped_bytes > DROPPED_MAX_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self.is_full = True
        self.listener.on_buffer_full()

    def resume_writing(self) -> None:
        self.is_full = False
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.slot is not None:
            self.slot.release()
            self.slot = None
        self._is_lost = True
        if self._timer or self._closing:
            self._finish()
        elif self._has_started:
            self._read()
        elif self._unread:
            # Data came, then the end, before the listener was ready for it.
            self._set_deadline(self._finish)
        else:
            self._finish()

    def _finish(self) -> None:
        if self._reader is None:
            return
        self._reader = None  # breaks a reference cycle
        self._stop_reading()
        self._cancel_deadline()
        self.listener.on_closed()

    def ignore_rest(self) -> None:
        """Handle nothing more, not even the reply to our close frame."""
        self._stop_reading()

    def _stop_reading(self) -> None:
        self._closing = True
        self._unread.clear()
        self._frames.clear()
        self._cancel_turn()
        if not self._has_ended:
            self._has_ended = True
            self.listener.on_end()

    # Reading

    def resume_reading(self) -> None:
        """Handle frames again, as the listener can take more."""
        self._has_started = True
        self._read()

    @property
    def _may_go_on(self) -> bool:
        """Whether the next frame may be handled now. The listener cannot pause a closing one."""
        if self._is_queued or self._timer:
            return False
        if self._closing:
            return True
        return self._has_started and (self._is_lost or not self.listener.is_reading_paused)

    def _read(self) -> None:
        """Handle what was read, until the budget is used up or the listener pauses reading."""
        if self._is_handling:  # called while handling a frame; the loop below goes on
            return
        self._is_handling = True
        while (self._frames or self._unread) and self._may_go_on:
            if self._frames:
                self._budget -= 1
                self._handle(self._frames.popleft())
            else:
                self._parse()
            if self._budget <= 0 and not self._timer:
                self._join_queue()
        self._is_handling = False
        if not (self._frames or self._unread or self._is_queued or self._timer):
            self._resume_transport()
        elif not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def _parse(self) -> None:
        """Parse the next slice of what was read."""
        assert self._reader is not None
        piece = self._unread.take(SLICE_BYTES)
        self._bytes_since_message += len(piece)
        self._budget -= len(piece) * SLICE_COST // SLICE_BYTES
        self._reader.feed_data(piece)
        # Tiny fragments cost more than their content, and empty ones would never end.
        if self._bytes_since_message > 1.25 * self.listener.message_max_bytes + SLICE_BYTES:
            self.on_parse_error(WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, "message too big"))

    def on_parse_error(self, error: BaseException) -> None:
        """Close with an error, once the frames before the invalid or excess bytes are handled."""
        self._frames.append(WSMessage(WSMsgType.ERROR, error, None))

    def on_frame(self, frame: WSMessage) -> None:
        """Queue the next frame for handling."""
        if frame.type is WSMsgType.TEXT or frame.type is WSMsgType.BINARY:
            self._bytes_since_message = 0
        self._frames.append(frame)

    def _join_queue(self) -> None:
        self._is_queued = True
        self._turn_queue.add(self)

    def take_turn(self) -> None:
        """Continue with a new budget."""
        self._is_queued = False
        self._timer = None
        self._budget = FRAMES_PER_TURN
        self._read()

    def pause(self, delay_s: float) -> None:
        """Handle no frame for ``delay_s`` seconds."""
        self._cancel_turn()
        self._timer = self._loop.call_later(delay_s, self.take_turn)

    def _cancel_turn(self) -> None:
        if self._is_queued:
            self._turn_queue.remove(self)
            self._is_queued = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _resume_transport(self) -> None:
        """Read from the transport again, as everything read has been handled."""
        if self._is_lost:
            self._finish()
        elif self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def _handle(self, frame: WSMessage) -> None:
        kind = frame.type
        if kind is WSMsgType.CLOSE:
            self._on_close_frame(cast(int, frame.data))
            return
        if self._closing:
            return
        if kind is WSMsgType.ERROR:
            self._close_with_error(cast(BaseException, frame.data))
            return
        self.listener.on_activity()
        if kind is WSMsgType.TEXT:
            self.listener.on_text(frame.data)
        elif kind is WSMsgType.BINARY:
            self.listener.on_binary(frame.data)
        else:
            if kind is WSMsgType.PING:
                self.write(pong_frame(bytes(frame.data)))
            self.listener.on_control_frame()

    def _close_with_error(self, error: BaseException) -> None:
        """Close with the code of RFC 6455 for this error."""
        code = error.code if isinstance(error, WebSocketError) else WSCloseCode.PROTOCOL_ERROR
        self._stop_reading()  # the listener may still write something
        self._send_close(code, "")
        # Data still on its way is read and dropped: a TCP reset would overtake the close frame.
        if not self.transport.is_closing():
            self.transport.write_eof()

    # Writing and closing

    def write(self, frames: bytes) -> None:
        """Write whole frames, unless the close frame has been sent."""
        if not self._closing:
            self._send(frames)

    def _send(self, frames: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(frames)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, and abort the connection if the client does not reply in time."""
        if self._closing:
            return
        self._closing = True
        self._send_close(code, reason)
        # Read on until the client's close frame, dropping everything else.
        self._cancel_turn()
        self._join_queue()

    def _on_close_frame(self, code: int) -> None:
        """Reply to the client's close frame, unless it is the reply to ours, and close."""
        is_reply = not self._closing
        self._stop_reading()
        if is_reply:
            self._send_close(_reply_code(code), "")
        self.transport.close()

    def _send_close(self, code: int, reason: str) -> None:
        self._send(close_frame(code, reason))
        self._set_deadline(self.transport.abort)

    def abort(self) -> None:
        """Close the connection now, without sending what is in the write buffer."""
        self.transport.abort()

    def _set_deadline(self, callback: Callable[[], None]) -> None:
        self._cancel_deadline()
        self._deadline = self._loop.call_later(CLOSE_WITHIN_S, callback)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # The parser interface that `aiohttp.web_protocol.RequestHandler.set_parser` expects

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take the bytes that came right after the handshake."""
        self.data_received(data)
        return False, b""

    def feed_eof(self) -> None:
        """Ignored: aiohttp's connection has ended, ours has not."""


class _Frames(WebSocketDataQueue):
    """Passes frames from aiohttp's parser to the socket, without a queue."""

    def __init__(self, socket: Socket, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(socket, 0, loop=loop)  # type: ignore[arg-type]  # never used
        self._socket = socket

    def feed_data(self, data: object, size: int) -> None:
        self._socket.on_frame(cast(WSMessage, data))

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self._socket.on_parse_error(exc)


def _reply_code(code: int) -> int:
    """The close code to reply with (RFC 6455, section 7.4); 0 means that none was given.

    aiohttp's parser accepts some codes that must not be sent or are undefined.
    """
    if not code:
        return WSCloseCode.OK
    if code == WSCloseCode.ABNORMAL_CLOSURE or code > CLOSE_CODE_MAX:
        return WSCloseCode.PROTOCOL_ERROR
    return code


class Upgradable(Protocol):
    """An HTTP connection that can become a WebSocket."""

    def become_websocket(self, socket: Socket) -> None: ...


async def upgrade(
    request: web.Request,
    protocols: tuple[str, ...],
    make_socket: Callable[[asyncio.Transport], Socket],
) -> web.StreamResponse:
    """Complete the handshake (RFC 6455, section 4.2.2) and hand the transport over to a socket.

    Raises HTTPBadRequest or Malformed if it is no handshake, ConnectionError if the client has
    disconnected.
    """
    handshake = web.WebSocketResponse(protocols=protocols, compress=False)
    try:
        agreed = handshake.can_prepare(request)
        if not agreed:
            await handshake.prepare(request)  # raises with the reason
    except ValueError as error:  # invalid bytes in the headers
        raise Malformed("This is not a valid WebSocket handshake.") from error
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
        raise ConnectionResetError("the client disconnected during the handshake")
    cast(Upgradable, request.protocol).become_websocket(make_socket(transport))
    return answer
