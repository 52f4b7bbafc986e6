"""Frames that still wait for a connection are written before its close frame."""

import pytest

from hubbub.gateway.transport.turn_queue import Turns
from hubbub.gateway.websocket.socket import Socket
from hubbub.wire.frames import text_frame
from tests.gateway.transport.test_turn_queue import Ear, Wire
from tests.support.frames import CLOSE, TEXT, close_frame, frame

LAST = text_frame(b"said before")


class Recording(Wire):
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


class Talker(Ear):
    """Has something to say yet, as the hub may."""

    def __init__(self, wire: Recording) -> None:
        super().__init__()
        self._wire = wire

    def ended(self) -> None:
        self._wire.write(LAST)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(close_frame(1000), 1000), (frame(TEXT, b"\xff"), 1007), (frame(TEXT, b"x", rsv=4), 1002)],
    ids=["they close", "no text", "broken"],
)
async def test_the_close_frame_is_the_last(sent: bytes, code: int) -> None:
    wire = Recording()
    socket = Socket(wire, Talker(wire), 1 << 20, Turns())
    socket.go_on()
    socket.data_received(sent)
    last, goodbye = wire.written
    assert last == LAST
    assert goodbye[0] & 15 == CLOSE
    assert int.from_bytes(goodbye[2:4], "big") == code
    assert wire.is_closed
    socket.connection_lost(None)
