"""A backup: one file with all that a data folder needs, made beside the server; and its way back.

It is an SQLite database: the folder's own as it was at one moment, or a PostgreSQL's in the same
form, and a table with the key that signs sessions. It has no epoch: put back in whichever way, it
is another database to every client, since what came after it never happened.
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
    Part,
    add_key,
    check,
    key_in,
    opened,
    part_of,
    require_free,
    told,
)
from hubbub.store.copies.copy import (
    EPOCH,
    TABLES,
    Contents,
    Tell,
    add_values,
    contents_of,
    copy_rows,
    count_of,
    digests_of,
    is_empty,
    schema_of,
    settle,
    values_of,
)
from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.database import Connection, Database, DatabaseError
from hubbub.store.engines.opening import why_lost
from hubbub.store.engines.sqlite.connection import BESIDE, look_into
from hubbub.store.engines.sqlite.connection import Connection as SqliteConnection
from hubbub.store.engines.sqlite.database import Database as SqliteDatabase
from hubbub.store.engines.sqlite.erasure import overwrite_unused
from hubbub.store.engines.sqlite.errors import is_damage
from hubbub.store.engines.sqlite.inspection import has_nothing
from hubbub.store.schema.migrations import HEAD
from hubbub.store.schema.move_marker import MOVED, MovedError, arriving
from hubbub.store.tx import Tx

# After some pages each, the disk has as long a rest as they took, for those who write.
RESTS_AT_MOST_S = 0.25

_FORGET = "DELETE FROM server WHERE key IN (:epoch, :moved)"


class RestoreResult(NamedTuple):
    """What was put back. ``are_signed_in``: whether sessions and bots' tokens go on."""

    contents: Contents
    are_signed_in: bool
    aside: Path | None = None
    """The folder to which the damaged database was moved."""


def back_up(folder: DataFolder, file: Path, tell: Tell, *, force: bool = False) -> Contents:
    """Copy the data folder into ``file``, whether its server runs or not; what is in it.

    All that was committed before the call is. ``force`` replaces a file that is there.
    Raises BackupError; then ``file`` is as it was.
    """
    require_free(file, folder, force=force)
    with _keeping_others(), part_of(file) as part:
        with told(folder.database, part.path), opened(folder.database) as source:
            source.begin_snapshot()
            _copy(source, part, tell)
        with told(part.path, part.path), opened(part.path, write=True) as copy:
            # A chat that has never been served has none.
            add_key(copy, folder.key.read_bytes() if folder.key.exists() else None)
        _overwrite_unused(part)
        with told(part.path, part.path), opened(part.path) as copy:
            contents = check(copy, folder.database, tell)
        lost = why_lost(SqliteDatabase(folder.database), folder)
        if lost and not contents.rooms:
            raise BackupError(lost)
        require_free(file, folder, force=force)  # somebody else may have been faster
        part.take_name()
    return contents


@contextlib.contextmanager
def _keeping_others() -> Iterator[None]:
    """Advice for when a damaged database cannot be backed up."""
    try:
        yield
    except BackupError as error:
        if not error.is_damage:
            raise
        raise BackupError(
            f"{error.message} Keep the backups that you have: put the latest back with hubbub "
            "restore."
        ) from error


def restore(file: Path, folder: DataFolder, tell: Tell) -> RestoreResult:
    """Make ``file`` the database of a folder that has none, or one that is damaged.

    The backup is checked before the folder is touched, and a damaged database is put aside, not
    away. Raises BackupError, FolderError.
    """
    with told(file, folder.database), opened(file) as source:
        source.begin_snapshot()  # what is checked is what is copied
        _require_none(folder)  # before the long part
        contents = check(source, file, tell)
        key = key_in(source)
        with _taken(folder), part_of(folder.database) as part:
            _copy(source, part, tell)
            with opened(part.path, write=True) as copy:
                copy.execute("DROP TABLE IF EXISTS backup")
                if check(copy, part.path, tell) != contents:
                    raise BackupError(f"{folder.path} did not take what was written. Try again.")
            aside = _put_aside(folder)
            is_the_backups = key is not None and folder.adopt_secret(key)
            part.take_name()
    return RestoreResult(contents, is_the_backups, aside)


def back_up_database(
    database: Database, file: Path, tell: Tell, *, force: bool = False
) -> Contents:
    """Copy a shared database into ``file``, while its servers go on; what is in it.

    The same form as `back_up` gives, so that it can be restored into either. Raises BackupError,
    DatabaseError; then ``file`` is as it was.
    """
    require_free(file, None, force=force)
    with part_of(file) as part, told(part.path, part.path), _failing(database):
        SqliteDatabase(part.path).migrate()
        with (
            opened(part.path, write=True) as copy,
            contextlib.closing(database.copier()) as source,
        ):
            _require_this_schema(source, database)
            source.begin_snapshot()
            copy.begin_snapshot()
            _copy_rows(source, copy, tell)
            _add_values(copy, values_of(source))
            add_key(copy, Tx(source, 0).secret())
            copy.commit()
        with opened(part.path) as copy:
            contents = check(copy, file, tell)
        require_free(file, None, force=force)
        part.take_name()
    return contents


def restore_database(file: Path, database: Database, tell: Tell) -> RestoreResult:
    """Put a backup into a shared database that has nothing, in one transaction.

    The backup is checked before the database is touched. Raises BackupError, DatabaseError.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(told(file, file))
        source = stack.enter_context(opened(file))
        source.begin_snapshot()
        key = key_in(source)
        if check(source, file, tell).schema < HEAD:
            source = stack.enter_context(_of_this_schema(source, tell))
        stack.enter_context(_failing(database))
        target = stack.enter_context(contextlib.closing(database.copier()))
        _require_nothing(target, database)
        database.migrate()
        target.begin()
        _require_nothing(target, database)  # somebody else may have been faster
        _copy_rows(source, target, tell)
        _add_values(target, values_of(source))
        if key is not None:
            Tx(target, 0).set_secret(key)
        settle(target)
        contents = contents_of(target)
        target.commit()
    return RestoreResult(contents, key is not None)


def _add_values(copy: Connection, values: dict[str, str]) -> None:
    """It is another database to every client."""
    add_values(copy, {key: value for key, value in values.items() if key != EPOCH})


def _copy_rows(source: Connection, target: Connection, tell: Tell) -> None:
    """All rows, compared afterwards."""
    total, done = count_of(source), 0

    def read(rows: int) -> None:
        nonlocal done
        done += rows
        tell("Comparing", done, 2 * total)

    for table in TABLES:
        for rows in copy_rows(source, target, table):
            done += rows
            tell("Copying", done, total)
    done = 0
    if digests_of(source, read) != digests_of(target, read):
        raise BackupError("What was copied is not what was read. Try again.")


@contextlib.contextmanager
def _of_this_schema(source: SqliteConnection, tell: Tell) -> Iterator[SqliteConnection]:
    """A backup from an older version, brought to the newest schema in a copy."""
    with tempfile.TemporaryDirectory(prefix="hubbub-") as folder:
        path = Path(folder) / "hubbub.db"
        source.copy_pages(path, lambda done, total: tell("Renewing", done, total))
        SqliteDatabase(path).migrate()
        with opened(path) as newer:
            newer.begin_snapshot()
            yield newer


def _require_this_schema(source: Connection, database: Database) -> None:
    tables = source.tables()
    if not tables >= TABLES_MIN:
        raise BackupError(f"{database.name} is not Hubbub's: it has no rooms and no messages.")
    if arriving.name in tables:
        raise BackupError(f"{database.name} has a part of a chat that is being moved there.")
    if (schema := schema_of(source)) != HEAD:
        raise BackupError(
            f"{database.name} has schema {schema}, and this Hubbub knows {HEAD}. Back it up with "
            "the Hubbub that serves it."
        )


def _require_nothing(target: Connection, database: Database) -> None:
    if arriving.name in target.tables() or not is_empty(target):
        raise BackupError(f"{database.name} has a chat already. Give an empty database.")


@contextlib.contextmanager
def _failing(database: Database) -> Iterator[None]:
    """What the shared database's driver raises, in our words."""
    try:
        yield
    except database.errors as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise BackupError(f"{database.name} failed ({why}). Try again.") from error


def _copy(source: SqliteConnection, part: Part, tell: Tell) -> None:
    """All pages as they are now, a few at a time.

    One snapshot is read throughout: a copy would begin anew with every commit otherwise, and
    under load never come to its end. Nobody waits for it; the log is only cut when it is over.
    """
    source.tables()  # from here on it is read
    began = time.monotonic()

    def copied(done: int, total: int) -> None:
        nonlocal began
        tell("Copying", done, total)
        # Little by little: all at once would hold up everyone else's syncs.
        part.sync()
        if done < total:
            time.sleep(min(time.monotonic() - began, RESTS_AT_MOST_S))
        began = time.monotonic()

    source.copy_pages(part.path, copied)
    with opened(part.path, write=True) as copy:
        # By now it has no log either, and can be read from anywhere.
        if "server" in copy.tables():
            copy.execute(_FORGET, {"epoch": EPOCH, "moved": MOVED})


def _overwrite_unused(part: Part) -> None:
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
    """Raises FolderError if there is a database that could be served, or anything of another's.

    A log without its database counts: it would be taken for the log of the one put there.
    """
    try:
        found = _there(folder)
        is_free = not found or _is_damaged(folder)
    except OSError as error:
        raise FolderError(f"{folder.path} cannot be used ({error.strerror}).") from error
    if not is_free:
        raise FolderError(
            f"{found[0]} is there already. Stop its server and move away all that is called "
            f"{folder.database.name}…, or give another folder with --data."
        )


def _there(folder: DataFolder) -> list[Path]:
    """What there is of a database."""
    names = (folder.database.name + end for end in ("", *BESIDE))
    paths = [folder.database.with_name(name) for name in names]
    return [path for path in paths if path.exists() or path.is_symlink()]


def _is_damaged(folder: DataFolder) -> bool:
    """Whether a chat was here that can no longer be served, or read from end to end."""
    path, database = folder.database, SqliteDatabase(folder.database)
    if _there(folder) == [path] and path.is_file() and not path.stat().st_size:
        return True
    try:
        database.look(why_lost(database, folder))
        with contextlib.closing(look_into(path)) as db:
            check(db, path, lambda what, done, total: None)
    except (DatabaseError, BackupError) as error:
        return error.is_damage and _was_a_chat(folder)
    except apsw.Error as error:
        return is_damage(error) and _was_a_chat(folder)
    except MovedError:
        pass
    return False


def _was_a_chat(folder: DataFolder) -> bool:
    """Whether this is ours, and not what somebody else keeps under the same name."""
    if folder.key.exists() or folder.has_shown():
        return True
    try:
        with contextlib.closing(look_into(folder.database)) as db:
            return db.tables() >= TABLES_MIN
    except (apsw.Error, DatabaseError):
        return False


def _put_aside(folder: DataFolder) -> Path | None:
    """Move what there is into a folder of its own, where it can still be looked at."""
    found = _there(folder)
    if not found or (found == [folder.database] and has_nothing(folder.database)):
        return None
    number = 1
    while (aside := folder.path / f"damaged-{number}").exists():
        number += 1
    aside.mkdir(mode=0o700)
    for path in found:
        path.rename(aside / path.name)
    return aside
