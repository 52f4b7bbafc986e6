"""The part of RFC 6455 that light clients need: the upgrade, and unfragmented frames."""

import base64
import os
import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from bench.server import HOST

PONG = b"\x8a\x80\0\0\0\0"
PING = b"\x89\x00"


#: The first byte of a frame: its opcode and the FIN bit.
TEXT, BINARY, PING_FRAME, PONG_FRAME = 0x81, 0x82, 0x89, 0x8A
TEXT_FRAGMENT, CONTINUATION, LAST_CONTINUATION = 0x01, 0x00, 0x80
UNMASKED = b"\0\0\0\0"


def frame(command: dict[str, Any]) -> bytes:
    """A command in a text frame."""
    return client_frame(TEXT, msgspec.json.encode(command))


def client_frame(first: int, payload: bytes = b"") -> bytes:
    """A client's frame; its mask is zero, which the server applies like any other."""
    return frame_head(first, len(payload)) + payload


def frame_head(first: int, size: int) -> bytes:
    """The header of a frame with a payload of this many bytes."""
    if size < 126:
        return bytes([first, 0x80 | size]) + UNMASKED
    if size < 1 << 16:
        return bytes([first, 0xFE]) + struct.pack(">H", size) + UNMASKED
    return bytes([first, 0xFF]) + struct.pack(">Q", size) + UNMASKED


def frames_in(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each complete frame; an incomplete one stays in the buffer."""
    at = 0
    while len(buffer) - at >= 2:
        size, start = buffer[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
        elif size == 127:
            size, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
        if len(buffer) < start + size:
            break
        yield buffer[at] & 15, bytes(buffer[start : start + size])
        at = start + size
    del buffer[:at]


def upgrade(
    port: int, token: str | None, path: str = "/ws", protocol: str | None = "hubbub.v1"
) -> bytes:
    """The request that opens a WebSocket, by default the JSON one."""
    key = base64.b64encode(os.urandom(16)).decode()
    more = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    more += f"Authorization: Bearer {token}\r\n" if token else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"{more}\r\n"
    ).encode()
