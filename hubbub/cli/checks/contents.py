"""What stands in the database, in whichever engine: read through one connection, and only read."""

from collections.abc import Generator

from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.database import Connection, DatabaseError, needs_migration
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.schema.migrations import HEAD
from hubbub.store.tx import Tx

AHEAD_MS = 60_000
BACKUP = "the latest good backup (hubbub restore)"

_NEWEST = """
    SELECT max(messages.at) FROM rooms
    JOIN messages ON messages.room_pk = rooms.pk AND messages.seq = rooms.seq
"""
# One look into an index for each room and number: quick with many messages, too.
_MISCOUNTED = """
    SELECT count(*) FROM rooms WHERE
        rooms.seq < (SELECT max(messages.seq) FROM messages WHERE messages.room_pk = rooms.pk)
        OR rooms.rev < (SELECT max(messages.rev) FROM messages WHERE messages.room_pk = rooms.pk)
        OR rooms.members <> (SELECT count(*) FROM members WHERE members.room_pk = rooms.pk)
"""


def schema(version: str | None, works_with: str, name: str) -> Finding:
    """Whether this Hubbub can serve a schema of this version; by the rule of a start."""
    try:
        is_older = needs_migration(version, works_with, name)
    except DatabaseError as error:
        return refused("database", error)
    if version is None:
        return warning(
            "database",
            f"{name} is empty; the next start makes a new chat in it.",
            f"If there should be one, look for the right database, or put back {BACKUP}.",
        )
    if is_older:
        return warning(
            "database",
            f"The database has the older schema {version or '(none)'}; this Hubbub has {HEAD}.",
            "Run hubbub backup before the next start, which brings it to the newer one.",
        )
    if version > HEAD:
        return ok(
            "database",
            f"The database has a newer Hubbub's schema ({version}), with which this one ({HEAD}) "
            "can go on.",
        )
    return ok("database", f"The database opens, and has this Hubbub's schema ({HEAD}).")


def contents(
    db: Connection, folder: DataFolder, now_ms: int, *, runs: bool, is_shared: bool
) -> Generator[Finding, None, dict[str, str]]:
    """What is found; returns what the server has stored about itself.

    Each statement sees its own moment. Raises what the driver raises, and ImpossibleRow.
    """
    tx = Tx(db, now_ms)
    yield counters(db)
    with db.suspecting():
        values = tx.server_values()
    # In this order: a running server commits first, and then notes what it is about to show.
    known = folder.shown(values.get("epoch", ""))
    yield shown(known, tx.total_rev(), runs=runs, is_shared=is_shared)
    [(newest,)] = db.execute(_NEWEST)
    if newest is not None and not isinstance(newest, int):
        raise ImpossibleRow("messages.at holds no time")
    yield newest_message(newest, now_ms)
    return values


def counters(db: Connection) -> Finding:
    """Whether each room's numbers are those of what is in it."""
    [(count,)] = db.execute(_MISCOUNTED)
    if count:
        return problem(
            "counters",
            f"{count} rooms count other messages or members than they have.",
            f"Something else wrote to the database. Stop the server, and put back {BACKUP}.",
        )
    return ok("counters", "Every room counts the messages and members that it has.")


def shown(known: int | None, total: int, *, runs: bool, is_shared: bool) -> Finding:
    """Whether people have been shown more than there is. See `hubbub.actions.server.prepare`."""
    if known is not None and known <= total:
        return ok("shown", f"The database has all that people were shown ({known} of {total}).")
    if known is None and (total == 0 or is_shared):
        return ok("shown", "Nothing has been shown to anybody from here yet.")
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
