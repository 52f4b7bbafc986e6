"""`hubbub move`: a whole chat goes into another database, and people do not notice it."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from hubbub.store.copies.copy import TABLES, Digest, digests_of, values_of
from hubbub.store.copies.move import FolderLocation, parse_location
from hubbub.store.copies.move import move as run
from hubbub.store.engines.sql import Sql
from hubbub.store.schema.move_marker import MOVED
from hubbub.store.schema.tables import server
from tests.conftest import MakeServer
from tests.support.chat import RestApi, Sockets
from tests.support.command import CommandResult, clean_environment, hubbub
from tests.support.forks import command_line
from tests.support.postgres import Postgres
from tests.support.soak import LIMIT_S, SOAKING
from tests.support.sqlite import opened

FAILED, INTERRUPTED = 1, 130
# Lines of progress after which a move is ended: at its start, while copying, while checking.
STOP_AFTER_LINES = (0, 1, 2, 5) if not SOAKING else (0, 1, 1, 2, 1, 2, 1, 3, 5, 8) * 3
MAX_DELAY_S = 0.05  # random delay after that line
MESSAGES = 20_000

_VALUES = Sql(select(server.c.key, server.c.value))


def move(source: str | Path, target: str | Path) -> CommandResult:
    return hubbub("move", "--from", str(source), "--to", str(target))


def ok(result: CommandResult) -> str:
    """Check that the command succeeded, and return its stdout."""
    assert result.code == 0, result.err
    return result.out


def refused(result: CommandResult) -> str:
    """Check that the command failed, and return its error, which may follow progress lines."""
    assert result.code == FAILED, result.out
    assert "Traceback" not in result.err
    sentence = result.err.splitlines()[-1]
    assert sentence.startswith("hubbub: ")
    return sentence.removeprefix("hubbub: ")


def contents(location: str | Path) -> tuple[dict[str, Digest], dict[str, str]]:
    """Digests of all tables and the server's values, even of a database that cannot be served."""
    with closing(parse_location(str(location)).database.copier()) as db:
        db.begin_snapshot()
        found = digests_of(db, lambda rows: None), values_of(db)
        db.rollback()
    return found


@pytest.fixture
def empty(postgres: Postgres) -> str:
    """The URL of an empty database without a schema."""
    return postgres.url(postgres.database())


@pytest.fixture(scope="module")
def chat(stopped_chat: Path) -> Path:
    """The data folder of a stopped chat with many messages."""
    folder = stopped_chat.with_name("many")
    shutil.copytree(stopped_chat, folder)
    with opened(folder / "hubbub.db") as driver:
        driver.execute("BEGIN")
        driver.executemany(
            "INSERT INTO messages (room_pk, seq, rev, author_id, at, kind, text, nonce)"
            " VALUES (1, ?, ?, 1, ?, 'text', ?, ?)",
            ((n, n, n, f"message {n} 😀", f"nonce {n}") for n in range(1, MESSAGES + 1)),
        )
        driver.execute("UPDATE rooms SET seq = ?, rev = ?", (MESSAGES, MESSAGES))
        driver.execute("COMMIT")
        [(epoch,)] = driver.execute("SELECT value FROM server WHERE key = 'epoch'").fetchall()
    FolderLocation(folder).note_shown(epoch, MESSAGES)
    return folder


@pytest.fixture(scope="module")
def shared(chat: Path, postgres: Postgres) -> str:
    """The name of a database with the same chat, from which others are copied."""
    name = postgres.database()
    folder = Path(shutil.copytree(chat, chat.with_name("shared")))
    ok(move(folder, postgres.url(name)))
    return name


# There and back


async def test_people_do_not_notice_a_move_there_and_back(
    make_server: MakeServer, empty: str, tmp_path: Path
) -> None:
    api = RestApi(make_server().start(), "ana", "bo")
    data = api.server.data
    room = api.room("bo", kind="private")
    api.post(room, "between us 😀", by="ana")
    api.post("lobby", "one", by="ana")
    api.post("lobby", "@ana two", by="bo")
    api.ok("DELETE", "rooms/lobby/messages/1", by="ana")

    async def epoch_of(api: RestApi) -> str:
        async with Sockets.of(api) as sockets:
            bo = await sockets.json(None)
            await bo.do("auth", token=api.tokens["bo"])
            return str((await bo.do("hello"))["epoch"])

    epoch, back = await epoch_of(api), tmp_path / "back"
    ways: tuple[tuple[str | Path, str | Path], ...] = ((data, empty), (empty, back))
    for number, (source, target) in enumerate(ways, 1):
        api.server.stop()
        ok(move(source, target))
        api.server = (
            make_server("--database", empty) if target == empty else make_server(data=back)
        ).start()
        assert await epoch_of(api) == epoch
        assert api.history(room, by="bo") == [("ana", "between us 😀")]
        assert api.post("lobby", f"after {number}", by="bo")["seq"] == 2 + number
        api.sign_up(f"newcomer-{number}")
        api.ok("POST", "rooms", {"title": f"Room after {number}"}, by="bo")
        api.server.stop()
        api.server.start()
        assert await epoch_of(api) == epoch, "a later start does not begin a new epoch"
        api.ok("DELETE", f"rooms/room-after-{number}", by="bo")
    texts = [text for _, text in api.history("lobby", by="ana")]
    assert texts == ["", "@ana two", "after 1", "after 2"]


def test_a_move_prints_progress_and_a_summary(chat: Path, empty: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    result = move(f"sqlite:///{source}/hubbub.db", empty)
    name = "postgresql://" + empty.partition("@")[2]
    assert (
        ok(result) == f"{name} has 1 account, 1 room and 20,000 messages, schema 0004, checked.\n"
    )
    assert {line.partition(":")[0] for line in result.err.splitlines()} == {"Copying", "Checking"}
    assert contents(empty) == contents(chat)


def test_a_folder_with_another_key_keeps_it_and_everybody_signs_in_again(
    shared: str, postgres: Postgres, tmp_path: Path
) -> None:
    target = tmp_path / "data"
    target.mkdir()
    (target / "secret.key").write_bytes(b"k" * 32)
    result = move(postgres.url(postgres.database(shared)), target)
    assert result.code == 0
    assert "everybody must sign in again" in result.err.splitlines()[-1]
    assert (target / "secret.key").read_bytes() == b"k" * 32


def test_moving_a_restored_copy_begins_a_new_epoch(chat: Path, empty: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    epoch = contents(source)[1]["epoch"]
    FolderLocation(source).note_shown(epoch, MESSAGES + 1)
    ok(move(source, empty))
    assert "epoch" not in contents(empty)[1]


# Bad moments


class MoveProcess:
    """Runs the same move repeatedly."""

    def __init__(self, source: str | Path, target: str | Path) -> None:
        self.line = command_line("move", "--from", str(source), "--to", str(target))

    def until(self, lines: int, wait_s: float, *, kill: bool) -> int:
        """Start it, end it after so many lines of progress, and return its exit code."""
        with subprocess.Popen(
            self.line,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=clean_environment(),
        ) as process:
            assert process.stderr
            for _ in range(lines):
                process.stderr.readline()
            # A random moment: the test must pass for any.
            try:
                process.wait(random.uniform(0, wait_s))
            except subprocess.TimeoutExpired:
                process.kill() if kill else process.terminate()
            assert b"Traceback" not in process.stderr.read()
        return process.returncode


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
def locations(
    request: pytest.FixtureRequest, chat: Path, postgres: Postgres, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    if request.param == "to PostgreSQL":
        source = str(shutil.copytree(chat, tmp_path / "data"))
        yield source, postgres.url(postgres.database())
    else:
        shared: str = request.getfixturevalue("shared")
        yield postgres.url(postgres.database(shared)), str(tmp_path / "new")


def list_users(location: str) -> CommandResult:
    option = "--database" if location.startswith("postgresql") else "--data"
    return hubbub("user", "list", option, location)


@pytest.mark.timeout(LIMIT_S)
def test_a_move_that_is_killed_repeatedly_ends_with_everything(
    locations: tuple[str, str], chat: Path
) -> None:
    source, target = locations
    process_of_move = MoveProcess(source, target)
    before = contents(source)
    codes = []
    for number, lines in enumerate(STOP_AFTER_LINES):
        codes.append(process_of_move.until(lines, MAX_DELAY_S, kill=bool(number % 4)))
        if codes[-1] in (0, FAILED):  # this or the previous one has finished
            break
        for location in (source, target):
            if is_marked(location):
                assert "hubbub move" in refused(list_users(location))
    result = move(source, target)
    if result.code:
        assert "was moved to" in refused(result)
    assert contents(target) == before
    assert "ana" in ok(list_users(target))
    assert "was moved to" in refused(list_users(source))


def is_marked(location: str) -> bool:
    """Whether a move of this database has begun."""
    found = parse_location(location)
    if isinstance(found, FolderLocation) and not found.folder.database.exists():
        return False
    with closing(found.database.copier()) as db:
        tables = db.tables()
        return "move" in tables or ("server" in tables and MOVED in dict(db.rows(_VALUES)))


class StopMove(Exception):
    """Raised to end the move."""


def move_half(source: Path, target: str) -> None:
    """Run a move until it has copied half of the rows."""

    def on_progress(what: str, copied: int, total: int) -> None:
        if 2 * copied > total:
            raise StopMove

    with pytest.raises(StopMove):
        run(parse_location(str(source)), parse_location(target), on_progress)


def test_a_half_moved_chat_is_not_served_backed_up_or_mixed_with_another(
    chat: Path, stopped_chat: Path, empty: str, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    other = Path(shutil.copytree(stopped_chat, tmp_path / "other"))
    move_half(source, empty)
    for location, why in (
        (empty, "is incomplete: a chat is being moved here"),
        (source, "is being"),
    ):
        option = "--database" if location == empty else "--data"
        assert why in refused(hubbub("serve", option, str(location)))
        assert "Run the same hubbub move" in refused(
            hubbub("user", "list", option, str(location))
        ) or ("run the same hubbub move" in refused(hubbub("user", "list", option, str(location))))
    assert "a chat is being moved" in refused(
        hubbub("backup", str(tmp_path / "half.db"), "--database", empty)
    )
    assert "a part of another move" in refused(move(other, empty))
    assert "is being moved to" in refused(move(source, tmp_path / "elsewhere"))
    assert "a chat is being moved" in refused(move(empty, tmp_path / "elsewhere"))
    ok(move(source, empty))
    assert contents(empty)[0] == contents(chat)[0]


def test_rows_that_the_target_changed_are_found(chat: Path, empty: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    move_half(source, empty)
    with closing(parse_location(empty).database.copier()) as db:
        db.begin()
        db.execute("UPDATE messages SET text = 'not the original' WHERE seq = 1")
        db.commit()
    error = refused(move(source, empty))
    assert "differs in messages. Empty that database, and move again." in error
    assert "a chat is being moved" in refused(list_users(empty))


# And back again


def test_an_undone_move_leaves_everything_as_it_was(chat: Path, empty: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    before = contents(source)
    move_half(source, empty)
    assert "can be served again" in ok(hubbub("move", "--undo", str(source)))
    assert contents(source) == before
    ok(list_users(str(source)))
    assert "was not moved" in refused(hubbub("move", "--undo", str(source)))
    assert "a part of another move" in refused(move(source, empty)), "it may have changed since"


def test_a_moved_chat_that_is_served_again_begins_a_new_epoch(
    stopped_chat: Path, empty: str, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(stopped_chat, tmp_path / "data"))
    epoch = contents(source)[1]["epoch"]
    ok(move(source, empty))
    assert contents(empty)[1]["epoch"] == epoch
    assert "was moved to" in refused(move(source, empty))
    assert "was moved to" in refused(list_users(str(source)))
    ok(hubbub("move", "--undo", str(source)))
    ok(list_users(str(source)))
    assert contents(source)[1]["epoch"] != epoch


# What is refused, with nothing changed


def test_a_target_that_has_a_chat_is_refused(
    stopped_chat: Path, shared: str, postgres: Postgres, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(stopped_chat, tmp_path / "data"))
    occupied = postgres.url(postgres.database(shared))
    assert "already has a chat" in refused(move(source, occupied))
    assert "already has a chat" in refused(move(occupied, source))
    assert "are both" in refused(move(source, source))
    ok(list_users(str(source)))
    ok(list_users(occupied))


def test_locations_with_a_running_server_are_refused(
    make_server: MakeServer, empty: str, postgres: Postgres, tmp_path: Path
) -> None:
    single = make_server().start()
    assert "Stop it first." in refused(move(single.data, empty))
    make_server("--database", empty).start()
    assert "Stop them first." in refused(move(empty, tmp_path / "new"))


def test_invalid_locations_are_refused(
    stopped_chat: Path, postgres: Postgres, tmp_path: Path
) -> None:
    assert "There is no chat in" in refused(move(tmp_path / "nowhere", tmp_path / "new"))
    assert "neither a data folder nor" in refused(move("mysql:///chat", tmp_path / "new"))
    assert "cannot be reached" in refused(move("postgresql://127.0.0.1:1/chat", tmp_path / "new"))
    recipes = postgres.database()
    postgres.execute("CREATE TABLE recipes (name text)", recipes)
    assert "not a Hubbub database" in refused(move(stopped_chat, postgres.url(recipes)))
    assert not (tmp_path / "new" / "hubbub.db").exists()
    ok(list_users(str(stopped_chat)))


def test_both_locations_must_be_given(tmp_path: Path) -> None:
    for given in ((), ("--from", "data"), ("--to", "data"), ("--undo", "data", "--to", "data")):
        assert hubbub("move", *given, cwd=tmp_path).code == 2
    assert list(tmp_path.iterdir()) == []


def test_every_table_has_something_to_compare(shared: str, postgres: Postgres) -> None:
    digests, _ = contents(postgres.url(shared))
    assert set(digests) == {table.name for table in TABLES}
    assert digests["messages"].rows == MESSAGES
