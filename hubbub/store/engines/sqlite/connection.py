"""One connection to an SQLite file, or to an image in memory."""

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
from hubbub.store.engines.sqlite.errors import refusal, said_by

BUSY_TIMEOUT_MS = 5_000
# For readers who keep a checkpoint from its end: nobody can write meanwhile. Our own read for
# milliseconds; a backup reads for as long as it takes, and the next checkpoint tries again.
CHECKPOINT_WAITS_MS = 50
CLOSING_WAITS_MS = 500  # for another program's lock, once the server stops
LOOK_STEPS = 10_000  # of SQLite's machine between two looks at the time
STATEMENTS_KEPT = 512  # compiled, for each connection
PAGES_AT_ONCE = 1_024  # of a copy

DIALECT: Dialect = sqlite_dialect.dialect(paramstyle="qmark")
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite makes beside a database

_EXISTING = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


class Connection(database.Connection):
    """One connection, used by one thread at a time."""

    def __init__(self, driver: apsw.Connection) -> None:
        super().__init__(DIALECT)
        self._driver = driver
        self._cursor = driver.cursor()
        # SQLite's own knows ASCII only: “Über” would neither be found nor be in its place.
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
        names, places = '", "'.join(columns), ", ".join("?" for _ in columns)
        into = f'INSERT INTO {table} ("{names}") VALUES ({places})'  # noqa: S608 - our own names
        self._cursor.executemany(into, rows)

    def tables(self) -> set[str]:
        return {name for (name,) in self.execute("SELECT name FROM sqlite_master")}

    def begin(self, *, alone: bool = True) -> None:
        """Takes the lock now, so that no read in it can go stale; here one always is alone."""
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

    def hurry(self) -> None:
        self.wait_for_lock(CLOSING_WAITS_MS)

    def wait_for_lock(self, limit_ms: int) -> None:
        """Set how long to wait for another program's lock from now on."""
        self.execute(f"PRAGMA busy_timeout={limit_ms}")

    def checkpoint(self, mode: str) -> bool:
        """Move the log into the database; False if a reader kept part of it."""
        [(patience_ms,)] = self.execute("PRAGMA busy_timeout")
        self.wait_for_lock(min(patience_ms, CHECKPOINT_WAITS_MS))
        try:
            [(busy, _, _)] = self.execute(f"PRAGMA wal_checkpoint({mode})")
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
        [(version,)] = self.execute("PRAGMA data_version")
        return int(version)

    def forget_pages(self) -> None:
        """Drop the pages held in memory, which are read again when they are needed."""
        self.execute("PRAGMA shrink_memory")

    def copy_pages(self, path: Path, copied: Callable[[int, int], None]) -> None:
        """Copy the whole database into a file, which needs no journal: it is new, or thrown away.

        ``copied`` gets how many pages are done, and how many there are, after some of them each.
        """
        with contextlib.closing(apsw.Connection(str(path))) as target:
            for pragma in ("journal_mode=OFF", "synchronous=OFF"):
                target.execute(f"PRAGMA {pragma}").fetchall()
            with target.backup("main", self._driver, "main") as backup:
                while not backup.done:
                    backup.step(PAGES_AT_ONCE)
                    copied(backup.page_count - backup.remaining, backup.page_count)

    def faults(self, check: str, limit_s: float | None = None) -> list[str]:
        """Check the whole file; return the faults found, or nothing if it is sound.

        Raises apsw.InterruptError if it has taken longer than the limit.
        """
        if limit_s is not None:
            deadline = time.monotonic() + limit_s
            self._driver.set_progress_handler(lambda: time.monotonic() > deadline, LOOK_STEPS)
        try:
            found = [" ".join(str(fault).split()) for (fault,) in self.execute(f"PRAGMA {check}")]
        except apsw.CorruptError as error:
            found = [said_by(error)]
        finally:
            self._driver.set_progress_handler(None)
        return [] if found == ["ok"] else found

    def close(self) -> None:
        self._driver.close()


def connect(path: Path) -> Connection:
    """Open the file, making it if there is none. Raises DatabaseError."""
    try:
        driver = apsw.Connection(str(path), statementcachesize=STATEMENTS_KEPT)
    except apsw.Error as error:
        raise refusal(path, error) from error
    opened = Connection(driver)
    opened.wait_for_lock(BUSY_TIMEOUT_MS)
    return opened


def connect_as(path: Path, how: str) -> Connection:
    """Open a file that there is in a mode of SQLite's, such as ``mode=ro``. Raises apsw.Error."""
    driver = apsw.Connection(f"{path.absolute().as_uri()}?{how}", flags=_EXISTING)
    opened = Connection(driver)
    opened.wait_for_lock(BUSY_TIMEOUT_MS)
    return opened


def look_into(path: Path) -> Connection:
    """A connection that changes nothing, not even by making files beside it if it can do without.

    What a program that was killed has left half done it puts right, as SQLite has to.
    Raises DatabaseError, apsw.Error.
    """
    log, journal = (path.with_name(path.name + end) for end in ("-wal", "-journal"))
    try:
        with path.open("rb"):  # SQLite does not say why it cannot
            pass
        if journal.exists():
            how = "mode=rw"
        else:
            how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    except OSError as error:
        raise DatabaseError(
            f"{path} cannot be read ({error.strerror}). Make it the server's user's."
        ) from error
    return connect_as(path, how)


def _lower(*values: Any) -> str:
    try:
        return str.lower(*values)
    except TypeError:
        raise apsw.CorruptError("a number or a blob where a text belongs") from None


def _undecodable() -> apsw.CorruptError:
    """Without the text itself, which is nobody's business."""
    return apsw.CorruptError("a text that is not UTF-8")
