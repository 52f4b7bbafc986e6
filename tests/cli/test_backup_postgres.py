"""`hubbub backup` and `hubbub restore` with a PostgreSQL: the same file, for either engine."""

import asyncio
import shutil
import time
from pathlib import Path

import psycopg
import pytest

from hubbub.store.schema.migrations import HEAD
from tests.conftest import MakeServer
from tests.support.chat import House, Visitors
from tests.support.command import Said, hubbub
from tests.support.people import history
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.sqlite import opened
from tests.support.waiting import until

FAILED = 1
PRESSES_ON_S = 30


def done(said: Said) -> str:
    """A command that must have worked; what it says on stdout."""
    assert said.code == 0, said.err
    return said.out


def refused(said: Said) -> str:
    assert said.code == FAILED, said.out
    assert "Traceback" not in said.err
    return said.err.splitlines()[-1].removeprefix("hubbub: ")


def restore(file: Path, place: str | Path) -> Said:
    option = "--database" if str(place).startswith("postgresql") else "--data"
    return hubbub("restore", str(file), option, str(place))


@pytest.fixture
def empty(postgres: Postgres) -> str:
    """The address of a database with nothing in it, not even the schema."""
    return postgres.url(postgres.database())


@pytest.fixture
def url(postgres: Postgres) -> str:
    """Another one."""
    return postgres.url(postgres.database())


@pytest.fixture
def server(make_server: MakeServer, url: str) -> Server:
    """A running server with a PostgreSQL."""
    return make_server("--database", url).start()


async def test_a_backup_of_a_busy_server_goes_back_into_either_engine(
    server: Server, make_server: MakeServer, url: str, empty: str, tmp_path: Path
) -> None:
    house = House(server, "ana", "bo")
    is_over = False
    acknowledged: dict[int, str] = {}

    def press_on() -> None:
        deadline = time.monotonic() + PRESSES_ON_S
        while not is_over and time.monotonic() < deadline:
            text = f"ana {len(acknowledged)} 😀"
            acknowledged[house.post("lobby", text, by="ana")["seq"]] = text

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(press_on))
        await until(lambda: len(acknowledged) >= 20)
        before = dict(acknowledged)
        file = tmp_path / "chat.db"
        said = await asyncio.to_thread(hubbub, "backup", str(file), "--database", url)
        is_over = True
    assert f"{file} has 2 accounts, 1 room and " in done(said)
    assert file.stat().st_mode & 0o777 == 0o600

    single = make_server()
    for place, other in ((empty, make_server("--database", empty)), (single.data, single)):
        done(restore(file, place))
        house.server = other.start()
        messages = await history(other, house.tokens["bo"], "lobby")  # he is still signed in
        kept = {one["seq"]: one["text"] for one in messages}
        assert list(kept) == list(range(1, len(kept) + 1))
        assert before.items() <= kept.items()
        assert kept.items() <= acknowledged.items()
        assert house.post("lobby", "after", by="bo")["seq"] == len(kept) + 1
        house.sign_up("cy")


async def test_after_a_restore_clients_start_over(
    server: Server, make_server: MakeServer, url: str, empty: str, tmp_path: Path
) -> None:
    house = House(server, "ana")
    house.post("lobby", "one", by="ana")
    async with Visitors.of(house) as visitors:
        ana = await visitors.json(None)
        await ana.do("auth", token=house.tokens["ana"])
        epoch = (await ana.do("hello"))["epoch"]
    done(hubbub("backup", str(tmp_path / "chat.db"), "--database", url))
    server.stop()
    done(restore(tmp_path / "chat.db", empty))
    house.server = make_server("--database", empty, data=server.data).start()
    async with Visitors.of(house) as visitors:
        ana = await visitors.json(None)
        await ana.do("auth", token=house.tokens["ana"])
        assert (await ana.do("hello", epoch=epoch, rooms={"lobby": 1}))["epoch"] != epoch


def test_a_folders_backup_goes_into_postgresql_and_back_out(
    good: Path, url: str, tmp_path: Path
) -> None:
    done(restore(good, url))
    assert "ana" in done(hubbub("user", "list", "--database", url))
    done(hubbub("backup", str(tmp_path / "again.db"), "--database", url))
    done(restore(tmp_path / "again.db", tmp_path / "data"))
    with (
        opened(good) as first,
        opened(tmp_path / "data" / "hubbub.db") as second,
    ):
        for rows in ("SELECT * FROM users ORDER BY id", "SELECT * FROM sessions ORDER BY id"):
            assert first.execute(rows).fetchall() == second.execute(rows).fetchall()
        [(key,)] = first.execute("SELECT value FROM backup").fetchall()
        assert (tmp_path / "data" / "secret.key").read_bytes() == key
        assert second.execute("SELECT 1 FROM server WHERE key = 'signing_key'").fetchall() == []


# What came after the first schema.
NEWER_TABLES = (
    "journal",
    "room_mentions",
    "reactions",
    "pins",
    "bookmarks",
    "drafts",
    "blocks",
    "usage",
)
NEWER_COLUMNS = (
    ("members", "added_by"),
    ("rooms", "parent_pk"),
    ("rooms", "parent_seq"),
    ("messages", "origin"),
    ("messages", "marks_rev"),
    ("messages", "marks"),
)


def test_one_from_an_older_version_is_brought_to_the_newest_schema(
    good: Path, url: str, tmp_path: Path
) -> None:
    older = Path(shutil.copy(good, tmp_path / "older.db"))
    with opened(older) as driver:
        for table in NEWER_TABLES:
            driver.execute(f"DROP TABLE {table}")
        driver.execute("DROP INDEX ix_rooms_parent_pk")
        driver.execute("DROP INDEX ix_messages_room_pk_marks_rev")
        for table, column in NEWER_COLUMNS:
            driver.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        driver.execute("UPDATE alembic_version SET version_num = '0001'")
        driver.execute("DELETE FROM server WHERE key = 'works_with'")
    before = older.read_bytes()
    assert f"schema {HEAD}" in done(restore(older, url))
    assert older.read_bytes() == before
    assert "ana" in done(hubbub("user", "list", "--database", url))


def test_what_cannot_be_restored_leaves_the_database_as_it_was(
    good: Path, url: str, postgres: Postgres, tmp_path: Path
) -> None:
    def is_untouched() -> bool:
        with psycopg.connect(url) as driver:
            return driver.execute(
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall() == [(0,)]

    newer = Path(shutil.copy(good, tmp_path / "newer.db"))
    with opened(newer) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "was written by a newer Hubbub" in refused(restore(newer, url))
    notes = tmp_path / "notes.db"
    notes.write_text("These are my notes. " * 400)
    assert "is not a database" in refused(restore(notes, url))
    assert is_untouched()
    done(restore(good, url))
    assert "has a chat already" in refused(restore(good, url))
    recipes = postgres.database()
    postgres.execute("CREATE TABLE recipes (name text)", recipes)
    assert "not Hubbub's" in refused(restore(good, postgres.url(recipes)))


def test_what_cannot_be_backed_up_gives_no_file(url: str, left: Path, tmp_path: Path) -> None:
    def backup(database: str) -> str:
        return refused(hubbub("backup", str(tmp_path / "chat.db"), "--database", database))

    assert "is not Hubbub's" in backup(url)
    assert "cannot be reached" in backup("postgresql://127.0.0.1:1/chat")
    done(hubbub("user", "add", "ana", "--bot", "--database", url))
    with psycopg.connect(url) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    assert f"has schema 9999, and this Hubbub knows {HEAD}" in backup(url)
    (tmp_path / "chat.db").write_text("mine")
    assert "is there already" in backup(url)
    assert (tmp_path / "chat.db").read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["chat.db"]


def test_a_copy_without_a_key_has_everybody_sign_in_again(
    good: Path, url: str, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(good, tmp_path / "copy.db"))
    with opened(copy) as driver:
        driver.execute("DROP TABLE backup")
    said = restore(copy, url)
    assert said.code == 0
    assert "everybody signs in again" in said.err.splitlines()[-1]
