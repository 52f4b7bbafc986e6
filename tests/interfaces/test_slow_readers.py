"""A client that stops reading costs little memory, delays nobody, and misses nothing."""

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
from tests.support.chat import SUBPROTOCOL, TIMEOUT_S, RestApi, Sockets
from tests.support.frames import PING, TEXT, Frame, RawSocket, frame, raw_socket
from tests.support.in_process import InProcessServer

pytestmark = [
    pytest.mark.xdist_group("interfaces-slow"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

STALLED = 10
POSTS = 500
LONG = "x" * 10_000
AT_ONCE = 20  # posts before the next ones wait for a reader; fewer than make it lag
# Without a bound they would take STALLED times 5 MB; with it, half a MB each.
GROWTH_MAX = 20 * 1024 * 1024


def memory(api: RestApi) -> int:
    """The server's resident bytes."""
    pages = Path(f"/proc/{api.server.pid}/statm").read_text().split()[1]
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


def json_socket(api: RestApi, by: str) -> Any:
    return raw_socket(
        api.server.port,
        receive_buffer=4096,
        Sec_WebSocket_Protocol=SUBPROTOCOL,
        Authorization=f"Bearer {api.tokens[by]}",
    )


@asynccontextmanager
async def stalled_json(api: RestApi, by: str = "bo") -> AsyncIterator[RawSocket]:
    """A JSON connection that reads nothing after its welcome."""
    async with json_socket(api, by) as raw:
        await ask(raw, "hello", id=1)
        while (await next_json(raw)).get("re") != 1:
            pass
        yield raw


@asynccontextmanager
async def stalled_text(api: RestApi, room: str) -> AsyncIterator[RawSocket]:
    async with raw_socket(api.server.port, f"/ws?room={room}", receive_buffer=4096) as raw:
        assert (await next_text(raw)).startswith("* You are in")
        yield raw


def lagging_count(api: RestApi) -> int:
    """The number of lagging connections in the metrics."""
    with urlopen(f"{api.server.url}/metrics") as response:
        lines = response.read().decode().splitlines()
    name = "hubbub_connections_lagging "
    return int(float(next(one.removeprefix(name) for one in lines if one.startswith(name))))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not await asyncio.to_thread(holds):
            pass


async def catch_up(raw: RawSocket, room: str, head: int) -> dict[int, str]:
    """Catch up as every client does. Returns the texts of all messages by seq."""
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


async def test_stalled_readers_cost_little_delay_nobody_and_miss_nothing(
    api: RestApi, sockets: Sockets
) -> None:
    room = api.room("bo", "cy")
    async with AsyncExitStack() as stack:
        slow_json = [await stack.enter_async_context(stalled_json(api)) for _ in range(STALLED)]
        slow_text = await stack.enter_async_context(stalled_text(api, room))
        ana, cy = await sockets.json("ana"), await sockets.json("cy")
        before = memory(api)
        for nth in range(POSTS):
            await ana.send("post", room=room, text=f"{nth} {LONG}")
            if (nth + 1) % AT_ONCE == 0:
                await cy.event("message", room=room, seq=nth + 1)
        assert [text for _, text in cy.messages(room)] == [f"{n} {LONG}" for n in range(POSTS)]
        assert lagging_count(api) == STALLED + 1
        assert memory(api) - before < GROWTH_MAX
        for raw in slow_json[:2]:
            found = await catch_up(raw, room, POSTS)
            assert found == {n + 1: f"{n} {LONG}" for n in range(POSTS)}
        lines: list[str] = []
        while len(lines) < POSTS:
            line = await next_text(slow_text)
            if line.startswith("ana: "):
                lines.append(line)
        assert lines == [f"ana: {n} {LONG}" for n in range(POSTS)]
        # They get live frames again.
        await until(lambda: lagging_count(api) == STALLED - 2)
        await ana.do("post", room=room, text="welcome back")
        assert await next_text(slow_text) == "ana: welcome back"
        while (await next_json(slow_json[0])).get("text") != "welcome back":
            pass


async def test_a_lagging_client_that_disconnects_does_not_stop_the_check_of_others(
    api: RestApi, sockets: Sockets
) -> None:
    room = api.room("bo")
    ana = await sockets.json("ana")
    async with stalled_json(api) as lasting:
        async with stalled_json(api) as vanishing:
            posts = [await ana.send("post", room=room, text=LONG) for _ in range(POSTS)]
            await ana.reply(posts[-1])
            await until(lambda: lagging_count(api) == 2)
            vanishing.abort()
        found = await catch_up(lasting, room, POSTS)
        assert len(found) == POSTS


async def test_replies_are_not_made_while_they_are_not_read(api: RestApi) -> None:
    room = api.room("bo")
    for _ in range(50):
        api.post(room, LONG, by="ana")
    async with stalled_json(api) as raw:
        before = memory(api)
        for nth in range(100):
            await ask(raw, "history", id=nth, room=room, limit=50)
        await until(lambda: lagging_count(api) == 1)
        # A later query of another connection has been answered meanwhile.
        assert len(api.history(room, by="bo")) == 50
        assert memory(api) - before < GROWTH_MAX
        answered = [await next_json(raw) for _ in range(101)]
        numbers = [one["re"] for one in answered if "re" in one]
        assert numbers[:50] == list(range(50))


async def test_errors_are_not_made_while_they_are_not_read(api: RestApi) -> None:
    flood = frame(TEXT, b"{") * 200_000
    async with stalled_json(api) as raw:
        before = memory(api)
        raw.writer.write(flood)
        await until(lambda: lagging_count(api) == 1)
        api.history("lobby", by="bo")  # others are answered meanwhile
        assert memory(api) - before < GROWTH_MAX


async def test_an_unidentified_client_that_reads_no_errors_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "CLOSE_WITHIN_S", 0.1)
    async with (
        InProcessServer.running(tmp_path) as inside,
        raw_socket(inside.port, receive_buffer=4096, Sec_WebSocket_Protocol=SUBPROTOCOL) as client,
    ):
        client.writer.write(frame(TEXT, b"{") * 100_000)
        async with asyncio.timeout(TIMEOUT_S):
            while not client.writer.transport.is_closing():
                client.writer.write(frame(TEXT, b"{"))
                await asyncio.sleep(0.005)


async def test_a_client_that_lagged_learns_of_missed_personal_changes(
    api: RestApi, sockets: Sockets
) -> None:
    room = api.room("bo")
    ana, other_device = await sockets.json("ana"), await sockets.json("bo")
    async with stalled_json(api) as raw:
        for _ in range(POSTS):
            await ana.send("post", room=room, text=LONG)
        await ana.event("message", room=room, seq=POSTS)
        await until(lambda: lagging_count(api) == 1)
        rev = (await other_device.do("prefs", room=room, notify="none"))["rev"]
        received: dict[str, Any] = {}
        while received.get("on") != "behind":
            received = await next_json(raw)
            assert received.get("on") != "me", "personal events must be left out while lagging"
        assert received["rev"] == rev


async def test_a_client_stalled_for_a_minute_is_closed(tmp_path: Path) -> None:
    async with InProcessServer.running(tmp_path) as inside:
        async with raw_socket(inside.port, receive_buffer=4096) as slow:
            assert (await next_text(slow)).startswith("* You are in")
            async with raw_socket(inside.port) as raw:
                assert (await next_text(raw)).startswith("* You are in")
                reading = asyncio.create_task(raw.rest())
                for _ in range(POSTS):
                    await raw.send(frame(TEXT, LONG.encode()))
                await inside.until(lambda: inside.app.hub.backpressure.lagging_count == 1)
                inside.now += 59
                await inside.wait_for_sweep()
                assert inside.app.hub.backpressure.lagging_count == 1
                # A pong is no progress; the other connection stays alive by it.
                inside.seen()
                inside.now += 2
                await inside.until(lambda: len(inside.app.hub.clients) == 1)
                assert inside.closed == [4000]
                assert inside.app.hub.backpressure.closed_slow == 1
                reading.cancel()
        await inside.app.dispatcher.wait_until_disconnected()
