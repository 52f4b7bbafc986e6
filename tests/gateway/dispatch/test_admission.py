"""Admission control, and a reconnect of all clients after a restart."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import cast
from urllib.request import urlopen

import pytest

from bench import storm
from bench.returning import Clients
from hubbub.gateway.dispatch.admission import AdmissionControl
from hubbub.gateway.websocket.json_connection import JsonConnection
from hubbub.model.errors import Busy
from tests.gateway.conftest import MakeSite
from tests.support.server import Server
from tests.support.waiting import until

MEMBERS, GUESTS, ROOMS = 300, 20, 6
WITHIN_S = 60


async def test_slots_are_bounded_and_given_in_order() -> None:
    admission, inside, most = AdmissionControl(concurrent_max=3), 0, 0
    order: list[int] = []

    async def enter(number: int) -> None:
        nonlocal inside, most
        async with admission.slot():
            order.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(enter(number) for number in range(50)))
    assert order == list(range(50))
    assert most == 3
    assert (admission.waiting, admission.admitted) == (0, 50)


async def test_a_full_line_is_refused_with_a_retry_time() -> None:
    admission, go = AdmissionControl(concurrent_max=1, waiting_max=2), asyncio.Event()

    async def stay() -> None:
        async with admission.slot():
            await go.wait()

    staying = [asyncio.ensure_future(stay()) for _ in range(3)]
    await until(lambda: admission.waiting == 2)
    with pytest.raises(Busy) as refused:
        async with admission.slot():
            pass
    assert refused.value.retry_after
    go.set()
    await asyncio.gather(*staying)
    async with admission.slot():
        assert admission.waiting == 0


async def test_a_cancelled_wait_leaves_the_line() -> None:
    admission = AdmissionControl(concurrent_max=1)
    async with admission.slot():
        waiting = asyncio.ensure_future(admission.slot().__aenter__())
        await until(lambda: admission.waiting == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert admission.waiting == 0
    async with admission.slot():
        pass


async def test_the_wait_for_admission_does_not_count_for_the_auth_timeout(
    make_site: MakeSite,
) -> None:
    site = make_site()
    ana = site.person()
    admission = site.app.dispatcher.identifying = AdmissionControl(concurrent_max=1)
    slot = admission.slot()
    site.run(_enter(slot))
    async with site.socket() as client:
        await until(lambda: bool(site.app.dispatcher.sockets))
        (connection,) = (
            cast(JsonConnection, socket.listener) for socket in site.app.dispatcher.sockets
        )
        await until(lambda: connection._auth_timer is not None)
        waiting = asyncio.ensure_future(client.do("auth", token=ana.token))
        await until(lambda: admission.waiting == 1)
        assert connection._auth_timer is None
        site.run(_leave(slot))
        assert await waiting == {}
        assert (await client.do("hello"))["me"]["name"] == ana.name


async def test_a_wrong_token_does_not_end_the_auth_timeout(
    make_site: MakeSite,
) -> None:
    site = make_site()
    async with site.socket() as client:
        assert await client.refused("auth", token="nobody's") == "sign_in_required"
        (connection,) = (
            cast(JsonConnection, socket.listener) for socket in site.app.dispatcher.sockets
        )
        assert connection._auth_timer is not None


async def _enter(slot: AbstractAsyncContextManager[None]) -> None:
    await slot.__aenter__()


async def _leave(slot: AbstractAsyncContextManager[None]) -> None:
    await slot.__aexit__(None, None, None)


async def test_after_a_kill_all_clients_catch_up_from_one_read_of_each_room(tmp_path: Path) -> None:
    data = tmp_path / "data"
    dataset = storm.Dataset.create(data, members=MEMBERS, guests=GUESTS, rooms=ROOMS)
    server = Server(data, "--registration", "open", "--guests", command="serve")
    clients = Clients(server.port, dataset.tokens)
    try:
        await asyncio.to_thread(server.start)
        clients.connect_all()
        await clients.wait_all(WITHIN_S)
        assert clients.missing == 0
        await storm.post_missed_messages(clients, dataset.rooms)
        stats = clients.reset_stats()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(storm.post_while_returning(clients))
            await clients.wait_all(WITHIN_S)
            clients.stop_posting()
        assert clients.missing == 0
        assert stats.failed_posts == 0
        metrics = await asyncio.to_thread(read_metrics, server)
        assert metrics["hubbub_room_reads_total"] == ROOMS + 1
        for query in ("sync", "history"):
            assert metrics[f'hubbub_executor_queries_total{{query="{query}"}}'] == 0
        assert metrics["hubbub_admissions_total"] >= MEMBERS + GUESTS
        assert metrics["hubbub_admissions_waiting"] == 0
        assert "Traceback" not in server.log
    finally:
        await clients.leave()
        await asyncio.to_thread(server.kill)


def read_metrics(server: Server) -> dict[str, float]:
    with urlopen(f"{server.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, value in samples}
