"""A clean stop: acknowledged messages are stored, clients are notified, and it ends in time."""

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
from tests.support.chat import JsonClient, RestApi, Sockets, TextClient
from tests.support.frames import RawSocket, raw_socket, tcp
from tests.support.server import HOST, Server
from tests.support.waiting import until

STOP_TIMEOUT_S = 5.0
STOP_AFTER = 100  # acknowledged posts
RESTART = 1012


Connect = Callable[[int], AbstractAsyncContextManager[RawSocket]]


class Load:
    """People who post continuously until the server stops, and the acknowledged posts."""

    def __init__(self, api: RestApi, room: str) -> None:
        self.api = api
        self.room = room
        self.acknowledged: dict[str, int] = {}  # text → seq

    async def by_json(self, client: JsonClient, name: str) -> None:
        for text in (f"json {name} {n}" for n in itertools.count()):
            try:
                number = await client.send("post", room=self.room, text=text)
            except ConnectionError:
                return
            await until(lambda number=number: number in client.replies or client.is_over)  # type: ignore[misc]
            if "ok" not in (reply := client.replies.get(number, {})):
                return
            self.acknowledged[text] = reply["ok"]["seq"]

    async def by_text(self, client: TextClient, name: str) -> None:
        """Post by plain text, where a person's own line is the acknowledgement."""
        for line in (f"text {name} {n}" for n in itertools.count()):
            with suppress(ConnectionError):
                await client.say(line)
            await until(lambda line=line: f"{name}: {line}" in client.lines or client.is_over)  # type: ignore[misc]
            if client.is_over:
                return

    async def by_http(self, session: aiohttp.ClientSession, name: str) -> None:
        url = f"{self.api.server.url}/api/rooms/{self.room}/messages"
        headers = {"Authorization": f"Bearer {self.api.tokens[name]}"}
        for text in (f"http {name} {n}" for n in itertools.count()):
            try:
                async with session.post(url, json={"text": text}, headers=headers) as answer:
                    body = await answer.json()
            except (aiohttp.ClientError, ConnectionError):
                return
            if answer.status != 201:
                assert body["code"] in ("busy", "unavailable"), body
                return
            self.acknowledged[text] = body["seq"]


def all_messages(api: RestApi, room: str) -> dict[int, str]:
    """All messages of a room by seq."""
    found: dict[int, str] = {}
    after = 0
    while True:
        page = api.ok("GET", f"rooms/{room}/messages?after={after}&limit=200", by="ana")
        if not page["messages"]:
            return found
        found |= {one["seq"]: one["text"] for one in page["messages"]}
        after = max(found)


async def test_a_stop_under_load_keeps_acknowledged_posts_and_notifies_everybody(
    make_server: MakeServer,
) -> None:
    server = make_server().start()
    api = RestApi(server, "ana", "bo", "cy")
    load = Load(api, "lobby")
    async with Sockets.of(api) as sockets, aiohttp.ClientSession() as session:
        by_json = [await sockets.json(name) for name in api.tokens]
        by_text = [await sockets.text(by=name) for name in ("bo", "cy")]
        idle = [await sockets.json("ana"), await sockets.json("bo")]
        writing = [
            *map(load.by_json, by_json, api.tokens),
            *map(load.by_text, by_text, ("bo", "cy")),
            *(load.by_http(session, name) for name in api.tokens),
        ]
        work = asyncio.gather(*writing)
        await until(lambda: len(load.acknowledged) >= STOP_AFTER)
        server.signal(signal.SIGTERM)
        code = await asyncio.to_thread(server.wait, STOP_TIMEOUT_S)
        await work

        assert code == 0
        assert "Traceback" not in server.log
        for client in (*by_json, *idle):
            assert await client.close_code() == RESTART
            [notice] = [event for event in client.events if event["on"] == "notice"]
            assert notice["retry_after"] > 0
            assert client.frames[-1] == notice, "nothing may follow the notice"
        for lines in by_text:
            assert await lines.close_code() == RESTART
            assert lines.lines[-1].startswith("* ")
            assert "2 seconds" in lines.lines[-1]

        server.start()
        stored = all_messages(api, "lobby")
        assert list(stored) == list(range(1, len(stored) + 1)), "a gap"
        for text, seq in load.acknowledged.items():
            assert stored[seq] == text
        seen = {event["seq"]: event["text"] for client in idle for event in client.of("message")}
        assert seen.items() <= stored.items(), "seen but not stored"
        for lines in by_text:
            assert {text for _, text in lines.messages()} <= set(stored.values())


# Connections that could delay a stop, and the bytes that they send.
SLOW_CLIENTS: dict[str, tuple[Connect, bytes]] = {
    "a silent connection": (tcp, b""),
    "an incomplete request": (tcp, b"GET /api/about HTTP/1.1\r\nHost: loc"),
    "a missing body": (
        tcp,
        b"POST /api/sign-up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
    ),
    "a socket that does not answer a close": (raw_socket, b""),
    "an open echo socket": (partial(raw_socket, path="/ws/echo"), b""),
    "a socket that never reads": (partial(raw_socket, receive_buffer=4096), b""),
}


async def test_slow_clients_do_not_delay_a_stop(make_server: MakeServer) -> None:
    server = make_server().start()
    api = RestApi(server, "ana")
    async with AsyncExitStack() as connections, Sockets.of(api) as sockets:
        for connect, data in SLOW_CLIENTS.values():
            client = await connections.enter_async_context(connect(server.port))
            await client.send(data)
        ana = await sockets.json("ana")
        for _ in range(40):  # more than all buffers can hold
            await ana.do("post", room="lobby", text="x" * 16_000)
        server.signal(signal.SIGINT)

        assert await ana.close_code() == RESTART
        assert await asyncio.to_thread(server.wait, STOP_TIMEOUT_S) == 0
        assert "Traceback" not in server.log


async def test_no_new_connections_during_a_stop(make_server: MakeServer) -> None:
    server = make_server().start()
    api = RestApi(server, "ana")
    async with raw_socket(server.port), Sockets.of(api) as sockets:  # delays the stop a little
        ana = await sockets.json("ana")
        server.signal(signal.SIGTERM)
        await ana.event("notice")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, server.port)).close()

        assert await asyncio.to_thread(server.wait, STOP_TIMEOUT_S) == 0


def test_a_second_signal_does_not_interrupt_a_stop(server: Server) -> None:
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        server.signal(stop)

    assert server.wait(STOP_TIMEOUT_S) == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("file", "stop"),
    [
        ("hubbub.lock", signal.SIGTERM),
        ("hubbub.db", signal.SIGINT),
        ("hubbub.sock", signal.SIGTERM),
    ],
)
async def test_a_stop_during_the_start_is_clean(
    file: str, stop: signal.Signals, make_server: MakeServer
) -> None:
    server = make_server()
    process = server.launch()
    await until(lambda: (server.data / file).exists() or process.poll() is not None)
    server.signal(stop)

    assert await asyncio.to_thread(server.wait, STOP_TIMEOUT_S) == 0
    assert "Traceback" not in server.log
    assert server.start().is_ready()


def test_a_stop_before_the_start_leaves_nothing_that_prevents_a_start(
    make_server: MakeServer,
) -> None:
    server = make_server()
    server.launch()
    server.signal(signal.SIGTERM)

    assert server.wait(STOP_TIMEOUT_S) in (0, -signal.SIGTERM)
    assert server.start().is_ready()
