"""Checks of the SQLite database, opened read-only whether a server is running or not."""

import contextlib
from collections.abc import Generator

import apsw

from hubbub.cli.checks import contents
from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.cli.checks.storage import format_bytes
from hubbub.model.errors import HubbubError
from hubbub.store.copies.copy import check_rows
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.opening import missing_chat_message
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.engines.sqlite.checkpoints import TRUNCATE_ABOVE_BYTES
from hubbub.store.engines.sqlite.connection import Connection, connect_existing
from hubbub.store.engines.sqlite.database import Database
from hubbub.store.engines.sqlite.errors import LOCKED, error_text, is_damage
from hubbub.store.engines.sqlite.inspection import require_startup_rows, version_of

QUICK_CHECK_TIMEOUT_S = 60.0  # while it reads, the server cannot reset its write-ahead log
LOG_LARGE_BYTES = 2 * TRUNCATE_ABOVE_BYTES

RESTORE = f"Stop the server, keep a copy of the folder as it is, and restore {contents.BACKUP}."


def check_database(
    folder: DataFolder, now_ms: int, *, full: bool, is_running: bool
) -> Generator[Finding, None, dict[str, str]]:
    """Check the database; return the rows of the ``server`` table, as far as they can be read.

    ``full`` compares every index with its table; ``is_running``: a server uses the folder.
    """
    try:
        with contextlib.closing(connect_existing(folder.database, "mode=ro")) as db:
            schema = schema_of(db, folder)
            yield schema
            if schema.state == "problem":
                return {}
            whole = integrity(db, full=full)
            yield whole
            if whole.state == "problem":
                return {}
            yield references(db)
            yield log(Database(folder.database).log_bytes(), is_running=is_running)
            if schema.state == "ok":
                if db.execute("SELECT 1 FROM rooms LIMIT 1"):
                    require_startup_rows(db)
                elif missing_chat := missing_chat_message(Database(folder.database), folder):
                    yield refused("rows", HubbubError(missing_chat))
                    return {}
                if full:
                    yield rows(db)
                found = contents.contents(
                    db, folder, now_ms, is_running=is_running, is_shared=False
                )
                return (yield from found)
    except apsw.Error as error:
        yield _failed(folder, error)
    except CorruptRow as error:
        yield problem("rows", f"The database is damaged ({error}).", RESTORE)
    return {}


def _failed(folder: DataFolder, error: apsw.Error) -> Finding:
    if isinstance(error, LOCKED):
        return problem(
            "database",
            f"{folder.database} is locked by another program.",
            "Stop the other program, such as sqlite3 or a backup tool.",
        )
    if isinstance(error, apsw.NotADBError):
        return problem(
            "database",
            f"{folder.database} is not a database.",
            f"Is --data right? If so: {RESTORE}",
        )
    return problem("database", f"{folder.database} cannot be read ({error_text(error)}).", RESTORE)


def schema_of(db: Connection, folder: DataFolder) -> Finding:
    """Whether it is a Hubbub database, and whether this version can use it. Raises apsw.Error."""
    try:
        version, works_with = version_of(db, folder.database)
    except HubbubError as error:
        if isinstance(error.__cause__, apsw.Error):
            raise error.__cause__ from None
        return refused("database", error)
    return contents.schema(version, works_with, str(folder.database))


def integrity(db: Connection, *, full: bool, limit_s: float = QUICK_CHECK_TIMEOUT_S) -> Finding:
    """Whether the file is sound. The quick check has a time limit, the full one has none."""
    check = "integrity_check" if full else "quick_check"
    try:
        faults = db.faults(check, None if full else limit_s)
    except apsw.InterruptError:
        return warning(
            "integrity",
            f"The database is too large for the quick check, which stopped after {limit_s:.0f} s.",
            "When there is time, stop the server and run hubbub doctor --full.",
        )
    if faults:
        found = f"The database is damaged ({check}: {faults[0]})."
        return problem("integrity", found, RESTORE)
    more = "" if full else "; --full compares the indexes too"
    return ok("integrity", f"The database is sound ({check}{more}).")


def references(db: Connection) -> Finding:
    """Whether all foreign keys point to existing rows."""
    orphans = db.execute("PRAGMA foreign_key_check")
    if orphans:
        tables = ", ".join(sorted({str(row[0]) for row in orphans}))
        return problem(
            "references",
            f"{len(orphans)} rows refer to rows that do not exist (in {tables}).",
            f"Another program wrote to the database. {RESTORE}",
        )
    return ok("references", "All references between tables are valid.")


def rows(db: Connection) -> Finding:
    """Whether every row has values that Hubbub can have written.

    Raises apsw.Error, CorruptRow.
    """
    try:
        count = check_rows(db)
    except apsw.Error as error:
        if is_damage(error):
            raise CorruptRow(error_text(error)) from error
        raise
    return ok("rows", f"All {count:,} rows have valid values.")


def log(size: int, *, is_running: bool) -> Finding:
    """Whether the write-ahead log has a normal size. ``size`` is in bytes."""
    summary = f"The database's log is {format_bytes(size)} long"
    if size > LOG_LARGE_BYTES and is_running:
        return warning(
            "log",
            f"{summary}: another program keeps the server from moving it into the database.",
            "Stop the program that reads the database, such as sqlite3 or a backup tool.",
        )
    if size > LOG_LARGE_BYTES:
        return warning(
            "log",
            f"{summary}.",
            "Leave it there: it holds messages. The next start moves it into the database.",
        )
    return ok("log", f"{summary}.")
