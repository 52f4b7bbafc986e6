"""The WebSocket doors: who comes in by which; what is said there is the dialect's."""

import asyncio

from aiohttp import web

from hubbub.gateway.auth.request_policy import DISPATCHER, address_of, check_origin, token_of
from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.websocket.connection import Connection
from hubbub.gateway.websocket.json_connection import JsonConnection
from hubbub.gateway.websocket.socket import Socket, upgrade
from hubbub.gateway.websocket.text_connection import TextConnection
from hubbub.model.errors import TooManyConnections
from hubbub.wire.frames import binary_frame, text_frame

SUBPROTOCOL = "hubbub.v1"
ECHO_MAX_BYTES = 16 * 1024 * 1024  # conformance suites send as much
ECHOES_MAX = 16  # at once; they share what one of them may hold


async def websocket(request: web.Request) -> web.StreamResponse:
    """`/ws`: JSON with the subprotocol ``hubbub.v1``, else plain text."""
    check_origin(request)
    dispatcher = request.app[DISPATCHER]
    address = address_of(request)
    dispatcher.take_connection_slot(address)
    kind = JsonConnection if _offers_json(request) else TextConnection
    try:
        door: Connection = await kind.opened(dispatcher, request, address, token_of(request))
    except BaseException:
        dispatcher.release_connection_slot(address)
        raise
    try:
        answer = await upgrade(request, (SUBPROTOCOL,), door.connected)
    except BaseException:
        door.gone()
        raise
    door.run(door.start)
    return answer


def _offers_json(request: web.Request) -> bool:
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return SUBPROTOCOL in (name.strip() for name in offered.split(","))


async def echo(request: web.Request) -> web.StreamResponse:
    """`/ws/echo`: each message comes back as it was, to test a proxy or a client with."""
    check_origin(request)
    dispatcher = request.app[DISPATCHER]
    if dispatcher.echoes >= ECHOES_MAX:
        raise TooManyConnections("Many people test here just now. Try again in a moment.")
    address = address_of(request)
    dispatcher.take_connection_slot(address)
    echo = Echo(dispatcher, address)
    try:
        answer = await upgrade(request, (), echo.connected)
    except BaseException:
        echo.gone()
        raise
    echo.socket.go_on()
    return answer


class Echo:
    """Sends back what comes, as fast as it is read."""

    def __init__(self, dispatcher: Dispatcher, address: str) -> None:
        self._dispatcher = dispatcher
        self._address = address
        dispatcher.echoes += 1
        self.socket: Socket

    def connected(self, transport: asyncio.Transport) -> Socket:
        self.socket = Socket(transport, self, ECHO_MAX_BYTES, self._dispatcher.turns)
        self._dispatcher.sockets.add(self.socket)
        return self.socket

    @property
    def message_max_bytes(self) -> int:
        return ECHO_MAX_BYTES // self._dispatcher.echoes

    def take(self, data: str) -> None:
        self.socket.write(text_frame(data.encode()))

    def take_bytes(self, data: bytes) -> None:
        self.socket.write(binary_frame(data))

    def take_control(self) -> None:
        """It costs what any frame does."""

    def seen(self) -> None:
        """Nobody asks."""

    @property
    def must_wait(self) -> bool:
        return self.socket.is_full

    def filled(self) -> None:
        """Reading waits, which is enough."""

    def ended(self) -> None:
        """There is nothing to leave."""

    def gone(self) -> None:
        if hasattr(self, "socket"):
            self._dispatcher.sockets.discard(self.socket)
        self._dispatcher.echoes -= 1
        self._dispatcher.release_connection_slot(self._address)
