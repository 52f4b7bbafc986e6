"""The SQLite database: opened for reading only, beside the running server or without one."""

import contextlib
import sqlite3
import time
from collections.abc import Generator

from hubbub.cli.checkups import contents
from hubbub.cli.checkups.finding import Finding, ok, problem, refused, warning
from hubbub.cli.checkups.place import shown_bytes
from hubbub.model.errors import HubbubError
from hubbub.store.copying import check_rows
from hubbub.store.folder import DataFolder
from hubbub.store.opening import why_lost
from hubbub.store.soundness import ImpossibleRow
from hubbub.store.sqlite import (
    TRUNCATE_ABOVE_BYTES,
    Connection,
    Database,
    is_damage,
    require_what_a_start_reads,
    said_by,
    version_of,
)

BUSY_S = 5.0
QUICK_WITHIN_S = 60.0  # as a reader keeps the server from beginning its log anew
LOG_LARGE_BYTES = 2 * TRUNCATE_ABOVE_BYTES
STEPS = 100_000  # of SQLite's machine between two looks at the time

PUT_BACK = f"Stop the server, keep a copy of the folder as it is, and put back {contents.BACKUP}."


def data(
    folder: DataFolder, now_ms: int, *, full: bool, runs: bool
) -> Generator[Finding, None, dict[str, str]]:
    """What is found; returns what the server has stored about itself, as far as it can be read.

    ``full`` has every index compared with its table; ``runs`` says whether a server has the folder.
    """
    try:
        with contextlib.closing(_opened(folder)) as driver:
            schema = schema_of(driver, folder)
            yield schema
            if schema.state == "problem":
                return {}
            whole = integrity(driver, full=full)
            yield whole
            if whole.state == "problem":
                return {}
            yield references(driver)
            yield log(Database(folder.database).log_bytes(), runs=runs)
            if schema.state == "ok":
                db = Connection(driver, Database(folder.database).dialect)
                if driver.execute("SELECT 1 FROM rooms").fetchone():
                    require_what_a_start_reads(db)
                elif lost := why_lost(Database(folder.database), folder):
                    yield refused("rows", HubbubError(lost))
                    return {}
                if full:
                    yield rows(db)
                found = contents.contents(db, folder, now_ms, runs=runs, is_shared=False)
                return (yield from found)
    except sqlite3.Error as error:
        yield _failed(folder, error)
    except ImpossibleRow as error:
        yield problem("rows", f"The database is damaged ({error}).", PUT_BACK)
    return {}


def _opened(folder: DataFolder) -> sqlite3.Connection:
    uri = f"{folder.database.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)


def _failed(folder: DataFolder, error: sqlite3.Error) -> Finding:
    if "locked" in str(error):
        return problem(
            "database",
            f"{folder.database} is locked by another program.",
            "End what else has it open, such as sqlite3 or a program that makes copies.",
        )
    if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
        return problem(
            "database",
            f"{folder.database} is not a database.",
            f"Is --data right? If so: {PUT_BACK}",
        )
    return problem("database", f"{folder.database} cannot be read ({said_by(error)}).", PUT_BACK)


def schema_of(driver: sqlite3.Connection, folder: DataFolder) -> Finding:
    """Whether it is ours, and of which version. Raises sqlite3.Error."""
    try:
        version, works_with = version_of(driver, folder.database)
    except HubbubError as error:
        if isinstance(error.__cause__, sqlite3.Error):
            raise error.__cause__ from None
        return refused("database", error)
    return contents.schema(version, works_with, str(folder.database))


def integrity(
    driver: sqlite3.Connection, *, full: bool, limit_s: float = QUICK_WITHIN_S
) -> Finding:
    """Whether the file is sound. The quick check gives up after a while, the full one never."""
    check = "integrity_check" if full else "quick_check"
    deadline = time.monotonic() + limit_s
    if not full:
        driver.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        faults = [str(fault) for (fault,) in driver.execute(f"PRAGMA {check}")]
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return warning(
            "integrity",
            f"The database is too large for a quick look; it was ended after {limit_s:.0f} s.",
            "When there is time, stop the server and run hubbub doctor --full.",
        )
    except sqlite3.DatabaseError as error:
        faults = [str(error)]
    finally:
        driver.set_progress_handler(None, 0)
    if faults != ["ok"]:
        first = " ".join(faults[0].split())
        return problem("integrity", f"The database is damaged ({check}: {first}).", PUT_BACK)
    more = "" if full else "; --full compares the indexes too"
    return ok("integrity", f"The database is sound ({check}{more}).")


def references(driver: sqlite3.Connection) -> Finding:
    """Whether every row that names another names one that is there."""
    loose = driver.execute("PRAGMA foreign_key_check").fetchall()
    if loose:
        tables = ", ".join(sorted({str(row[0]) for row in loose}))
        return problem(
            "references",
            f"{len(loose)} rows name others that are not there (in {tables}).",
            f"Something else wrote to the database. {PUT_BACK}",
        )
    return ok("references", "All that rows name in other tables is there.")


def rows(db: Connection) -> Finding:
    """Whether every row holds what Hubbub writes. Raises sqlite3.Error, ImpossibleRow."""
    try:
        count = check_rows(db)
    except sqlite3.Error as error:
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
