"""Transport: one connection, which ends for good; `Reconnector` opens the next one."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp

from hubbub.client import frames, replies
from hubbub.client.frames import ReplyFrame
from hubbub.model.base import Command, Event
from hubbub.model.errors import HubbubError, Malformed

SUBPROTOCOL = "hubbub.v1"
FRAME_MAX_BYTES = 64 * 1024 * 1024  # inbound; bounds memory even with a trusted server
HEARTBEAT_S = 20.0
CONNECT_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 2.0


class Disconnected(HubbubError):
    """The connection was lost before the reply; the command may have been executed."""

    code = "disconnected"
    title = "The connection was lost before the answer came."


class NotSent(Disconnected):
    """There was no connection, so the command was not executed."""


ReplyHandler = Callable[[Command, Any], None]


class Transport:
    """Numbers commands and matches their replies.

    ``on_event`` and ``on_reply`` are called in the order of the frames, which the sync rule needs;
    the caller that waits for a reply continues later.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        on_event: Callable[[Event], None],
        on_reply: ReplyHandler,
    ) -> None:
        self._socket = socket
        self._on_event = on_event
        self._on_reply = on_reply
        # Bounded by the client's limit of concurrent commands.
        self._waiting: dict[int, tuple[Command, asyncio.Future[Any]]] = {}
        self._next = 1
        self._has_ended = False

    @property
    def close_code(self) -> int | None:
        return self._socket.close_code

    async def read(self) -> None:
        """Handle frames until the connection ends; then pending commands raise Disconnected.

        Raises msgspec.DecodeError for a frame of another protocol.
        """
        try:
            async for frame in self._socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._on_frame(frame.data)
        finally:
            self._has_ended = True
            for _, answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Disconnected())
            self._waiting.clear()

    def _on_frame(self, data: str) -> None:
        frame = frames.decode(data)
        if isinstance(frame, ReplyFrame):
            self._on_reply_frame(frame)
        elif frame is not None:
            self._on_event(frame)

    def _on_reply_frame(self, frame: ReplyFrame) -> None:
        command, answer = self._waiting.pop(frame.number or 0, (None, None))
        if command is None or answer is None:
            return
        if frame.refusal is not None:
            reply, refusal = None, frame.refusal
        else:
            reply, refusal = replies.decode(command, frame.reply), None
            self._on_reply(command, reply)
        if answer.done():
            return  # the caller was cancelled, but the command was executed
        if refusal is not None:
            answer.set_exception(refusal)
        else:
            answer.set_result(reply)

    async def ask(self, command: Command) -> Any:
        """Send a command and wait for its reply. Raises HubbubError, Disconnected, NotSent."""
        if self._has_ended or self._socket.closed:
            raise NotSent()
        number, self._next = self._next, self._next + 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = command, answer
        try:
            await self._send(frames.encode(command, number))
        except BaseException:
            answer.cancel()
            raise
        return await answer

    async def send(self, command: Command) -> None:
        """Send a command that has no reply. Raises Disconnected."""
        await self._send(frames.encode(command, None))

    async def _send(self, frame: str) -> None:
        try:
            await self._socket.send_str(frame)
        except (ConnectionError, aiohttp.ClientError) as error:
            # The whole frame may have been sent nevertheless.
            raise Disconnected() from error

    async def close(self) -> None:
        await self._socket.close()


async def open_transport(
    http: aiohttp.ClientSession,
    url: str,
    token: str,
    on_event: Callable[[Event], None],
    on_reply: ReplyHandler,
) -> Transport:
    """Connect. Raises OSError, TimeoutError and aiohttp.ClientError; Malformed if the server does
    not speak this protocol."""
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        socket = await http.ws_connect(
            f"{url}/ws",
            protocols=(SUBPROTOCOL,),
            headers={"Authorization": f"Bearer {token}"},
            heartbeat=HEARTBEAT_S,
            max_msg_size=FRAME_MAX_BYTES,
            compress=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
        )
    if socket.protocol != SUBPROTOCOL:
        await socket.close()
        raise Malformed(f"The server at {url}/ws does not speak {SUBPROTOCOL}.")
    return Transport(socket, on_event, on_reply)
