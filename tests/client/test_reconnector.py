"""When the client reconnects and when it does not, with a scripted server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from hubbub import client
from hubbub.client import Backoff
from hubbub.model.accounts import Hello
from hubbub.model.base import Event
from hubbub.model.errors import Forbidden, Malformed, NotFound, SignInRequired
from hubbub.model.messages import Message
from hubbub.model.reading import Notice
from tests.client.model_server import INFO, ModelServer, Room
from tests.support.people import QUICK, WAIT_S
from tests.support.server import HOST

Script = Callable[["ScriptedServer", web.WebSocketResponse], Awaitable[None]]


class ScriptedServer:
    """Answers hello, about and post; then runs ``script`` on each connection."""

    def __init__(self, script: Script) -> None:
        self.model = ModelServer({"lobby": Room("lobby")})
        self.connections = 0
        self.hellos: list[dict[str, object]] = []
        self.posts: list[dict[str, object]] = []
        self.refusals: list[dict[str, object]] = []
        self.reconnected = asyncio.Event()
        self._script = script

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        self.connections += 1
        socket = web.WebSocketResponse(protocols=("hubbub.v1",))
        await socket.prepare(request)
        async for frame in socket:
            command = msgspec.json.decode(frame.data)
            answer = self.answer(command)
            await socket.send_str(msgspec.json.encode({"re": command["id"], **answer}).decode())
            if command["do"] == "about":
                await self._script(self, socket)
        return socket

    def answer(self, command: dict[str, object]) -> dict[str, object]:
        match command["do"]:
            case "hello":
                self.hellos.append(command)
                if len(self.hellos) > 1:
                    self.reconnected.set()
                hello = msgspec.convert({**command}, Hello)
                return {"ok": self.model.hello(hello, set())[0]}
            case "about":
                return {"ok": INFO}
            case "post":
                self.posts.append(command)
                if self.refusals:
                    return {"error": self.refusals.pop(0)}
                return {"ok": {"seq": 1, "rev": 1, "at": 0}}
        return {"error": {"code": "unknown_command", "message": "Not in this script."}}


@asynccontextmanager
async def scripted_server(script: Script) -> AsyncIterator[tuple[ScriptedServer, str]]:
    server = ScriptedServer(script)
    async with serve(server.socket) as url:
        yield server, url


@asynccontextmanager
async def serve(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/ws", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    assert site._server
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield f"http://{HOST}:{port}"
    finally:
        await runner.cleanup()


async def send(socket: web.WebSocketResponse, event: Event) -> None:
    await socket.send_str(msgspec.json.encode(event).decode())


def message(seq: int) -> Message:
    return Message(room="lobby", seq=seq, rev=seq, by="bo", at=0, text=f"message {seq}")


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4000])
async def test_after_most_close_codes_it_reconnects(code: int) -> None:
    async def script(server: ScriptedServer, socket: web.WebSocketResponse) -> None:
        if server.connections == 1:
            await socket.close(code=code)
        else:
            server.model.post("lobby", "bo", "welcome back", "n")
            await send(socket, server.model.rooms["lobby"].messages[1])

    async with (
        scripted_server(script) as (server, url),
        client.connect(url, "token", backoff=QUICK) as one,
        asyncio.timeout(WAIT_S),
    ):
        assert (await anext(one.messages("lobby", after=0))).text == "welcome back"
        assert server.connections == 2


@pytest.mark.parametrize(("code", "error"), [(1008, Forbidden), (4001, SignInRequired)])
async def test_after_a_final_close_code_it_does_not_reconnect(
    code: int, error: type[Exception]
) -> None:
    async def script(server: ScriptedServer, socket: web.WebSocketResponse) -> None:
        await socket.close(code=code)

    async with (
        scripted_server(script) as (server, url),
        client.connect(url, "token", backoff=QUICK) as one,
        asyncio.timeout(WAIT_S),
    ):
        with pytest.raises(error):
            await anext(one.messages("lobby", after=0))
        with pytest.raises(error):
            await one.post("lobby", "hello?")
        assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, SignInRequired), (403, Forbidden), (404, NotFound)]
)
async def test_a_client_that_is_refused_does_not_retry(status: int, error: type[Exception]) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serve(refuse) as url:
        with pytest.raises(error):
            async with client.connect(url, "token", backoff=QUICK):
                pass


async def test_a_server_with_another_protocol_is_a_distinct_error() -> None:
    async def other(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    async with serve(other) as url:
        with pytest.raises(Malformed, match=r"hubbub\.v1"):
            async with client.connect(url, "token", backoff=QUICK):
                pass


async def test_a_reconnect_sends_the_revs_that_the_client_has() -> None:
    async def script(server: ScriptedServer, socket: web.WebSocketResponse) -> None:
        if server.connections == 1:
            for nth in range(3):
                made, _ = server.model.post("lobby", "bo", "hi", f"n{nth}")
                if made.seq != 2:
                    await send(socket, made)
            await socket.close(code=1001)

    async with (
        scripted_server(script) as (server, url),
        client.connect(url, "token", backoff=QUICK),
        asyncio.timeout(WAIT_S),
    ):
        await server.reconnected.wait()
    # The third event has come but not the second, and `have` is contiguous.
    assert server.hellos[1]["rooms"] == {"lobby": 1}
    assert server.hellos[1]["epoch"] == "1"


async def test_a_post_is_retried_with_its_nonce_after_temporary_errors() -> None:
    async def script(server: ScriptedServer, socket: web.WebSocketResponse) -> None:
        pass

    async with (
        scripted_server(script) as (server, url),
        client.connect(url, "token", backoff=QUICK) as one,
        asyncio.timeout(WAIT_S),
    ):
        server.refusals = [
            {"code": code, "message": "Later.", "retry_after": 0.01}
            for code in ("busy", "rate_limited", "unavailable")
        ]
        assert (await one.post("lobby", "hi")).seq == 1
        assert len(server.posts) == 4
        assert len({post["nonce"] for post in server.posts}) == 1


async def test_an_error_of_a_newer_server_keeps_its_code() -> None:
    async def script(server: ScriptedServer, socket: web.WebSocketResponse) -> None:
        pass

    async with (
        scripted_server(script) as (server, url),
        client.connect(url, "token", backoff=QUICK) as one,
        asyncio.timeout(WAIT_S),
    ):
        server.refusals = [{"code": "too_lyrical", "message": "No poems here."}]
        with pytest.raises(client.CommandRefused, match="No poems") as refused:
            await one.post("lobby", "O")
        assert refused.value.code == "too_lyrical"


async def test_an_event_of_a_newer_server_is_ignored() -> None:
    async def script(server: ScriptedServer, socket: web.WebSocketResponse) -> None:
        await socket.send_str('{"on": "confetti", "room": "lobby"}')
        await send(socket, message(1))

    async with (
        scripted_server(script) as (_, url),
        client.connect(url, "token", backoff=QUICK) as one,
        asyncio.timeout(WAIT_S),
    ):
        assert (await anext(one.messages("lobby", after=0))).seq == 1


async def test_it_reconnects_after_the_delay_that_the_server_asked_for() -> None:
    delays: list[float] = []

    class RecordingBackoff(Backoff, frozen=True):
        def delay_s(self, failures: int, asked_s: float | None = None, code: int | None = None):  # type: ignore[no-untyped-def]
            delays.append(super().delay_s(failures, asked_s, code))
            return 0.0

    async def script(server: ScriptedServer, socket: web.WebSocketResponse) -> None:
        if server.connections == 1:
            await send(socket, Notice(text="The server restarts.", retry_after=2.0))
            await socket.close(code=1012)
        else:
            await send(socket, message(1))

    async with (
        scripted_server(script) as (_, url),
        client.connect(url, "token", backoff=RecordingBackoff(random=lambda: 0.5)) as one,
        asyncio.timeout(WAIT_S),
    ):
        await anext(one.messages("lobby", after=0))
    assert delays == [3.0]


def test_delays_grow_to_a_bound_and_are_jittered() -> None:
    least = Backoff(first_s=1, longest_s=10, random=lambda: 0.0)
    most = Backoff(first_s=1, longest_s=10, random=lambda: 1.0)
    assert [least.delay_s(failures) for failures in (0, 1, 2, 9, 10_000)] == [0.5, 1, 2, 5, 5]
    assert [most.delay_s(failures) for failures in (0, 1, 2, 9, 10_000)] == [1, 2, 4, 10, 10]
    assert (least.delay_s(5, asked_s=4), most.delay_s(5, asked_s=4)) == (4, 8)


def test_after_a_close_for_slowness_the_first_reconnect_is_immediate() -> None:
    backoff = Backoff(random=lambda: 1.0)
    assert backoff.delay_s(0, code=4000) == 0
    assert backoff.delay_s(1, code=4000) == 1
