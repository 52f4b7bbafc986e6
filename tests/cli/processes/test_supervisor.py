"""`--workers`: several processes serve as one server, even if any of them fails."""

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
from tests.support.chat import JsonClient, RestApi, Sockets
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
def running(tmp_path_factory: pytest.TempPathFactory, postgres_url: MakeUrl) -> Iterator[RestApi]:
    """Two workers, for tests that leave both running."""
    folder = tmp_path_factory.mktemp("workers") / "data"
    server = Server(folder, *OPTIONS, environment={"HUBBUB_DATABASE": postgres_url()})
    try:
        yield RestApi(server.start(), "ana", "bo")
    finally:
        server.kill()


@pytest.fixture
async def workers(running: RestApi) -> WorkerGroup:
    return await WorkerGroup(running.server, COUNT).wait_started()


@pytest.fixture
async def sockets(running: RestApi) -> AsyncIterator[Sockets]:
    async with Sockets.of(running) as sockets:
        yield sockets


async def start(make_server: MakeServer, url: str, command: str = "try") -> WorkerGroup:
    """Start two workers for one test, which may kill them."""
    server = make_server(*OPTIONS, command=command, environment={"HUBBUB_DATABASE": url})
    return await WorkerGroup(server.start(), COUNT).wait_started()


async def assert_all_receive(clients: dict[int, JsonClient], text: str) -> None:
    """Check that a message posted at any worker is delivered at all of them."""
    for number, client in clients.items():
        posted = f"{text}, at {number}"
        await client.do("post", room="lobby", text=posted)
        for other in clients.values():
            await other.event("message", text=posted)


async def assert_nothing_left(server: Server, bus_port: int) -> None:
    """Check that no process holds the folder or listens on a port.

    Pids are not checked: orphaned children stay as zombies until init reaps them.
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


async def test_people_at_different_workers_receive_each_others_messages(
    workers: WorkerGroup, sockets: Sockets
) -> None:
    by_ana = await workers.connect_each(sockets, "ana")
    await assert_all_receive(by_ana, "hello")


async def test_any_worker_serves_the_metrics_of_all(workers: WorkerGroup) -> None:
    everybody = set(workers.workers)
    for name in ("hubbub_info", "hubbub_executor_commands_total", "process_cpu_seconds_total"):
        await until(lambda name=name: set(workers.metrics(name)) == everybody)  # type: ignore[misc]


async def test_the_greeting_and_owner_link_are_printed_once_and_the_link_stays_valid(
    make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    workers = await start(make_server, postgres_url(), command="serve")
    server = workers.server

    assert server.output.count("is running") == 1
    assert f"kill -HUP {server.pid}" in server.output
    [link] = re.findall(r"/join/(\S+)", server.output)
    os.kill(workers.pids()["worker_1"], signal.SIGKILL)
    await workers.wait_for_log("a worker was restarted", 1)
    api = RestApi(server)
    body = {"name": "ana", "password": "three words do well", "invite": link}
    assert api.ok("POST", "sign-up", body)["me"]["role"] == "owner"


# Failures


async def test_a_killed_worker_is_restarted_and_its_people_reconnect(
    workers: WorkerGroup, sockets: Sockets
) -> None:
    clients = await workers.connect_each(sockets, "ana")
    await clients[1].do("post", room="lobby", text="before")
    before = workers.pids()
    died = workers.count("a worker was restarted")
    os.kill(before["worker_2"], signal.SIGKILL)

    await clients[2].close_code()
    assert not clients[1].is_over, "it is at another worker"
    await workers.wait_for_log("a worker was restarted", died + 1)
    assert workers.pids()["worker_2"] != before["worker_2"]
    assert workers.pids()["worker_1"] == before["worker_1"]
    again = await workers.connect_each(sockets, "ana")
    await assert_all_receive(again, "after")
    assert "before" in [text for _, text in sockets.api.history("lobby", by="bo")]


async def test_a_killed_bus_is_restarted_on_the_same_port(
    workers: WorkerGroup, sockets: Sockets
) -> None:
    clients = await workers.connect_each(sockets, "bo")
    port, back = workers.bus_port(), workers.count("the bus is back")
    os.kill(workers.pids()["bus"], signal.SIGKILL)

    await workers.wait_for_log("the bus is back", back + COUNT)  # as each worker says
    assert workers.bus_port() == port
    await assert_all_receive(clients, "the bus is back")


async def test_starting_a_worker_is_retried_until_it_succeeds(make_server: MakeServer) -> None:
    postgres = Postgres()
    try:
        url = postgres.start().url(postgres.database())
        workers = await start(make_server, url)
        api = RestApi(workers.server, "ana")
        postgres.stop()
        os.kill(workers.pids()["worker_2"], signal.SIGKILL)
        await workers.wait_for_log("a worker cannot be started again", 2)
        postgres.start()
        await workers.wait_for_log("a worker was restarted", 1)
        post = ("POST", "rooms/lobby/messages", {"text": "all is well", "nonce": "one"})
        await until(lambda: api.request(*post, by="ana")[0] == 201)
        assert workers.server.stop() == 0
    finally:
        postgres.close()


# Restarts one by one


class RetryingWriter:
    """Posts messages one after another, and retries each until it is acknowledged."""

    def __init__(self, api: RestApi) -> None:
        self.url = f"{api.server.url}/api/rooms/lobby/messages"
        self.headers = {"Authorization": f"Bearer {api.tokens['ana']}"}
        self.acknowledged: list[str] = []
        self.stopping = asyncio.Event()

    async def write(self) -> None:
        # A new connection for each request reaches any worker that listens at that moment.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, headers=self.headers) as session:
            while not self.stopping.is_set():
                text = f"written {len(self.acknowledged)}"
                if await self._is_accepted(session, text):
                    self.acknowledged.append(text)

    async def _is_accepted(self, session: aiohttp.ClientSession, text: str) -> bool:
        try:
            body = {"text": text, "nonce": text.replace(" ", "-")}
            async with session.post(self.url, json=body) as answer:
                result = await answer.json()
        except aiohttp.ClientError:
            return False
        assert answer.status == 201 or result["code"] in ("busy", "unavailable"), result
        return answer.status == 201


async def test_on_sighup_each_worker_is_replaced_and_nothing_is_refused_meanwhile(
    workers: WorkerGroup, sockets: Sockets
) -> None:
    before, done = workers.pids(), workers.count("all workers were replaced")
    clients = await workers.connect_each(sockets, "bo")
    writer = RetryingWriter(sockets.api)
    writing = asyncio.create_task(writer.write())
    await until(lambda: len(writer.acknowledged) > 3)
    workers.server.signal(signal.SIGHUP)
    await workers.wait_for_log("all workers were replaced", done + 1)
    there = len(writer.acknowledged)
    await until(lambda: len(writer.acknowledged) > there + 3)
    writer.stopping.set()
    await writing

    after = workers.pids()
    assert after["bus"] == before["bus"]
    assert {after[f"worker_{n}"] for n in workers.workers}.isdisjoint(before.values())
    for client in clients.values():
        assert await client.close_code() == RESTART
    kept: list[str] = []
    api, newest = sockets.api, 0
    while page := api.ok("GET", f"rooms/lobby/messages?after={newest}&limit=200", by="bo")[
        "messages"
    ]:
        kept += [one["text"] for one in page if one.get("text", "").startswith("written")]
        newest = page[-1]["seq"]
    assert kept == writer.acknowledged
    await assert_all_receive(await workers.connect_each(sockets, "bo"), "new")


# The end


async def test_a_stop_ends_all_processes_cleanly(
    make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    workers = await start(make_server, postgres_url())
    server, bus_port = workers.server, workers.bus_port()
    api = RestApi(server, "ana")
    async with Sockets.of(api) as sockets:
        clients = await workers.connect_each(sockets, "ana")
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)  # a second one changes nothing
        for client in clients.values():
            assert await client.close_code() == RESTART
        assert await asyncio.to_thread(server.wait) == 0

    await assert_nothing_left(server, bus_port)
    left = {file.name for file in server.data.iterdir()}
    assert left == {"hubbub.lock", "nats.log", "shown", "shown-2"}
    assert "Traceback" not in server.log
    for file in server.data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


async def test_when_the_parent_is_killed_no_process_is_left(
    make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    url = postgres_url()
    workers = await start(make_server, url)
    server, bus_port = workers.server, workers.bus_port()
    for file in server.data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
    server.kill()

    await assert_nothing_left(server, bus_port)
    server.start()
    await workers.wait_for_log("all workers are serving", 2)
    assert server.stop() == 0


@pytest.mark.parametrize("what", ["hubbub.lock", "nats.conf", "worker-1.sock"])
async def test_a_stop_during_the_start_leaves_nothing(
    what: str, make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    server = make_server(*OPTIONS, environment={"HUBBUB_DATABASE": postgres_url()})
    process = server.launch()
    await until(lambda: Path(server.data, what).exists() or process.poll() is not None)
    server.signal(signal.SIGTERM)

    assert await asyncio.to_thread(server.wait, STOP_TIMEOUT_S) == 0
    assert "Traceback" not in server.log
    folder = DataFolder(server.data)
    assert folder.lock(), "all workers have ended before their parent"
    folder.release()


async def test_in_a_terminal_sighup_restarts_workers_until_the_terminal_is_closed(
    make_server: MakeServer, postgres_url: MakeUrl
) -> None:
    # The output of the terminal goes to the file that `Server.output` reads.
    terminal = (sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])")
    server = make_server(
        *OPTIONS, environment={"HUBBUB_DATABASE": postgres_url()}, wrapper=terminal
    )
    server.start()
    await until(lambda: "all workers are serving" in server.output)
    bus_port = WorkerGroup(server, COUNT).bus_port()
    [pid] = re.findall(r"kill -HUP (\d+)", server.output)
    os.kill(int(pid), signal.SIGHUP)
    await until(lambda: "all workers were replaced" in server.output)
    server.kill()

    await assert_nothing_left(server, bus_port)
    assert not (server.data / "nats.conf").exists(), "a clean stop removes it"


def test_a_worker_of_another_version_can_read_its_configuration() -> None:
    line = (
        b'{"settings": {"port": 81, "data": "d", "later": 1}, "worker": {"number": 2, "lock": 9}}\n'
    )
    config = worker.decode_config(line)
    assert (config.settings, config.worker.number) == (Settings(port=81, data=Path("d")), 2)
    assert worker.decode_config(worker.to_line(config)) == config


# Refusals


def refusal(data: Path, *options: str, **environment: str) -> str:
    result = hubbub(
        *("serve", "--workers", "3", "--data", str(data), *options), environment=environment
    )
    assert result.code == 1
    return result.sentence


def test_an_error_that_all_workers_have_is_reported_once(
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


def test_without_nats_server_the_error_says_how_to_install_it(
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
