"""The database: opened for reading only, beside the running server or without one."""

import contextlib
import sqlite3
import time
from collections.abc import Generator

from hubbub.cli.checkups.finding import Finding, ok, problem, warning
from hubbub.cli.checkups.place import shown_bytes
from hubbub.store.folder import DataFolder
from hubbub.store.migrations import HEAD
from hubbub.store.sqlite import TRUNCATE_ABOVE_BYTES, Connection, Database
from hubbub.store.tx import Tx

BUSY_S = 5.0
QUICK_WITHIN_S = 60.0  # as a reader keeps the server from beginning its log anew
LOG_LARGE_BYTES = 2 * TRUNCATE_ABOVE_BYTES
AHEAD_MS = 60_000
STEPS = 100_000  # of SQLite's machine between two looks at the time

_NEWEST = """
    SELECT max(messages.at) FROM rooms
    JOIN messages ON messages.room_pk = rooms.pk AND messages.seq = rooms.seq
"""
PUT_BACK = (
    "Stop the server, keep a copy of the folder as it is, and put the latest good backup back "
    "(hubbub restore)."
)


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
                return (yield from _contents(driver, folder, now_ms, runs=runs))
    except sqlite3.Error as error:
        yield _failed(folder, error)
    return {}


def _contents(
    driver: sqlite3.Connection, folder: DataFolder, now_ms: int, *, runs: bool
) -> Generator[Finding, None, dict[str, str]]:
    tx = Tx(Connection(driver, Database(folder.database).dialect), now_ms)
    values = tx.server_values()
    # In this order: a running server commits first, and then notes what it is about to show.
    known = folder.shown(values.get("epoch", ""))
    yield shown(known, tx.total_rev(), runs=runs)
    yield newest_message(driver.execute(_NEWEST).fetchone()[0], now_ms)
    return values


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
    return problem("database", f"{folder.database} cannot be read ({error}).", PUT_BACK)


def schema_of(driver: sqlite3.Connection, folder: DataFolder) -> Finding:
    """Whether it is ours, and of which version. Raises sqlite3.Error."""
    tables = {name for (name,) in driver.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return warning(
            "database",
            f"{folder.database} is empty; the next start makes a new chat in it.",
            "If there should be one, put its copy there first.",
        )
    if not {"alembic_version", "rooms"} <= tables:
        return problem(
            "database",
            f"{folder.database} holds something that is not Hubbub's.",
            "Give another folder with --data.",
        )
    row = driver.execute("SELECT version_num FROM alembic_version").fetchone()
    version = str(row[0]) if row else ""
    if version > HEAD:
        return problem(
            "database",
            f"The database was written by a newer Hubbub (schema {version}; this knows {HEAD}).",
            "Install that version or a later one, or put a copy from before the update back.",
        )
    if version < HEAD:
        return warning(
            "database",
            f"The database has the older schema {version or '(none)'}; this Hubbub has {HEAD}.",
            "Run hubbub backup before the next start, which brings it to the newer one.",
        )
    return ok("database", f"The database opens, and has this Hubbub's schema ({HEAD}).")


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


def shown(known: int | None, total: int, *, runs: bool) -> Finding:
    """Whether people have been shown more than there is. See `hubbub.actions.server.prepare`."""
    if known is not None and known <= total:
        return ok("shown", f"The database has all that people were shown ({known} of {total}).")
    if known is None and total == 0:
        return ok("shown", "Nothing has been shown to anybody yet.")
    what = (
        "The database came here without the folder's file “shown”, or with another's"
        if known is None
        else f"The database is older than what people were shown ({total} of {known} changes)"
    )
    if runs:
        return problem(
            "shown",
            f"{what}, while a server uses it.",
            "Restart the server: a database must not be exchanged below it.",
        )
    return warning(
        "shown",
        f"{what}: at the next start all clients forget what they have and load it anew.",
        "Nothing, if a copy was put back. Otherwise look for the right database first.",
    )


def newest_message(at_ms: int | None, now_ms: int) -> Finding:
    """The clock against the newest message, which it must have been past already."""
    if at_ms is None:
        return ok("newest message", "There are no messages yet.")
    ahead_ms = at_ms - now_ms
    if ahead_ms > AHEAD_MS:
        return warning(
            "newest message",
            f"The newest message is {_span(ahead_ms)} ahead of this machine's clock.",
            "Is the clock right? It is now behind what it was when that message came.",
        )
    return ok("newest message", f"The newest message is {_span(max(0, -ahead_ms))} old.")


def _span(ms: int) -> str:
    seconds = ms / 1000
    for unit, length_s in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.1f} {unit}"
    return f"{seconds:.0f} seconds"
