"""Checks of the database's contents, for both engines: over one connection, reading only."""

from collections.abc import Generator

from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.database import Connection, DatabaseError, needs_migration
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.schema.migrations import HEAD
from hubbub.store.tx import Tx

AHEAD_MS = 60_000
BACKUP = "the latest good backup (hubbub restore)"

_NEWEST = """
    SELECT max(messages.at) FROM rooms
    JOIN messages ON messages.room_pk = rooms.pk AND messages.seq = rooms.seq
"""
# One index lookup for each room and number, so it is quick with many messages too.
_MISCOUNTED = """
    SELECT count(*) FROM rooms WHERE
        rooms.seq < (SELECT max(messages.seq) FROM messages WHERE messages.room_pk = rooms.pk)
        OR rooms.rev < (SELECT max(messages.rev) FROM messages WHERE messages.room_pk = rooms.pk)
        OR rooms.members <> (SELECT count(*) FROM members WHERE members.room_pk = rooms.pk)
"""


def schema(version: str | None, works_with: str, name: str) -> Finding:
    """Whether this Hubbub can serve a schema of this version, by the same rule as at a start."""
    try:
        is_older = needs_migration(version, works_with, name)
    except DatabaseError as error:
        return refused("database", error)
    if version is None:
        return warning(
            "database",
            f"{name} is empty; the next start makes a new chat in it.",
            f"If it should have a chat, look for the right database, or restore {BACKUP}.",
        )
    if is_older:
        return warning(
            "database",
            f"The database has the older schema {version or '(none)'}; this Hubbub has {HEAD}.",
            "Run hubbub backup before the next start, which upgrades the schema.",
        )
    if version > HEAD:
        return ok(
            "database",
            f"The database has the schema of a newer Hubbub ({version}), which this one ({HEAD}) "
            "can use.",
        )
    return ok("database", f"The database can be opened, and has this Hubbub's schema ({HEAD}).")


def contents(
    db: Connection, folder: DataFolder, now_ms: int, *, is_running: bool, is_shared: bool
) -> Generator[Finding, None, dict[str, str]]:
    """Check the contents; return the rows of the ``server`` table.

    Each statement reads its own snapshot. Raises the driver's errors, and CorruptRow.
    """
    tx = Tx(db, now_ms)
    yield counters(db)
    with db.checking_rows():
        values = tx.server_values()
    # Read in this order, as a running server commits first and then records what it will show.
    known = folder.shown(values.get("epoch", ""))
    yield shown(known, tx.total_rev(), is_running=is_running, is_shared=is_shared)
    [(newest,)] = db.execute(_NEWEST)
    if newest is not None and not isinstance(newest, int):
        raise CorruptRow("messages.at holds no time")
    yield newest_message(newest, now_ms)
    return values


def counters(db: Connection) -> Finding:
    """Whether each room's counters agree with its messages and members."""
    [(count,)] = db.execute(_MISCOUNTED)
    if count:
        return problem(
            "counters",
            f"The counters of {count} rooms disagree with their messages or members.",
            f"Another program wrote to the database. Stop the server, and restore {BACKUP}.",
        )
    return ok("counters", "The counters of all rooms agree with their messages and members.")


def shown(known: int | None, total: int, *, is_running: bool, is_shared: bool) -> Finding:
    """Whether people have been shown changes that the database lacks.

    See `hubbub.actions.server.prepare`.
    """
    if known is not None and known <= total:
        return ok("shown", f"The database has all that people were shown ({known} of {total}).")
    if known is None and (total == 0 or is_shared):
        return ok("shown", "No changes have been shown to anybody from this folder yet.")
    what = (
        "The folder has no file “shown”, or that of another database"
        if known is None
        else f"The database lacks changes that people were shown (it has {total} of {known})"
    )
    if is_running:
        return problem(
            "shown",
            f"{what}, while a server uses it.",
            "Restart the server: its database must not be replaced while it is running.",
        )
    return warning(
        "shown",
        f"{what}: after the next start all clients discard their data and load it again.",
        "If you restored a copy, nothing is wrong. If not, look for the right database first.",
    )


def newest_message(at_ms: int | None, now_ms: int) -> Finding:
    """Whether the clock is past the time of the newest message."""
    if at_ms is None:
        return ok("newest message", "There are no messages yet.")
    ahead_ms = at_ms - now_ms
    if ahead_ms > AHEAD_MS:
        return warning(
            "newest message",
            f"The newest message is {_span(ahead_ms)} ahead of this machine's clock.",
            "Check the clock: it has gone back since that message was written.",
        )
    return ok("newest message", f"The newest message is {_span(max(0, -ahead_ms))} old.")


def _span(ms: int) -> str:
    seconds = ms / 1000
    for unit, length_s in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.1f} {unit}"
    return f"{seconds:.0f} seconds"
