"""The WebSocket frame around a broadcast (RFC 6455, section 5.2).

aiohttp frames for one connection at a time; a broadcast is framed once for all of them.
"""

TEXT = 0x81  # final frame, opcode 1
PING = 0x89  # final frame, opcode 9

PING_FRAME = bytes((PING, 0))


def text_frame(payload: bytes) -> bytes:
    """A whole, unmasked text frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((TEXT, size)) + payload
    if size < 65_536:
        return bytes((TEXT, 126, size >> 8, size & 255)) + payload
    return bytes((TEXT, 127)) + size.to_bytes(8, "big") + payload
