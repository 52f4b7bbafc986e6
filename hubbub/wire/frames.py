"""WebSocket frames as a server sends them: unfragmented and unmasked (RFC 6455, section 5).

aiohttp frames for one connection at a time; here a broadcast is framed once for all connections.
"""

TEXT = 0x81  # final frame, opcode 1
BINARY = 0x82  # opcode 2
CLOSE = 0x88  # opcode 8
PING = 0x89  # opcode 9
PONG = 0x8A  # opcode 10

REASON_MAX_BYTES = 123  # a control frame has at most 125 bytes, including the close code
PING_FRAME = bytes((PING, 0))

# Close codes that clients act on (protocol.md).
CLOSE_POLICY = 1008
CLOSE_RESTART = 1012
CLOSE_TRY_LATER = 1013
CLOSE_TOO_SLOW = 4000
CLOSE_SIGN_IN_AGAIN = 4001


def text_frame(payload: bytes) -> bytes:
    """A text frame; the payload is UTF-8."""
    return _frame(TEXT, payload)


def binary_frame(payload: bytes) -> bytes:
    return _frame(BINARY, payload)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping with this payload."""
    return _frame(PONG, payload)


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; a reason that is too long is cut between two characters."""
    shortened = reason.encode()[:REASON_MAX_BYTES].decode("utf-8", "ignore")
    return _frame(CLOSE, code.to_bytes(2, "big") + shortened.encode())


def _frame(head: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 65_536:
        return bytes((head, 126, size >> 8, size & 255)) + payload
    return bytes((head, 127)) + size.to_bytes(8, "big") + payload
