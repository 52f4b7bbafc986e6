"""WebSocket frames, parsed as RFC 6455, section 5.2, describes them."""

import pytest

from hubbub.wire.frames import PING_FRAME, text_frame


def parse(data: bytes) -> tuple[int, bytes, bytes]:
    """Parse a final, unmasked frame: its opcode, its payload and the bytes after it."""
    first, second = data[0], data[1]
    assert first & 0b1000_0000, "FIN"
    assert not first & 0b0111_0000, "RSV1 to RSV3"
    assert not second & 0b1000_0000, "frames of a server are not masked"
    size, at = second & 0b0111_1111, 2
    if size == 126:
        size, at = int.from_bytes(data[2:4], "big"), 4
        assert size > 125, "the length has its shortest form"
    elif size == 127:
        size, at = int.from_bytes(data[2:10], "big"), 10
        assert size > 65_535, "the length has its shortest form"
    assert len(data) >= at + size
    return first & 0b1111, data[at : at + size], data[at + size :]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 300_000])
def test_a_text_frame_of_any_length_is_parsed_back(size: int) -> None:
    payload = bytes(i % 251 for i in range(size))
    opcode, found, rest = parse(text_frame(payload) + b"next")
    assert (opcode, rest) == (1, b"next")
    assert found == payload


def test_a_ping_is_an_empty_control_frame() -> None:
    assert parse(PING_FRAME) == (9, b"", b"")
