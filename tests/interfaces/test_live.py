"""Limits, stops and restarts of a server, and many short connections."""

import asyncio
from urllib.request import urlopen

import aiohttp
import pytest

from tests.conftest import MakeServer
from tests.interfaces.conftest import assert_nothing_logged
from tests.support.chat import JsonClient, RestApi, Sockets, TextClient

pytestmark = pytest.mark.xdist_group("interfaces-live")


async def test_a_stopping_server_says_when_to_reconnect(make_server: MakeServer) -> None:
    api = RestApi(make_server().start(), "ana")
    async with Sockets.of(api) as sockets:
        ana, guest = await sockets.json("ana"), await sockets.text("?name=robin")
        posts = [await ana.send("post", room="lobby", text=f"{n}") for n in range(50)]
        # A pending read marker is stored and answered before the end.
        await ana.do("read", room="lobby", seq=0, back=True)
        await ana.do("read", room="lobby", seq=1)
        marker = await ana.send("read", room="lobby", seq=2)
        await ana.do("about")
        stopping = asyncio.create_task(asyncio.to_thread(api.server.stop))
        assert (await ana.event("notice"))["retry_after"] == 2.0
        assert await guest.line("* The server") == ("* The server restarts. Reconnect in 2 seconds")
        assert await ana.close_code() == await guest.close_code() == 1012
        assert await stopping == 0
        assert (await ana.reply(marker))["ok"]["read_seq"] == 2
        assert [(await ana.reply(number))["ok"]["seq"] for number in posts] == list(range(1, 51))
        assert ana.messages("lobby") == [("ana", f"{n}") for n in range(50)]
    assert_nothing_logged(api.server.log)


async def test_known_clients_resume_where_they_were_after_a_restart(
    make_server: MakeServer,
) -> None:
    api = RestApi(make_server().start(), "ana", "bo")
    async with Sockets.of(api) as sockets:
        ana = await sockets.json("ana")
        epoch = (await ana.do("hello"))["epoch"]
        await ana.do("post", room="lobby", text="before")
    api.server.stop()
    api.server.start()
    async with Sockets.of(api) as sockets:
        bo = await sockets.json("bo")
        await bo.do("post", room="lobby", text="after")
        ana = await sockets.json("ana", epoch=epoch, rooms={"lobby": 1})
        await ana.event("synced", room="lobby", through=2)
        assert ana.messages("lobby") == [("bo", "after")]
        text = await sockets.text("?after=1", by="ana")
        assert text.lines[0] == "bo: after"


async def test_without_guests_plain_text_asks_for_a_token(
    make_server: MakeServer,
) -> None:
    api = RestApi(make_server("--no-guests").start(), "ana")
    async with Sockets.of(api) as sockets:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await sockets.connect()
        assert refused.value.status == 401
        assert isinstance(await sockets.text(by="ana"), TextClient)


async def test_limits_of_connections_and_commands_say_when_to_retry(
    make_server: MakeServer,
) -> None:
    api = RestApi(make_server(limits=True).start(), "ana")
    async with Sockets.of(api) as sockets:
        ana = await sockets.json("ana")
        numbers = [await ana.send("post", room="lobby", text=f"{n}") for n in range(100)]
        answers = [await ana.reply(number) for number in numbers]
        refused = [answer["error"] for answer in answers if "error" in answer]
        assert refused
        assert {error["code"] for error in refused} == {"rate_limited"}
        assert all(0 < error["retry_after"] < 10 for error in refused)
        await ana.event("message", seq=100 - len(refused))
        posted = [text for _, text in ana.messages("lobby")]
        assert len(posted) == 100 - len(refused), "refused posts were stored"
        text = await sockets.text("?name=robin")
        for n in range(100):
            await text.say(f"{n}")
        assert await text.line("* Too many requests")


async def test_a_hundred_closed_connections_leave_nothing_behind(
    make_server: MakeServer,
) -> None:
    api = RestApi(make_server().start(), "ana")
    async with Sockets.of(api) as sockets:
        ana = await sockets.json("ana")

        async def connect_and_post(n: int) -> None:
            async with Sockets.of(api) as others:
                guest = await others.text(f"?name=g{n}")
                await guest.say(f"hello from {n}")
                await guest.line(f"~g{n}: ")

        await asyncio.gather(*(connect_and_post(n) for n in range(100)))
        assert isinstance(ana, JsonClient)
        await ana.event("message", room="lobby", seq=100)
        assert sorted(ana.messages("lobby")) == sorted(
            (f"~g{n}", f"hello from {n}") for n in range(100)
        )
        assert await asyncio.to_thread(connections, api) == {"json": 1, "text": 0}
    assert_nothing_logged(api.server.log)


def connections(api: RestApi) -> dict[str, int]:
    """The number of open connections by dialect, once the plain-text ones are closed."""
    found: dict[str, int] = {}
    for _ in range(1_000):
        with urlopen(f"{api.server.url}/metrics") as response:
            lines = response.read().decode().splitlines()
        for line in lines:
            name, _, value = line.partition("} ")
            if name.startswith('hubbub_connections{dialect="'):
                found[name.split('"')[1]] = int(float(value))
        if not found["text"]:
            break
    return found
