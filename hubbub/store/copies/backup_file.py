"""The file of a backup: writing, opening and checking it."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw

from hubbub.model.errors import HubbubError
from hubbub.store.copies.copy import Contents, Progress, check_rows, contents_of, schema_of
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.engines.sqlite.connection import SIDE_FILES, Connection, connect_existing
from hubbub.store.engines.sqlite.errors import is_damage
from hubbub.store.schema.migrations import HEAD
from hubbub.store.schema.move_marker import incoming_move

TABLES_MIN = frozenset({"alembic_version", "server", "users", "rooms", "members", "messages"})


class BackupError(HubbubError):
    """A backup cannot be written or used; the message says why."""

    code = "backup"
    title = "The backup cannot be used."

    def __init__(self, message: str, *, is_damage: bool = False) -> None:
        super().__init__(message)
        self.is_damage = is_damage


class PartialFile:
    """A file under a temporary name until it is complete, readable only by its owner."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self.descriptor, name = tempfile.mkstemp(".part", f".{final.name}.", final.parent)
        self.path = Path(name)

    def sync(self) -> None:
        os.fsync(self.descriptor)

    def rename_to_final(self) -> None:
        """Give the complete file its final name, durably."""
        self.sync()
        self.path.replace(self._final)
        _sync_folder(self._final.parent)

    def remove(self) -> None:
        os.close(self.descriptor)
        for end in ("", *SIDE_FILES):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def require_writable(file: Path, folder: DataFolder | None, *, force: bool) -> None:
    """Raises BackupError if no backup may be written to this file."""
    try:
        if file.is_dir():
            raise BackupError(f"{file} is a folder. Give the name of a file.")
        if not file.absolute().parent.is_dir():
            raise BackupError(
                f"The folder {file.absolute().parent} does not exist. Create it first."
            )
        if folder and file.absolute().parent.samefile(folder.path):
            raise BackupError(
                f"{file} is in the data folder, and would be lost with it. Use another folder."
            )
        if file.exists() and not (force and file.is_file()):
            hint = "Give another name, or --force." if file.is_file() else "Give another name."
            raise BackupError(f"{file} already exists. {hint}")
    except OSError as error:
        raise BackupError(f"{file} cannot be used ({error.strerror}).") from error


@contextlib.contextmanager
def partial_file(final: Path) -> Iterator[PartialFile]:
    """A temporary file to be renamed to ``final``; it is removed unless that happens."""
    try:
        part = PartialFile(final)
    except OSError as error:
        raise BackupError(f"{final.parent} cannot be written ({error.strerror}).") from error
    try:
        yield part
    except OSError as error:
        raise BackupError(f"{final} cannot be written ({error.strerror}).") from error
    finally:
        part.remove()


@contextlib.contextmanager
def open_database(path: Path, *, write: bool = False) -> Iterator[Connection]:
    """A connection that does not change the file, not even when it closes; or ``write``.

    Writing uses no journal, as an incomplete file is discarded.
    """
    if not path.is_file():
        raise BackupError(f"The file {path} does not exist.")
    with contextlib.closing(connect_existing(path, "mode=rw" if write else "mode=ro")) as db:
        if write:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=OFF", "secure_delete=ON"):
                db.execute(f"PRAGMA {pragma}")
        yield db


@contextlib.contextmanager
def translating_errors(source: Path, target: Path) -> Iterator[None]:
    """Turn errors of the driver into BackupError."""
    try:
        yield
    except apsw.Error as error:
        match error:
            case apsw.FullError():
                why = f"The disk of {target.absolute().parent} is full."
            case apsw.NotADBError():
                why = f"{source} is not a database."
            case _ if is_damage(error):
                why = f"{source} is damaged."
            case _:
                why = f"{source} could not be copied ({error})."
        raise BackupError(why, is_damage=is_damage(error)) from error


def check(db: Connection, path: Path, on_progress: Progress) -> Contents:
    """Check a whole database, and return its summary; ``path`` is its name in errors.

    Raises BackupError if it is damaged, not a Hubbub database, or newer than this program.
    """
    tables = db.tables()
    if not tables >= TABLES_MIN:
        raise BackupError(f"{path} is not a Hubbub database: it has no rooms and no messages.")
    if incoming_move.name in tables:
        raise BackupError(f"{path} is incomplete: a chat is being moved there.")
    schema = schema_of(db)
    if schema > HEAD:
        raise BackupError(
            f"{path} was written by a newer Hubbub (schema {schema}; this one supports {HEAD}). "
            "Install that version or a later one."
        )
    on_progress("Checking", 0, 0)
    if faults := db.faults("integrity_check(1)"):
        raise BackupError(f"{path} is damaged ({faults[0]}).", is_damage=True)
    if schema == HEAD:
        try:
            check_rows(db)
        except CorruptRow as error:
            raise BackupError(f"{path} is damaged ({error}).", is_damage=True) from error
    return contents_of(db)


def add_key(copy: Connection, key: bytes | None) -> None:
    copy.execute("CREATE TABLE backup (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
    if key is not None:
        copy.execute("INSERT INTO backup VALUES ('secret', :key)", {"key": key})


def find_key(source: Connection) -> bytes | None:
    """The signing key in a backup; None in a copy that was made by other means."""
    if "backup" not in source.tables():
        return None
    rows = source.execute("SELECT value FROM backup WHERE key = 'secret'")
    return bytes(rows[0][0]) if rows else None


def _sync_folder(path: Path) -> None:
    """Sync a folder, which makes the names of its files durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
