"""However much one connection has sent, a turn of the loop handles a bounded part of it."""

import asyncio
from collections.abc import Callable

import pytest

from hubbub.gateway.transport import turn_queue
from hubbub.gateway.transport.turn_queue import Turns
from hubbub.gateway.websocket.socket import FRAMES_PER_TURN, SLICE_BYTES, Socket
from tests.support.frames import PING, TEXT, frame
from tests.support.waiting import until


class Wire(asyncio.Transport):
    """A connection to nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Nobody reads it."""

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        """There is nothing to end."""


class Ear:
    """Counts what it hears, and may ask to wait."""

    message_max_bytes = 1 << 20

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.controls = 0
        self.must_wait = False
        self.is_gone = False

    def take(self, data: str) -> None:
        self.heard.append(data)

    def take_bytes(self, data: bytes) -> None:
        self.heard.append(data.decode())

    def take_control(self) -> None:
        self.controls += 1

    def seen(self) -> None:
        """It does not matter here."""

    def filled(self) -> None:
        """It does not matter here."""

    def ended(self) -> None:
        """It does not matter here."""

    def gone(self) -> None:
        self.is_gone = True


def _opened(line: Turns) -> tuple[Wire, Ear, Socket]:
    wire, ear = Wire(), Ear()
    socket = Socket(wire, ear, 1 << 20, line)
    socket.go_on()
    return wire, ear, socket


async def test_of_one_chunk_a_bounded_part_is_handled_in_each_turn_and_all_of_it_in_order() -> None:
    wire, ear, socket = _opened(Turns())
    texts = [str(number) for number in range(5_000)]
    socket.data_received(b"".join(frame(TEXT, text.encode()) for text in texts))
    assert len(ear.heard) <= FRAMES_PER_TURN
    assert wire.paused
    most = before = len(ear.heard)
    while len(ear.heard) < len(texts):
        await asyncio.sleep(0)
        most, before = max(most, len(ear.heard) - before), len(ear.heard)
    assert most <= FRAMES_PER_TURN
    assert ear.heard == texts
    assert not wire.paused


async def test_a_large_message_is_parsed_in_several_turns() -> None:
    _, ear, socket = _opened(Turns())
    socket.data_received(frame(TEXT, b"x" * 30 * SLICE_BYTES))
    assert not ear.heard
    await until(lambda: bool(ear.heard))
    assert len(ear.heard[0]) == 30 * SLICE_BYTES


async def test_all_that_wait_share_a_part_of_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still but for a millisecond at each look, so that a turn has four of them."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    monkeypatch.setattr(turn_queue, "perf_counter", clock)
    line = Turns()
    floods = [_opened(line) for _ in range(40)]
    for _, _, socket in floods:
        socket.data_received(frame(PING) * 2_000)

    def handled() -> int:
        return sum(ear.controls for _, ear, _ in floods)

    before = handled()
    await asyncio.sleep(0)
    assert handled() - before <= 5 * FRAMES_PER_TURN
    await until(lambda: handled() == 40 * 2_000)
    shares = [ear.controls for _, ear, _ in floods]
    assert shares == [2_000] * 40


async def test_they_take_turns_one_after_another() -> None:
    line, order = Turns(), list[str]()

    class One:
        def __init__(self, name: str) -> None:
            self.name, self.left = name, 3

        def take_turn(self) -> None:
            order.append(self.name)
            self.left -= 1
            if self.left:
                line.line_up(self)

    gone = One("gone")
    for one in (One("a"), gone, One("b")):
        line.line_up(one)
    line.leave(gone)
    await until(lambda: len(order) == 6)
    assert order == ["a", "b"] * 3


@pytest.mark.parametrize("how", ["lost", "closed"])
async def test_what_was_said_before_the_end_is_heard_out_unless_we_ended_it(how: str) -> None:
    _, ear, socket = _opened(Turns())
    socket.data_received(frame(TEXT, b"a") * 1_000)
    if how == "closed":
        socket.close(1000, "")
    socket.connection_lost(None)
    await until(lambda: ear.is_gone)
    assert (len(ear.heard) == 1_000) == (how == "lost")


async def test_who_is_slowed_down_is_not_read_from_meanwhile() -> None:
    wire, ear, socket = _opened(Turns())
    take: Callable[[str], None] = ear.take

    def slow(data: str) -> None:
        take(data)
        socket.slow_down(3600)

    ear.take = slow  # type: ignore[method-assign]
    socket.data_received(frame(TEXT, b"a") * 10)
    await asyncio.sleep(0)
    assert ear.heard == ["a"]
    assert wire.paused
    socket.connection_lost(None)
    assert ear.is_gone
    assert ear.heard == ["a"]
