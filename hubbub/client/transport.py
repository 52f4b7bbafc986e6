"""Link: one connection, from the welcome to its end. Who comes back is the client."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp

from hubbub.client import frames, replies
from hubbub.client.frames import ReplyFrame
from hubbub.model.base import Command, Event
from hubbub.model.errors import HubbubError, Malformed

SUBPROTOCOL = "hubbub.v1"
FRAME_MAX_BYTES = 64 * 1024 * 1024  # inbound: the server is trusted, yet not with all memory
HEARTBEAT_S = 20.0
CONNECT_TIMEOUT_S = 15.0
GOODBYE_TIMEOUT_S = 2.0


class Disconnected(HubbubError):
    """The connection was lost before the answer came: whether it was done is not known."""

    code = "disconnected"
    title = "The connection was lost before the answer came."


class NotSent(Disconnected):
    """There was no connection: nothing was done."""


Replied = Callable[[Command, Any], None]


class Transport:
    """Numbers commands and finds their answers.

    ``on_event`` and ``on_reply`` are called in the order in which the frames came, which is what
    the rule of syncing rests on; who waits for a reply goes on later.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        on_event: Callable[[Event], None],
        on_reply: Replied,
    ) -> None:
        self._socket = socket
        self._on_event = on_event
        self._on_reply = on_reply
        # As many as ask at once, which the client bounds.
        self._waiting: dict[int, tuple[Command, asyncio.Future[Any]]] = {}
        self._next = 1
        self._over = False

    @property
    def close_code(self) -> int | None:
        return self._socket.close_code

    async def read(self) -> None:
        """Take what comes until the connection ends; everyone who waits learns of the end.

        Raises msgspec.DecodeError if the other side speaks something else.
        """
        try:
            async for frame in self._socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._take(frame.data)
        finally:
            self._over = True
            for _, answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Disconnected())
            self._waiting.clear()

    def _take(self, data: str) -> None:
        came = frames.decode(data)
        if isinstance(came, ReplyFrame):
            self._answered(came)
        elif came is not None:
            self._on_event(came)

    def _answered(self, came: ReplyFrame) -> None:
        command, answer = self._waiting.pop(came.number or 0, (None, None))
        if command is None or answer is None:
            return
        if came.refusal is not None:
            reply, refusal = None, came.refusal
        else:
            reply, refusal = replies.decode(command, came.reply), None
            self._on_reply(command, reply)
        if answer.done():
            return  # nobody waits any more; it has been done nevertheless
        if refusal is not None:
            answer.set_exception(refusal)
        else:
            answer.set_result(reply)

    async def ask(self, command: Command) -> Any:
        """Send a command and wait for its reply. Raises HubbubError, Disconnected, NotSent."""
        if self._over or self._socket.closed:
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

    async def tell(self, command: Command) -> None:
        """Send a command that is not answered. Raises Disconnected."""
        await self._send(frames.encode(command, None))

    async def _send(self, frame: str) -> None:
        try:
            await self._socket.send_str(frame)
        except (ConnectionError, aiohttp.ClientError) as error:
            # The whole frame may have gone out all the same.
            raise Disconnected() from error

    async def close(self) -> None:
        await self._socket.close()


async def open_transport(
    http: aiohttp.ClientSession,
    url: str,
    token: str,
    on_event: Callable[[Event], None],
    on_reply: Replied,
) -> Transport:
    """Connect. Raises OSError, TimeoutError and aiohttp.ClientError; Malformed if whoever is there
    does not speak this protocol."""
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        socket = await http.ws_connect(
            f"{url}/ws",
            protocols=(SUBPROTOCOL,),
            headers={"Authorization": f"Bearer {token}"},
            heartbeat=HEARTBEAT_S,
            max_msg_size=FRAME_MAX_BYTES,
            compress=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=GOODBYE_TIMEOUT_S),
        )
    if socket.protocol != SUBPROTOCOL:
        await socket.close()
        raise Malformed(f"What answers at {url}/ws does not speak {SUBPROTOCOL}.")
    return Transport(socket, on_event, on_reply)
