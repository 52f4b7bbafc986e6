"""A backup: one file with all that a data folder needs, made beside the server; and its way back.

It is an SQLite database: the folder's own as it was at one moment, and a table with the key that
signs sessions. It has no epoch: put back in whichever way, it is another database to every
client, since what came after it never happened.
"""

import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from hubbub.model.errors import HubbubError
from hubbub.store.erasure import overwrite_unused
from hubbub.store.folder import DataFolder, FolderError
from hubbub.store.migrations import HEAD

# Copied at a time; after each, the disk has as long a rest as it took, for those who write.
PAGES_AT_ONCE = 1_024
RESTS_AT_MOST_S = 0.25

_TABLES = frozenset({"alembic_version", "server", "users", "rooms", "members", "messages"})
_COUNTS = (
    "SELECT count(*) FROM users WHERE skeleton IS NOT NULL",
    "SELECT count(*) FROM rooms",
    "SELECT count(*) FROM messages WHERE deleted = 0",
)
_BESIDE = ("-wal", "-shm", "-journal")  # what SQLite makes beside a database

Tell = Callable[[str, int, int], None]
"""What is being done, how much of it, and how much it is in all: 0 if that is not known."""


class BackupError(HubbubError):
    """No backup can be made there, or not from that file; the message says why."""

    code = "backup"
    title = "The backup cannot be used."


class Contents(NamedTuple):
    """What a database holds: its schema's version, and how many there are of each."""

    schema: str
    people: int
    rooms: int
    messages: int


class Restored(NamedTuple):
    """What was put back. ``are_signed_in``: whether sessions and bots' tokens go on."""

    contents: Contents
    are_signed_in: bool


class _Part:
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
        for end in ("", *_BESIDE):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def back_up(folder: DataFolder, file: Path, tell: Tell, *, force: bool = False) -> Contents:
    """Copy the data folder into ``file``, whether its server runs or not; what is in it.

    All that was committed before the call is. ``force`` replaces a file that is there.
    Raises BackupError; then ``file`` is as it was.
    """
    _require_free(file, folder, force=force)
    with _part_of(file) as part:
        with _told(folder.database, part.path), _opened(folder.database) as source:
            source.execute("BEGIN")
            _copy(source, part, tell)
        with _told(part.path, part.path), _opened(part.path, write=True) as copy:
            _add_key(copy, folder)
        _overwrite_unused(part)
        with _told(part.path, part.path), _opened(part.path) as copy:
            contents = check(copy, folder.database, tell)
        _require_free(file, folder, force=force)  # somebody else may have been faster
        part.take_name()
    return contents


def restore(file: Path, folder: DataFolder, tell: Tell) -> Restored:
    """Make ``file`` the database of a folder that has none.

    The backup is checked before the folder is touched. Raises BackupError, FolderError.
    """
    with _told(file, folder.database), _opened(file) as source:
        source.execute("BEGIN")  # what is checked is what is copied
        _require_none(folder)  # before the long part
        contents = check(source, file, tell)
        key = _key_in(source)
        with _taken(folder), _part_of(folder.database) as part:
            _copy(source, part, tell)
            with _opened(part.path, write=True) as copy:
                copy.execute("DROP TABLE IF EXISTS backup")
                if check(copy, part.path, tell) != contents:
                    raise BackupError(f"{folder.path} did not take what was written. Try again.")
            is_the_backups = key is not None and folder.adopt_secret(key)
            part.take_name()
    return Restored(contents, is_the_backups)


def check(driver: sqlite3.Connection, path: Path, tell: Tell) -> Contents:
    """What a whole database of Hubbub's holds; ``path`` is how it is called in errors.

    Raises BackupError if it is damaged, not Hubbub's, or newer than this program.
    """
    tables = {name for (name,) in driver.execute("SELECT name FROM sqlite_master")}
    if not tables >= _TABLES:
        raise BackupError(f"{path} is not Hubbub's: it has no rooms and no messages.")
    row = driver.execute("SELECT version_num FROM alembic_version").fetchone()
    schema = str(row[0]) if row else ""
    if schema > HEAD:
        raise BackupError(
            f"{path} was written by a newer Hubbub (schema {schema}; this one knows {HEAD}). "
            "Install that version or a later one."
        )
    tell("Checking", 0, 0)
    [(found,)] = driver.execute("PRAGMA integrity_check(1)").fetchall()
    if found != "ok":
        raise BackupError(f"{path} is damaged ({' '.join(found.split())}).")
    people, rooms, messages = (driver.execute(count).fetchone()[0] for count in _COUNTS)
    return Contents(schema, people, rooms, messages)


def _require_free(file: Path, folder: DataFolder, *, force: bool) -> None:
    try:
        if file.is_dir():
            raise BackupError(f"{file} is a folder. Give the name of a file in it.")
        if not file.absolute().parent.is_dir():
            raise BackupError(f"There is no folder {file.absolute().parent}. Make it first.")
        if file.absolute().parent.samefile(folder.path):
            raise BackupError(
                f"{file} is in the data folder, and would be lost with it. Give another place."
            )
        if file.exists() and not (force and file.is_file()):
            hint = "Give another name, or --force." if file.is_file() else "Give another name."
            raise BackupError(f"{file} is there already. {hint}")
    except OSError as error:
        raise BackupError(f"{file} cannot be used ({error.strerror}).") from error


@contextlib.contextmanager
def _part_of(final: Path) -> Iterator[_Part]:
    """What becomes of ``final`` when it is whole; gone if it does not come to that."""
    try:
        part = _Part(final)
    except OSError as error:
        raise BackupError(f"{final.parent} cannot be written ({error.strerror}).") from error
    try:
        yield part
    except OSError as error:
        raise BackupError(f"{final} cannot be written ({error.strerror}).") from error
    finally:
        part.remove()


@contextlib.contextmanager
def _opened(path: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that changes nothing, not even by tidying up when it closes, or ``write``.

    What is written needs no journal: a part that has not become whole is thrown away.
    """
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as driver:
        if write:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=OFF", "secure_delete=ON"):
                driver.execute(f"PRAGMA {pragma}").fetchone()
        yield driver


@contextlib.contextmanager
def _told(source: Path, target: Path) -> Iterator[None]:
    """The driver's errors in our words."""
    try:
        yield
    except sqlite3.Error as error:
        match getattr(error, "sqlite_errorname", ""):
            case "SQLITE_FULL":
                why = f"There is no room left in {target.absolute().parent}."
            case "SQLITE_NOTADB":
                why = f"{source} is not a database."
            case name if name.startswith("SQLITE_CORRUPT"):
                why = f"{source} is damaged."
            case _:
                why = f"{source} could not be copied ({error})."
        raise BackupError(why) from error


def _copy(source: sqlite3.Connection, part: _Part, tell: Tell) -> None:
    """All pages as they are now, a few at a time.

    One snapshot is read throughout: a copy would begin anew with every commit otherwise, and
    under load never come to its end. Nobody waits for it; the log is only cut when it is over.
    """
    source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it is read
    began = time.monotonic()

    def copied(_status: int, remaining: int, total: int) -> None:
        nonlocal began
        tell("Copying", total - remaining, total)
        # Little by little: all at once would hold up everyone else's syncs.
        part.sync()
        if remaining:
            time.sleep(min(time.monotonic() - began, RESTS_AT_MOST_S))
        began = time.monotonic()

    with contextlib.closing(sqlite3.connect(part.path, isolation_level=None)) as copy:
        for pragma in ("journal_mode=OFF", "synchronous=OFF"):
            copy.execute(f"PRAGMA {pragma}").fetchone()
        source.backup(copy, pages=PAGES_AT_ONCE, progress=copied)
    with _opened(part.path, write=True) as copy:
        # By now it has no log either, and can be read from anywhere.
        if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'server'").fetchone():
            copy.execute("DELETE FROM server WHERE key = 'epoch'")


def _add_key(copy: sqlite3.Connection, folder: DataFolder) -> None:
    copy.execute("CREATE TABLE backup (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
    # A chat that has never been served has none.
    with contextlib.suppress(FileNotFoundError):
        copy.execute("INSERT INTO backup VALUES ('secret', ?)", (folder.key.read_bytes(),))


def _key_in(source: sqlite3.Connection) -> bytes | None:
    """The key in a backup; none in a copy that was made by other means."""
    try:
        row = source.execute("SELECT value FROM backup WHERE key = 'secret'").fetchone()
    except sqlite3.OperationalError:
        return None
    return bytes(row[0]) if row else None


def _overwrite_unused(part: _Part) -> None:
    """What is left of deleted texts in pages that the server has not overwritten yet."""
    header = os.pread(part.descriptor, 100, 0)
    page_bytes = int.from_bytes(header[16:18], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes  # file format, section 1.3.2
    pages = os.fstat(part.descriptor).st_size // page_bytes
    overwrite_unused(part.descriptor, page_bytes, range(1, pages + 1))


@contextlib.contextmanager
def _taken(folder: DataFolder) -> Iterator[None]:
    """Nobody else uses the folder meanwhile, and it has no database."""
    folder.prepare()
    try:
        if not folder.lock():
            raise FolderError(f"A server is using {folder.path}. Stop it first.")
        _require_none(folder)
        yield
    finally:
        folder.release()


def _require_none(folder: DataFolder) -> None:
    """A log without its database counts: it would be taken for the log of the one put there."""
    for end in ("", *_BESIDE):
        found = folder.database.with_name(folder.database.name + end)
        try:
            is_there = found.exists()
        except OSError as error:
            raise FolderError(f"{folder.path} cannot be used ({error.strerror}).") from error
        if is_there:
            raise FolderError(
                f"{found} is there already. Stop its server and move away all that is called "
                f"{folder.database.name}…, or give another folder with --data."
            )


def _sync_folder(path: Path) -> None:
    """A name is on disk when its folder is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
