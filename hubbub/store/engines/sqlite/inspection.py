"""Checks of a database file before it is used."""

import stat
from pathlib import Path

import apsw

from hubbub.model.names import LOBBY
from hubbub.store.engines.database import Connection, DatabaseError, parse_versions
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.engines.sqlite.erasure import FILE_HEADER_BYTES, is_page, read_log
from hubbub.store.engines.sqlite.errors import damage_error, open_error, restore_command
from hubbub.store.schema.migrations import OLDEST
from hubbub.store.schema.move_marker import MOVED, require_not_moved
from hubbub.store.schema.tables import metadata
from hubbub.store.tx import Tx


def is_missing_or_empty(path: Path) -> bool:
    """Whether the file is missing or empty. Raises DatabaseError if that cannot be determined."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise DatabaseError(f"{path} cannot be accessed ({error.strerror}).") from error
    if not stat.S_ISREG(status.st_mode):
        raise DatabaseError(
            f"{path} cannot be opened (it is not a file). Move it away and put back the latest "
            f"backup: {restore_command(path.parent)}; or give another folder with --data."
        )
    return status.st_size == 0


def version_of(db: Connection, path: Path) -> tuple[str | None, str]:
    """The schema version, None for a new database, and the oldest version that it works with.

    Raises DatabaseError, MovedError.
    """
    try:
        tables = db.tables()
        if not tables:
            return None, OLDEST
        if "alembic_version" not in tables or "rooms" not in tables:
            raise DatabaseError(
                f"{path} is not a Hubbub database. Give another folder with --data; "
                "or, if there was a chat, move it away and put back the latest backup: "
                f"{restore_command(path.parent)}."
            )
        versions = db.execute("SELECT version_num FROM alembic_version")
        values: dict[str, str] = dict(db.execute("SELECT key, value FROM server"))
        parsed = parse_versions(versions, values)
        require_not_moved(str(path), tables, values.get(MOVED))
    except apsw.Error as error:
        raise open_error(path, error) from error
    except CorruptRow as error:
        raise damage_error(path, str(error)) from error
    return parsed


def require_sound_root_pages(db: Connection, path: Path) -> None:
    """Raises DatabaseError if the root page of a table or an index is damaged.

    Nothing in it could be read then. Damage in other pages affects only queries that read them.
    """
    [(page_bytes,)] = db.execute("PRAGMA page_size")
    in_log = read_log(path.with_name(path.name + "-wal")).pages
    objects = db.execute("SELECT type, name, rootpage, sql FROM sqlite_master WHERE rootpage > 0")
    with path.open("rb") as file:
        for kind, name, number, sql in objects:
            if number in in_log:
                continue
            file.seek((number - 1) * page_bytes)
            page = file.read(page_bytes)
            is_index = kind == "index" or str(sql).rstrip().endswith("WITHOUT ROWID")
            at = FILE_HEADER_BYTES if number == 1 else 0
            if not is_page(page, at, is_index=is_index):
                raise damage_error(path, f"“{name}” cannot be read")


def require_tables(db: Connection) -> None:
    """Raises CorruptRow if a table of this release's schema is missing."""
    if missing := metadata.tables.keys() - db.tables():
        raise CorruptRow(f"tables are missing: {', '.join(sorted(missing))}")


def require_startup_rows(db: Connection) -> None:
    """Read the rows that each start needs, to find damage before anything is written.

    Raises apsw.Error, CorruptRow.
    """
    tx = Tx(db, 0)
    with db.checking_rows():
        tx.server_values()
        tx.total_rev()
        tx.count_owners()
        if tx.room(LOBBY) is None:  # which cannot be deleted
            raise CorruptRow("the lobby is missing")
