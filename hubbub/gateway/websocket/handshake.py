"""The WebSocket routes, up to the upgrade; then the connection's dialect takes over."""

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
ECHO_MAX_BYTES = 16 * 1024 * 1024  # as much as conformance suites send
ECHOES_MAX = 16  # connections at once; they share ECHO_MAX_BYTES


async def websocket(request: web.Request) -> web.StreamResponse:
    """`/ws`: JSON with the subprotocol ``hubbub.v1``, else plain text."""
    check_origin(request)
    dispatcher = request.app[DISPATCHER]
    address = address_of(request)
    dispatcher.take_connection_slot(address)
    kind = JsonConnection if _offers_json(request) else TextConnection
    try:
        connection: Connection = await kind.from_request(
            dispatcher, request, address, token_of(request)
        )
    except BaseException:
        dispatcher.release_connection_slot(address)
        raise
    try:
        answer = await upgrade(request, (SUBPROTOCOL,), connection.make_socket)
    except BaseException:
        connection.on_closed()
        raise
    connection.run(connection.start)
    return answer


def _offers_json(request: web.Request) -> bool:
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return SUBPROTOCOL in (name.strip() for name in offered.split(","))


async def echo(request: web.Request) -> web.StreamResponse:
    """`/ws/echo`: sends back each message, for tests of a proxy or a client."""
    check_origin(request)
    dispatcher = request.app[DISPATCHER]
    if dispatcher.echoes >= ECHOES_MAX:
        raise TooManyConnections("Too many echo connections are open. Try again in a moment.")
    address = address_of(request)
    dispatcher.take_connection_slot(address)
    echo = Echo(dispatcher, address)
    try:
        answer = await upgrade(request, (), echo.make_socket)
    except BaseException:
        echo.on_closed()
        raise
    echo.socket.resume_reading()
    return answer


class Echo:
    """Sends back each message, as fast as the client reads."""

    def __init__(self, dispatcher: Dispatcher, address: str) -> None:
        self._dispatcher = dispatcher
        self._address = address
        dispatcher.echoes += 1
        self.socket: Socket

    def make_socket(self, transport: asyncio.Transport) -> Socket:
        self.socket = Socket(transport, self, ECHO_MAX_BYTES, self._dispatcher.turn_queue)
        self._dispatcher.sockets.add(self.socket)
        return self.socket

    @property
    def message_max_bytes(self) -> int:
        return ECHO_MAX_BYTES // self._dispatcher.echoes

    def on_text(self, data: str) -> None:
        self.socket.write(text_frame(data.encode()))

    def on_binary(self, data: bytes) -> None:
        self.socket.write(binary_frame(data))

    def on_control_frame(self) -> None:
        """Pings cost no more than other frames, so they are not charged."""

    def on_activity(self) -> None:
        """Not needed."""

    @property
    def is_reading_paused(self) -> bool:
        return self.socket.is_full

    def on_buffer_full(self) -> None:
        """Not needed, as reading pauses."""

    def on_end(self) -> None:
        """Not needed."""

    def on_closed(self) -> None:
        if hasattr(self, "socket"):
            self._dispatcher.sockets.discard(self.socket)
        self._dispatcher.echoes -= 1
        self._dispatcher.release_connection_slot(self._address)
