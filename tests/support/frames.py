"""Handmade WebSocket frames, valid and invalid, over plain TCP (RFC 6455)."""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
TIMEOUT_S = 20.0


class Frame(NamedTuple):
    opcode: int
    payload: bytes = b""
    fin: bool = True

    @property
    def code(self) -> int | None:
        """The code of a close frame; None if it has none."""
        return struct.unpack("!H", self.payload[:2])[0] if len(self.payload) >= 2 else None


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    """One frame as a client sends it; ``rsv`` are the three reserved bits."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, mask_bit | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    repeated = (mask * (size // 4 + 1))[:size]
    xored = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + mask + xored.to_bytes(size, "big")


def close_frame(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def upgrade(path: str, port: int, **headers: str) -> bytes:
    """The upgrade request; ``headers`` are written with ``_`` instead of ``-``."""
    fields = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class RawSocket:
    """One connection over which a test sends any bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def frame(self) -> Frame | None:
        """The next frame; None at the end of the connection."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                first, second = await self.reader.readexactly(2)
                assert not second & 0x80, "a server never masks"
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack("!H", await self.reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
                payload = await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        assert not first & 0x70, "no extension was agreed on"
        return Frame(first & 0x0F, payload, bool(first & 0x80))

    async def rest(self) -> list[Frame]:
        """All frames until the other side ends the connection."""
        found = []
        while (one := await self.frame()) is not None:
            found.append(one)
        return found

    def abort(self) -> None:
        """Reset the connection without a close frame."""
        self.writer.transport.abort()


@asynccontextmanager
async def tcp(port: int, *, receive_buffer: int | None = None) -> AsyncIterator[RawSocket]:
    """A plain connection; with a small ``receive_buffer`` slow reading soon blocks the server."""
    plain = socket.socket()
    plain.setblocking(False)
    if receive_buffer is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
    # With a small limit unread data stays in the kernel, not in the stream.
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def raw_socket(
    port: int, path: str = "/ws", *, receive_buffer: int | None = None, **headers: str
) -> AsyncIterator[RawSocket]:
    """A WebSocket after its handshake."""
    async with tcp(port, receive_buffer=receive_buffer) as raw:
        await raw.send(upgrade(path, port, **headers))
        async with asyncio.timeout(TIMEOUT_S):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += await raw.reader.readline()
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield raw
