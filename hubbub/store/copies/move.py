"""Moves a whole chat from one database to another.

Sessions, tokens and the epoch are moved as well, so that clients notice no more than a restart. An
interrupted move continues where it stopped; until it is complete, neither database can be served
(see `move_marker`).
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
    Progress,
    add_values,
    contents_of,
    copy_rows,
    count_rows,
    digests_of,
    is_empty,
    reset_sequences,
    schema_of,
    values_of,
)
from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.database import REPAIR_HINT, Connection, Database
from hubbub.store.engines.opening import missing_chat_message, require_chat
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.engines.sql import Sql
from hubbub.store.engines.sqlite.connection import SIDE_FILES
from hubbub.store.engines.sqlite.database import Database as SqliteDatabase
from hubbub.store.schema.migrations import HEAD
from hubbub.store.schema.move_marker import (
    MOVED,
    MovedError,
    MoveMarker,
    incoming_move,
    moved_error,
    parse_move_marker,
    require_not_moved,
)
from hubbub.store.schema.tables import server
from hubbub.store.tx import Tx

# How long to wait for a server, command or connection that is just ending.
LOCK_TIMEOUT_S = 5.0
RETRY_INTERVAL_S = 0.05

_DELETE_VALUE = Sql(delete(server).where(server.c.key == bindparam("key")))
_CREATE_INCOMING = str(CreateTable(incoming_move))
_DROP_INCOMING = str(DropTable(incoming_move))
_INCOMING_ID = Sql(select(incoming_move.c.id))
_SET_INCOMING_ID = Sql(insert(incoming_move).values(id=bindparam("id")))


class MoveError(HubbubError):
    """The move cannot start or continue; the message says why, and what to do."""

    code = "move"
    title = "The chat cannot be moved."


class MoveResult(NamedTuple):
    """A moved chat. ``are_signed_in``: whether sessions and bots' tokens stay valid."""

    contents: Contents
    are_signed_in: bool


class Location(ABC):
    """The source or target of a move: a database, and the files beside it."""

    database: Database

    @property
    def name(self) -> str:
        return self.database.name

    @abstractmethod
    def require_exists(self) -> None:
        """Raises FolderError if there is no database."""

    @abstractmethod
    def locked(self) -> contextlib.AbstractContextManager[Connection]:
        """A connection while nobody else can write.

        Raises FolderError, MoveError, DatabaseError.
        """

    @abstractmethod
    def key(self, db: Connection) -> bytes | None:
        """The session signing key, or None."""

    @abstractmethod
    def adopt_key(self, db: Connection, key: bytes) -> bool:
        """Make this the signing key; False if there is another one, which stays."""

    @abstractmethod
    def has_all_shown_revs(self, epoch: str, total: int) -> bool:
        """Whether ``total`` revs include all that this location has shown to clients."""

    @abstractmethod
    def note_shown(self, epoch: str, total: int) -> None:
        """Note how many revs the moved database has."""


class FolderLocation(Location):
    """A data folder."""

    database: SqliteDatabase

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path)
        self.database = SqliteDatabase(self.folder.database)

    def require_exists(self) -> None:
        require_chat(self.folder)
        with contextlib.suppress(MovedError):  # `move` and `undo` handle that
            self.database.inspect(missing_chat_message(self.database, self.folder))

    @contextlib.contextmanager
    def locked(self) -> Iterator[Connection]:
        self.folder.prepare()
        try:
            if not _retry(self.folder.lock):
                raise FolderError(f"A server is using {self.folder.path}. Stop it first.")
            self._require_no_orphan_log()
            with _closing(self.database) as db:
                yield db
        finally:
            self.folder.release()

    def _require_no_orphan_log(self) -> None:
        """Raises FolderError if there is a log, which SQLite would apply to the moved database."""
        database = self.folder.database
        for end in () if database.exists() else SIDE_FILES:
            found = database.with_name(database.name + end)
            if found.exists():
                raise FolderError(f"{found} exists without its database. Move it away.")

    def key(self, db: Connection) -> bytes | None:
        return self.folder.key.read_bytes() if self.folder.key.exists() else None

    def adopt_key(self, db: Connection, key: bytes) -> bool:
        return self.folder.adopt_secret(key)

    def has_all_shown_revs(self, epoch: str, total: int) -> bool:
        shown = self.folder.shown(epoch)
        return total == 0 or (shown is not None and shown <= total)

    def note_shown(self, epoch: str, total: int) -> None:
        self.folder.note_shown(epoch, total)


class ServerLocation(Location):
    """A database in a PostgreSQL server."""

    def __init__(self, url: str) -> None:
        from hubbub.store.engines.postgres import Database as Postgres

        self.database = Postgres(url)

    def require_exists(self) -> None:
        """Nothing to check before it is opened."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[Connection]:
        from hubbub.store.engines.postgres import Connection as Postgres

        with _closing(self.database) as db:
            assert isinstance(db, Postgres)
            if not _retry(lambda: db.try_writer_lock() and not db.count_other_connections()):
                raise MoveError(
                    f"Servers or other Hubbub commands are using {self.name}. Stop them first."
                )
            yield db

    def key(self, db: Connection) -> bytes | None:
        return Tx(db, 0).secret()

    def adopt_key(self, db: Connection, key: bytes) -> bool:
        Tx(db, 0).set_secret(key)
        return True

    def has_all_shown_revs(self, epoch: str, total: int) -> bool:
        return True

    def note_shown(self, epoch: str, total: int) -> None:
        """Not necessary: its servers note it in their own folders."""


def parse_location(text: str) -> Location:
    """Parse the URL of a PostgreSQL database, or the path of a data folder or its hubbub.db.

    A path may also be written as ``sqlite:///…``. Raises DatabaseError, MoveError.
    """
    if text.startswith(("postgresql://", "postgres://")):
        return ServerLocation(text)
    scheme, separator, rest = text.partition(":///")
    if separator and scheme != "sqlite":
        raise MoveError(f"“{text}” is neither a data folder nor postgresql://….")
    path = Path(rest if separator else text)
    return FolderLocation(path.parent if path.name == DataFolder(path).database.name else path)


def move(source: Location, target: Location, on_progress: Progress) -> MoveResult:
    """Copy everything, compare both sides, and make the target the database to serve.

    Raises MoveError, MovedError, FolderError, DatabaseError, Unavailable. After any failure, the
    same move continues where it stopped.
    """
    if source.name == target.name:
        raise MoveError(f"The source and the target are both {source.name}.")
    source.require_exists()
    with (
        _translating_errors(source, target),
        source.locked() as source_db,
        target.locked() as target_db,
    ):
        marker = _begin(source, source_db, target, target_db)
        source_db.begin_snapshot()
        _copy(source_db, target_db, on_progress)
        values = _verify(source, source_db, target, target_db, on_progress)
        key = source.key(source_db)
        source_db.rollback()
        _save_marker(source_db, msgspec.structs.replace(marker, done=True))
        return _finish(target, target_db, values, key)


def undo(source: Location) -> None:
    """Make the source of a complete or unfinished move usable again, in its old state.

    After a complete move, clients start over. Raises the same errors as `move`.
    """
    source.require_exists()
    with _translating_errors(source, source), source.locked() as db:
        marker = _find_marker(db)
        if marker is None:
            raise MoveError(f"{source.name} was not moved.")
        db.begin()
        db.run(_DELETE_VALUE, key=MOVED)
        if marker.done:
            db.run(_DELETE_VALUE, key=EPOCH)
        db.commit()


def _begin(
    source: Location, source_db: Connection, target: Location, target_db: Connection
) -> MoveMarker:
    """Mark both databases, unless this move has begun before, and return the marker."""
    marker = _find_marker(source_db)
    if marker is None:
        source.database.migrate()
        require_not_moved(source.name, source_db.tables(), None)
        marker = MoveMarker(secrets.token_hex(8), target.name)
    elif marker.to != target.name or (marker.done and incoming_move.name not in target_db.tables()):
        raise moved_error(source.name, marker)
    _require_current_schema(source, source_db)
    if not _has_begun(target, target_db, marker):
        _prepare_target(target, target_db, marker)
        _save_marker(source_db, marker)
    _require_current_schema(target, target_db)
    return marker


def _has_begun(target: Location, target_db: Connection, marker: MoveMarker) -> bool:
    """Whether this move has begun to fill the target. Raises MoveError if it has other data."""
    tables = target_db.tables()
    if not tables:
        return False
    if incoming_move.name not in tables:
        target.database.migrate()  # raises if it is another program's database
    elif target_db.rows(_INCOMING_ID) == [(marker.move,)]:
        return True
    if not is_empty(target_db):
        content = "a part of another move" if incoming_move.name in tables else "a chat"
        raise MoveError(
            f"{target.name} already has {content}. Give an empty database, or another folder."
        )
    return False


def _prepare_target(target: Location, target_db: Connection, marker: MoveMarker) -> None:
    """Mark a target that is empty, apart from the marker of a move that copied nothing."""
    if incoming_move.name in target_db.tables():
        target_db.begin()
        target_db.execute(_DROP_INCOMING)
        target_db.commit()
    target.database.migrate()
    target_db.begin()
    target_db.execute(_CREATE_INCOMING)
    target_db.run(_SET_INCOMING_ID, id=marker.move)
    target_db.commit()


def _copy(source_db: Connection, target_db: Connection, on_progress: Progress) -> None:
    total, done = count_rows(source_db), count_rows(target_db)
    for table in TABLES:
        target_db.begin()
        for rows in copy_rows(source_db, target_db, table):
            target_db.commit()
            done += rows
            on_progress("Copying", done, total)
            target_db.begin()
        target_db.commit()


def _verify(
    source: Location,
    source_db: Connection,
    target: Location,
    target_db: Connection,
    on_progress: Progress,
) -> dict[str, str]:
    """Compare both sides, and return the values of the table `server` for the target.

    Raises MoveError.
    """
    total, done = 2 * count_rows(source_db), 0

    def read(rows: int) -> None:
        nonlocal done
        done += rows
        on_progress("Checking", done, total)

    target_db.begin_snapshot()
    expected, actual = digests_of(source_db, read), digests_of(target_db, read)
    target_db.rollback()
    if different := [name for name in expected if expected[name] != actual[name]]:
        raise MoveError(
            f"The copy in {target.name} differs in {', '.join(different)}. Empty that database, "
            "and move again."
        )
    values = values_of(source_db)
    # The source was restored from an older copy and not served since, so clients must start over.
    if not source.has_all_shown_revs(values.get(EPOCH, ""), Tx(source_db, 0).total_rev()):
        values.pop(EPOCH, None)
    return values


def _finish(
    target: Location, target_db: Connection, values: dict[str, str], key: bytes | None
) -> MoveResult:
    """Complete the target in one transaction, after which it can be served."""
    target_db.begin()
    add_values(target_db, values)
    are_signed_in = key is None or target.adopt_key(target_db, key)
    reset_sequences(target_db)
    target_db.execute(_DROP_INCOMING)
    if EPOCH in values:
        target.note_shown(values[EPOCH], Tx(target_db, 0).total_rev())
    if values_of(target_db) != values:
        raise MoveError(f"{target.name} did not store the server's settings. Move again.")
    contents = contents_of(target_db)
    target_db.commit()
    return MoveResult(contents, are_signed_in)


def _find_marker(db: Connection) -> MoveMarker | None:
    if server.name not in db.tables():
        return None
    stored = Tx(db, 0).server_values().get(MOVED)
    return parse_move_marker(stored) if stored else None


def _save_marker(db: Connection, marker: MoveMarker) -> None:
    db.begin()
    Tx(db, 0).set_server_value(MOVED, msgspec.json.encode(marker).decode())
    db.commit()


def _require_current_schema(location: Location, db: Connection) -> None:
    if (schema := schema_of(db)) != HEAD:
        raise MoveError(
            f"{location.name} has schema {schema}, but this Hubbub needs {HEAD}. Move it with the "
            "Hubbub version that serves it."
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


def _retry(attempt: Callable[[], bool]) -> bool:
    """Call ``attempt`` until it returns True, or False after `LOCK_TIMEOUT_S`."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while not attempt():
        if time.monotonic() > deadline:
            return False
        time.sleep(RETRY_INTERVAL_S)
    return True


@contextlib.contextmanager
def _translating_errors(*locations: Location) -> Iterator[None]:
    """Turn errors of the drivers into MoveError."""
    try:
        yield
    except CorruptRow as error:
        raise MoveError(f"{locations[0].name} is damaged ({error}). {REPAIR_HINT}") from error
    except tuple({kind for location in locations for kind in location.database.errors}) as error:
        for database in (location.database for location in locations):
            if database.is_damage(error):
                why = database.failure_text(error)
                raise MoveError(f"{database.name} is damaged ({why}). {REPAIR_HINT}") from error
        why = " ".join(str(error).split()).rstrip(".")
        raise MoveError(
            f"The move was interrupted ({why}). When that is repaired, run the same command again."
        ) from error
    except OSError as error:
        raise MoveError(
            f"The move was interrupted ({error}). Run the same command again."
        ) from error
