"""`hubbub move`: a whole chat goes into another database, and nobody notices but the operator."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from hubbub.store.copies.copy import TABLES, Digest, digests_of, values_of
from hubbub.store.copies.move import FolderLocation, location_of
from hubbub.store.copies.move import move as run
from hubbub.store.engines.sql import Sql
from hubbub.store.schema.move_marker import MOVED
from hubbub.store.schema.tables import server
from tests.conftest import MakeServer
from tests.support.chat import House, Visitors
from tests.support.command import Said, clean_environment, hubbub
from tests.support.forks import command_line
from tests.support.postgres import Postgres
from tests.support.soak import LIMIT_S, SOAKING
from tests.support.sqlite import opened

FAILED, INTERRUPTED = 1, 130
# Lines of progress after which it is ended: at first, while it copies, and while it checks.
ENDED_AFTER = (0, 1, 2, 5) if not SOAKING else (0, 1, 1, 2, 1, 2, 1, 3, 5, 8) * 3
MORE_S = 0.05  # and up to so long later
MESSAGES = 20_000

_VALUES = Sql(select(server.c.key, server.c.value))


def move(source: str | Path, target: str | Path) -> Said:
    return hubbub("move", "--from", str(source), "--to", str(target))


def done(said: Said) -> str:
    """A command that must have worked; what it says on stdout."""
    assert said.code == 0, said.err
    return said.out


def refused(said: Said) -> str:
    """What a command says that must have failed, after it may have told how far it was."""
    assert said.code == FAILED, said.out
    assert "Traceback" not in said.err
    sentence = said.err.splitlines()[-1]
    assert sentence.startswith("hubbub: ")
    return sentence.removeprefix("hubbub: ")


def contents(place: str | Path) -> tuple[dict[str, Digest], dict[str, str]]:
    """All that is in it, whether it may be served or not."""
    with closing(location_of(str(place)).database.copier()) as db:
        db.begin_snapshot()
        found = digests_of(db, lambda rows: None), values_of(db)
        db.rollback()
    return found


@pytest.fixture
def empty(postgres: Postgres) -> str:
    """The address of a database with nothing in it, not even the schema."""
    return postgres.url(postgres.database())


@pytest.fixture(scope="module")
def chat(left: Path) -> Path:
    """The data folder of a chat with many messages, that has been served and stopped."""
    folder = left.with_name("many")
    shutil.copytree(left, folder)
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
    """The name of a database with the same chat in it, to be copied."""
    name = postgres.database()
    folder = Path(shutil.copytree(chat, chat.with_name("shared")))
    done(move(folder, postgres.url(name)))
    return name


# There and back


async def test_nobody_notices_a_move_there_and_back(
    make_server: MakeServer, empty: str, tmp_path: Path
) -> None:
    house = House(make_server().start(), "ana", "bo")
    data = house.server.data
    room = house.room("bo", kind="private")
    house.post(room, "between us 😀", by="ana")
    house.post("lobby", "one", by="ana")
    house.post("lobby", "@ana two", by="bo")
    house.ok("DELETE", "rooms/lobby/messages/1", by="ana")

    async def epoch_of(house: House) -> str:
        async with Visitors.of(house) as visitors:
            bo = await visitors.json(None)
            await bo.do("auth", token=house.tokens["bo"])
            return str((await bo.do("hello"))["epoch"])

    epoch, back = await epoch_of(house), tmp_path / "back"
    ways: tuple[tuple[str | Path, str | Path], ...] = ((data, empty), (empty, back))
    for number, (source, target) in enumerate(ways, 1):
        house.server.stop()
        done(move(source, target))
        house.server = (
            make_server("--database", empty) if target == empty else make_server(data=back)
        ).start()
        assert await epoch_of(house) == epoch
        assert house.history(room, by="bo") == [("ana", "between us 😀")]
        assert house.post("lobby", f"after {number}", by="bo")["seq"] == 2 + number
        house.sign_up(f"newcomer-{number}")
        house.ok("POST", "rooms", {"title": f"Room after {number}"}, by="bo")
        house.server.stop()
        house.server.start()
        assert await epoch_of(house) == epoch, "nor does a later start begin another"
        house.ok("DELETE", f"rooms/room-after-{number}", by="bo")
    texts = [text for _, text in house.history("lobby", by="ana")]
    assert texts == ["", "@ana two", "after 1", "after 2"]


def test_it_says_how_far_it_is_and_what_there_is(chat: Path, empty: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    said = move(f"sqlite:///{source}/hubbub.db", empty)
    name = "postgresql://" + empty.partition("@")[2]
    assert (
        done(said) == f"{name} has 1 account, 1 room and 20,000 messages, schema 0004, checked.\n"
    )
    assert {line.partition(":")[0] for line in said.err.splitlines()} == {"Copying", "Checking"}
    assert contents(empty) == contents(chat)


def test_a_folder_with_another_key_keeps_it_and_everybody_signs_in_again(
    shared: str, postgres: Postgres, tmp_path: Path
) -> None:
    target = tmp_path / "data"
    target.mkdir()
    (target / "secret.key").write_bytes(b"k" * 32)
    said = move(postgres.url(postgres.database(shared)), target)
    assert said.code == 0
    assert "everybody signs in again" in said.err.splitlines()[-1]
    assert (target / "secret.key").read_bytes() == b"k" * 32


def test_one_put_back_from_a_copy_begins_an_epoch(chat: Path, empty: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    epoch = contents(source)[1]["epoch"]
    FolderLocation(source).note_shown(epoch, MESSAGES + 1)
    done(move(source, empty))
    assert "epoch" not in contents(empty)[1]


# Bad moments


class Moves:
    """The same move, again and again, until it is done."""

    def __init__(self, source: str | Path, target: str | Path) -> None:
        self.line = command_line("move", "--from", str(source), "--to", str(target))

    def until(self, lines: int, wait_s: float, *, kill: bool) -> int:
        """Start it, and end it after it has told so many lines; its exit code."""
        with subprocess.Popen(
            self.line,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=clean_environment(),
        ) as process:
            assert process.stderr
            for _ in range(lines):
                process.stderr.readline()
            # Any moment is as good as another, so how long it is does not matter.
            try:
                process.wait(random.uniform(0, wait_s))
            except subprocess.TimeoutExpired:
                process.kill() if kill else process.terminate()
            assert b"Traceback" not in process.stderr.read()
        return process.returncode


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
def places(
    request: pytest.FixtureRequest, chat: Path, postgres: Postgres, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    if request.param == "to PostgreSQL":
        source = str(shutil.copytree(chat, tmp_path / "data"))
        yield source, postgres.url(postgres.database())
    else:
        shared: str = request.getfixturevalue("shared")
        yield postgres.url(postgres.database(shared)), str(tmp_path / "new")


def served_from(place: str) -> Said:
    option = "--database" if place.startswith("postgresql") else "--data"
    return hubbub("user", "list", option, place)


@pytest.mark.timeout(LIMIT_S)
def test_a_move_that_is_killed_again_and_again_ends_with_everything(
    places: tuple[str, str], chat: Path
) -> None:
    source, target = places
    moves = Moves(source, target)
    before = contents(source)
    codes = []
    for number, lines in enumerate(ENDED_AFTER):
        codes.append(moves.until(lines, MORE_S, kill=bool(number % 4)))
        if codes[-1] in (0, FAILED):  # it is done, or the one before was ended when all was done
            break
        for place in (source, target):
            if is_marked(place):
                assert "hubbub move" in refused(served_from(place))
    said = move(source, target)
    if said.code:
        assert "was moved to" in refused(said)
    assert contents(target) == before
    assert "ana" in done(served_from(target))
    assert "was moved to" in refused(served_from(source))


def is_marked(place: str) -> bool:
    """Whether a move has begun there."""
    found = location_of(place)
    if isinstance(found, FolderLocation) and not found.folder.database.exists():
        return False
    with closing(found.database.copier()) as db:
        tables = db.tables()
        return "move" in tables or ("server" in tables and MOVED in dict(db.rows(_VALUES)))


class Enough(Exception):
    """The move is to end here."""


def stopped_half_way(source: Path, target: str) -> None:
    """A move that has copied half of it."""

    def tell(what: str, done: int, total: int) -> None:
        if 2 * done > total:
            raise Enough

    with pytest.raises(Enough):
        run(location_of(str(source)), location_of(target), tell)


def test_half_a_chat_is_not_served_backed_up_or_mixed_with_another(
    chat: Path, left: Path, empty: str, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    other = Path(shutil.copytree(left, tmp_path / "other"))
    stopped_half_way(source, empty)
    for place, why in ((empty, "a part of a chat that is being moved here"), (source, "is being")):
        option = "--database" if place == empty else "--data"
        assert why in refused(hubbub("serve", option, str(place)))
        assert "Run the same hubbub move" in refused(
            hubbub("user", "list", option, str(place))
        ) or ("run the same hubbub move" in refused(hubbub("user", "list", option, str(place))))
    assert "a part of a chat" in refused(
        hubbub("backup", str(tmp_path / "half.db"), "--database", empty)
    )
    assert "a part of another move" in refused(move(other, empty))
    assert "is being moved to" in refused(move(source, tmp_path / "elsewhere"))
    assert "a part of a chat" in refused(move(empty, tmp_path / "elsewhere"))
    done(move(source, empty))
    assert contents(empty)[0] == contents(chat)[0]


def test_what_the_target_did_not_keep_is_found(chat: Path, empty: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    stopped_half_way(source, empty)
    with closing(location_of(empty).database.copier()) as db:
        db.begin()
        db.execute("UPDATE messages SET text = 'not what she said' WHERE seq = 1")
        db.commit()
    told = refused(move(source, empty))
    assert "did not take all as it is: messages differ. Empty it, and move again." in told
    assert "a part of a chat" in refused(served_from(empty))


# And back again


def test_a_move_that_was_given_up_leaves_everything_as_it_was(
    chat: Path, empty: str, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(chat, tmp_path / "data"))
    before = contents(source)
    stopped_half_way(source, empty)
    assert "may be served again" in done(hubbub("move", "--undo", str(source)))
    assert contents(source) == before
    done(served_from(str(source)))
    assert "was not moved" in refused(hubbub("move", "--undo", str(source)))
    assert "a part of another move" in refused(move(source, empty)), "it may have changed since"


def test_one_that_was_moved_begins_an_epoch_when_it_is_served_again(
    left: Path, empty: str, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(left, tmp_path / "data"))
    epoch = contents(source)[1]["epoch"]
    done(move(source, empty))
    assert contents(empty)[1]["epoch"] == epoch
    assert "was moved to" in refused(move(source, empty))
    assert "was moved to" in refused(served_from(str(source)))
    done(hubbub("move", "--undo", str(source)))
    done(served_from(str(source)))
    assert contents(source)[1]["epoch"] != epoch


# What is refused, with nothing changed


def test_a_target_that_has_a_chat_is_refused(
    left: Path, shared: str, postgres: Postgres, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(left, tmp_path / "data"))
    there = postgres.url(postgres.database(shared))
    assert "has a chat already" in refused(move(source, there))
    assert "has a chat already" in refused(move(there, source))
    assert "Both are" in refused(move(source, source))
    done(served_from(str(source)))
    done(served_from(there))


def test_places_with_a_running_server_are_refused(
    make_server: MakeServer, empty: str, postgres: Postgres, tmp_path: Path
) -> None:
    single = make_server().start()
    assert "Stop it first." in refused(move(single.data, empty))
    make_server("--database", empty).start()
    assert "Stop them first." in refused(move(empty, tmp_path / "new"))


def test_places_that_are_none_are_refused(left: Path, postgres: Postgres, tmp_path: Path) -> None:
    assert "There is no chat in" in refused(move(tmp_path / "nowhere", tmp_path / "new"))
    assert "neither a data folder nor" in refused(move("mysql:///chat", tmp_path / "new"))
    assert "cannot be reached" in refused(move("postgresql://127.0.0.1:1/chat", tmp_path / "new"))
    recipes = postgres.database()
    postgres.execute("CREATE TABLE recipes (name text)", recipes)
    assert "not Hubbub's" in refused(move(left, postgres.url(recipes)))
    assert not (tmp_path / "new" / "hubbub.db").exists()
    done(served_from(str(left)))


def test_both_places_must_be_given(tmp_path: Path) -> None:
    for given in ((), ("--from", "data"), ("--to", "data"), ("--undo", "data", "--to", "data")):
        assert hubbub("move", *given, cwd=tmp_path).code == 2
    assert list(tmp_path.iterdir()) == []


def test_every_table_has_something_to_compare(shared: str, postgres: Postgres) -> None:
    digests, _ = contents(postgres.url(shared))
    assert set(digests) == {table.name for table in TABLES}
    assert digests["messages"].rows == MESSAGES
