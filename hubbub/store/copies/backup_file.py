"""The file of a backup: how it comes to be, and how it is looked at."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw

from hubbub.model.errors import HubbubError
from hubbub.store.copies.copy import Contents, Tell, check_rows, contents_of, schema_of
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.engines.sqlite.connection import BESIDE, Connection, connect_as
from hubbub.store.engines.sqlite.errors import is_damage
from hubbub.store.schema.migrations import HEAD
from hubbub.store.schema.move_marker import arriving

TABLES_MIN = frozenset({"alembic_version", "server", "users", "rooms", "members", "messages"})


class BackupError(HubbubError):
    """No backup can be made there, or not from that file; the message says why."""

    code = "backup"
    title = "The backup cannot be used."

    def __init__(self, message: str, *, is_damage: bool = False) -> None:
        super().__init__(message)
        self.is_damage = is_damage


class Part:
    """A file that has not got its name yet, readable by its owner only."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self.descriptor, name = tempfile.mkstemp(".part", f".{final.name}.", final.parent)
        self.path = Path(name)

    def sync(self) -> None:
        os.fsync(self.descriptor)

    def take_name(self) -> None:
        """From here on it is there, whole, whatever happens to the power."""
        self.sync()
        self.path.replace(self._final)
        _sync_folder(self._final.parent)

    def remove(self) -> None:
        os.close(self.descriptor)
        for end in ("", *BESIDE):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def require_free(file: Path, folder: DataFolder | None, *, force: bool) -> None:
    try:
        if file.is_dir():
            raise BackupError(f"{file} is a folder. Give the name of a file in it.")
        if not file.absolute().parent.is_dir():
            raise BackupError(f"There is no folder {file.absolute().parent}. Make it first.")
        if folder and file.absolute().parent.samefile(folder.path):
            raise BackupError(
                f"{file} is in the data folder, and would be lost with it. Give another place."
            )
        if file.exists() and not (force and file.is_file()):
            hint = "Give another name, or --force." if file.is_file() else "Give another name."
            raise BackupError(f"{file} is there already. {hint}")
    except OSError as error:
        raise BackupError(f"{file} cannot be used ({error.strerror}).") from error


@contextlib.contextmanager
def part_of(final: Path) -> Iterator[Part]:
    """What becomes of ``final`` when it is whole; gone if it does not come to that."""
    try:
        part = Part(final)
    except OSError as error:
        raise BackupError(f"{final.parent} cannot be written ({error.strerror}).") from error
    try:
        yield part
    except OSError as error:
        raise BackupError(f"{final} cannot be written ({error.strerror}).") from error
    finally:
        part.remove()


@contextlib.contextmanager
def opened(path: Path, *, write: bool = False) -> Iterator[Connection]:
    """A connection that changes nothing, not even by tidying up when it closes, or ``write``.

    What is written needs no journal: a part that has not become whole is thrown away.
    """
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    with contextlib.closing(connect_as(path, "mode=rw" if write else "mode=ro")) as db:
        if write:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=OFF", "secure_delete=ON"):
                db.execute(f"PRAGMA {pragma}")
        yield db


@contextlib.contextmanager
def told(source: Path, target: Path) -> Iterator[None]:
    """The driver's errors in our words."""
    try:
        yield
    except apsw.Error as error:
        match error:
            case apsw.FullError():
                why = f"There is no room left in {target.absolute().parent}."
            case apsw.NotADBError():
                why = f"{source} is not a database."
            case _ if is_damage(error):
                why = f"{source} is damaged."
            case _:
                why = f"{source} could not be copied ({error})."
        raise BackupError(why, is_damage=is_damage(error)) from error


def check(db: Connection, path: Path, tell: Tell) -> Contents:
    """What a whole database of Hubbub's holds; ``path`` is how it is called in errors.

    Raises BackupError if it is damaged, not Hubbub's, or newer than this program.
    """
    tables = db.tables()
    if not tables >= TABLES_MIN:
        raise BackupError(f"{path} is not Hubbub's: it has no rooms and no messages.")
    if arriving.name in tables:
        raise BackupError(f"{path} has a part of a chat that is being moved there.")
    schema = schema_of(db)
    if schema > HEAD:
        raise BackupError(
            f"{path} was written by a newer Hubbub (schema {schema}; this one knows {HEAD}). "
            "Install that version or a later one."
        )
    tell("Checking", 0, 0)
    if faults := db.faults("integrity_check(1)"):
        raise BackupError(f"{path} is damaged ({faults[0]}).", is_damage=True)
    if schema == HEAD:
        try:
            check_rows(db)
        except ImpossibleRow as error:
            raise BackupError(f"{path} is damaged ({error}).", is_damage=True) from error
    return contents_of(db)


def add_key(copy: Connection, key: bytes | None) -> None:
    copy.execute("CREATE TABLE backup (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
    if key is not None:
        copy.execute("INSERT INTO backup VALUES ('secret', :key)", {"key": key})


def key_in(source: Connection) -> bytes | None:
    """The key in a backup; none in a copy that was made by other means."""
    if "backup" not in source.tables():
        return None
    rows = source.execute("SELECT value FROM backup WHERE key = 'secret'")
    return bytes(rows[0][0]) if rows else None


def _sync_folder(path: Path) -> None:
    """A name is on disk when its folder is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
