"""`hubbub doctor` on a PostgreSQL and a bus: what several servers share."""

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
from tests.support.chat import House
from tests.support.doctor import Findings, problems
from tests.support.doctor import doctor as examined
from tests.support.nats import Nats
from tests.support.postgres import PASSWORD, Postgres
from tests.support.server import HOST, Server, free_port

HEARD_WITHIN_S = 60

# The tests' PostgreSQL runs so, as it need not outlive a loss of power.
ALWAYS = ["durability"]


def doctor(folder: Path, *arguments: str, port: int | None = None) -> Findings:
    """What is found, none of which tells a password."""
    found = examined(folder, *arguments, port=port)
    for told in (PASSWORD, "pass%2Fword", "s3cret"):
        assert told not in str(found)
    return found


@pytest.fixture(scope="module")
def left(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database of a chat that has been stopped, from which others are made."""
    name = postgres.database()
    folder = tmp_path_factory.mktemp("left") / "data"
    running = Server(folder, "--database", postgres.url(name)).start()
    try:
        house = House(running, "ana")
        house.post(house.room(), "Hello", by="ana")
    finally:
        running.stop()
    return name


@pytest.fixture
def chat(postgres: Postgres, left: str) -> str:
    """The name of a copy of it."""
    return postgres.database(left)


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

    assert problems(found) == ALWAYS
    for name in (
        *("settings", "data folder", "database server", "rights", "database clock", "database"),
        *("references", "rows", "counters", "shown", "newest message", "connections", "bus"),
    ):
        assert found[name]["state"] == "ok", found[name]
    assert "PostgreSQL 16" in found["database server"]["sentence"]
    # That is for the database's own people to know.
    assert not {"disk space", "file system", "key"} & set(found)
    assert list(tmp_path.iterdir()) == []


def test_what_no_server_could_start_on_is_told_with_what_to_do(
    postgres: Postgres, tmp_path: Path
) -> None:
    readable, foreign = postgres.database(), postgres.database()
    postgres.execute(f"ALTER DATABASE {readable} SET default_transaction_read_only = on")
    postgres.execute("CREATE TABLE recipes (name text)", foreign)
    plain = f"{readable}_plain"
    postgres.execute(
        f"CREATE DATABASE {plain} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    where = f"{HOST}:{postgres.port}"
    for url, says, do in (
        (f"postgresql://hubbub:s3cret@{where}/x", "refuses the password", "Look at --database"),
        (f"postgresql://hubbub:s3cret@{HOST}:{free_port()}/x", "cannot be reached", "does it run"),
        (f"postgresql://hubbub:s3cret@x@{where}/x", "must be encoded", "%40"),
        (postgres.url("nowhere"), "there is no such database", "createdb nowhere"),
        (postgres.url(plain), "does not know all letters", "createdb --template template0"),
        (postgres.url(readable), "it is a standby", "its primary"),
        (postgres.url(foreign), "not Hubbub's", "another database"),
    ):
        found = doctor(tmp_path / "data", "--database", url)
        assert problems(found) in (["database"], [*ALWAYS, "database"])
        assert says in found["database"]["sentence"]
        assert do in found["database"]["do"]
        assert "counters" not in found


def test_a_user_who_may_not_make_tables_is_told(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    role = f"visitor_of_{chat}"
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    for name in (chat, postgres.database()):
        url = f"postgresql://{role}:s3cret@{HOST}:{postgres.port}/{name}"
        found = doctor(tmp_path / "data", "--database", url)
        assert problems(found) == ["rights", *ALWAYS]
        assert "owner" in found["rights"]["do"]
        assert found["connections"]["state"] == "ok"


def test_a_schema_is_judged_by_the_rule_of_a_start(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    def database() -> dict[str, str]:
        return doctor(tmp_path / "data", "--database", postgres.url(chat))["database"]

    postgres.execute("UPDATE alembic_version SET version_num = '0000'", chat)
    assert (database()["state"], "older schema 0000" in database()["sentence"]) == ("warning", True)

    postgres.execute("UPDATE alembic_version SET version_num = '9999'", chat)
    assert (database()["state"], "(9999)" in database()["sentence"]) == ("ok", True)

    postgres.execute("UPDATE server SET value = '9999' WHERE key = 'works_with'", chat)
    assert (database()["state"], "newer Hubbub" in database()["sentence"]) == ("problem", True)


def test_an_empty_database_is_told_and_left_empty(postgres: Postgres, tmp_path: Path) -> None:
    name = postgres.database()
    found = doctor(tmp_path / "data", "--database", postgres.url(name))
    assert (found["database"]["state"], problems(found)) == ("warning", ALWAYS)
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert postgres.execute(tables, name) == [(0,)]


def test_what_was_written_past_hubbub_is_found(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    postgres.execute("UPDATE rooms SET seq = 0 WHERE seq > 0", chat)
    postgres.execute("ALTER TABLE members DROP CONSTRAINT fk_members_user_id_users", chat)
    postgres.execute("UPDATE members SET user_id = 1000000", chat)
    found = doctor(tmp_path / "data", "--full", "--database", postgres.url(chat))

    assert set(problems(found)) == {*ALWAYS, "counters", "references", "rows"}
    assert "(members → users)" in found["references"]["sentence"]
    assert "(in members)" in found["rows"]["sentence"]


def test_a_database_that_is_older_than_what_a_server_here_has_shown_is_told(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    [(epoch,)] = postgres.execute("SELECT value FROM server WHERE key = 'epoch'", chat)
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    folder.note_shown(str(epoch), 1_000_000)
    folder.release()
    found = doctor(folder.path, "--database", postgres.url(chat))
    assert found["shown"]["state"] == "warning"
    assert "older than what people were shown" in found["shown"]["sentence"]


def test_a_database_that_lets_in_too_few_is_told(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    postgres.execute(f"ALTER DATABASE {chat} CONNECTION LIMIT 11")
    url = postgres.url(chat)
    for workers, state in (("1", "ok"), ("2", "warning"), ("3", "problem")):
        found = doctor(tmp_path / "data", "--database", url, "--workers", workers)
        assert found["connections"]["state"] == state
        assert "for 2 processes" in found["connections"]["sentence"]
        assert found["bus"]["state"] == "ok"


def test_several_servers_without_a_bus_are_told(
    postgres: Postgres, chat: str, tmp_path: Path
) -> None:
    url = postgres.url(chat)
    with contextlib.ExitStack() as stack:
        for _ in range(postgres_.AT_ONCE + 1):
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
def test_what_can_be_lost_with_the_power_is_told(
    fsync: str, pages: str, commit: str, state: str
) -> None:
    found = postgres_.durability(fsync, pages, commit)
    assert (found.state, "loss of power" in found.sentence) == (state, True)


@pytest.mark.parametrize(
    ("apart_ms", "state"),
    [(0, "ok"), (-1_900, "ok"), (2_100, "warning"), (-59_000, "warning"), (61_000, "problem")],
)
def test_a_clock_that_is_not_the_databases_is_told(apart_ms: int, state: str) -> None:
    found = postgres_.clock(1_000_000, 1_000_000 + apart_ms, "db")
    assert found.state == state
    assert ("behind" in found.sentence) == (apart_ms < -2_000)


def test_connections_of_other_programs_leave_less_for_hubbub() -> None:
    assert postgres_.room_for(Connections(100, 0, 0), 3).state == "ok"
    assert postgres_.room_for(Connections(100, 0, 95), 3).state == "problem"
    assert "for 0 processes" in postgres_.room_for(Connections(5, 0, 95), 1).sentence
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
            (f"nats://hubbub:s3cret@{HOST}:{free_port()}", "cannot be reached", "does it run"),
            (small.url(), "messages of 65536 bytes only", "max_payload to 1048576"),
        ):
            where = ("--database", postgres.url(chat), "--bus", url)
            found = doctor(tmp_path / "data", *where)
            assert problems(found) == [*ALWAYS, "bus"]
            assert says in found["bus"]["sentence"]
            assert do in found["bus"]["do"]
    finally:
        small.close()


def test_servers_on_the_bus_are_heard(
    make_server: MakeServer, postgres: Postgres, chat: str, nats: Nats
) -> None:
    where = ("--database", postgres.url(chat), "--bus", nats.url())
    servers = [make_server(*where).start() for _ in range(2)]
    looked_at = ("bus", "nodes", "node clocks", "connections", "server")
    deadline = time.monotonic() + HEARD_WITHIN_S
    while True:
        found = doctor(servers[0].data, *where, port=servers[0].port)
        # On a busy machine a node may say for a while that it is there, and not be heard.
        is_well = all(found.get(name, {}).get("state") == "ok" for name in looked_at)
        if (is_well and "bus: 2," in found["nodes"]["sentence"]) or time.monotonic() > deadline:
            break

    assert problems(found) == ALWAYS
    for name in looked_at:
        assert found[name]["state"] == "ok", found[name]
    assert "bus: 2," in found["nodes"]["sentence"]
    assert all(one.is_ready() for one in servers)


@contextlib.asynccontextmanager
async def hellos(nats: Nats, *nodes: Node) -> AsyncIterator[None]:
    """Nodes that say again and again that they are there, as all of them do."""
    carrier = NatsBus(nats.url(), "test")
    await carrier.start()

    async def speak() -> None:
        while True:
            for number, node in enumerate(nodes):
                now = time.time_ns() // 1_000_000 + node.ahead_ms
                alive = Heartbeat(node.epoch, node.version, now)
                envelope = encode(Envelope(f"node-{number}", [alive]))
                carrier.publish(f"hubbub.{node.epoch}.nodes", envelope)
            carrier.publish("hubbub.x.nodes", b"what a newer version may say")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(speak())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await carrier.stop()


async def test_nodes_of_other_versions_clocks_and_chats_are_told(
    postgres: Postgres, chat: str, nats: Nats, tmp_path: Path
) -> None:
    [(epoch,)] = postgres.execute("SELECT value FROM server WHERE key = 'epoch'", chat)
    ours = (Node(str(epoch), "1.0", 0), Node(str(epoch), "1.1", 3_600_000))
    where = ("--database", postgres.url(chat), "--bus", nats.url())
    async with hellos(nats, *ours, Node("other", "1.0", 0)):
        found = await asyncio.to_thread(doctor, tmp_path / "data", *where)

    assert "(1 × 1.0, 1 × 1.1)" in found["nodes"]["sentence"]
    assert found["node clocks"]["state"] == "problem"
    assert "node-1" in found["node clocks"]["sentence"]
    assert found["strangers"]["sentence"].startswith("1 other chats")


async def test_one_that_says_goodbye_is_not_there_any_more(nats: Nats) -> None:
    carrier = NatsBus(nats.url(), "test")
    await carrier.start()
    here, gone = Heartbeat("epoch", "1.0", 0), Heartbeat("epoch", "1.0", 0, leaves=True)

    async def speak() -> None:
        while True:
            carrier.publish("hubbub.epoch.nodes", encode(Envelope("one", [here, gone])))
            carrier.publish("hubbub.epoch.nodes", encode(Envelope("two", [here])))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(speak())
    heard = await bus.listen(nats.url())
    task.cancel()
    await carrier.stop()
    assert set(heard.nodes) == {"two"}


@pytest.mark.parametrize(
    ("ahead_ms", "state"), [(1_000, "ok"), (-2_500, "warning"), (61_000, "problem")]
)
def test_the_clock_that_is_farthest_off_is_told(ahead_ms: int, state: str) -> None:
    nodes = {"a": Node("e", "1", 10), "b": Node("e", "1", ahead_ms)}
    assert bus.clocks(nodes).state == state


def test_a_server_that_is_not_heard_and_a_slow_bus_are_told() -> None:
    assert bus.nodes({}, runs=True).state == "warning"
    assert bus.nodes({}, runs=False).state == "ok"
    assert bus.carries("nats://bus", 0.001).state == "ok"
    assert bus.carries("nats://bus", 0.3).state == "warning"
