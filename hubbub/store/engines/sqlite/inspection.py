"""Checks of a database file before anything in it is used."""

import stat
from pathlib import Path

import apsw

from hubbub.model.names import LOBBY
from hubbub.store.engines.database import Connection, DatabaseError, versions_in
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.engines.sqlite.erasure import FILE_HEADER_BYTES, is_page, read_log
from hubbub.store.engines.sqlite.errors import damaged, refusal, restoring
from hubbub.store.schema.migrations import OLDEST
from hubbub.store.schema.move_marker import MOVED, require_served
from hubbub.store.schema.tables import metadata
from hubbub.store.tx import Tx


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


def version_of(db: Connection, path: Path) -> tuple[str | None, str]:
    """The schema's version, None for a new database, and the oldest that it works with.

    Raises DatabaseError, MovedError.
    """
    try:
        tables = db.tables()
        if not tables:
            return None, OLDEST
        if "alembic_version" not in tables or "rooms" not in tables:
            raise DatabaseError(
                f"{path} holds something that is not Hubbub's. Give another folder with --data; "
                "or, if there was a chat, move it away and put back the latest backup: "
                f"{restoring(path.parent)}."
            )
        versions = db.execute("SELECT version_num FROM alembic_version")
        values: dict[str, str] = dict(db.execute("SELECT key, value FROM server"))
        found = versions_in(versions, values)
        require_served(str(path), tables, values.get(MOVED))
    except apsw.Error as error:
        raise refusal(path, error) from error
    except ImpossibleRow as error:
        raise damaged(path, str(error)) from error
    return found


def require_roots(db: Connection, path: Path) -> None:
    """Raises DatabaseError if a table or an index is damaged where it begins.

    Nothing in it could be read then. Pages further down are met by those only who ask for them.
    """
    [(page_bytes,)] = db.execute("PRAGMA page_size")
    newer = read_log(path.with_name(path.name + "-wal")).pages
    found = db.execute("SELECT type, name, rootpage, sql FROM sqlite_master WHERE rootpage > 0")
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


def require_tables(db: Connection) -> None:
    """Raises ImpossibleRow if a table of this release's schema is gone."""
    if gone := metadata.tables.keys() - db.tables():
        raise ImpossibleRow(f"it has no {', '.join(sorted(gone))}")


def require_what_a_start_reads(db: Connection) -> None:
    """Raises apsw.Error, ImpossibleRow: it is best found before anything is written."""
    tx = Tx(db, 0)
    with db.suspecting():
        tx.server_values()
        tx.total_rev()
        tx.owners()
        if tx.room(LOBBY) is None:  # nobody can delete it
            raise ImpossibleRow("it has rooms, but no lobby")
