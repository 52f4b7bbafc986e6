"""Backup and restore: a backup is one file, written while the server runs.

The file is an SQLite database: a snapshot of the one in the data folder, or of a PostgreSQL
database in the same form, and a table with the session signing key. It has no epoch, so that
clients start over after a restore, as changes since the backup are lost.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import apsw

from hubbub.store.copies.backup_file import (
    TABLES_MIN,
    BackupError,
    PartialFile,
    add_key,
    check,
    find_key,
    open_database,
    partial_file,
    require_writable,
    translating_errors,
)
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
from hubbub.store.engines.database import Connection, Database, DatabaseError
from hubbub.store.engines.opening import missing_chat_message
from hubbub.store.engines.sqlite.connection import SIDE_FILES, open_for_inspection
from hubbub.store.engines.sqlite.connection import Connection as SqliteConnection
from hubbub.store.engines.sqlite.database import Database as SqliteDatabase
from hubbub.store.engines.sqlite.erasure import overwrite_unused
from hubbub.store.engines.sqlite.errors import is_damage
from hubbub.store.engines.sqlite.inspection import is_missing_or_empty
from hubbub.store.schema.migrations import HEAD
from hubbub.store.schema.move_marker import MOVED, MovedError, incoming_move
from hubbub.store.tx import Tx

# After each step of a copy it pauses for as long as the step took, so that others can write.
PAUSE_MAX_S = 0.25

_FORGET = "DELETE FROM server WHERE key IN (:epoch, :moved)"


class RestoreResult(NamedTuple):
    """A restored chat. ``are_signed_in``: whether sessions and bots' tokens stay valid."""

    contents: Contents
    are_signed_in: bool
    aside: Path | None = None
    """The folder to which the damaged database was moved."""


def back_up(
    folder: DataFolder, file: Path, on_progress: Progress, *, force: bool = False
) -> Contents:
    """Back up a data folder to ``file``, whether its server runs or not.

    The backup has everything that was committed before the call. ``force`` replaces an existing
    file. Raises BackupError, and then leaves ``file`` as it was.
    """
    require_writable(file, folder, force=force)
    with _hinting_at_existing_backups(), partial_file(file) as part:
        with (
            translating_errors(folder.database, part.path),
            open_database(folder.database) as source,
        ):
            source.begin_snapshot()
            _copy_pages(source, part, on_progress)
        with translating_errors(part.path, part.path), open_database(part.path, write=True) as copy:
            # A chat that has never been served has no key.
            add_key(copy, folder.key.read_bytes() if folder.key.exists() else None)
        _overwrite_unused(part)
        with translating_errors(part.path, part.path), open_database(part.path) as copy:
            contents = check(copy, folder.database, on_progress)
        missing_chat = missing_chat_message(SqliteDatabase(folder.database), folder)
        if missing_chat and not contents.rooms:
            raise BackupError(missing_chat)
        require_writable(file, folder, force=force)  # another program may have been faster
        part.rename_to_final()
    return contents


@contextlib.contextmanager
def _hinting_at_existing_backups() -> Iterator[None]:
    """Advise to keep the existing backups if a damaged database cannot be backed up."""
    try:
        yield
    except BackupError as error:
        if not error.is_damage:
            raise
        raise BackupError(
            f"{error.message} Keep your existing backups: put the latest back with hubbub restore."
        ) from error


def restore(file: Path, folder: DataFolder, on_progress: Progress) -> RestoreResult:
    """Restore ``file`` into a data folder that has no database, or a damaged one.

    The backup is checked before the folder is changed, and a damaged database is moved aside, not
    deleted. Raises BackupError, FolderError.
    """
    with translating_errors(file, folder.database), open_database(file) as source:
        source.begin_snapshot()  # the check and the copy see the same state
        _require_replaceable(folder)  # before the check, which takes long
        contents = check(source, file, on_progress)
        key = find_key(source)
        with _locked(folder), partial_file(folder.database) as part:
            _copy_pages(source, part, on_progress)
            with open_database(part.path, write=True) as copy:
                copy.execute("DROP TABLE IF EXISTS backup")
                if check(copy, part.path, on_progress) != contents:
                    raise BackupError(
                        f"The copy in {folder.path} differs from the backup. Try again."
                    )
            aside = _move_aside(folder)
            is_the_backups = key is not None and folder.adopt_secret(key)
            part.rename_to_final()
    return RestoreResult(contents, is_the_backups, aside)


def back_up_database(
    database: Database, file: Path, on_progress: Progress, *, force: bool = False
) -> Contents:
    """Back up a shared database to ``file``, while its servers run.

    The file has the same form as one from `back_up`, so it can be restored to either engine. Raises
    BackupError, DatabaseError, and then leaves ``file`` as it was.
    """
    require_writable(file, None, force=force)
    with (
        partial_file(file) as part,
        translating_errors(part.path, part.path),
        _translating_driver_errors(database),
    ):
        SqliteDatabase(part.path).migrate()
        with (
            open_database(part.path, write=True) as copy,
            contextlib.closing(database.copier()) as source,
        ):
            _require_current_schema(source, database)
            source.begin_snapshot()
            copy.begin_snapshot()
            _copy_rows(source, copy, on_progress)
            _add_values(copy, values_of(source))
            add_key(copy, Tx(source, 0).secret())
            copy.commit()
        with open_database(part.path) as copy:
            contents = check(copy, file, on_progress)
        require_writable(file, None, force=force)
        part.rename_to_final()
    return contents


def restore_database(file: Path, database: Database, on_progress: Progress) -> RestoreResult:
    """Restore a backup into an empty shared database, in one transaction.

    The backup is checked before the database is changed. Raises BackupError, DatabaseError.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(translating_errors(file, file))
        source = stack.enter_context(open_database(file))
        source.begin_snapshot()
        key = find_key(source)
        if check(source, file, on_progress).schema < HEAD:
            source = stack.enter_context(_upgraded(source, on_progress))
        stack.enter_context(_translating_driver_errors(database))
        target = stack.enter_context(contextlib.closing(database.copier()))
        _require_empty(target, database)
        database.migrate()
        target.begin()
        _require_empty(target, database)  # another program may have been faster
        _copy_rows(source, target, on_progress)
        _add_values(target, values_of(source))
        if key is not None:
            Tx(target, 0).set_secret(key)
        reset_sequences(target)
        contents = contents_of(target)
        target.commit()
    return RestoreResult(contents, key is not None)


def _add_values(copy: Connection, values: dict[str, str]) -> None:
    """Add the values without the epoch, so that clients start over."""
    add_values(copy, {key: value for key, value in values.items() if key != EPOCH})


def _copy_rows(source: Connection, target: Connection, on_progress: Progress) -> None:
    """Copy all rows, and compare both sides afterwards."""
    total, done = count_rows(source), 0

    def read(rows: int) -> None:
        nonlocal done
        done += rows
        on_progress("Comparing", done, 2 * total)

    for table in TABLES:
        for rows in copy_rows(source, target, table):
            done += rows
            on_progress("Copying", done, total)
    done = 0
    if digests_of(source, read) != digests_of(target, read):
        raise BackupError("The copy differs from the original. Try again.")


@contextlib.contextmanager
def _upgraded(source: SqliteConnection, on_progress: Progress) -> Iterator[SqliteConnection]:
    """A temporary copy of an older backup, upgraded to the newest schema."""
    with tempfile.TemporaryDirectory(prefix="hubbub-") as folder:
        path = Path(folder) / "hubbub.db"
        source.copy_pages(path, lambda done, total: on_progress("Upgrading", done, total))
        SqliteDatabase(path).migrate()
        with open_database(path) as newer:
            newer.begin_snapshot()
            yield newer


def _require_current_schema(source: Connection, database: Database) -> None:
    tables = source.tables()
    if not tables >= TABLES_MIN:
        raise BackupError(
            f"{database.name} is not a Hubbub database: it has no rooms and no messages."
        )
    if incoming_move.name in tables:
        raise BackupError(f"{database.name} is incomplete: a chat is being moved there.")
    if (schema := schema_of(source)) != HEAD:
        raise BackupError(
            f"{database.name} has schema {schema}, but this Hubbub needs {HEAD}. Back it up with "
            "the Hubbub version that serves it."
        )


def _require_empty(target: Connection, database: Database) -> None:
    if incoming_move.name in target.tables() or not is_empty(target):
        raise BackupError(f"{database.name} already has a chat. Give an empty database.")


@contextlib.contextmanager
def _translating_driver_errors(database: Database) -> Iterator[None]:
    """Turn errors of the shared database's driver into BackupError."""
    try:
        yield
    except database.errors as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise BackupError(f"{database.name} failed ({why}). Try again.") from error


def _copy_pages(source: SqliteConnection, part: PartialFile, on_progress: Progress) -> None:
    """Copy all pages of the present snapshot, in steps.

    Without a snapshot, each commit would restart the copy, so that it would never end under load.
    Nobody waits for it; only the log cannot be truncated meanwhile.
    """
    source.tables()  # the first read begins the snapshot
    started = time.monotonic()

    def copied(done: int, total: int) -> None:
        nonlocal started
        on_progress("Copying", done, total)
        # In small steps, as one large sync would block those of other programs.
        part.sync()
        if done < total:
            time.sleep(min(time.monotonic() - started, PAUSE_MAX_S))
        started = time.monotonic()

    source.copy_pages(part.path, copied)
    with open_database(part.path, write=True) as copy:
        # Opening it for writing also removes the WAL mode, so that it can be read on any medium.
        if "server" in copy.tables():
            copy.execute(_FORGET, {"epoch": EPOCH, "moved": MOVED})


def _overwrite_unused(part: PartialFile) -> None:
    """Erase deleted texts from pages that the server has not overwritten yet."""
    header = os.pread(part.descriptor, 100, 0)
    page_bytes = int.from_bytes(header[16:18], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes  # file format, section 1.3.2
    pages = os.fstat(part.descriptor).st_size // page_bytes
    overwrite_unused(part.descriptor, page_bytes, range(1, pages + 1))


@contextlib.contextmanager
def _locked(folder: DataFolder) -> Iterator[None]:
    """Lock the folder, which must have no usable database."""
    folder.prepare()
    try:
        if not folder.lock():
            raise FolderError(f"A server is using {folder.path}. Stop it first.")
        _require_replaceable(folder)
        yield
    finally:
        folder.release()


def _require_replaceable(folder: DataFolder) -> None:
    """Raises FolderError if the folder has a usable database, or files of another program.

    A log without a database counts as well: SQLite would apply it to the restored database.
    """
    try:
        found = _database_files(folder)
        is_free = not found or _is_damaged(folder)
    except OSError as error:
        raise FolderError(f"{folder.path} cannot be used ({error.strerror}).") from error
    if not is_free:
        raise FolderError(
            f"{found[0]} already exists. Stop its server and move {folder.database.name} and the "
            "files beside it away, or give another folder with --data."
        )


def _database_files(folder: DataFolder) -> list[Path]:
    """The existing files of the folder's database."""
    names = (folder.database.name + end for end in ("", *SIDE_FILES))
    paths = [folder.database.with_name(name) for name in names]
    return [path for path in paths if path.exists() or path.is_symlink()]


def _is_damaged(folder: DataFolder) -> bool:
    """Whether the database is Hubbub's, but can no longer be served or read completely."""
    path, database = folder.database, SqliteDatabase(folder.database)
    if _database_files(folder) == [path] and path.is_file() and not path.stat().st_size:
        return True
    try:
        database.inspect(missing_chat_message(database, folder))
        with contextlib.closing(open_for_inspection(path)) as db:
            check(db, path, lambda what, done, total: None)
    except (DatabaseError, BackupError) as error:
        return error.is_damage and _was_hubbub(folder)
    except apsw.Error as error:
        return is_damage(error) and _was_hubbub(folder)
    except MovedError:
        pass
    return False


def _was_hubbub(folder: DataFolder) -> bool:
    """Whether the database is Hubbub's, and not another program's of the same name."""
    if folder.key.exists() or folder.has_shown():
        return True
    try:
        with contextlib.closing(open_for_inspection(folder.database)) as db:
            return db.tables() >= TABLES_MIN
    except (apsw.Error, DatabaseError):
        return False


def _move_aside(folder: DataFolder) -> Path | None:
    """Move the database files into a folder of their own, and return it; None if empty."""
    found = _database_files(folder)
    if not found or (found == [folder.database] and is_missing_or_empty(folder.database)):
        return None
    number = 1
    while (aside := folder.path / f"damaged-{number}").exists():
        number += 1
    aside.mkdir(mode=0o700)
    for path in found:
        path.rename(aside / path.name)
    return aside
