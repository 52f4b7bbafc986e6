"""A move: a whole chat from one database into another, where it goes on as if nothing had been.

Sessions, tokens and the epoch come along, so that clients notice no more than a restart. A move
that was stopped, at whatever moment, goes on where it was; until it is done nothing is served from
either side (see `marks`).
"""

import contextlib
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.schema import CreateTable, DropTable

from hubbub.model.errors import HubbubError
from hubbub.store.copies.copy import (
    EPOCH,
    TABLES,
    Contents,
    Tell,
    add_values,
    contents_of,
    copy_rows,
    count_of,
    digests_of,
    is_empty,
    schema_of,
    settle,
    values_of,
)
from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.database import MEND, Connection, Database
from hubbub.store.engines.opening import require_chat, why_lost
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.engines.sql import Sql
from hubbub.store.engines.sqlite.connection import BESIDE
from hubbub.store.engines.sqlite.database import Database as SqliteDatabase
from hubbub.store.schema.migrations import HEAD
from hubbub.store.schema.move_marker import (
    MOVED,
    Mark,
    MovedError,
    arriving,
    mark_of,
    moved_away,
    require_served,
)
from hubbub.store.schema.tables import server
from hubbub.store.tx import Tx

# For what is just ending: a command, the connection of one, a server that was told to stop.
PATIENCE_S = 5.0
TRY_EVERY_S = 0.05

_FORGET = Sql(delete(server).where(server.c.key == bindparam("key")))
_ARRIVES = str(CreateTable(arriving))
_HAS_ARRIVED = str(DropTable(arriving))
_WHICH = Sql(select(arriving.c.id))
_NOTE_WHICH = Sql(insert(arriving).values(id=bindparam("id")))


class MoveError(HubbubError):
    """The move cannot be made, or goes no further; the message says why and what to do."""

    code = "move"
    title = "The chat cannot be moved."


class MoveResult(NamedTuple):
    """What was moved. ``are_signed_in``: whether sessions and bots' tokens go on."""

    contents: Contents
    are_signed_in: bool


class Location(ABC):
    """Where a chat is or comes to be: a database, and what lies beside it."""

    database: Database

    @property
    def name(self) -> str:
        return self.database.name

    @abstractmethod
    def require_there(self) -> None:
        """Raises FolderError if there is no database."""

    @abstractmethod
    def taken(self) -> contextlib.AbstractContextManager[Connection]:
        """A connection; nobody else writes here meanwhile. Raises FolderError, MoveError …"""

    @abstractmethod
    def key(self, db: Connection) -> bytes | None:
        """What sessions are signed with, if anything ever was."""

    @abstractmethod
    def adopt(self, db: Connection, key: bytes) -> bool:
        """Sign with this key from now on; False if there is another, which stays."""

    @abstractmethod
    def knows_all(self, epoch: str, total: int) -> bool:
        """Whether a database of so many revs has all that was shown from here to clients."""

    @abstractmethod
    def note_shown(self, epoch: str, total: int) -> None:
        """From here on this database is known here."""


class FolderLocation(Location):
    """A data folder."""

    database: SqliteDatabase

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path)
        self.database = SqliteDatabase(self.folder.database)

    def require_there(self) -> None:
        require_chat(self.folder)
        with contextlib.suppress(MovedError):  # of that, `move` and `undo` know more
            self.database.look(why_lost(self.database, self.folder))

    @contextlib.contextmanager
    def taken(self) -> Iterator[Connection]:
        self.folder.prepare()
        try:
            if not _patiently(self.folder.lock):
                raise FolderError(f"A server is using {self.folder.path}. Stop it first.")
            self._require_no_log_alone()
            with _closing(self.database) as db:
                yield db
        finally:
            self.folder.release()

    def _require_no_log_alone(self) -> None:
        """It would be taken for the log of the database that is put there."""
        database = self.folder.database
        for end in () if database.exists() else BESIDE:
            found = database.with_name(database.name + end)
            if found.exists():
                raise FolderError(f"{found} is there without its database. Move it away.")

    def key(self, db: Connection) -> bytes | None:
        return self.folder.key.read_bytes() if self.folder.key.exists() else None

    def adopt(self, db: Connection, key: bytes) -> bool:
        return self.folder.adopt_secret(key)

    def knows_all(self, epoch: str, total: int) -> bool:
        shown = self.folder.shown(epoch)
        return total == 0 or (shown is not None and shown <= total)

    def note_shown(self, epoch: str, total: int) -> None:
        self.folder.note_shown(epoch, total)


class ServerLocation(Location):
    """A database in a PostgreSQL."""

    def __init__(self, url: str) -> None:
        from hubbub.store.engines.postgres import Database as Postgres

        self.database = Postgres(url)

    def require_there(self) -> None:
        """That shows when it is opened."""

    @contextlib.contextmanager
    def taken(self) -> Iterator[Connection]:
        from hubbub.store.engines.postgres import Connection as Postgres

        with _closing(self.database) as db:
            assert isinstance(db, Postgres)
            if not _patiently(lambda: db.take_turn() and not db.others()):
                raise MoveError(
                    f"Servers, or other commands of Hubbub, are using {self.name}. Stop them first."
                )
            yield db

    def key(self, db: Connection) -> bytes | None:
        return Tx(db, 0).secret()

    def adopt(self, db: Connection, key: bytes) -> bool:
        Tx(db, 0).set_secret(key)
        return True

    def knows_all(self, epoch: str, total: int) -> bool:
        return True

    def note_shown(self, epoch: str, total: int) -> None:
        """Its servers note it in their own folders."""


def location_of(text: str) -> Location:
    """A PostgreSQL's address, or a data folder's path, also as ``sqlite:///…``, or its hubbub.db.

    Raises DatabaseError, MoveError.
    """
    if text.startswith(("postgresql://", "postgres://")):
        return ServerLocation(text)
    scheme, found, rest = text.partition(":///")
    if found and scheme != "sqlite":
        raise MoveError(f"“{text}” is neither a data folder nor postgresql://….")
    path = Path(rest if found else text)
    return FolderLocation(path.parent if path.name == DataFolder(path).database.name else path)


def move(source: Location, target: Location, tell: Tell) -> MoveResult:
    """Copy everything, check it, and have it served from the target from now on.

    Raises MoveError, MovedError, FolderError, DatabaseError, Unavailable. After whatever happens
    to it, the same move goes on where it was.
    """
    if source.name == target.name:
        raise MoveError(f"Both are {source.name}.")
    source.require_there()
    with _told(source, target), source.taken() as here, target.taken() as there:
        mark = _begin(source, here, target, there)
        here.begin_snapshot()
        _copy(here, there, tell)
        values = _checked(source, here, target, there, tell)
        key = source.key(here)
        here.rollback()
        _mark(here, msgspec.structs.replace(mark, done=True))
        return _finish(target, there, values, key)


def undo(source: Location) -> None:
    """Have a database served again that was moved, or was to be: as it was then.

    If it has been served from elsewhere since, clients start over. Raises as `move` does.
    """
    source.require_there()
    with _told(source, source), source.taken() as db:
        mark = _mark_in(db)
        if mark is None:
            raise MoveError(f"{source.name} was not moved.")
        db.begin()
        db.run(_FORGET, key=MOVED)
        if mark.done:
            db.run(_FORGET, key=EPOCH)
        db.commit()


def _begin(source: Location, here: Connection, target: Location, there: Connection) -> Mark:
    """Mark both sides, unless they are already."""
    mark = _mark_in(here)
    if mark is None:
        source.database.migrate()
        require_served(source.name, here.tables(), None)
        mark = Mark(secrets.token_hex(8), target.name)
    elif mark.to != target.name or (mark.done and arriving.name not in there.tables()):
        raise moved_away(source.name, mark)
    _require_this_schema(source, here)
    if not _goes_on(target, there, mark):
        _make_ready(target, there, mark)
        _mark(here, mark)
    _require_this_schema(target, there)
    return mark


def _goes_on(target: Location, there: Connection, mark: Mark) -> bool:
    """Whether this very move has begun there. Raises MoveError if anything else has."""
    tables = there.tables()
    if not tables:
        return False
    if arriving.name not in tables:
        target.database.migrate()  # which knows what is not ours
    elif there.rows(_WHICH) == [(mark.move,)]:
        return True
    if not is_empty(there):
        what = "a part of another move" if arriving.name in tables else "a chat already"
        raise MoveError(f"{target.name} has {what}. Give an empty database, or another folder.")
    return False


def _make_ready(target: Location, there: Connection, mark: Mark) -> None:
    """Mark a target that has nothing yet, or the mark of a move that got no further."""
    if arriving.name in there.tables():
        there.begin()
        there.execute(_HAS_ARRIVED)
        there.commit()
    target.database.migrate()
    there.begin()
    there.execute(_ARRIVES)
    there.run(_NOTE_WHICH, id=mark.move)
    there.commit()


def _copy(here: Connection, there: Connection, tell: Tell) -> None:
    total, done = count_of(here), count_of(there)
    for table in TABLES:
        there.begin()
        for rows in copy_rows(here, there, table):
            there.commit()
            done += rows
            tell("Copying", done, total)
            there.begin()
        there.commit()


def _checked(
    source: Location, here: Connection, target: Location, there: Connection, tell: Tell
) -> dict[str, str]:
    """The server's values as they are to be in the target, once all else is the same on both sides.

    Raises MoveError.
    """
    total, done = 2 * count_of(here), 0

    def read(rows: int) -> None:
        nonlocal done
        done += rows
        tell("Checking", done, total)

    there.begin_snapshot()
    ours, theirs = digests_of(here, read), digests_of(there, read)
    there.rollback()
    if wrong := [name for name in ours if ours[name] != theirs[name]]:
        raise MoveError(
            f"{target.name} did not take all as it is: {', '.join(wrong)} differ. Empty it, and "
            "move again."
        )
    values = values_of(here)
    # One put back from a copy, which has not been served since: clients must start over.
    if not source.knows_all(values.get(EPOCH, ""), Tx(here, 0).total_rev()):
        values.pop(EPOCH, None)
    return values


def _finish(
    target: Location, there: Connection, values: dict[str, str], key: bytes | None
) -> MoveResult:
    """In one transaction, from which on the target is a chat like any other."""
    there.begin()
    add_values(there, values)
    are_signed_in = key is None or target.adopt(there, key)
    settle(there)
    there.execute(_HAS_ARRIVED)
    if EPOCH in values:
        target.note_shown(values[EPOCH], Tx(there, 0).total_rev())
    if values_of(there) != values:
        raise MoveError(f"{target.name} did not take the server's settings. Run it again.")
    contents = contents_of(there)
    there.commit()
    return MoveResult(contents, are_signed_in)


def _mark_in(db: Connection) -> Mark | None:
    if server.name not in db.tables():
        return None
    kept = Tx(db, 0).server_values().get(MOVED)
    return mark_of(kept) if kept else None


def _mark(db: Connection, mark: Mark) -> None:
    db.begin()
    Tx(db, 0).set_server_value(MOVED, msgspec.json.encode(mark).decode())
    db.commit()


def _require_this_schema(place: Location, db: Connection) -> None:
    if (schema := schema_of(db)) != HEAD:
        raise MoveError(
            f"{place.name} has schema {schema}, and this Hubbub knows {HEAD}. Move it with the "
            "Hubbub that serves it."
        )


@contextlib.contextmanager
def _closing(database: Database) -> Iterator[Connection]:
    db = database.copier()
    try:
        yield db
    finally:
        with contextlib.suppress(*database.errors):
            db.rollback()
        database.upkeep(db).finish()
        db.close()
        database.close()


def _patiently(is_done: Callable[[], bool]) -> bool:
    """Try until it is, for a while; whether it came to that."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(TRY_EVERY_S)
    return True


@contextlib.contextmanager
def _told(*places: Location) -> Iterator[None]:
    """The drivers' errors in our words."""
    try:
        yield
    except ImpossibleRow as error:
        raise MoveError(f"{places[0].name} is damaged ({error}). {MEND}") from error
    except tuple({kind for place in places for kind in place.database.errors}) as error:
        for database in (place.database for place in places):
            if database.is_damage(error):
                why = database.why_failed(error)
                raise MoveError(f"{database.name} is damaged ({why}). {MEND}") from error
        why = " ".join(str(error).split()).rstrip(".")
        raise MoveError(
            f"It came to a stop ({why}). When that is mended, the same command goes on."
        ) from error
    except OSError as error:
        raise MoveError(f"It came to a stop ({error}). The same command goes on.") from error
