"""`hubbub backup` and `hubbub restore` with PostgreSQL: the file is the same for both engines."""

import asyncio
import shutil
import time
from pathlib import Path

import psycopg
import pytest

from hubbub.store.schema.migrations import HEAD
from tests.conftest import MakeServer
from tests.support.chat import RestApi, Sockets
from tests.support.command import CommandResult, hubbub
from tests.support.people import history
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.sqlite import opened
from tests.support.waiting import until

FAILED = 1
POSTING_LIMIT_S = 30


def ok(result: CommandResult) -> str:
    """Check that the command succeeded, and return its stdout."""
    assert result.code == 0, result.err
    return result.out


def refused(result: CommandResult) -> str:
    assert result.code == FAILED, result.out
    assert "Traceback" not in result.err
    return result.err.splitlines()[-1].removeprefix("hubbub: ")


def restore(file: Path, location: str | Path) -> CommandResult:
    option = "--database" if str(location).startswith("postgresql") else "--data"
    return hubbub("restore", str(file), option, str(location))


@pytest.fixture
def empty(postgres: Postgres) -> str:
    """The URL of an empty database without a schema."""
    return postgres.url(postgres.database())


@pytest.fixture
def url(postgres: Postgres) -> str:
    """The URL of another empty database."""
    return postgres.url(postgres.database())


@pytest.fixture
def server(make_server: MakeServer, url: str) -> Server:
    """A running server with PostgreSQL."""
    return make_server("--database", url).start()


async def test_a_backup_of_a_busy_server_goes_back_into_either_engine(
    server: Server, make_server: MakeServer, url: str, empty: str, tmp_path: Path
) -> None:
    api = RestApi(server, "ana", "bo")
    is_over = False
    acknowledged: dict[int, str] = {}

    def keep_posting() -> None:
        deadline = time.monotonic() + POSTING_LIMIT_S
        while not is_over and time.monotonic() < deadline:
            text = f"ana {len(acknowledged)} 😀"
            acknowledged[api.post("lobby", text, by="ana")["seq"]] = text

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(keep_posting))
        await until(lambda: len(acknowledged) >= 20)
        before = dict(acknowledged)
        file = tmp_path / "chat.db"
        result = await asyncio.to_thread(hubbub, "backup", str(file), "--database", url)
        is_over = True
    assert f"{file} has 2 accounts, 1 room and " in ok(result)
    assert file.stat().st_mode & 0o777 == 0o600

    single = make_server()
    for location, other in ((empty, make_server("--database", empty)), (single.data, single)):
        ok(restore(file, location))
        api.server = other.start()
        messages = await history(other, api.tokens["bo"], "lobby")  # he is still signed in
        kept = {one["seq"]: one["text"] for one in messages}
        assert list(kept) == list(range(1, len(kept) + 1))
        assert before.items() <= kept.items()
        assert kept.items() <= acknowledged.items()
        assert api.post("lobby", "after", by="bo")["seq"] == len(kept) + 1
        api.sign_up("cy")


async def test_after_a_restore_clients_start_over(
    server: Server, make_server: MakeServer, url: str, empty: str, tmp_path: Path
) -> None:
    api = RestApi(server, "ana")
    api.post("lobby", "one", by="ana")
    async with Sockets.of(api) as sockets:
        ana = await sockets.json(None)
        await ana.do("auth", token=api.tokens["ana"])
        epoch = (await ana.do("hello"))["epoch"]
    ok(hubbub("backup", str(tmp_path / "chat.db"), "--database", url))
    server.stop()
    ok(restore(tmp_path / "chat.db", empty))
    api.server = make_server("--database", empty, data=server.data).start()
    async with Sockets.of(api) as sockets:
        ana = await sockets.json(None)
        await ana.do("auth", token=api.tokens["ana"])
        assert (await ana.do("hello", epoch=epoch, rooms={"lobby": 1}))["epoch"] != epoch


def test_a_folders_backup_goes_into_postgresql_and_back_out(
    backup_file: Path, url: str, tmp_path: Path
) -> None:
    ok(restore(backup_file, url))
    assert "ana" in ok(hubbub("user", "list", "--database", url))
    ok(hubbub("backup", str(tmp_path / "again.db"), "--database", url))
    ok(restore(tmp_path / "again.db", tmp_path / "data"))
    with (
        opened(backup_file) as first,
        opened(tmp_path / "data" / "hubbub.db") as second,
    ):
        for rows in ("SELECT * FROM users ORDER BY id", "SELECT * FROM sessions ORDER BY id"):
            assert first.execute(rows).fetchall() == second.execute(rows).fetchall()
        [(key,)] = first.execute("SELECT value FROM backup").fetchall()
        assert (tmp_path / "data" / "secret.key").read_bytes() == key
        assert second.execute("SELECT 1 FROM server WHERE key = 'signing_key'").fetchall() == []


# Tables and columns that the first schema did not have.
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


def test_a_backup_of_an_older_version_is_upgraded_to_the_newest_schema(
    backup_file: Path, url: str, tmp_path: Path
) -> None:
    older = Path(shutil.copy(backup_file, tmp_path / "older.db"))
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
    assert f"schema {HEAD}" in ok(restore(older, url))
    assert older.read_bytes() == before
    assert "ana" in ok(hubbub("user", "list", "--database", url))


def test_a_failed_restore_does_not_change_the_database(
    backup_file: Path, url: str, postgres: Postgres, tmp_path: Path
) -> None:
    def is_untouched() -> bool:
        with psycopg.connect(url) as driver:
            return driver.execute(
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall() == [(0,)]

    newer = Path(shutil.copy(backup_file, tmp_path / "newer.db"))
    with opened(newer) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "was written by a newer Hubbub" in refused(restore(newer, url))
    notes = tmp_path / "notes.db"
    notes.write_text("These are my notes. " * 400)
    assert "is not a database" in refused(restore(notes, url))
    assert is_untouched()
    ok(restore(backup_file, url))
    assert "already has a chat" in refused(restore(backup_file, url))
    recipes = postgres.database()
    postgres.execute("CREATE TABLE recipes (name text)", recipes)
    assert "not a Hubbub database" in refused(restore(backup_file, postgres.url(recipes)))


def test_a_failed_backup_leaves_no_file(url: str, stopped_chat: Path, tmp_path: Path) -> None:
    def backup(database: str) -> str:
        return refused(hubbub("backup", str(tmp_path / "chat.db"), "--database", database))

    assert "is not a Hubbub database" in backup(url)
    assert "cannot be reached" in backup("postgresql://127.0.0.1:1/chat")
    ok(hubbub("user", "add", "ana", "--bot", "--database", url))
    with psycopg.connect(url) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    assert f"has schema 9999, but this Hubbub needs {HEAD}" in backup(url)
    (tmp_path / "chat.db").write_text("mine")
    assert "already exists" in backup(url)
    assert (tmp_path / "chat.db").read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["chat.db"]


def test_after_restoring_a_copy_without_a_key_everybody_signs_in_again(
    backup_file: Path, url: str, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(backup_file, tmp_path / "copy.db"))
    with opened(copy) as driver:
        driver.execute("DROP TABLE backup")
    result = restore(copy, url)
    assert result.code == 0
    assert "everybody must sign in again" in result.err.splitlines()[-1]
