"""`--workers`: several processes that serve as one, whatever becomes of any of them."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import metadata
from pathlib import Path

import aiohttp
import pytest

from hubbub.cli import run
from hubbub.cli.processes import worker
from hubbub.model.settings import Settings
from hubbub.store.data_folder import DataFolder
from tests.conftest import MakeServer
from tests.support.chat import House, JsonClient, Visitors
from tests.support.command import hubbub
from tests.support.postgres import Postgres
from tests.support.server import HOST, STOP_TIMEOUT_S, Server
from tests.support.waiting import until
from tests.support.workers import WorkerGroup

MakeUrl = Callable[[], str]

COUNT = 2
RESTART = 1012
OPTIONS = ("--workers", str(COUNT), "--log-format", "json")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, postgres_url: MakeUrl) -> Iterator[House]:
    """Two workers, for tests that leave them as whole as they were."""
    folder = tmp_path_factory.mktemp("crew") / "data"
    server = Server(folder, *OPTIONS, environment={"HUBBUB_DATABASE": postgres_url()})
    try:
        yield House(server.start(), "ana", "bo")
    finally:
        server.kill()


@pytest.fixture
async def workers(running: House) -> WorkerGroup:
    return await WorkerGroup(running.server, COUNT).started()


@pytest.fixture
async def visitors(running: House) -> AsyncIterator[Visitors]:
    async with Visitors.of(running) as open_now:
        yield open_now


async def start(make_server: MakeServer, url: str, command: str = "try") -> WorkerGroup:
    """Two workers that the test may do anything to."""
    server = make_server(*OPTIONS, command=command, environment={"HUBBUB_DATABASE": url})
    return await WorkerGroup(server.start(), COUNT).started()


async def all_hear(clients: dict[int, JsonClient], text: str) -> None:
    """What is written at one worker is heard at each, and that for each of them."""
    for number, client in clients.items():
        said = f"{text}, at {number}"
        await client.do("post", room="lobby", text=said)
        for other in clients.values():
            await other.event("message", text=said)


async def nothing_left(server: Server, bus_port: int) -> None:
    """Nobody holds the folder, and nobody listens any more.

    Not by pids, as those of children whose parent has gone are another program's to clear away.
    """
    folder = DataFolder(server.data)
    try:
        await until(folder.lock)
    finally:
        folder.release()
    await until(lambda: not any(map(listens, (server.port, bus_port))))


def listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=5).close()
    except OSError:
        return False
    return True


# Together


async def test_people_at_different_workers_hear_each_other(
    workers: WorkerGroup, visitors: Visitors
) -> None:
    by_ana = await workers.on_each(visitors, "ana")
    await all_hear(by_ana, "hello")


async def test_any_worker_gives_the_figures_of_all(workers: WorkerGroup) -> None:
    everybody = set(workers.workers)
    for name in ("hubbub_info", "hubbub_ledger_commands_total", "process_cpu_seconds_total"):
        await until(lambda name=name: set(workers.figures(name)) == everybody)  # type: ignore[misc]


async def test_the_greeting_and_the_owners_link_are_given_once_and_the_link_lasts(
    make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    workers = await start(make_server, postgres_url(), command="serve")
    server = workers.server

    assert server.said.count("is running") == 1
    assert f"kill -HUP {server.pid}" in server.said
    [link] = re.findall(r"/join/(\S+)", server.said)
    os.kill(workers.pids()["worker_1"], signal.SIGKILL)
    await workers.heard("a worker is there again", 1)
    house = House(server)
    body = {"name": "ana", "password": "three words do well", "invite": link}
    assert house.ok("POST", "sign-up", body)["me"]["role"] == "owner"


# Whoever dies


async def test_a_worker_that_dies_is_started_again_and_its_people_come_back(
    workers: WorkerGroup, visitors: Visitors
) -> None:
    clients = await workers.on_each(visitors, "ana")
    await clients[1].do("post", room="lobby", text="before")
    before = workers.pids()
    died = workers.count("a worker is there again")
    os.kill(before["worker_2"], signal.SIGKILL)

    await clients[2].close_code()
    assert not clients[1].is_over, "it is at another worker"
    await workers.heard("a worker is there again", died + 1)
    assert workers.pids()["worker_2"] != before["worker_2"]
    assert workers.pids()["worker_1"] == before["worker_1"]
    again = await workers.on_each(visitors, "ana")
    await all_hear(again, "after")
    assert "before" in [text for _, text in visitors.house.history("lobby", by="bo")]


async def test_a_bus_that_dies_is_started_again_where_it_was(
    workers: WorkerGroup, visitors: Visitors
) -> None:
    clients = await workers.on_each(visitors, "bo")
    port, back = workers.bus_port(), workers.count("the bus is back")
    os.kill(workers.pids()["bus"], signal.SIGKILL)

    await workers.heard("the bus is back", back + COUNT)  # as each worker says
    assert workers.bus_port() == port
    await all_hear(clients, "the bus is back")


async def test_a_worker_that_cannot_start_is_tried_until_it_can(make_server: MakeServer) -> None:
    postgres = Postgres()
    try:
        url = postgres.start().url(postgres.database())
        workers = await start(make_server, url)
        house = House(workers.server, "ana")
        postgres.stop()
        os.kill(workers.pids()["worker_2"], signal.SIGKILL)
        await workers.heard("a worker cannot be started again", 2)
        postgres.start()
        await workers.heard("a worker is there again", 1)
        post = ("POST", "rooms/lobby/messages", {"text": "all is well", "nonce": "one"})
        await until(lambda: house.api(*post, by="ana")[0] == 201)
        assert workers.server.stop() == 0
    finally:
        postgres.close()


# One after another


class Writer:
    """Posts one message after the other, each until it is acknowledged, as every client does."""

    def __init__(self, house: House) -> None:
        self.url = f"{house.server.url}/api/rooms/lobby/messages"
        self.headers = {"Authorization": f"Bearer {house.tokens['ana']}"}
        self.acknowledged: list[str] = []
        self.enough = asyncio.Event()

    async def write(self) -> None:
        # Each on a connection of its own: it meets whoever listens at that moment.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, headers=self.headers) as session:
            while not self.enough.is_set():
                text = f"written {len(self.acknowledged)}"
                if await self._is_taken(session, text):
                    self.acknowledged.append(text)

    async def _is_taken(self, session: aiohttp.ClientSession, text: str) -> bool:
        try:
            body = {"text": text, "nonce": text.replace(" ", "-")}
            async with session.post(self.url, json=body) as answer:
                said = await answer.json()
        except aiohttp.ClientError:
            return False
        assert answer.status == 201 or said["code"] in ("busy", "unavailable"), said
        return answer.status == 201


async def test_on_sighup_each_worker_is_replaced_and_nothing_is_refused_meanwhile(
    workers: WorkerGroup, visitors: Visitors
) -> None:
    before, done = workers.pids(), workers.count("all workers are new")
    clients = await workers.on_each(visitors, "bo")
    writer = Writer(visitors.house)
    writing = asyncio.create_task(writer.write())
    await until(lambda: len(writer.acknowledged) > 3)
    workers.server.signal(signal.SIGHUP)
    await workers.heard("all workers are new", done + 1)
    there = len(writer.acknowledged)
    await until(lambda: len(writer.acknowledged) > there + 3)
    writer.enough.set()
    await writing

    after = workers.pids()
    assert after["bus"] == before["bus"]
    assert {after[f"worker_{n}"] for n in workers.workers}.isdisjoint(before.values())
    for client in clients.values():
        assert await client.close_code() == RESTART
    kept: list[str] = []
    house, newest = visitors.house, 0
    while page := house.ok("GET", f"rooms/lobby/messages?after={newest}&limit=200", by="bo")[
        "messages"
    ]:
        kept += [one["text"] for one in page if one.get("text", "").startswith("written")]
        newest = page[-1]["seq"]
    assert kept == writer.acknowledged
    await all_hear(await workers.on_each(visitors, "bo"), "new")


# The end


async def test_a_stop_stops_all_of_them_cleanly(
    make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    workers = await start(make_server, postgres_url())
    server, bus_port = workers.server, workers.bus_port()
    house = House(server, "ana")
    async with Visitors.of(house) as open_now:
        clients = await workers.on_each(open_now, "ana")
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)  # a second one changes nothing
        for client in clients.values():
            assert await client.close_code() == RESTART
        assert await asyncio.to_thread(server.wait) == 0

    await nothing_left(server, bus_port)
    left = {file.name for file in server.data.iterdir()}
    assert left == {"hubbub.lock", "nats.log", "shown", "shown-2"}
    assert "Traceback" not in server.log
    for file in server.data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


async def test_when_the_parent_is_killed_nothing_is_left(
    make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    url = postgres_url()
    workers = await start(make_server, url)
    server, bus_port = workers.server, workers.bus_port()
    for file in server.data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
    server.kill()

    await nothing_left(server, bus_port)
    server.start()
    await workers.heard("all processes serve", 2)
    assert server.stop() == 0


@pytest.mark.parametrize("what", ["hubbub.lock", "nats.conf", "worker-1.sock"])
async def test_a_stop_while_it_starts_leaves_nothing(
    what: str, make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    server = make_server(*OPTIONS, environment={"HUBBUB_DATABASE": postgres_url()})
    process = server.launch()
    await until(lambda: Path(server.data, what).exists() or process.poll() is not None)
    server.signal(signal.SIGTERM)

    assert await asyncio.to_thread(server.wait, STOP_TIMEOUT_S) == 0
    assert "Traceback" not in server.log
    folder = DataFolder(server.data)
    assert folder.lock(), "the last of them has ended before its parent"
    folder.release()


async def test_in_a_terminal_sighup_means_new_workers_until_the_terminal_is_closed(
    make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    # What is written to the terminal comes to where `said` is read from.
    terminal = (sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])")
    server = make_server(
        *OPTIONS, environment={"HUBBUB_DATABASE": postgres_url()}, wrapper=terminal
    )
    server.start()
    await until(lambda: "all processes serve" in server.said)
    bus_port = WorkerGroup(server, COUNT).bus_port()
    [pid] = re.findall(r"kill -HUP (\d+)", server.said)
    os.kill(int(pid), signal.SIGHUP)
    await until(lambda: "all workers are new" in server.said)
    server.kill()

    await nothing_left(server, bus_port)
    assert not (server.data / "nats.conf").exists(), "a clean stop clears it away"


def test_a_worker_of_another_version_understands_what_it_is_to_do() -> None:
    line = (
        b'{"settings": {"port": 81, "data": "d", "later": 1}, "worker": {"number": 2, "lock": 9}}\n'
    )
    charge = worker.config_of(line)
    assert (charge.settings, charge.worker.number) == (Settings(port=81, data=Path("d")), 2)
    assert worker.config_of(worker.line_of(charge)) == charge


# What hinders it


def refusal(data: Path, *options: str, **environment: str) -> str:
    said = hubbub(
        *("serve", "--workers", "3", "--data", str(data), *options), environment=environment
    )
    assert said.code == 1
    return said.sentence


def test_what_hinders_all_workers_is_said_once(
    tmp_path: Path, postgres: Postgres, postgres_url: MakeUrl
) -> None:
    good = postgres_url()
    wrong = f"postgresql://somebody:wrong@{HOST}:{postgres.port}/chat"
    assert "refuses the password" in refusal(tmp_path, "--database", wrong)
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        assert refusal(tmp_path, "--port", port, HUBBUB_DATABASE=good) == (
            f"Port {port} is in use by another program. Give another with --port."
        )


async def test_two_servers_never_share_a_port_or_a_folder(
    workers: WorkerGroup, tmp_path: Path, postgres_url: MakeUrl
) -> None:
    url, port = postgres_url(), str(workers.server.port)
    in_use = await asyncio.to_thread(refusal, tmp_path, "--port", port, HUBBUB_DATABASE=url)
    assert in_use.startswith(f"Port {port} is in use")
    taken = await asyncio.to_thread(refusal, workers.server.data, HUBBUB_DATABASE=url)
    assert taken.startswith("Another Hubbub server is using")


def test_without_the_program_of_the_bus_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def files(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", files)
    arguments = ["serve", "--workers", "2", "--database", f"postgresql://{HOST}/chat"]
    code = run([*arguments, "--data", str(tmp_path / "data")])

    assert code == 1
    assert "pip install 'hubbub[cluster]'" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
