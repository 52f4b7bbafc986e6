"""An SQLite database in a file of the data folder."""

import contextlib
import math
import os
import threading
import time
from pathlib import Path

import apsw

from hubbub.model.errors import Unavailable
from hubbub.store.engines import database
from hubbub.store.engines.database import DatabaseError, needs_migration
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.engines.sqlite.checkpoints import Checkpointer
from hubbub.store.engines.sqlite.connection import DIALECT, Connection, connect, open_for_inspection
from hubbub.store.engines.sqlite.erasure import overwrite_unused, read_log
from hubbub.store.engines.sqlite.errors import (
    FAILURES,
    LOCKED,
    STATEMENT_ERRORS,
    damage_error,
    error_text,
    is_damage,
    open_error,
)
from hubbub.store.engines.sqlite.inspection import (
    is_missing_or_empty,
    require_sound_root_pages,
    require_startup_rows,
    require_tables,
    version_of,
)
from hubbub.store.schema.migrations import HEAD, OLDEST

WRITER_BUSY_TIMEOUT_MS = 2_000  # for the lock: less than others, as a stop must end within 5 s
INTEGRITY_CHECK_TIMEOUT_S = 1.0  # nobody can write meanwhile
INTEGRITY_CHECK_INTERVAL_S = 60.0


class Database(database.Database):
    """An SQLite database in a file."""

    is_shared = False
    failures = FAILURES
    statement_errors = STATEMENT_ERRORS
    errors = FAILURES

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self.dialect = DIALECT
        self._log = path.with_name(path.name + "-wal")
        self._file: int | None = None
        self._pages_to_erase: set[int] = set()  # with unused space that is still to be overwritten
        self._fault_lock = threading.Lock()  # guards the next two
        self._checked_at = -math.inf
        self._fault: str | None = None

    def migrate(self, missing_chat: str | None = None) -> None:
        """Alembic is imported only for an upgrade, as it doubles the time of a start."""
        version, works_with = self.inspect(missing_chat)
        if needs_migration(version, works_with, self.name):
            from hubbub.store.schema.migrations.run import upgrade

            try:
                with contextlib.closing(connect(self.path)) as db:
                    upgrade(db, self)
            except Unavailable as error:
                if error.__cause__ and self.is_damage(error.__cause__):
                    raise damage_error(self.path, str(error.__cause__)) from error
                raise

    def upkeep(self, writer: database.Connection) -> Checkpointer:
        assert isinstance(writer, Connection)
        return Checkpointer(lambda mode: self.checkpoint(writer, mode), self.log_bytes)

    def inspect(self, missing_chat: str | None = None) -> tuple[str | None, str]:
        """The schema version, and the oldest version that it works with.

        Nothing is changed, as the file may be damaged, or another program's. For ``missing_chat``
        see `migrate`. Raises DatabaseError, MovedError.
        """
        if is_missing_or_empty(self.path):
            if missing_chat:
                raise DatabaseError(missing_chat, is_damage=True)
            return None, OLDEST
        try:
            with contextlib.closing(open_for_inspection(self.path)) as db:
                version, works_with = version_of(db, self.path)
                is_new = version is None or not db.execute("SELECT 1 FROM rooms LIMIT 1")
                if missing_chat and is_new:
                    raise DatabaseError(missing_chat, is_damage=True)
                if version is not None:
                    require_sound_root_pages(db, self.path)
                if version == HEAD:
                    require_tables(db)
                if version == HEAD and not is_new:
                    require_startup_rows(db)
        except apsw.Error as error:
            raise open_error(self.path, error) from error
        except CorruptRow as error:
            raise damage_error(self.path, str(error)) from error
        return version, works_with

    def is_damage(self, error: BaseException) -> bool:
        return is_damage(error)

    def find_damage(self, db: database.Connection) -> str | None:
        """The check runs again after an interval, until it has found a fault."""
        assert isinstance(db, Connection)
        with self._fault_lock:
            now = time.monotonic()
            if self._fault is None and now - self._checked_at >= INTEGRITY_CHECK_INTERVAL_S:
                self._checked_at = now
                self._fault = _find_fault(db)
            return self._fault

    def failure_text(self, error: Exception) -> str:
        return error_text(error)

    def temporary_error(self, error: Exception) -> Unavailable:
        if isinstance(error, LOCKED):
            return Unavailable("The database is locked by another program. Try again in a moment.")
        if isinstance(error, apsw.FullError):
            return Unavailable(
                "The server's disk is full. Nothing can be stored until there is room."
            )
        return Unavailable()

    def writer(self) -> Connection:
        # FULL: a commit is on disk before it is acknowledged. The writer runs all checkpoints, as
        # deleted texts can be overwritten only between its transactions.
        writer = self._open("synchronous=FULL", "secure_delete=ON", "wal_autocheckpoint=0")
        writer.wait_for_lock(WRITER_BUSY_TIMEOUT_MS)
        return writer

    def copier(self) -> Connection:
        """A copier has no `Upkeep`, so SQLite itself moves the log whenever it has 1,000 pages."""
        copier = self.writer()
        copier.execute("PRAGMA wal_autocheckpoint=1000")
        return copier

    def reader(self) -> Connection:
        return self._open("query_only=ON", "wal_autocheckpoint=0", "cache_size=-1024")

    def checkpoint(self, writer: Connection, mode: str) -> tuple[bool, int]:
        """Move the log into the database, and overwrite the remains of deleted texts.

        Returns whether both were completed (no reader still needed a part of the log, and no other
        program was writing), and how many pages the log had. Only for the writer's thread, between
        transactions.
        """
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR)
        log = read_log(self._log)
        self._pages_to_erase |= log.pages
        version = writer.data_version()
        is_moved = False
        is_overwritten = False
        # The first step keeps the log, so that it still lists the pages if we crash before the end.
        for step in dict.fromkeys(("PASSIVE", mode)):
            is_moved = writer.checkpoint(step)
            with writer.exclusive():
                # Another program that has written may also run a checkpoint of its own right now.
                is_overwritten = writer.data_version() == version
                if is_overwritten:
                    overwrite_unused(self._file, log.page_bytes, self._pages_to_erase)
        is_done = is_moved and is_overwritten
        if is_done:
            self._pages_to_erase = set()
        # Cached pages still have the overwritten bytes, and would restore them when written again.
        writer.drop_page_cache()
        return is_done, log.frames

    def close(self) -> None:
        """Called after all connections are closed, as it releases SQLite's locks on the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def log_bytes(self) -> int:
        """The size of the write-ahead log's file."""
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    def _open(self, *pragmas: str) -> Connection:
        opened = connect(self.path)
        try:
            for pragma in ("journal_mode=WAL", "foreign_keys=ON", *pragmas):
                opened.execute(f"PRAGMA {pragma}")
        except apsw.Error as error:
            opened.close()
            raise open_error(self.path, error) from error
        return opened


def _find_fault(db: Connection) -> str | None:
    """The first fault that SQLite finds in the database.

    None also if the check takes too long, or the database is locked.
    """
    try:
        return next(iter(db.faults("integrity_check(1)", INTEGRITY_CHECK_TIMEOUT_S)), None)
    except apsw.NotADBError as error:
        return error_text(error)
    except apsw.Error:
        return None
