"""A connection to an SQLite file, or to an image in memory."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect

from hubbub.model.base import Millis
from hubbub.store.engines import database
from hubbub.store.engines.database import DatabaseError
from hubbub.store.engines.sql import Bound, Row, Sql, Values
from hubbub.store.engines.sqlite.errors import error_text, open_error

BUSY_TIMEOUT_MS = 5_000
# How long a checkpoint waits for readers, as it blocks writing meanwhile. Our own readers take
# milliseconds. A backup may read for long; then the next checkpoint tries again.
CHECKPOINT_BUSY_TIMEOUT_MS = 50
SHUTDOWN_BUSY_TIMEOUT_MS = 500  # for another program's lock, while the server stops
PROGRESS_STEPS = 10_000  # of SQLite's virtual machine between checks of the deadline
STATEMENT_CACHE_SIZE = 512  # compiled statements per connection
COPY_STEP_PAGES = 1_024  # pages in each step of a copy

DIALECT: Dialect = sqlite_dialect.dialect(paramstyle="qmark")
SIDE_FILES = ("-wal", "-shm", "-journal")  # files that SQLite creates beside a database

_EXISTING = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


class Connection(database.Connection):
    """One connection, used by one thread at a time."""

    def __init__(self, driver: apsw.Connection) -> None:
        super().__init__(DIALECT)
        self._driver = driver
        self._cursor = driver.cursor()
        # SQLite's own `lower` supports only ASCII: “Über” would not be found, or sorted correctly.
        driver.create_scalar_function("lower", _lower, 1, deterministic=True)

    def execute(self, text: str, values: Bound | None = None) -> list[Row]:
        try:
            return self._cursor.execute(text, values).fetchall()
        except UnicodeDecodeError:
            raise _undecodable() from None

    def change(self, text: str, values: Bound | None = None) -> int:
        self._cursor.execute(text, values)
        return self._driver.changes()

    def execute_many(self, text: str, rows: Sequence[Bound]) -> None:
        self._cursor.executemany(text, rows)

    def stream(self, statement: Sql, values: Values, size: int) -> Iterator[list[Row]]:
        compiled = statement.compiled(self.dialect)
        with contextlib.closing(self._driver.cursor()) as cursor:
            cursor.execute(compiled.text, compiled.bind(values))
            try:
                while rows := list(itertools.islice(cursor, size)):
                    yield rows
            except UnicodeDecodeError:
                raise _undecodable() from None

    def bulk_insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names, values = '", "'.join(columns), ", ".join("?" for _ in columns)
        into = f'INSERT INTO {table} ("{names}") VALUES ({values})'  # noqa: S608 - our own names
        self._cursor.executemany(into, rows)

    def tables(self) -> set[str]:
        return {name for (name,) in self.execute("SELECT name FROM sqlite_master")}

    def begin(self, *, exclusive: bool = True) -> None:
        """Take the write lock first, so that no read becomes stale; always exclusive."""
        self._cursor.execute("BEGIN IMMEDIATE")

    def begin_migration(self) -> None:
        self.begin()

    def begin_snapshot(self) -> None:
        self._cursor.execute("BEGIN")

    def commit(self) -> None:
        self._cursor.execute("COMMIT")

    def rollback(self) -> None:
        if self._driver.in_transaction:
            self._cursor.execute("ROLLBACK")

    def clock(self) -> Millis:
        return time.time_ns() // 1_000_000

    def shorten_lock_timeout(self) -> None:
        self.wait_for_lock(SHUTDOWN_BUSY_TIMEOUT_MS)

    def wait_for_lock(self, limit_ms: int) -> None:
        """Set the limit for waiting for another program's lock."""
        self.execute(f"PRAGMA busy_timeout={limit_ms}")

    def checkpoint(self, mode: str) -> bool:
        """Move the log into the database; False if a reader still needs a part of it."""
        [(patience_ms,)] = self.execute("PRAGMA busy_timeout")
        self.wait_for_lock(min(patience_ms, CHECKPOINT_BUSY_TIMEOUT_MS))
        try:
            [(busy, _, _)] = self.execute(f"PRAGMA wal_checkpoint({mode})")
        finally:
            self.wait_for_lock(patience_ms)
        return not busy

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep others from writing, without writing anything. Raises apsw.Error."""
        self.begin()
        try:
            yield
        finally:
            self.rollback()

    def data_version(self) -> int:
        """A number that changes when another program changes the database."""
        [(version,)] = self.execute("PRAGMA data_version")
        return int(version)

    def drop_page_cache(self) -> None:
        """Drop the cached pages, which are read again when needed."""
        self.execute("PRAGMA shrink_memory")

    def copy_pages(self, path: Path, on_progress: Callable[[int, int], None]) -> None:
        """Copy the whole database into a new file, without a journal.

        ``on_progress`` is called after each step with the number of pages done and of all pages.
        """
        with contextlib.closing(apsw.Connection(str(path))) as target:
            for pragma in ("journal_mode=OFF", "synchronous=OFF"):
                target.execute(f"PRAGMA {pragma}").fetchall()
            with target.backup("main", self._driver, "main") as backup:
                while not backup.done:
                    backup.step(COPY_STEP_PAGES)
                    on_progress(backup.page_count - backup.remaining, backup.page_count)

    def faults(self, check: str, limit_s: float | None = None) -> list[str]:
        """Run one of SQLite's checks, and return the faults; an empty list if it is sound.

        Raises apsw.InterruptError if it takes longer than the limit.
        """
        if limit_s is not None:
            deadline = time.monotonic() + limit_s
            self._driver.set_progress_handler(lambda: time.monotonic() > deadline, PROGRESS_STEPS)
        try:
            found = [" ".join(str(fault).split()) for (fault,) in self.execute(f"PRAGMA {check}")]
        except apsw.CorruptError as error:
            found = [error_text(error)]
        finally:
            self._driver.set_progress_handler(None)
        return [] if found == ["ok"] else found

    def close(self) -> None:
        self._driver.close()


def connect(path: Path) -> Connection:
    """Open a database file, creating it if it is missing. Raises DatabaseError."""
    try:
        driver = apsw.Connection(str(path), statementcachesize=STATEMENT_CACHE_SIZE)
    except apsw.Error as error:
        raise open_error(path, error) from error
    opened = Connection(driver)
    opened.wait_for_lock(BUSY_TIMEOUT_MS)
    return opened


def connect_existing(path: Path, parameters: str) -> Connection:
    """Open an existing file with SQLite's URI parameters, as ``mode=ro``. Raises apsw.Error."""
    driver = apsw.Connection(f"{path.absolute().as_uri()}?{parameters}", flags=_EXISTING)
    opened = Connection(driver)
    opened.wait_for_lock(BUSY_TIMEOUT_MS)
    return opened


def open_for_inspection(path: Path) -> Connection:
    """A read-only connection, which creates files beside the database only if SQLite needs them.

    If a killed program has left a transaction unfinished, SQLite rolls it back.
    Raises DatabaseError, apsw.Error.
    """
    log, journal = (path.with_name(path.name + end) for end in ("-wal", "-journal"))
    try:
        with path.open("rb"):  # SQLite would not report the reason of a failure
            pass
        if journal.exists():
            parameters = "mode=rw"
        else:
            parameters = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    except OSError as error:
        raise DatabaseError(
            f"{path} cannot be read ({error.strerror}). Make the server's user its owner."
        ) from error
    return connect_existing(path, parameters)


def _lower(*values: Any) -> str:
    try:
        return str.lower(*values)
    except TypeError:
        raise apsw.CorruptError("a number or a blob where a text belongs") from None


def _undecodable() -> apsw.CorruptError:
    """An error without the text itself, as errors are logged."""
    return apsw.CorruptError("a text that is not UTF-8")
