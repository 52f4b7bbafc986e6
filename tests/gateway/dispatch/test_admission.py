"""Everybody comes back at once: let in in order, served from memory, and nobody else disturbed."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import cast
from urllib.request import urlopen

import pytest

from bench import storm
from bench.returning import Crowd
from hubbub.gateway.dispatch.admission import AdmissionControl
from hubbub.gateway.websocket.json_connection import JsonConnection
from hubbub.model.errors import Busy
from tests.gateway.conftest import MakeSite
from tests.support.server import Server
from tests.support.waiting import until

MEMBERS, GUESTS, ROOMS = 300, 20, 6
WITHIN_S = 60


async def test_so_many_are_inside_and_the_others_come_in_the_order_in_which_they_came() -> None:
    admission, inside, most = AdmissionControl(at_once=3), 0, 0
    order: list[int] = []

    async def come(number: int) -> None:
        nonlocal inside, most
        async with admission.turn():
            order.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(come(number) for number in range(50)))
    assert order == list(range(50))
    assert most == 3
    assert (admission.waiting, admission.admitted) == (0, 50)


async def test_a_line_that_is_too_long_is_refused_with_when_to_come_back() -> None:
    admission, go = AdmissionControl(at_once=1, waiting_max=2), asyncio.Event()

    async def stay() -> None:
        async with admission.turn():
            await go.wait()

    staying = [asyncio.ensure_future(stay()) for _ in range(3)]
    await until(lambda: admission.waiting == 2)
    with pytest.raises(Busy) as refused:
        async with admission.turn():
            pass
    assert refused.value.retry_after
    go.set()
    await asyncio.gather(*staying)
    async with admission.turn():
        assert admission.waiting == 0


async def test_who_gives_up_waiting_leaves_the_line() -> None:
    admission = AdmissionControl(at_once=1)
    async with admission.turn():
        waiting = asyncio.ensure_future(admission.turn().__aenter__())
        await until(lambda: admission.waiting == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert admission.waiting == 0
    async with admission.turn():
        pass


async def test_who_has_shown_a_token_may_wait_in_line_for_as_long_as_it_takes(
    make_site: MakeSite,
) -> None:
    site = make_site()
    ana = site.person()
    admission = site.app.dispatcher.arrivals = AdmissionControl(at_once=1)
    inside = admission.turn()
    site.run(_come(inside))
    async with site.socket() as client:
        await until(lambda: bool(site.app.dispatcher.sockets))
        (door,) = (cast(JsonConnection, socket.listener) for socket in site.app.dispatcher.sockets)
        await until(lambda: door._deadline is not None)
        waiting = asyncio.ensure_future(client.do("auth", token=ana.token))
        await until(lambda: admission.waiting == 1)
        assert door._deadline is None
        site.run(_go(inside))
        assert await waiting == {}
        assert (await client.do("hello"))["me"]["name"] == ana.name


async def test_who_has_shown_a_wrong_token_has_the_usual_time_for_another(
    make_site: MakeSite,
) -> None:
    site = make_site()
    async with site.socket() as client:
        assert await client.refused("auth", token="nobody's") == "sign_in_required"
        (door,) = (cast(JsonConnection, socket.listener) for socket in site.app.dispatcher.sockets)
        assert door._deadline is not None


async def _come(inside: AbstractAsyncContextManager[None]) -> None:
    await inside.__aenter__()


async def _go(inside: AbstractAsyncContextManager[None]) -> None:
    await inside.__aexit__(None, None, None)


async def test_after_a_kill_all_are_up_to_date_from_one_read_of_each_room(tmp_path: Path) -> None:
    data = tmp_path / "data"
    town = storm.Town.built(data, members=MEMBERS, guests=GUESTS, rooms=ROOMS)
    server = Server(data, "--registration", "open", "--guests", command="serve")
    crowd = Crowd(server.port, town.tokens)
    try:
        await asyncio.to_thread(server.start)
        crowd.come()
        await crowd.all_here(WITHIN_S)
        assert crowd.missing == 0
        await storm.miss(crowd, town.rooms)
        seen = crowd.begin()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(storm.talk(crowd))
            await crowd.all_here(WITHIN_S)
            crowd.stop_talking()
        assert crowd.missing == 0
        assert seen.failed_posts == 0
        told = await asyncio.to_thread(figures, server)
        assert told["hubbub_room_reads_total"] == ROOMS + 1
        for query in ("sync", "history"):
            assert told[f'hubbub_ledger_queries_total{{query="{query}"}}'] == 0
        assert told["hubbub_admissions_total"] >= MEMBERS + GUESTS
        assert told["hubbub_admissions_waiting"] == 0
        assert "Traceback" not in server.log
    finally:
        await crowd.leave()
        await asyncio.to_thread(server.kill)


def figures(server: Server) -> dict[str, float]:
    with urlopen(f"{server.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    told = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, value in told}
