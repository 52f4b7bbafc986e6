"""The SQLite database: opened for reading only, beside the running server or without one."""

import contextlib
from collections.abc import Generator

import apsw

from hubbub.cli.checks import contents
from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.cli.checks.storage import shown_bytes
from hubbub.model.errors import HubbubError
from hubbub.store.copies.copy import check_rows
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.opening import why_lost
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.engines.sqlite.checkpoints import TRUNCATE_ABOVE_BYTES
from hubbub.store.engines.sqlite.connection import Connection, connect_as
from hubbub.store.engines.sqlite.database import Database
from hubbub.store.engines.sqlite.errors import LOCKED, is_damage, said_by
from hubbub.store.engines.sqlite.inspection import require_what_a_start_reads, version_of

QUICK_WITHIN_S = 60.0  # as a reader keeps the server from beginning its log anew
LOG_LARGE_BYTES = 2 * TRUNCATE_ABOVE_BYTES

PUT_BACK = f"Stop the server, keep a copy of the folder as it is, and put back {contents.BACKUP}."


def data(
    folder: DataFolder, now_ms: int, *, full: bool, runs: bool
) -> Generator[Finding, None, dict[str, str]]:
    """What is found; returns what the server has stored about itself, as far as it can be read.

    ``full`` has every index compared with its table; ``runs`` says whether a server has the folder.
    """
    try:
        with contextlib.closing(connect_as(folder.database, "mode=ro")) as db:
            schema = schema_of(db, folder)
            yield schema
            if schema.state == "problem":
                return {}
            whole = integrity(db, full=full)
            yield whole
            if whole.state == "problem":
                return {}
            yield references(db)
            yield log(Database(folder.database).log_bytes(), runs=runs)
            if schema.state == "ok":
                if db.execute("SELECT 1 FROM rooms LIMIT 1"):
                    require_what_a_start_reads(db)
                elif lost := why_lost(Database(folder.database), folder):
                    yield refused("rows", HubbubError(lost))
                    return {}
                if full:
                    yield rows(db)
                found = contents.contents(db, folder, now_ms, runs=runs, is_shared=False)
                return (yield from found)
    except apsw.Error as error:
        yield _failed(folder, error)
    except ImpossibleRow as error:
        yield problem("rows", f"The database is damaged ({error}).", PUT_BACK)
    return {}


def _failed(folder: DataFolder, error: apsw.Error) -> Finding:
    if isinstance(error, LOCKED):
        return problem(
            "database",
            f"{folder.database} is locked by another program.",
            "End what else has it open, such as sqlite3 or a program that makes copies.",
        )
    if isinstance(error, apsw.NotADBError):
        return problem(
            "database",
            f"{folder.database} is not a database.",
            f"Is --data right? If so: {PUT_BACK}",
        )
    return problem("database", f"{folder.database} cannot be read ({said_by(error)}).", PUT_BACK)


def schema_of(db: Connection, folder: DataFolder) -> Finding:
    """Whether it is ours, and of which version. Raises apsw.Error."""
    try:
        version, works_with = version_of(db, folder.database)
    except HubbubError as error:
        if isinstance(error.__cause__, apsw.Error):
            raise error.__cause__ from None
        return refused("database", error)
    return contents.schema(version, works_with, str(folder.database))


def integrity(db: Connection, *, full: bool, limit_s: float = QUICK_WITHIN_S) -> Finding:
    """Whether the file is sound. The quick check gives up after a while, the full one never."""
    check = "integrity_check" if full else "quick_check"
    try:
        faults = db.faults(check, None if full else limit_s)
    except apsw.InterruptError:
        return warning(
            "integrity",
            f"The database is too large for a quick look; it was ended after {limit_s:.0f} s.",
            "When there is time, stop the server and run hubbub doctor --full.",
        )
    if faults:
        found = f"The database is damaged ({check}: {faults[0]})."
        return problem("integrity", found, PUT_BACK)
    more = "" if full else "; --full compares the indexes too"
    return ok("integrity", f"The database is sound ({check}{more}).")


def references(db: Connection) -> Finding:
    """Whether every row that names another names one that is there."""
    loose = db.execute("PRAGMA foreign_key_check")
    if loose:
        tables = ", ".join(sorted({str(row[0]) for row in loose}))
        return problem(
            "references",
            f"{len(loose)} rows name others that are not there (in {tables}).",
            f"Something else wrote to the database. {PUT_BACK}",
        )
    return ok("references", "All that rows name in other tables is there.")


def rows(db: Connection) -> Finding:
    """Whether every row holds what Hubbub writes. Raises apsw.Error, ImpossibleRow."""
    try:
        count = check_rows(db)
    except apsw.Error as error:
        if is_damage(error):
            raise ImpossibleRow(said_by(error)) from error
        raise
    return ok("rows", f"All {count:,} rows hold what Hubbub writes.")


def log(size: int, *, runs: bool) -> Finding:
    """``size`` of the write-ahead log in bytes."""
    told = f"The database's log is {shown_bytes(size)} long"
    if size > LOG_LARGE_BYTES and runs:
        return warning(
            "log",
            f"{told}: something keeps the server from moving it into the database.",
            "End what else reads the database, such as sqlite3 or a program that makes copies.",
        )
    if size > LOG_LARGE_BYTES:
        return warning(
            "log",
            f"{told}.",
            "Leave it there: it holds messages. The next start moves it into the database.",
        )
    return ok("log", f"{told}.")
