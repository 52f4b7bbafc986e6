"""One database: opening it, its connections, and its errors in our words."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect

from hubbub.model.errors import HubbubError, Unavailable
from hubbub.store.erasure import overwrite_unused, read_log
from hubbub.store.migrations import HEAD
from hubbub.store.sql import Row, Sized, Sql, Values

BUSY_TIMEOUT_MS = 5_000
WRITER_WAITS_MS = 2_000  # for the lock: less, as a stop has 5 s for all that it does
# For readers who keep a checkpoint from its end: nobody can write meanwhile. Our own read for
# milliseconds; a backup reads for as long as it takes, and the next checkpoint tries again.
CHECKPOINT_WAITS_MS = 50
TRUNCATE_ABOVE_BYTES = 64 * 1024 * 1024

# What the driver raises when disk, lock or connection fail; anything else is a bug of ours.
FAILURES = (sqlite3.OperationalError,)


class DatabaseError(HubbubError):
    """The database cannot be used at all; the message says why and what to do."""

    code = "database"
    title = "The database cannot be used."


class Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, driver: sqlite3.Connection, dialect: Dialect) -> None:
        self._driver = driver
        self._dialect = dialect
        self._cursor = driver.cursor()
        # SQLite's own knows ASCII only: “Über” would neither be found nor be in its place.
        driver.create_function("lower", 1, str.lower, deterministic=True)

    def rows(self, statement: Sql, **values: Any) -> list[Row]:
        return self._run(statement, values).fetchall()

    def row(self, statement: Sql, **values: Any) -> Row | None:
        """The first row, if there is one."""
        found = self._run(statement, values).fetchall()
        return found[0] if found else None

    def run(self, statement: Sql, **values: Any) -> int:
        """Change something; how many rows it was."""
        return self._run(statement, values).rowcount

    def look_up(self, statement: Sized, keys: Sequence[Values], **values: Any) -> list[Row]:
        """The rows for all keys, in no order."""
        found: list[Row] = []
        for part, numbered in statement.padded(keys):
            found.extend(self._run(part, {**numbered, **values}).fetchall())
        return found

    def insert(self, statement: Sized, rows: Sequence[Values]) -> None:
        for part, numbered in statement.exact(rows):
            self._run(part, numbered)

    def _run(self, statement: Sql, values: Values) -> sqlite3.Cursor:
        text, literals = statement.compiled(self._dialect)
        return self._cursor.execute(text, {**literals, **values} if literals else values)

    def begin(self) -> None:
        """Begin to write: takes the lock now, so that no read in it can go stale."""
        self._cursor.execute("BEGIN IMMEDIATE")

    def begin_snapshot(self) -> None:
        """Begin to read: all reads until the end see one state."""
        self._cursor.execute("BEGIN")

    def commit(self) -> None:
        self._cursor.execute("COMMIT")

    def rollback(self) -> None:
        if self._driver.in_transaction:
            self._cursor.execute("ROLLBACK")

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is inside, and only that, if it raises."""
        self._cursor.execute("SAVEPOINT one")
        try:
            yield
        except BaseException:
            self._cursor.execute("ROLLBACK TO one")
            self._cursor.execute("RELEASE one")
            raise
        self._cursor.execute("RELEASE one")

    def wait_for_lock(self, limit_ms: int) -> None:
        """How long to wait for another program's lock from now on."""
        self._cursor.execute(f"PRAGMA busy_timeout={limit_ms}")

    def checkpoint(self, mode: str) -> bool:
        """Move the log into the database; False if a reader kept part of it."""
        (patience_ms,) = self._cursor.execute("PRAGMA busy_timeout").fetchone()
        self.wait_for_lock(min(patience_ms, CHECKPOINT_WAITS_MS))
        try:
            busy, _, _ = self._cursor.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        finally:
            self.wait_for_lock(patience_ms)
        return not busy

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from writing, and write nothing either. Raises what `begin` raises."""
        self.begin()
        try:
            yield
        finally:
            self.rollback()

    def changes_of_others(self) -> int:
        """A number that is another one once another program has changed the database."""
        (version,) = self._cursor.execute("PRAGMA data_version").fetchone()
        return int(version)

    def forget_pages(self) -> None:
        """Drop the pages held in memory, which are read again when they are needed."""
        self._cursor.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        self._driver.close()


class Database:
    """An SQLite database in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dialect: Dialect = sqlite_dialect.dialect(paramstyle="named")
        self._log = path.with_name(path.name + "-wal")
        self._file: int | None = None
        self._unused_in: set[int] = set()  # pages whose unused middle is still to be overwritten

    def migrate(self) -> None:
        """Bring the schema to this release's. Raises DatabaseError, Unavailable.

        Alembic is loaded only when there is something to do: it doubles the time of a start.
        """
        # Looked at before it is changed in any way: it may be another program's.
        with contextlib.closing(self._connect()) as driver:
            version = _version(driver, self.path)
        if version == HEAD:
            return
        from hubbub.store.migrations.run import upgrade

        upgrade(self.path, version)

    def writer(self) -> Connection:
        driver = self._open()
        # FULL: a commit is on disk before it is acknowledged. Checkpoints are the ledger's,
        # on this same connection (SQLite before 3.51.3 may corrupt a log that is reset
        # beside a commit).
        for pragma in ("synchronous=FULL", "secure_delete=ON", "wal_autocheckpoint=0"):
            driver.execute(f"PRAGMA {pragma}")
        writer = Connection(driver, self.dialect)
        writer.wait_for_lock(WRITER_WAITS_MS)
        return writer

    def reader(self) -> Connection:
        driver = self._open()
        for pragma in ("query_only=ON", "wal_autocheckpoint=0", "cache_size=-1024"):
            driver.execute(f"PRAGMA {pragma}")
        return Connection(driver, self.dialect)

    def checkpoint(self, writer: Connection, mode: str) -> tuple[bool, int]:
        """Move the log into the database, and overwrite what that leaves of deleted texts.

        Whether both were done to the end (no reader kept part of the log, and no other program
        wrote beside us), and how many pages the log had. By the writer's thread only, between
        transactions.
        """
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR)
        log = read_log(self._log)
        self._unused_in |= log.pages
        changes = writer.changes_of_others()
        is_moved = False
        is_overwritten = False
        # Before the log is cut: after a crash in between, it still names the pages.
        for step in dict.fromkeys(("PASSIVE", mode)):
            is_moved = writer.checkpoint(step)
            with writer.alone():
                # A program that has written beside us may be moving its own pages right now.
                is_overwritten = writer.changes_of_others() == changes
                if is_overwritten:
                    overwrite_unused(self._file, log.page_bytes, self._unused_in)
        is_done = is_moved and is_overwritten
        if is_done:
            self._unused_in = set()
        # They have what was overwritten, and would bring it back when they are written again.
        writer.forget_pages()
        return is_done, log.frames

    def close(self) -> None:
        """After all connections: closing the file earlier would take SQLite's locks from them."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def log_bytes(self) -> int:
        """How long the write-ahead log's file is."""
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    def _connect(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(
                self.path,
                timeout=BUSY_TIMEOUT_MS / 1000,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
            )
        except sqlite3.Error as error:
            raise DatabaseError(_why_not(self.path, error)) from error

    def _open(self) -> sqlite3.Connection:
        driver = self._connect()
        try:
            driver.execute("PRAGMA journal_mode=WAL").fetchone()
            driver.execute("PRAGMA foreign_keys=ON")
        except sqlite3.Error as error:
            driver.close()
            raise DatabaseError(_why_not(self.path, error)) from error
        return driver


def _why_not(path: Path, error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
        return f"{path} is not a database. Move it away, or give another folder with --data."
    return f"{path} cannot be opened ({error})."


def _version(driver: sqlite3.Connection, path: Path) -> str | None:
    """The schema's version, None for a new database. Raises DatabaseError."""
    try:
        tables = {name for (name,) in driver.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return None
        if "alembic_version" not in tables or "rooms" not in tables:
            raise DatabaseError(
                f"{path} holds something that is not Hubbub's. Give another folder with --data."
            )
        row = driver.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise DatabaseError(_why_not(path, error)) from error
    version = str(row[0]) if row else ""
    if version > HEAD:
        raise DatabaseError(
            f"{path} was written by a newer Hubbub (schema {version}; this one knows {HEAD}). "
            "Install that version or a later one."
        )
    return version


def unavailable(error: Exception) -> Unavailable:
    """The error to answer with when the driver fails; the cause goes to the log only."""
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return Unavailable("The database is locked by another program. Try again in a moment.")
    if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
        return Unavailable("The server's disk is full. Nothing can be written until there is room.")
    return Unavailable()
