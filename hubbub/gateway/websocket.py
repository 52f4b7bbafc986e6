"""The WebSocket doors: upgrading, reading, closing. What is said is the dialect's."""

import asyncio
import contextlib

from aiohttp import WSMessage, WSMsgType, web

from hubbub.gateway.connection import CLOSE_WITHIN_S, Connection
from hubbub.gateway.entrance import DESK, address_of, check_origin, token_of
from hubbub.gateway.json_door import JsonDoor
from hubbub.gateway.text_door import TextDoor
from hubbub.model.errors import HubbubError, Malformed
from hubbub.model.messages import FRAME_MAX_BYTES

SUBPROTOCOL = "hubbub.v1"
CLOSE_TRY_LATER = 1013
ECHO_MAX_BYTES = 16 * 1024 * 1024  # conformance suites send as much
FIRST_TOO_LARGE = 1  # aiohttp takes messages that are smaller than its limit, not as large
ECHOES_MAX = 16  # at once, as each may hold that much


async def websocket(request: web.Request) -> web.StreamResponse:
    """`/ws`: JSON with the subprotocol ``hubbub.v1``, else plain text."""
    _check(request)
    desk = request.app[DESK]
    address = address_of(request)
    desk.take_place(address)
    try:
        socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            # Compressing each broadcast for each client would cost more than it saves.
            compress=False,
            max_msg_size=FRAME_MAX_BYTES + FIRST_TOO_LARGE,
            autoping=False,
            timeout=CLOSE_WITHIN_S,
        )
        kind = JsonDoor if _offers_json(request) else TextDoor
        door: Connection = await kind.opened(desk, socket, request, address, token_of(request))
        await socket.prepare(request)
        try:
            await _begin(door)
            await _read(socket, door)
        finally:
            await door.end()
    finally:
        desk.give_place_back(address)
    return socket


def _check(request: web.Request) -> None:
    """Whether this may become a socket at all. Raises WrongOrigin or Malformed."""
    check_origin(request)
    if request.transport is None:
        raise ConnectionResetError("they left before they were let in")
    # aiohttp refuses other wrong keys itself, but stumbles over the bytes of this one.
    if not request.headers.get("Sec-WebSocket-Key", "").isascii():
        raise Malformed("Sec-WebSocket-Key is 16 bytes in base64.")


async def _begin(door: Connection) -> None:
    """Whoever cannot come in is told so here: it is too late for an answer over HTTP."""
    try:
        await door.begin()
    except HubbubError as error:
        door.refuse(error)
        door.close(CLOSE_TRY_LATER, error.message)


def _offers_json(request: web.Request) -> bool:
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return SUBPROTOCOL in (name.strip() for name in offered.split(","))


async def _read(socket: web.WebSocketResponse, door: Connection) -> None:
    """Take what comes until the connection ends; a connection that is behind is not read."""
    while not door.closing:
        frame: WSMessage = await socket.receive()
        door.seen()
        match frame.type:
            case WSMsgType.TEXT:
                door.take(frame.data)
            case WSMsgType.BINARY:
                door.take(frame.data.decode("utf-8", "replace"))
            case WSMsgType.PING:
                await socket.pong(frame.data)
            case WSMsgType.PONG:
                pass
            case _:
                return
        if door.must_wait:
            await door.room_for_more()


async def echo(request: web.Request) -> web.StreamResponse:
    """`/ws/echo`: each message comes back as it was, to test a proxy or a client with."""
    _check(request)
    desk = request.app[DESK]
    address = address_of(request)
    desk.take_place(address)
    try:
        async with _echoes:
            socket = web.WebSocketResponse(
                compress=False, max_msg_size=ECHO_MAX_BYTES + FIRST_TOO_LARGE
            )
            await socket.prepare(request)
            with contextlib.suppress(ConnectionError):
                async for frame in socket:
                    if frame.type is WSMsgType.TEXT:
                        await socket.send_str(frame.data)
                    elif frame.type is WSMsgType.BINARY:
                        await socket.send_bytes(frame.data)
    finally:
        desk.give_place_back(address)
    return socket


_echoes = asyncio.Semaphore(ECHOES_MAX)
