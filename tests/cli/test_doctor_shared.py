"""`hubbub doctor` with PostgreSQL and a bus, which several servers share."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from hubbub.cli.checks import bus
from hubbub.cli.checks import postgres as postgres_
from hubbub.cli.checks.bus import Node
from hubbub.cli.checks.postgres import Connections
from hubbub.live.cluster.envelopes import Envelope, Heartbeat, encode
from hubbub.live.cluster.nats import NatsBus
from hubbub.store.data_folder import DataFolder
from tests.conftest import MakeServer
from tests.support.chat import RestApi
from tests.support.doctor import Findings, problems
from tests.support.doctor import doctor as run_doctor
from tests.support.nats import Nats
from tests.support.postgres import PASSWORD, Postgres
from tests.support.server import HOST, Server, free_port

HEARTBEATS_TIMEOUT_S = 60

# The PostgreSQL of the tests does not sync to disk.
EXPECTED_PROBLEMS = ["durability"]


def doctor(folder: Path, *arguments: str, port: int | None = None) -> Findings:
    """Run the doctor; no finding may show a password."""
    found = run_doctor(folder, *arguments, port=port)
    for secret in (PASSWORD, "pass%2Fword", "s3cret"):
        assert secret not in str(found)
    return found


@pytest.fixture(scope="module")
def stopped_chat(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database of a stopped chat, from which others are copied."""
    name = postgres.database()
    folder = tmp_path_factory.mktemp("left") / "data"
    running = Server(folder, "--database", postgres.url(name)).start()
    try:
        api = RestApi(running, "ana")
        api.post(api.room(), "Hello", by="ana")
    finally:
        running.stop()
    return name


@pytest.fixture
def chat(postgres: Postgres, stopped_chat: str) -> str:
    """The name of a copy of that database."""
    return postgres.database(stopped_chat)


@pytest.fixture(scope="module")
def nats() -> Iterator[Nats]:
    server = Nats()
    try:
        yield server.start()
    finally:
        server.close()


# The database


def test_a_healthy_database_has_no_problem(postgres: Postgres, chat: str, tmp_path: Path) -> None:
    found = doctor(tmp_path / "data", "--full", "--database", postgres.url(chat))

    assert problems(found) == EXPECTED_PROBLEMS
    for name in (
        *("settings", "data folder", "database server", "rights", "database clock", "database"),
        *("references", "rows", "counters", "shown", "newest message", "connections", "bus"),
    ):
        assert found[name]["state"] == "ok", found[name]
    assert "PostgreSQL 16" in found["database server"]["sentence"]
    # These belong to the database server's machine.
    assert not {"disk space", "file system", "key"} & set(found)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_no_server_can_use_is_reported_with_what_to_do(
    postgres: Postgres, tmp_path: Path
) -> None:
    readable, foreign = postgres.database(), postgres.database()
    postgres.execute(f"ALTER DATABASE {readable} SET default_transaction_read_only = on")
    postgres.execute("CREATE TABLE recipes (name text)", foreign)
    plain = f"{readable}_plain"
    postgres.execute(
        f"CREATE DATABASE {plain} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    address = f"{HOST}:{postgres.port}"
    for url, says, do in (
        (f"postgresql://hubbub:s3cret@{address}/x", "refuses the password", "Check --database"),
        (
            f"postgresql://hubbub:s3cret@{HOST}:{free_port()}/x",
            "cannot be reached",
            "it is running",
        ),
        (f"postgresql://hubbub:s3cret@x@{address}/x", "must be encoded", "%40"),
        (postgres.url("nowhere"), "there is no such database", "createdb nowhere"),
        (postgres.url(plain), "does not support all of Unicode", "createdb --template template0"),
        (postgres.url(readable), "it is a standby", "its primary"),
        (postgres.url(foreign), "not a Hubbub database", "another database"),
    ):
        found = doctor(tmp_path / "data", "--database", url)
        assert problems(found) in (["database"], [*EXPECTED_PROBLEMS, "database"])
        assert says in found["database"]["sentence"]
        assert do in found["database"]["do"]
        assert "counters" not in found


def test_a_user_who_may_not_create_tables_is_reported(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    role = f"visitor_of_{chat}"
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    for name in (chat, postgres.database()):
        url = f"postgresql://{role}:s3cret@{HOST}:{postgres.port}/{name}"
        found = doctor(tmp_path / "data", "--database", url)
        assert problems(found) == ["rights", *EXPECTED_PROBLEMS]
        assert "owner" in found["rights"]["do"]
        assert found["connections"]["state"] == "ok"


def test_a_schema_is_judged_as_at_a_start(postgres: Postgres, chat: str, tmp_path: Path) -> None:
    def database() -> dict[str, str]:
        return doctor(tmp_path / "data", "--database", postgres.url(chat))["database"]

    postgres.execute("UPDATE alembic_version SET version_num = '0000'", chat)
    assert (database()["state"], "older schema 0000" in database()["sentence"]) == ("warning", True)

    postgres.execute("UPDATE alembic_version SET version_num = '9999'", chat)
    assert (database()["state"], "(9999)" in database()["sentence"]) == ("ok", True)

    postgres.execute("UPDATE server SET value = '9999' WHERE key = 'works_with'", chat)
    assert (database()["state"], "newer Hubbub" in database()["sentence"]) == ("problem", True)


def test_an_empty_database_is_reported_and_left_empty(postgres: Postgres, tmp_path: Path) -> None:
    name = postgres.database()
    found = doctor(tmp_path / "data", "--database", postgres.url(name))
    assert (found["database"]["state"], problems(found)) == ("warning", EXPECTED_PROBLEMS)
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert postgres.execute(tables, name) == [(0,)]


def test_changes_by_another_program_are_found(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    postgres.execute("UPDATE rooms SET seq = 0 WHERE seq > 0", chat)
    postgres.execute("ALTER TABLE members DROP CONSTRAINT fk_members_user_id_users", chat)
    postgres.execute("UPDATE members SET user_id = 1000000", chat)
    found = doctor(tmp_path / "data", "--full", "--database", postgres.url(chat))

    assert set(problems(found)) == {*EXPECTED_PROBLEMS, "counters", "references", "rows"}
    assert "(members → users)" in found["references"]["sentence"]
    assert "(in members)" in found["rows"]["sentence"]


def test_a_database_that_lacks_shown_changes_is_reported(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    [(epoch,)] = postgres.execute("SELECT value FROM server WHERE key = 'epoch'", chat)
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    folder.note_shown(str(epoch), 1_000_000)
    folder.release()
    found = doctor(folder.path, "--database", postgres.url(chat))
    assert found["shown"]["state"] == "warning"
    assert "lacks changes that people were shown" in found["shown"]["sentence"]


def test_too_few_connections_are_reported(postgres: Postgres, chat: str, tmp_path: Path) -> None:
    postgres.execute(f"ALTER DATABASE {chat} CONNECTION LIMIT 11")
    url = postgres.url(chat)
    for workers, state in (("1", "ok"), ("2", "warning"), ("3", "problem")):
        found = doctor(tmp_path / "data", "--database", url, "--workers", workers)
        assert found["connections"]["state"] == state
        assert "for 2 serving processes" in found["connections"]["sentence"]
        assert found["bus"]["state"] == "ok"


def test_several_servers_without_a_bus_are_reported(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    url = postgres.url(chat)
    with contextlib.ExitStack() as stack:
        for _ in range(postgres_.SERVING_CONNECTIONS + 1):
            stack.enter_context(psycopg.connect(url, application_name="hubbub"))
        found = doctor(tmp_path / "data", "--database", url)
    assert found["bus"]["state"] == "warning"
    assert "--bus" in found["bus"]["do"]


@pytest.mark.parametrize(
    ("fsync", "pages", "commit", "state"),
    [
        ("on", "on", "on", "ok"),
        ("on", "on", "remote_apply", "ok"),
        ("off", "on", "on", "problem"),
        ("on", "off", "on", "warning"),
        ("on", "on", "off", "problem"),
    ],
)
def test_settings_that_risk_data_in_a_power_failure_are_reported(
    fsync: str, pages: str, commit: str, state: str
) -> None:
    found = postgres_.durability(fsync, pages, commit)
    assert (found.state, "power failure" in found.sentence) == (state, True)


@pytest.mark.parametrize(
    ("apart_ms", "state"),
    [(0, "ok"), (-1_900, "ok"), (2_100, "warning"), (-59_000, "warning"), (61_000, "problem")],
)
def test_a_clock_that_differs_from_the_databases_is_reported(apart_ms: int, state: str) -> None:
    found = postgres_.clock(1_000_000, 1_000_000 + apart_ms, "db")
    assert found.state == state
    assert ("behind" in found.sentence) == (apart_ms < -2_000)


def test_connections_of_other_programs_leave_less_for_hubbub() -> None:
    assert postgres_.connection_limit(Connections(100, 0, 0), 3).state == "ok"
    assert postgres_.connection_limit(Connections(100, 0, 95), 3).state == "problem"
    assert (
        "for 0 serving processes" in postgres_.connection_limit(Connections(5, 0, 95), 1).sentence
    )
    assert Connections(100, 9, 0).serving == 3


# The bus


def test_a_bus_that_cannot_be_used_is_a_problem(
    postgres: Postgres, chat: str, nats: Nats, tmp_path: Path
) -> None:
    small = Nats("max_payload: 65536\nmax_pending: 65536")
    try:
        small.start()
        for url, says, do in (
            (f"nats://hubbub:s3cret@{HOST}:{nats.port}", "refuses the password", "--bus"),
            (f"nats://hubbub:s3cret@{HOST}:{free_port()}", "cannot be reached", "server running"),
            (small.url(), "messages of 65536 bytes only", "max_payload to 1048576"),
        ):
            arguments = ("--database", postgres.url(chat), "--bus", url)
            found = doctor(tmp_path / "data", *arguments)
            assert problems(found) == [*EXPECTED_PROBLEMS, "bus"]
            assert says in found["bus"]["sentence"]
            assert do in found["bus"]["do"]
    finally:
        small.close()


def test_servers_on_the_bus_are_found(
    make_server: MakeServer, postgres: Postgres, chat: str, nats: Nats
) -> None:
    arguments = ("--database", postgres.url(chat), "--bus", nats.url())
    servers = [make_server(*arguments).start() for _ in range(2)]
    checked = ("bus", "nodes", "node clocks", "connections", "server")
    deadline = time.monotonic() + HEARTBEATS_TIMEOUT_S
    while True:
        found = doctor(servers[0].data, *arguments, port=servers[0].port)
        # On a busy machine heartbeats of a node may be late.
        is_well = all(found.get(name, {}).get("state") == "ok" for name in checked)
        if (is_well and "bus: 2," in found["nodes"]["sentence"]) or time.monotonic() > deadline:
            break

    assert problems(found) == EXPECTED_PROBLEMS
    for name in checked:
        assert found[name]["state"] == "ok", found[name]
    assert "bus: 2," in found["nodes"]["sentence"]
    assert all(one.is_ready() for one in servers)


@contextlib.asynccontextmanager
async def heartbeats(nats: Nats, *nodes: Node) -> AsyncIterator[None]:
    """Send heartbeats of these nodes repeatedly."""
    client = NatsBus(nats.url(), "test")
    await client.start()

    async def send() -> None:
        while True:
            for number, node in enumerate(nodes):
                now = time.time_ns() // 1_000_000 + node.ahead_ms
                alive = Heartbeat(node.epoch, node.version, now)
                envelope = encode(Envelope(f"node-{number}", [alive]))
                client.publish(f"hubbub.{node.epoch}.nodes", envelope)
            client.publish("hubbub.x.nodes", b"the format of a newer version")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.stop()


async def test_nodes_of_other_versions_clocks_and_chats_are_reported(
    postgres: Postgres, chat: str, nats: Nats, tmp_path: Path
) -> None:
    [(epoch,)] = postgres.execute("SELECT value FROM server WHERE key = 'epoch'", chat)
    ours = (Node(str(epoch), "1.0", 0), Node(str(epoch), "1.1", 3_600_000))
    arguments = ("--database", postgres.url(chat), "--bus", nats.url())
    async with heartbeats(nats, *ours, Node("other", "1.0", 0)):
        found = await asyncio.to_thread(doctor, tmp_path / "data", *arguments)

    assert "(1 × 1.0, 1 × 1.1)" in found["nodes"]["sentence"]
    assert found["node clocks"]["state"] == "problem"
    assert "node-1" in found["node clocks"]["sentence"]
    assert found["other chats"]["sentence"].startswith("1 other chats")


async def test_a_node_that_leaves_is_not_listed(nats: Nats) -> None:
    client = NatsBus(nats.url(), "test")
    await client.start()
    here, leaving = Heartbeat("epoch", "1.0", 0), Heartbeat("epoch", "1.0", 0, leaves=True)

    async def send() -> None:
        while True:
            client.publish("hubbub.epoch.nodes", encode(Envelope("one", [here, leaving])))
            client.publish("hubbub.epoch.nodes", encode(Envelope("two", [here])))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(send())
    traffic = await bus.listen(nats.url())
    task.cancel()
    await client.stop()
    assert set(traffic.nodes) == {"two"}


@pytest.mark.parametrize(
    ("ahead_ms", "state"), [(1_000, "ok"), (-2_500, "warning"), (61_000, "problem")]
)
def test_the_clock_with_the_largest_difference_is_reported(ahead_ms: int, state: str) -> None:
    nodes = {"a": Node("e", "1", 10), "b": Node("e", "1", ahead_ms)}
    assert bus.clocks(nodes).state == state


def test_a_server_missing_on_the_bus_and_a_slow_bus_are_reported() -> None:
    assert bus.nodes({}, is_running=True).state == "warning"
    assert bus.nodes({}, is_running=False).state == "ok"
    assert bus.latency("nats://bus", 0.001).state == "ok"
    assert bus.latency("nats://bus", 0.3).state == "warning"
