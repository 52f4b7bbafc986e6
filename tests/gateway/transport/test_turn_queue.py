"""A turn of the loop handles a bounded part of what connections have sent."""

import asyncio
from collections.abc import Callable

import pytest

from hubbub.gateway.transport import turn_queue
from hubbub.gateway.transport.turn_queue import TurnQueue
from hubbub.gateway.websocket.socket import FRAMES_PER_TURN, SLICE_BYTES, Socket
from tests.support.frames import PING, TEXT, frame
from tests.support.waiting import until


class NullTransport(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Discard it."""

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        """Nothing to close."""


class RecordingListener:
    """Records what it receives, and can pause reading."""

    message_max_bytes = 1 << 20

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.controls = 0
        self.is_reading_paused = False
        self.is_closed = False

    def on_text(self, data: str) -> None:
        self.texts.append(data)

    def on_binary(self, data: bytes) -> None:
        self.texts.append(data.decode())

    def on_control_frame(self) -> None:
        self.controls += 1

    def on_activity(self) -> None:
        """Not used."""

    def on_buffer_full(self) -> None:
        """Not used."""

    def on_end(self) -> None:
        """Not used."""

    def on_closed(self) -> None:
        self.is_closed = True


def _open_socket(queue: TurnQueue) -> tuple[NullTransport, RecordingListener, Socket]:
    transport, listener = NullTransport(), RecordingListener()
    socket = Socket(transport, listener, 1 << 20, queue)
    socket.resume_reading()
    return transport, listener, socket


async def test_a_large_chunk_is_handled_in_bounded_turns_and_in_order() -> None:
    transport, listener, socket = _open_socket(TurnQueue())
    texts = [str(number) for number in range(5_000)]
    socket.data_received(b"".join(frame(TEXT, text.encode()) for text in texts))
    assert len(listener.texts) <= FRAMES_PER_TURN
    assert transport.paused
    most = before = len(listener.texts)
    while len(listener.texts) < len(texts):
        await asyncio.sleep(0)
        most, before = max(most, len(listener.texts) - before), len(listener.texts)
    assert most <= FRAMES_PER_TURN
    assert listener.texts == texts
    assert not transport.paused


async def test_a_large_message_is_parsed_in_several_turns() -> None:
    _, listener, socket = _open_socket(TurnQueue())
    socket.data_received(frame(TEXT, b"x" * 30 * SLICE_BYTES))
    assert not listener.texts
    await until(lambda: bool(listener.texts))
    assert len(listener.texts[0]) == 30 * SLICE_BYTES


async def test_all_waiting_connections_share_a_part_of_each_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock advances by a millisecond at each call, so a turn has room for four."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    monkeypatch.setattr(turn_queue, "perf_counter", clock)
    queue = TurnQueue()
    floods = [_open_socket(queue) for _ in range(40)]
    for _, _, socket in floods:
        socket.data_received(frame(PING) * 2_000)

    def handled() -> int:
        return sum(listener.controls for _, listener, _ in floods)

    before = handled()
    await asyncio.sleep(0)
    assert handled() - before <= 5 * FRAMES_PER_TURN
    await until(lambda: handled() == 40 * 2_000)
    shares = [listener.controls for _, listener, _ in floods]
    assert shares == [2_000] * 40


async def test_connections_take_turns() -> None:
    queue, order = TurnQueue(), list[str]()

    class Connection:
        def __init__(self, name: str) -> None:
            self.name, self.left = name, 3

        def take_turn(self) -> None:
            order.append(self.name)
            self.left -= 1
            if self.left:
                queue.add(self)

    on_closed = Connection("removed")
    for connection in (Connection("a"), on_closed, Connection("b")):
        queue.add(connection)
    queue.remove(on_closed)
    await until(lambda: len(order) == 6)
    assert order == ["a", "b"] * 3


@pytest.mark.parametrize("how", ["lost", "closed"])
async def test_frames_before_the_end_are_handled_unless_the_server_closed(how: str) -> None:
    _, listener, socket = _open_socket(TurnQueue())
    socket.data_received(frame(TEXT, b"a") * 1_000)
    if how == "closed":
        socket.close(1000, "")
    socket.connection_lost(None)
    await until(lambda: listener.is_closed)
    assert (len(listener.texts) == 1_000) == (how == "lost")


async def test_a_paused_connection_is_not_read_from() -> None:
    transport, listener, socket = _open_socket(TurnQueue())
    on_text: Callable[[str], None] = listener.on_text

    def slow(data: str) -> None:
        on_text(data)
        socket.pause(3600)

    listener.on_text = slow  # type: ignore[method-assign]
    socket.data_received(frame(TEXT, b"a") * 10)
    await asyncio.sleep(0)
    assert listener.texts == ["a"]
    assert transport.paused
    socket.connection_lost(None)
    assert listener.is_closed
    assert listener.texts == ["a"]
