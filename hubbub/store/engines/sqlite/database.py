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
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.engines.sqlite.checkpoints import Checkpoints
from hubbub.store.engines.sqlite.connection import DIALECT, Connection, connect, look_into
from hubbub.store.engines.sqlite.erasure import overwrite_unused, read_log
from hubbub.store.engines.sqlite.errors import (
    FAILURES,
    LOCKED,
    MISTAKES,
    damaged,
    is_damage,
    refusal,
    said_by,
)
from hubbub.store.engines.sqlite.inspection import (
    has_nothing,
    require_roots,
    require_tables,
    require_what_a_start_reads,
    version_of,
)
from hubbub.store.schema.migrations import HEAD, OLDEST

WRITER_WAITS_MS = 2_000  # for the lock: less, as a stop has 5 s for all that it does
LOOK_WITHIN_S = 1.0  # whether the database is at fault; nobody can write meanwhile
LOOK_EVERY_S = 60.0


class Database(database.Database):
    """An SQLite database in a file."""

    is_shared = False
    failures = FAILURES
    mistakes = MISTAKES
    errors = FAILURES

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
            from hubbub.store.schema.migrations.run import upgrade

            try:
                with contextlib.closing(connect(self.path)) as db:
                    upgrade(db, self)
            except Unavailable as error:
                if error.__cause__ and self.is_damage(error.__cause__):
                    raise damaged(self.path, str(error.__cause__)) from error
                raise

    def upkeep(self, writer: database.Connection) -> Checkpoints:
        assert isinstance(writer, Connection)
        return Checkpoints(lambda mode: self.checkpoint(writer, mode), self.log_bytes)

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
            with contextlib.closing(look_into(self.path)) as db:
                version, works_with = version_of(db, self.path)
                is_new = version is None or not db.execute("SELECT 1 FROM rooms LIMIT 1")
                if lost and is_new:
                    raise DatabaseError(lost, is_damage=True)
                if version is not None:
                    require_roots(db, self.path)
                if version == HEAD:
                    require_tables(db)
                if version == HEAD and not is_new:
                    require_what_a_start_reads(db)
        except apsw.Error as error:
            raise refusal(self.path, error) from error
        except ImpossibleRow as error:
            raise damaged(self.path, str(error)) from error
        return version, works_with

    def is_damage(self, error: BaseException) -> bool:
        return is_damage(error)

    def find_damage(self, db: database.Connection) -> str | None:
        """Once found it stays; else it is looked for again after a while."""
        assert isinstance(db, Connection)
        with self._looking:
            now = time.monotonic()
            if self._found is None and now - self._looked_at >= LOOK_EVERY_S:
                self._looked_at = now
                self._found = _fault(db)
            return self._found

    def why_failed(self, error: Exception) -> str:
        return said_by(error)

    def passing(self, error: Exception) -> Unavailable:
        if isinstance(error, LOCKED):
            return Unavailable("The database is locked by another program. Try again in a moment.")
        if isinstance(error, apsw.FullError):
            return Unavailable(
                "The server's disk is full. Nothing can be written until there is room."
            )
        return Unavailable()

    def writer(self) -> Connection:
        # FULL: a commit is on disk before it is acknowledged. Checkpoints are the writer's own,
        # as what they leave of deleted texts can only be overwritten between its transactions.
        writer = self._open("synchronous=FULL", "secure_delete=ON", "wal_autocheckpoint=0")
        writer.wait_for_lock(WRITER_WAITS_MS)
        return writer

    def copier(self) -> Connection:
        """By itself, so that SQLite may move the log whenever it has 1,000 pages."""
        copier = self.writer()
        copier.execute("PRAGMA wal_autocheckpoint=1000")
        return copier

    def reader(self) -> Connection:
        return self._open("query_only=ON", "wal_autocheckpoint=0", "cache_size=-1024")

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

    def _open(self, *pragmas: str) -> Connection:
        opened = connect(self.path)
        try:
            for pragma in ("journal_mode=WAL", "foreign_keys=ON", *pragmas):
                opened.execute(f"PRAGMA {pragma}")
        except apsw.Error as error:
            opened.close()
            raise refusal(self.path, error) from error
        return opened


def _fault(db: Connection) -> str | None:
    """The first fault that SQLite finds in the database, if that takes it no longer than a moment.

    Nothing if it takes too long, or the database is locked.
    """
    try:
        return next(iter(db.faults("integrity_check(1)", LOOK_WITHIN_S)), None)
    except apsw.NotADBError as error:
        return said_by(error)
    except apsw.Error:
        return None
