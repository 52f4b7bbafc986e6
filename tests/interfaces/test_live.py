"""The doors of a server over its life: limits, a stop, a restart, many who come and go."""

import asyncio
from urllib.request import urlopen

import aiohttp
import pytest

from tests.conftest import MakeServer
from tests.interfaces.conftest import assert_silent
from tests.support.chat import House, JsonClient, TextClient, Visitors

pytestmark = pytest.mark.xdist_group("doors-live")


async def test_a_server_that_stops_says_when_to_come_back(make_server: MakeServer) -> None:
    house = House(make_server().start(), "ana")
    async with Visitors.of(house) as visitors:
        ana, guest = await visitors.json("ana"), await visitors.text("?name=robin")
        posts = [await ana.tell("post", room="lobby", text=f"{n}") for n in range(50)]
        # A marker that waits for its time is stored and answered before the end.
        await ana.do("read", room="lobby", seq=0, back=True)
        await ana.do("read", room="lobby", seq=1)
        marker = await ana.tell("read", room="lobby", seq=2)
        await ana.do("about")
        stopping = asyncio.create_task(asyncio.to_thread(house.server.stop))
        assert (await ana.event("notice"))["retry_after"] == 2.0
        assert await guest.line("* The server") == ("* The server restarts. Come back in 2 seconds")
        assert await ana.close_code() == await guest.close_code() == 1012
        assert await stopping == 0
        assert (await ana.reply(marker))["ok"]["read_seq"] == 2
        assert [(await ana.reply(number))["ok"]["seq"] for number in posts] == list(range(1, 51))
        assert ana.messages("lobby") == [("ana", f"{n}") for n in range(50)]
    assert_silent(house.server.log)


async def test_who_is_known_comes_back_after_a_restart_to_the_same_place(
    make_server: MakeServer,
) -> None:
    house = House(make_server().start(), "ana", "bo")
    async with Visitors.of(house) as visitors:
        ana = await visitors.json("ana")
        epoch = (await ana.do("hello"))["epoch"]
        await ana.do("post", room="lobby", text="before")
    house.server.stop()
    house.server.start()
    async with Visitors.of(house) as visitors:
        bo = await visitors.json("bo")
        await bo.do("post", room="lobby", text="after")
        ana = await visitors.json("ana", epoch=epoch, rooms={"lobby": 1})
        await ana.event("synced", room="lobby", through=2)
        assert ana.messages("lobby") == [("bo", "after")]
        text = await visitors.text("?after=1", by="ana")
        assert text.lines[0] == "bo: after"


async def test_where_no_guests_are_let_in_the_plain_text_door_asks_for_a_token(
    make_server: MakeServer,
) -> None:
    house = House(make_server("--no-guests").start(), "ana")
    async with Visitors.of(house) as visitors:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await visitors.connect()
        assert refused.value.status == 401
        assert isinstance(await visitors.text(by="ana"), TextClient)


async def test_connections_and_commands_have_limits_that_say_when_to_try_again(
    make_server: MakeServer,
) -> None:
    house = House(make_server(limits=True).start(), "ana")
    async with Visitors.of(house) as visitors:
        ana = await visitors.json("ana")
        numbers = [await ana.tell("post", room="lobby", text=f"{n}") for n in range(100)]
        answers = [await ana.reply(number) for number in numbers]
        refused = [answer["error"] for answer in answers if "error" in answer]
        assert refused
        assert {error["code"] for error in refused} == {"rate_limited"}
        assert all(0 < error["retry_after"] < 10 for error in refused)
        await ana.event("message", seq=100 - len(refused))
        said = [text for _, text in ana.messages("lobby")]
        assert len(said) == 100 - len(refused), "what was refused was not said"
        text = await visitors.text("?name=robin")
        for n in range(100):
            await text.say(f"{n}")
        assert await text.line("* Too fast")


async def test_a_hundred_people_who_come_and_go_leave_nothing_behind(
    make_server: MakeServer,
) -> None:
    house = House(make_server().start(), "ana")
    async with Visitors.of(house) as visitors:
        ana = await visitors.json("ana")

        async def come_and_go(n: int) -> None:
            async with Visitors.of(house) as others:
                guest = await others.text(f"?name=g{n}")
                await guest.say(f"hello from {n}")
                await guest.line(f"~g{n}: ")

        await asyncio.gather(*(come_and_go(n) for n in range(100)))
        assert isinstance(ana, JsonClient)
        await ana.event("message", room="lobby", seq=100)
        assert sorted(ana.messages("lobby")) == sorted(
            (f"~g{n}", f"hello from {n}") for n in range(100)
        )
        assert await asyncio.to_thread(connections, house) == {"json": 1, "text": 0}
    assert_silent(house.server.log)


def connections(house: House) -> dict[str, int]:
    """How many sockets the server says are open, once nobody is about to go."""
    found: dict[str, int] = {}
    for _ in range(1_000):
        with urlopen(f"{house.server.url}/metrics") as response:
            lines = response.read().decode().splitlines()
        for line in lines:
            name, _, value = line.partition("} ")
            if name.startswith('hubbub_connections{dialect="'):
                found[name.split('"')[1]] = int(float(value))
        if not found["text"]:
            break
    return found
