"""Reactions: two hundred people in a room react to one long message as fast as they can.

Each adds and removes one of a few emoji. Everybody must receive every change in order, and an
event must stay small, however many people react.
"""

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench import base
from bench.context import Context
from bench.frames import PONG, frame, frames_in, upgrade
from bench.report import KB, Bound, Row
from bench.returning import HELLO, Reply, decode_reply
from bench.server import HOST, free_port
from bench.storm import quantile
from hubbub.model.messages import TEXT_MAX
from hubbub.model.names import LOBBY

PEOPLE = 200
CLICKS_PER_S = 500
EMOJI = ("👍", "❤️", "😂", "🎉", "👀", "🏳️‍🌈")
DELIVERY_TIMEOUT_S = 20.0
MARKS = b'{"on":"marks"'


class ClickResult(msgspec.Struct, frozen=True, kw_only=True):
    """The measured values."""

    clicks: int
    refused: int
    #: Events that somebody did not receive, and people who received some twice or out of order.
    missing: int
    disordered: int
    clicks_per_s: float
    p50_ms: float
    p99_ms: float
    largest_event_bytes: int
    mean_event_bytes: float
    server_us_per_delivery: float


class MarksRev(msgspec.Struct):
    rev: int


decode_marks = msgspec.json.Decoder(MarksRev).decode


class Clicker(asyncio.Protocol):
    """One person, who receives events and clicks."""

    def __init__(self, port: int, token: str, nth: int) -> None:
        self._hello = upgrade(port, token)
        self._emoji = EMOJI[nth % len(EMOJI)]
        self._buffer = bytearray()
        self._numbers = itertools.count(HELLO + 1)
        self._sent: dict[int, float] = {}
        self._is_on = False
        self._is_upgraded = False
        self.transport: asyncio.Transport
        self.welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.revs: list[int] = []
        self.sizes: list[int] = []
        self.taken_ms: list[float] = []
        self.refused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._is_upgraded = True
            del self._buffer[: end + 4]
            self.transport.write(frame({"do": "hello", "id": HELLO}))
        for opcode, payload in frames_in(self._buffer):
            if payload.startswith(MARKS):
                self.revs.append(decode_marks(payload).rev)
                self.sizes.append(len(payload))
            elif opcode == 9:
                self.transport.write(PONG)
            elif payload.startswith(b'{"re":'):
                self._on_reply(decode_reply(payload))

    def _on_reply(self, reply: Reply) -> None:
        if reply.re == HELLO:
            self.welcomed.set_result(None)
        elif reply.re in self._sent:
            self.taken_ms.append((time.perf_counter() - self._sent.pop(reply.re)) * 1000)
            self.refused += reply.error is not None

    def click(self) -> None:
        self._is_on = not self._is_on
        number = next(self._numbers)
        self._sent[number] = time.perf_counter()
        command = {"do": "react", "id": number, "room": LOBBY, "seq": 1}
        self.transport.write(frame({**command, "emoji": self._emoji, "on": self._is_on}))

    @property
    def pending_count(self) -> int:
        return len(self._sent)


def measure(context: Context) -> list[Row]:

    def make(folder: Path) -> list[str]:
        made: list[str] = base.call_people(context.hubbub, "settle", folder, PEOPLE)
        base.call_people(context.hubbub, "say", folder, "x" * TEXT_MAX)
        return made

    with (
        context.copy_of("react", make) as (data, file),
        context.hubbub.serving(data, free_port()) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        tokens = file.read_text().split() if file else []
        clicks = runner.run(_clicks(server.port, server.cpu_s, tokens, context.pace.step_s))
    context.record("react", context.hubbub, clicks)
    context.print(
        f"  {clicks.clicks_per_s:.0f} clicks/s, {clicks.missing} events missing  "
        f"p50 {clicks.p50_ms:.1f}, p99 {clicks.p99_ms:.1f} ms  "
        f"{clicks.server_us_per_delivery:.1f} µs CPU per delivery  "
        f"events of {clicks.mean_event_bytes:.0f}, at most {clicks.largest_event_bytes} bytes"
    )
    counted = (
        (clicks.refused, "refused"),
        (clicks.missing, "not received"),
        (clicks.disordered, "received them twice or out of order"),
    )
    faults = tuple(f"{count} {what}" for count, what in counted if count)
    who = f"{PEOPLE} people react {CLICKS_PER_S} times/s to one message"
    return [
        Row(
            f"{who}: largest event",
            "KB",
            clicks.largest_event_bytes,
            (Bound("at most", KB),),
            None,
            faults,
        ),
        Row(f"{who}: p99 of answers", "ms", clicks.p99_ms, (Bound("at most", 25),), None, faults),
    ]


async def _clicks(
    port: int, cpu_s: Callable[[], float], tokens: list[str], seconds: float
) -> ClickResult:
    loop = asyncio.get_running_loop()
    clickers: list[Clicker] = []
    for nth, token in enumerate(tokens):
        clicker = Clicker(port, token, nth)
        await loop.create_connection(lambda one=clicker: one, HOST, port)  # type: ignore[misc]
        clickers.append(clicker)
    await asyncio.gather(*(clicker.welcomed for clicker in clickers))
    used, began = cpu_s(), loop.time()
    total = int(seconds * CLICKS_PER_S)
    for number in range(total):
        await asyncio.sleep(max(0.0, began + number / CLICKS_PER_S - loop.time()))
        clickers[number % len(clickers)].click()
    taken_s = loop.time() - began
    await _wait_for_events(clickers, total)
    used = cpu_s() - used
    for clicker in clickers:
        clicker.transport.abort()
    return _result_of(clickers, total, taken_s, used)


async def _wait_for_events(clickers: list[Clicker], total: int) -> None:
    until = asyncio.get_running_loop().time() + DELIVERY_TIMEOUT_S
    while asyncio.get_running_loop().time() < until:
        if all(len(one.revs) >= total and not one.pending_count for one in clickers):
            return
        await asyncio.sleep(0.05)


def _result_of(clickers: list[Clicker], total: int, taken_s: float, used_s: float) -> ClickResult:
    # The message itself was one of the first changes of its room.
    first = min((one.revs[0] for one in clickers if one.revs), default=0)
    expected = set(range(first, first + total))
    sizes = [size for one in clickers for size in one.sizes]
    taken_ms = [taken for one in clickers for taken in one.taken_ms]
    return ClickResult(
        clicks=len(taken_ms),
        refused=sum(one.refused for one in clickers),
        missing=sum(len(expected.difference(one.revs)) for one in clickers),
        disordered=sum(one.revs != sorted(set(one.revs)) for one in clickers),
        clicks_per_s=total / taken_s,
        p50_ms=quantile(taken_ms, 0.5),
        p99_ms=quantile(taken_ms, 0.99),
        largest_event_bytes=max(sizes, default=0),
        mean_event_bytes=sum(sizes) / max(len(sizes), 1),
        server_us_per_delivery=used_s / max(len(sizes), 1) * 1e6,
    )
