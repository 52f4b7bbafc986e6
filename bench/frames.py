"""As much of RFC 6455 as light clients need: the upgrade, and frames that are not in parts."""

import base64
import os
import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from bench.server import HOST

PONG = b"\x8a\x80\0\0\0\0"
PING = b"\x89\x00"


def frame(command: dict[str, Any]) -> bytes:
    """A text frame of a client, whose mask is nothing: the server unmasks it all the same."""
    payload = msgspec.json.encode(command)
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + struct.pack(">H", size)
    return head + b"\0\0\0\0" + payload


def frames_in(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each whole frame; what is left in the buffer is the next one's part."""
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


def upgrade(port: int, token: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: hubbub.v1\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()
