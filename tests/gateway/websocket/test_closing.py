"""Frames that wait for a connection are written before its close frame."""

import pytest

from hubbub.gateway.transport.turn_queue import TurnQueue
from hubbub.gateway.websocket.socket import Socket
from hubbub.wire.frames import text_frame
from tests.gateway.transport.test_turn_queue import NullTransport, RecordingListener
from tests.support.frames import CLOSE, TEXT, close_frame, frame

LAST = text_frame(b"before the close")


class RecordingTransport(NullTransport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written.append(bytes(data))

    def write_eof(self) -> None:
        self.is_closed = True

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


class LastWriter(RecordingListener):
    """Writes when reading ends, as the hub may."""

    def __init__(self, transport: RecordingTransport) -> None:
        super().__init__()
        self._transport = transport

    def on_end(self) -> None:
        self._transport.write(LAST)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(close_frame(1000), 1000), (frame(TEXT, b"\xff"), 1007), (frame(TEXT, b"x", rsv=4), 1002)],
    ids=["close frame", "invalid text", "invalid frame"],
)
async def test_the_close_frame_is_the_last_frame(sent: bytes, code: int) -> None:
    transport = RecordingTransport()
    socket = Socket(transport, LastWriter(transport), 1 << 20, TurnQueue())
    socket.resume_reading()
    socket.data_received(sent)
    last, closing = transport.written
    assert last == LAST
    assert closing[0] & 15 == CLOSE
    assert int.from_bytes(closing[2:4], "big") == code
    assert transport.is_closed
    socket.connection_lost(None)
