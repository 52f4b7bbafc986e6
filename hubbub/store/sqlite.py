"""SQLite: the embedded database, in a file of the data folder."""

import contextlib
import math
import os
import shlex
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect

from hubbub.model.base import Millis
from hubbub.model.errors import Unavailable
from hubbub.model.names import LOBBY
from hubbub.store import database
from hubbub.store.database import DatabaseError, needs_migration, versions_in
from hubbub.store.erasure import FILE_HEADER_BYTES, is_page, overwrite_unused, read_log
from hubbub.store.migrations import HEAD, OLDEST
from hubbub.store.moved import MOVED, require_served
from hubbub.store.soundness import ImpossibleRow
from hubbub.store.sql import Row, Sql, Values
from hubbub.store.tables import metadata
from hubbub.store.tx import Tx

BUSY_TIMEOUT_MS = 5_000
WRITER_WAITS_MS = 2_000  # for the lock: less, as a stop has 5 s for all that it does
# For readers who keep a checkpoint from its end: nobody can write meanwhile. Our own read for
# milliseconds; a backup reads for as long as it takes, and the next checkpoint tries again.
CHECKPOINT_WAITS_MS = 50
CLOSING_WAITS_MS = 500  # for another program's lock, once the server stops
TRUNCATE_ABOVE_BYTES = 64 * 1024 * 1024
# The log is moved into the database when it is about so long: 16 MB take some 20 ms, in which
# nothing can be committed. How many batches that is depends on what is written.
LOG_PAGES = 4_096
CHECKPOINT_EVERY = (250, 1_000)  # batches: at least, at most
IDLE_S = 1.0  # without work for so long, the log is moved into the database
SCRUB_EVERY_S = 1.0  # deleted text leaves the log after at most this, even under load
SCRUB_IDLE_S = 0.05  # and after this, if nothing else is to be done
REST_MAX_S = 10.0  # between two checkpoints of a database or a disk that takes none

DIALECT: Dialect = sqlite_dialect.dialect(paramstyle="named")
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite makes beside a database

FAILURES = (sqlite3.DatabaseError,)
# Of a wrong statement, or of rows that contradict each other: by a bug, or by damage.
MISTAKES = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.NotSupportedError)

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ")
# What has no code of its own: texts that are none, and tables that are gone.
_DAMAGE_SAID = ("Could not decode to UTF-8", "no such table", "no such column", "user-defined")
LOOK_WITHIN_S = 1.0  # whether the database is at fault; nobody can write meanwhile
LOOK_EVERY_S = 60.0
LOOK_STEPS = 10_000  # of SQLite's machine between two looks at the time


class Connection(database.Connection):
    """One connection to the file."""

    def __init__(self, driver: sqlite3.Connection, dialect: Dialect) -> None:
        super().__init__(dialect)
        self._driver = driver
        self._cursor = driver.cursor()
        # SQLite's own knows ASCII only: “Über” would neither be found nor be in its place.
        driver.create_function("lower", 1, str.lower, deterministic=True)

    def execute(self, text: str, values: Values | None = None) -> sqlite3.Cursor:
        return self._cursor.execute(text, values or {})

    def execute_many(self, text: str, rows: Sequence[Values]) -> None:
        self._cursor.executemany(text, rows)

    def stream(self, statement: Sql, values: Values, size: int) -> Iterator[list[Row]]:
        text, literals = statement.compiled(self.dialect)
        with contextlib.closing(self._driver.cursor()) as cursor:
            cursor.execute(text, {**literals, **values})
            while rows := cursor.fetchmany(size):
                yield rows

    def pour(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names, places = '", "'.join(columns), ", ".join("?" for _ in columns)
        into = f'INSERT INTO {table} ("{names}") VALUES ({places})'  # noqa: S608 - our own names
        self._cursor.executemany(into, rows)

    def tables(self) -> set[str]:
        return {name for (name,) in self.execute("SELECT name FROM sqlite_master")}

    def begin(self, *, alone: bool = True) -> None:
        """Takes the lock now, so that no read in it can go stale; here one always is alone."""
        self._cursor.execute("BEGIN IMMEDIATE")

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

    def fault(self, limit_s: float) -> str | None:
        """The first fault that SQLite finds in the database within this many seconds."""
        deadline = time.monotonic() + limit_s
        self._driver.set_progress_handler(lambda: time.monotonic() > deadline, LOOK_STEPS)
        try:
            [(found,)] = self._cursor.execute("PRAGMA integrity_check(1)").fetchall()
        except sqlite3.OperationalError:
            return None  # it takes too long, or it is locked
        except sqlite3.DatabaseError as error:
            found = str(error)
        finally:
            self._driver.set_progress_handler(None, 0)
        return None if found == "ok" else " ".join(found.split())

    def close(self) -> None:
        self._driver.close()


class Database(database.Database):
    """An SQLite database in a file."""

    is_shared = False
    failures = FAILURES
    mistakes = MISTAKES
    errors = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self.dialect = DIALECT
        self._log = path.with_name(path.name + "-wal")
        self._file: int | None = None
        self._unused_in: set[int] = set()  # pages whose unused middle is still to be overwritten
        self._looking = threading.Lock()
        self._looked_at = -math.inf
        self._found: str | None = None

    def migrate(self, lost: str | None = None) -> None:
        """Alembic is loaded only when there is something to do: it doubles the time of a start."""
        version, works_with = self.look(lost)
        if needs_migration(version, works_with, self.name):
            from hubbub.store.migrations.run import upgrade_sqlite

            try:
                upgrade_sqlite(self.path, version)
            except Unavailable as error:
                if error.__cause__ and self.is_damage(error.__cause__):
                    raise damaged(self.path, str(error.__cause__)) from error
                raise

    def upkeep(self, writer: database.Connection) -> "Upkeep":
        assert isinstance(writer, Connection)
        return Upkeep(self, writer)

    def look(self, lost: str | None = None) -> tuple[str | None, str]:
        """The schema's version, and the oldest that it works with; nothing is changed by looking.

        It may be another program's, or damaged, and is then best left as it is. For ``lost`` see
        `migrate`. Raises DatabaseError, MovedError.
        """
        if has_nothing(self.path):
            if lost:
                raise DatabaseError(lost, is_damage=True)
            return None, OLDEST
        try:
            with contextlib.closing(look_into(self.path)) as driver:
                version, works_with = version_of(driver, self.path)
                is_new = version is None or not driver.execute("SELECT 1 FROM rooms").fetchone()
                if lost and is_new:
                    raise DatabaseError(lost, is_damage=True)
                if version is not None:
                    require_roots(driver, self.path)
                if version == HEAD:
                    self._require_tables(driver)
                if version == HEAD and not is_new:
                    require_what_a_start_reads(Connection(driver, self.dialect))
        except sqlite3.Error as error:
            raise _refusal(self.path, error) from error
        except ImpossibleRow as error:
            raise damaged(self.path, str(error)) from error
        return version, works_with

    def _require_tables(self, driver: sqlite3.Connection) -> None:
        """Raises ImpossibleRow."""
        there = {name for (name,) in driver.execute("SELECT name FROM sqlite_master")}
        if gone := metadata.tables.keys() - there:
            raise ImpossibleRow(f"it has no {', '.join(sorted(gone))}")

    def is_damage(self, error: BaseException) -> bool:
        return is_damage(error)

    def find_damage(self, db: database.Connection) -> str | None:
        """Once found it stays; else it is looked for again after a while."""
        assert isinstance(db, Connection)
        with self._looking:
            now = time.monotonic()
            if self._found is None and now - self._looked_at >= LOOK_EVERY_S:
                self._looked_at = now
                self._found = db.fault(LOOK_WITHIN_S)
            return self._found

    def why_failed(self, error: Exception) -> str:
        return said_by(error)

    def passing(self, error: Exception) -> Unavailable:
        if "locked" in str(error):
            return Unavailable("The database is locked by another program. Try again in a moment.")
        if "full" in str(error):
            return Unavailable(
                "The server's disk is full. Nothing can be written until there is room."
            )
        return Unavailable()

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

    def copier(self) -> Connection:
        """By itself, so that SQLite may move the log whenever it has 1,000 pages."""
        copier = self.writer()
        copier.execute("PRAGMA wal_autocheckpoint=1000")
        return copier

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
            raise _refusal(self.path, error) from error

    def _open(self) -> sqlite3.Connection:
        driver = self._connect()
        try:
            driver.execute("PRAGMA journal_mode=WAL").fetchone()
            driver.execute("PRAGMA foreign_keys=ON")
        except sqlite3.Error as error:
            driver.close()
            raise _refusal(self.path, error) from error
        return driver


def has_nothing(path: Path) -> bool:
    """Whether there is no database, or an empty file. Raises DatabaseError if it cannot be told."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise DatabaseError(f"{path} cannot be looked at ({error.strerror}).") from error
    if not stat.S_ISREG(found.st_mode):
        raise DatabaseError(
            f"{path} cannot be opened (it is not a file). Move it away and put back the latest "
            f"backup: {restoring(path.parent)}; or give another folder with --data."
        )
    return found.st_size == 0


def look_into(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, not even by making files beside it if it can do without.

    What a program that was killed has left half done it puts right, as SQLite has to.
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
    uri = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)


def require_roots(driver: sqlite3.Connection, path: Path) -> None:
    """Raises DatabaseError if a table or an index is damaged where it begins.

    Nothing in it could be read then. Pages further down are met by those only who ask for them.
    """
    page_bytes: int = driver.execute("PRAGMA page_size").fetchone()[0]
    newer = read_log(path.with_name(path.name + "-wal")).pages
    found = driver.execute("SELECT type, name, rootpage, sql FROM sqlite_master WHERE rootpage > 0")
    with path.open("rb") as file:
        for kind, name, number, sql in found:
            if number in newer:
                continue
            file.seek((number - 1) * page_bytes)
            page = file.read(page_bytes)
            is_index = kind == "index" or str(sql).rstrip().endswith("WITHOUT ROWID")
            at = FILE_HEADER_BYTES if number == 1 else 0
            if not is_page(page, at, is_index=is_index):
                raise damaged(path, f"of “{name}” nothing can be read")


def require_what_a_start_reads(db: Connection) -> None:
    """Raises sqlite3.Error, ImpossibleRow: it is best found before anything is written."""
    tx = Tx(db, 0)
    with db.suspecting():
        tx.server_values()
        tx.total_rev()
        tx.owners()
        if tx.room(LOBBY) is None:  # nobody can delete it
            raise ImpossibleRow("it has rooms, but no lobby")


def damaged(path: Path, why: str) -> DatabaseError:
    return DatabaseError(
        f"{path} is damaged ({why}). Run hubbub doctor, then put back the latest backup: "
        f"{restoring(path.parent)}.",
        is_damage=True,
    )


def restoring(folder: Path) -> str:
    return f"hubbub restore FILE --data {shlex.quote(str(folder))}"


def _refusal(path: Path, error: sqlite3.Error) -> DatabaseError:
    name, why = getattr(error, "sqlite_errorname", None) or "", said_by(error)
    if name == "SQLITE_NOTADB":
        return DatabaseError(
            f"{path} is not a database. Move it away, or give another folder with --data; if it "
            f"was a chat, put back the latest backup: {restoring(path.parent)}.",
            is_damage=True,
        )
    if is_damage(error):
        return damaged(path, why)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return DatabaseError(
            f"{path} cannot be opened ({why}). Make it, and all beside it, the server's user's."
        )
    return DatabaseError(f"{path} cannot be opened ({why}).")


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that what there is cannot be read, now or later."""
    if not isinstance(error, sqlite3.Error):
        return False
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(_DAMAGE) or any(said in str(error) for said in _DAMAGE_SAID)


def said_by(error: Exception) -> str:
    """In one line, and without the text that cannot be decoded, which is nobody's business."""
    return " ".join(str(error).partition(" with text ")[0].split())


def version_of(driver: sqlite3.Connection, path: Path) -> tuple[str | None, str]:
    """The schema's version, None for a new database, and the oldest that it works with.

    Raises DatabaseError, MovedError.
    """
    try:
        tables = {name for (name,) in driver.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return None, OLDEST
        if "alembic_version" not in tables or "rooms" not in tables:
            raise DatabaseError(
                f"{path} holds something that is not Hubbub's. Give another folder with --data; "
                "or, if there was a chat, move it away and put back the latest backup: "
                f"{restoring(path.parent)}."
            )
        versions = driver.execute("SELECT version_num FROM alembic_version").fetchall()
        values = dict(driver.execute("SELECT key, value FROM server"))
        found = versions_in(versions, values)
        require_served(str(path), tables, values.get(MOVED))
    except sqlite3.Error as error:
        raise _refusal(path, error) from error
    except ImpossibleRow as error:
        raise damaged(path, str(error)) from error
    return found


class Upkeep(database.Upkeep):
    """Checkpoints between batches, on the writer's own connection (see `Database.writer`)."""

    def __init__(self, database: Database, writer: Connection) -> None:
        self._database = database
        self._writer = writer
        self._batches = 0  # since the last checkpoint
        self._pages_a_batch = math.inf  # until the first checkpoint finds out
        self._scrub = False
        self._scrubbed_at = 0.0
        self._rest_s = 0.0  # after a checkpoint that failed: nothing is tried again for so long
        self._rests_until = 0.0

    def patience(self) -> float | None:
        if self._scrub:
            return max(SCRUB_IDLE_S, self._rests_until - time.monotonic())
        return IDLE_S if self._batches else None

    def committed(self, *, erased: bool) -> None:
        self._batches += 1
        self._scrub |= erased

    def tidy(self, *, idle: bool) -> None:
        now = time.monotonic()
        if now < self._rests_until:
            return
        try:
            self._tidy(now, idle=idle)
        except (OSError, *FAILURES):
            self._rest_s = min(REST_MAX_S, 2 * self._rest_s or SCRUB_EVERY_S)
            self._rests_until = now + self._rest_s
        else:
            self._rest_s = 0.0

    def _tidy(self, now: float, *, idle: bool) -> None:
        if self._scrub and (idle or now - self._scrubbed_at >= SCRUB_EVERY_S):
            self._scrubbed_at = now
            if self._checkpoint("TRUNCATE"):
                self._scrub = False
        elif idle or self._batches >= self._checkpoint_every():
            large = self._database.log_bytes() > TRUNCATE_ABOVE_BYTES
            self._checkpoint("TRUNCATE" if large else "PASSIVE")

    def finish(self) -> None:
        """SQLite does it too with the last connection, but leaves what it moves."""
        with contextlib.suppress(OSError, *FAILURES):
            self._checkpoint("TRUNCATE")

    def _checkpoint(self, mode: str) -> bool:
        batches, self._batches = self._batches, 0
        self.checkpoints += 1
        is_done, pages = self._database.checkpoint(self._writer, mode)
        if batches and pages:
            self._pages_a_batch = pages / batches
        return is_done

    def _checkpoint_every(self) -> int:
        """How many batches make a log of about the length wanted, as they were lately."""
        least, most = CHECKPOINT_EVERY
        return max(least, min(most, int(LOG_PAGES / self._pages_a_batch)))
