"""Who stops reading costs no memory, delays nobody, and misses nothing after reading again."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from hubbub.gateway.websocket import socket
from tests.support.chat import SUBPROTOCOL, TIMEOUT_S, House, Visitors
from tests.support.frames import PING, TEXT, Frame, RawSocket, frame, raw_socket
from tests.support.in_process import InsideServer

pytestmark = [
    pytest.mark.xdist_group("doors-slow"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
]

STALLED = 10
POSTS = 500
LONG = "x" * 10_000
# What all of them would hold without a bound is STALLED times 5 MB; with it, half a MB each.
GROWTH_MAX = 20 * 1024 * 1024


def memory(house: House) -> int:
    """The server's resident bytes."""
    pages = Path(f"/proc/{house.server.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def text_of(one: Frame | None) -> str:
    assert one is not None
    assert one.opcode == TEXT, one
    return one.payload.decode()


async def next_text(raw: RawSocket) -> str:
    while (one := await raw.frame()) is not None and one.opcode == PING:
        pass
    return text_of(one)


async def next_json(raw: RawSocket) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await next_text(raw))
    return found


async def ask(raw: RawSocket, do: str, **fields: Any) -> None:
    await raw.send(frame(TEXT, json.dumps({"do": do, **fields}).encode()))


def json_socket(house: House, by: str) -> Any:
    return raw_socket(
        house.server.port,
        receive_buffer=4096,
        Sec_WebSocket_Protocol=SUBPROTOCOL,
        Authorization=f"Bearer {house.tokens[by]}",
    )


@asynccontextmanager
async def stalled_json(house: House, by: str = "bo") -> AsyncIterator[RawSocket]:
    """Somebody greeted at the JSON door, of whom nothing more is read."""
    async with json_socket(house, by) as raw:
        await ask(raw, "hello", id=1)
        while (await next_json(raw)).get("re") != 1:
            pass
        yield raw


@asynccontextmanager
async def stalled_text(house: House, room: str) -> AsyncIterator[RawSocket]:
    async with raw_socket(house.server.port, f"/ws?room={room}", receive_buffer=4096) as raw:
        assert (await next_text(raw)).startswith("* You are in")
        yield raw


def behind(house: House) -> int:
    """How many connections the server says are behind."""
    with urlopen(f"{house.server.url}/metrics") as response:
        lines = response.read().decode().splitlines()
    name = "hubbub_connections_behind "
    return int(float(next(one.removeprefix(name) for one in lines if one.startswith(name))))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not await asyncio.to_thread(holds):
            pass


async def catch_up(raw: RawSocket, room: str, head: int) -> dict[int, str]:
    """Read on by the rule that every client follows; the texts of all messages by seq."""
    found: dict[int, str] = {}
    have = 0
    while have < head:
        event = await next_json(raw)
        if event.get("on") == "message" and event["room"] == room:
            found[event["seq"]] = event["text"]
            if event["rev"] == have + 1:
                have = event["rev"]
        elif event.get("on") == "behind":
            assert event["rooms"][room]["seq"] <= head
            await ask(raw, "sync", id=2, room=room, after=have)
        elif event.get("re") == 2:
            assert not event["ok"]["reset"]
            have = max(have, event["ok"]["through"])
            if event["ok"]["more"]:
                await ask(raw, "sync", id=2, room=room, after=have)
    return found


async def test_readers_who_stall_cost_little_delay_nobody_and_miss_nothing(
    house: House, visitors: Visitors
) -> None:
    room = house.room("bo", "cy")
    async with AsyncExitStack() as stack:
        slow_json = [await stack.enter_async_context(stalled_json(house)) for _ in range(STALLED)]
        slow_text = await stack.enter_async_context(stalled_text(house, room))
        ana, cy = await visitors.json("ana"), await visitors.json("cy")
        before = memory(house)
        for nth in range(POSTS):
            await ana.tell("post", room=room, text=f"{nth} {LONG}")
        await cy.event("message", room=room, seq=POSTS)
        assert [text for _, text in cy.messages(room)] == [f"{n} {LONG}" for n in range(POSTS)]
        assert behind(house) == STALLED + 1
        assert memory(house) - before < GROWTH_MAX
        for raw in slow_json[:2]:
            found = await catch_up(raw, room, POSTS)
            assert found == {n + 1: f"{n} {LONG}" for n in range(POSTS)}
        said: list[str] = []
        while len(said) < POSTS:
            line = await next_text(slow_text)
            if line.startswith("ana: "):
                said.append(line)
        assert said == [f"ana: {n} {LONG}" for n in range(POSTS)]
        # And they are there again: live frames go on.
        await until(lambda: behind(house) == STALLED - 2)
        await ana.do("post", room=room, text="welcome back")
        assert await next_text(slow_text) == "ana: welcome back"
        while (await next_json(slow_json[0])).get("text") != "welcome back":
            pass


async def test_who_falls_behind_and_vanishes_leaves_the_others_looked_after(
    house: House, visitors: Visitors
) -> None:
    room = house.room("bo")
    ana = await visitors.json("ana")
    async with stalled_json(house) as lasting:
        async with stalled_json(house) as vanishing:
            for _ in range(POSTS):
                await ana.tell("post", room=room, text=LONG)
            await ana.event("message", room=room, seq=POSTS)
            await until(lambda: behind(house) == 2)
            vanishing.abort()
        found = await catch_up(lasting, room, POSTS)
        assert len(found) == POSTS


async def test_answers_that_nobody_reads_are_not_made(house: House) -> None:
    room = house.room("bo")
    for _ in range(50):
        house.post(room, LONG, by="ana")
    async with stalled_json(house) as raw:
        before = memory(house)
        for nth in range(100):
            await ask(raw, "history", id=nth, room=room, limit=50)
        await until(lambda: behind(house) == 1)
        # Another's question is answered after whatever could have been answered to this one.
        assert len(house.history(room, by="bo")) == 50
        assert memory(house) - before < GROWTH_MAX
        answered = [await next_json(raw) for _ in range(101)]
        numbers = [one["re"] for one in answered if "re" in one]
        assert numbers[:50] == list(range(50))


async def test_errors_that_nobody_reads_are_not_made_either(house: House) -> None:
    flood = frame(TEXT, b"{") * 200_000
    async with stalled_json(house) as raw:
        before = memory(house)
        raw.writer.write(flood)
        await until(lambda: behind(house) == 1)
        house.history("lobby", by="bo")  # others are answered meanwhile
        assert memory(house) - before < GROWTH_MAX


async def test_a_stranger_who_reads_no_errors_is_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "CLOSE_WITHIN_S", 0.1)
    async with (
        InsideServer.running(tmp_path) as inside,
        raw_socket(
            inside.port, receive_buffer=4096, Sec_WebSocket_Protocol=SUBPROTOCOL
        ) as stranger,
    ):
        stranger.writer.write(frame(TEXT, b"{") * 100_000)
        async with asyncio.timeout(TIMEOUT_S):
            while not stranger.writer.transport.is_closing():
                stranger.writer.write(frame(TEXT, b"{"))
                await asyncio.sleep(0.005)


async def test_who_was_behind_learns_that_something_of_their_own_changed(
    house: House, visitors: Visitors
) -> None:
    room = house.room("bo")
    ana, other_device = await visitors.json("ana"), await visitors.json("bo")
    async with stalled_json(house) as raw:
        for _ in range(POSTS):
            await ana.tell("post", room=room, text=LONG)
        await ana.event("message", room=room, seq=POSTS)
        await until(lambda: behind(house) == 1)
        rev = (await other_device.do("prefs", room=room, notify="none"))["rev"]
        heard: dict[str, Any] = {}
        while heard.get("on") != "behind":
            heard = await next_json(raw)
            assert heard.get("on") != "me", "left out, as it could be any number of them"
        assert heard["rev"] == rev


async def test_who_stalls_for_a_minute_is_closed(tmp_path: Path) -> None:
    async with InsideServer.running(tmp_path) as inside:
        async with raw_socket(inside.port, receive_buffer=4096) as slow:
            assert (await next_text(slow)).startswith("* You are in")
            async with raw_socket(inside.port) as raw:
                assert (await next_text(raw)).startswith("* You are in")
                reading = asyncio.create_task(raw.rest())
                for _ in range(POSTS):
                    await raw.send(frame(TEXT, LONG.encode()))
                await inside.until(lambda: inside.app.hub.backpressure.behind == 1)
                inside.now += 59
                await inside.swept()
                assert inside.app.hub.backpressure.behind == 1
                # A sign of life is no progress; but the others are there, and say so.
                inside.seen()
                inside.now += 2
                await inside.until(lambda: len(inside.app.hub.clients) == 1)
                assert inside.closed == [4000]
                assert inside.app.hub.backpressure.closed_slow == 1
                reading.cancel()
        await inside.app.dispatcher.all_gone()
