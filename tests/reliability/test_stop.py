"""A clean stop: what was acknowledged is kept, everyone is told, and it ends in time."""

import asyncio
import itertools
import signal
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from functools import partial

import aiohttp
import pytest

from tests.conftest import MakeServer
from tests.support.chat import House, JsonClient, TextClient, Visitors
from tests.support.frames import RawSocket, raw_socket, tcp
from tests.support.server import HOST, Server
from tests.support.waiting import until

STOPS_WITHIN_S = 5.0
BUSY_AFTER = 100  # acknowledged posts
RESTART = 1012


Connect = Callable[[int], AbstractAsyncContextManager[RawSocket]]


class Load:
    """People who write without pause until the server is gone, and what it said to them."""

    def __init__(self, house: House, room: str) -> None:
        self.house = house
        self.room = room
        self.acknowledged: dict[str, int] = {}  # text → seq

    async def by_json(self, client: JsonClient, name: str) -> None:
        for text in (f"json {name} {n}" for n in itertools.count()):
            try:
                number = await client.tell("post", room=self.room, text=text)
            except ConnectionError:
                return
            await until(lambda number=number: number in client.replies or client.is_over)  # type: ignore[misc]
            if "ok" not in (reply := client.replies.get(number, {})):
                return
            self.acknowledged[text] = reply["ok"]["seq"]

    async def by_text(self, client: TextClient, name: str) -> None:
        """The line that comes back to its writer is the acknowledgement."""
        for line in (f"text {name} {n}" for n in itertools.count()):
            with suppress(ConnectionError):
                await client.say(line)
            await until(lambda line=line: f"{name}: {line}" in client.lines or client.is_over)  # type: ignore[misc]
            if client.is_over:
                return

    async def by_http(self, session: aiohttp.ClientSession, name: str) -> None:
        url = f"{self.house.server.url}/api/rooms/{self.room}/messages"
        headers = {"Authorization": f"Bearer {self.house.tokens[name]}"}
        for text in (f"http {name} {n}" for n in itertools.count()):
            try:
                async with session.post(url, json={"text": text}, headers=headers) as answer:
                    said = await answer.json()
            except (aiohttp.ClientError, ConnectionError):
                return
            if answer.status != 201:
                assert said["code"] in ("busy", "unavailable"), said
                return
            self.acknowledged[text] = said["seq"]


def everything(house: House, room: str) -> dict[int, str]:
    """All messages of a room by their number."""
    found: dict[int, str] = {}
    after = 0
    while True:
        page = house.ok("GET", f"rooms/{room}/messages?after={after}&limit=200", by="ana")
        if not page["messages"]:
            return found
        found |= {one["seq"]: one["text"] for one in page["messages"]}
        after = max(found)


async def test_a_stop_under_load_keeps_what_was_acknowledged_and_tells_everyone(
    make_server: MakeServer,
) -> None:
    server = make_server().start()
    house = House(server, "ana", "bo", "cy")
    load = Load(house, "lobby")
    async with Visitors.of(house) as visitors, aiohttp.ClientSession() as session:
        by_json = [await visitors.json(name) for name in house.tokens]
        by_text = [await visitors.text(by=name) for name in ("bo", "cy")]
        idle = [await visitors.json("ana"), await visitors.json("bo")]
        writing = [
            *map(load.by_json, by_json, house.tokens),
            *map(load.by_text, by_text, ("bo", "cy")),
            *(load.by_http(session, name) for name in house.tokens),
        ]
        work = asyncio.gather(*writing)
        await until(lambda: len(load.acknowledged) >= BUSY_AFTER)
        server.signal(signal.SIGTERM)
        code = await asyncio.to_thread(server.wait, STOPS_WITHIN_S)
        await work

        assert code == 0
        assert "Traceback" not in server.log
        for client in (*by_json, *idle):
            assert await client.close_code() == RESTART
            [notice] = [event for event in client.events if event["on"] == "notice"]
            assert notice["retry_after"] > 0
            assert client.heard[-1] == notice, "nothing comes after the goodbye"
        for lines in by_text:
            assert await lines.close_code() == RESTART
            assert lines.lines[-1].startswith("* ")
            assert "2 seconds" in lines.lines[-1]

        server.start()
        kept = everything(house, "lobby")
        assert list(kept) == list(range(1, len(kept) + 1)), "a hole"
        for text, seq in load.acknowledged.items():
            assert kept[seq] == text
        seen = {event["seq"]: event["text"] for client in idle for event in client.of("message")}
        assert seen.items() <= kept.items(), "seen but not kept"
        for lines in by_text:
            assert {text for _, text in lines.messages()} <= set(kept.values())


# Who would hold a stop up if they could, and what they send once they are connected.
STUBBORN: dict[str, tuple[Connect, bytes]] = {
    "a connection that says nothing": (tcp, b""),
    "a request without an end": (tcp, b"GET /api/about HTTP/1.1\r\nHost: loc"),
    "a body that does not come": (
        tcp,
        b"POST /api/sign-up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
    ),
    "a socket that does not answer the close": (raw_socket, b""),
    "an echo that lasts": (partial(raw_socket, path="/ws/echo"), b""),
    "a socket that never reads": (partial(raw_socket, receive_buffer=4096), b""),
}


async def test_nobody_can_hold_a_stop_up(make_server: MakeServer) -> None:
    server = make_server().start()
    house = House(server, "ana")
    async with AsyncExitStack() as open_now, Visitors.of(house) as visitors:
        for connect, sends in STUBBORN.values():
            stubborn = await open_now.enter_async_context(connect(server.port))
            await stubborn.send(sends)
        ana = await visitors.json("ana")
        for _ in range(40):  # more than all buffers on the way hold
            await ana.do("post", room="lobby", text="x" * 16_000)
        server.signal(signal.SIGINT)

        assert await ana.close_code() == RESTART
        assert await asyncio.to_thread(server.wait, STOPS_WITHIN_S) == 0
        assert "Traceback" not in server.log


async def test_nobody_comes_in_while_it_stops(make_server: MakeServer) -> None:
    server = make_server().start()
    house = House(server, "ana")
    async with raw_socket(server.port), Visitors.of(house) as visitors:  # one holds it up a little
        ana = await visitors.json("ana")
        server.signal(signal.SIGTERM)
        await ana.event("notice")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, server.port)).close()

        assert await asyncio.to_thread(server.wait, STOPS_WITHIN_S) == 0


def test_a_second_signal_does_not_break_a_stop_off(server: Server) -> None:
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        server.signal(stop)

    assert server.wait(STOPS_WITHIN_S) == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("made", "stop"),
    [
        ("hubbub.lock", signal.SIGTERM),
        ("hubbub.db", signal.SIGINT),
        ("hubbub.sock", signal.SIGTERM),
    ],
)
async def test_a_stop_while_it_starts_is_a_clean_one(
    made: str, stop: signal.Signals, make_server: MakeServer
) -> None:
    server = make_server()
    process = server.launch()
    await until(lambda: (server.data / made).exists() or process.poll() is not None)
    server.signal(stop)

    assert await asyncio.to_thread(server.wait, STOPS_WITHIN_S) == 0
    assert "Traceback" not in server.log
    assert server.start().is_ready()


def test_a_stop_before_it_has_begun_leaves_nothing_in_the_way(make_server: MakeServer) -> None:
    server = make_server()
    server.launch()
    server.signal(signal.SIGTERM)

    assert server.wait(STOPS_WITHIN_S) in (0, -signal.SIGTERM)
    assert server.start().is_ready()
