"""A PostgreSQL: what it is, what it keeps through bad days, and how many servers it lets in."""

import contextlib
import time
from collections.abc import Generator
from typing import Any, NamedTuple

import psycopg

from hubbub.cli.checks import contents
from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.model.base import Millis
from hubbub.model.errors import HubbubError
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.database import DatabaseError
from hubbub.store.engines.opening import why_lost
from hubbub.store.engines.postgres import (
    NAME,
    Connection,
    Database,
    clock_of,
    connect,
    require_right,
    require_same_time,
    version_of,
)
from hubbub.store.executor import READERS
from hubbub.store.schema.tables import metadata

AT_ONCE = 1 + READERS  # connections of a process that serves: its writer, and its readers
FOR_EACH = AT_ONCE + 1  # and one for the operator's commands
CLOCKS_APART_MS = 2_000

_DURABILITY = """
    SELECT current_setting('fsync'), current_setting('full_page_writes'),
        current_setting('synchronous_commit')
"""
# To others than a superuser, connections of other roles show little more than their database.
_CONNECTIONS = """
    SELECT current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true), '0')::int,
        (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
        (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
        count(*) FILTER (WHERE is_ours), count(*) FILTER (WHERE NOT is_ours)
    FROM (
        SELECT datname = current_database() AND application_name IS NOT DISTINCT FROM %s AS is_ours
        FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()
    ) AS connections
"""
_RIGHTS = """
    SELECT has_schema_privilege(current_schema(), 'CREATE') AND NOT EXISTS (
        SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace
            AND relkind = 'r' AND NOT pg_has_role(relowner, 'USAGE')
    )
"""
_REFERENCES = """
    SELECT here.relname, there.relname FROM pg_constraint
    JOIN pg_class AS here ON here.oid = conrelid JOIN pg_class AS there ON there.oid = confrelid
    WHERE contype = 'f' AND convalidated AND connamespace = current_schema()::regnamespace
"""


class Connections(NamedTuple):
    """How many may be open, how many Hubbub has, and how many others have."""

    most: int
    ours: int
    others: int

    @property
    def serving(self) -> int:
        """How many processes serve, at least."""
        return -(-self.ours // AT_ONCE)


class Known(NamedTuple):
    """What was found out and is needed further on."""

    values: dict[str, str]
    """What the server has stored about itself."""
    connections: Connections | None


def data(
    url: str, folder: DataFolder, now_ms: Millis, *, full: bool, runs: bool
) -> Generator[Finding, None, Known]:
    """What is found. ``full`` has every row looked up that another names."""
    known = Known({}, None)
    try:
        database = Database(url)
    except DatabaseError as error:
        yield refused("database", error)
        return known
    try:
        with contextlib.closing(connect(url)) as driver:
            require_right(driver, database.name)
            yield server(driver.info.server_version, database.name)
            yield rights(driver, database.name)
            yield _clock(driver, database.name)
            # Before there are more of our own.
            known = Known({}, connections_of(driver))
            yield _durability(database)
            version, works_with = version_of(driver, database.name)
            if version is None and (lost := why_lost(database, folder)):
                raise DatabaseError(lost)
            schema = contents.schema(version, works_with, database.name)
            yield schema
            if schema.state == "ok":
                yield references(driver)
                values = yield from _contents(database, folder, now_ms, full=full, runs=runs)
                known = known._replace(values=values)
    except HubbubError as error:
        yield refused("database", error)
    except psycopg.errors.InsufficientPrivilege:
        return known  # as `rights` has told
    except psycopg.Error as error:
        yield refused("database", DatabaseError(database.why_not(error)))
    return known


def _contents(
    database: Database, folder: DataFolder, now_ms: Millis, *, full: bool, runs: bool
) -> Generator[Finding, None, dict[str, str]]:
    with contextlib.closing(database.reader()) as reader:
        reader.open()
        if full:
            yield loose_rows(reader)
        found = contents.contents(reader, folder, now_ms, runs=runs, is_shared=True)
        return (yield from found)


def server(version: int, name: str) -> Finding:
    """``version`` as PostgreSQL counts."""
    return ok(
        "database server",
        f"{name} is PostgreSQL {version // 10_000}.{version % 10_000}, and can be written.",
    )


def rights(driver: "psycopg.Connection[Any]", name: str) -> Finding:
    """Whether the user may do what a start does: make tables, and widen those that there are."""
    [(may,)] = driver.execute(_RIGHTS).fetchall()
    if not may:
        return problem(
            "rights",
            f"{name}: this user may not make tables there, or does not own those that there are.",
            "Make it the owner of the database and of its tables.",
        )
    return ok("rights", "The database's user may make and change its tables.")


def _clock(driver: "psycopg.Connection[Any]", name: str) -> Finding:
    before = time.time_ns() // 1_000_000
    theirs = clock_of(driver)
    after = time.time_ns() // 1_000_000
    # It was read at some moment in between: the one that fits best, as the way may be long.
    return clock(theirs, min(max(theirs, before), after), name)


def clock(theirs: Millis, ours: Millis, name: str) -> Finding:
    """This machine's clock against the database's."""
    what = "database clock"
    try:
        require_same_time(theirs, ours, name)
    except DatabaseError as error:
        return refused(what, error)
    apart = ours - theirs
    if abs(apart) > CLOCKS_APART_MS:
        direction = "ahead of" if apart > 0 else "behind"
        return warning(
            what,
            f"This machine's clock is {abs(apart) / 1000:.1f} s {direction} the database's.",
            "Keep both right with NTP: messages of several servers would seem out of order.",
        )
    return ok(what, "This machine's clock agrees with the database's.")


def _durability(database: Database) -> Finding:
    with contextlib.closing(database.writer()) as writer:
        [row] = writer.execute(_DURABILITY)
    return durability(*row)


def durability(fsync: str, full_page_writes: str, synchronous_commit: str) -> Finding:
    """The settings as they hold for a writer of ours."""
    what = "durability"
    if fsync == "off":
        return problem(
            what,
            "fsync is off in PostgreSQL: a loss of power can destroy the whole database.",
            "Set fsync = on in its configuration and reload it.",
        )
    if synchronous_commit == "off":
        return problem(
            what,
            "synchronous_commit is off, although Hubbub turns it on for itself: a loss of power "
            "takes the messages of the last moment, which people have seen.",
            "A pooler loses what a connection sets: have it pool sessions, not transactions.",
        )
    if full_page_writes == "off":
        return warning(
            what,
            "full_page_writes is off in PostgreSQL: a loss of power can damage pages, unless the "
            "file system never writes half of one, as ZFS.",
            "Set full_page_writes = on in its configuration and reload it.",
        )
    return ok(what, "What is acknowledged is on the database's disk and survives a loss of power.")


def connections_of(driver: "psycopg.Connection[Any]") -> Connections:
    row = driver.execute(_CONNECTIONS, [NAME]).fetchone()
    assert row
    server_most, database_most, role_most, ours, others = row
    limits = [limit for limit in (database_most, role_most) if limit >= 0]  # -1: none
    return Connections(min([server_most, *limits]), ours, others)


def room_for(found: Connections, processes: int) -> Finding:
    """Whether so many processes that serve can all connect."""
    places = max(0, found.most - found.others) // FOR_EACH
    told = (
        f"PostgreSQL has connections for {places} processes that serve, {FOR_EACH} for each; "
        f"needed now: {processes}"
    )
    do = "Raise max_connections, or the limit of the role or database, and restart PostgreSQL."
    if places < processes:
        return problem("connections", f"{told}.", do)
    if places == processes:
        return warning("connections", f"{told}, so that no other can start beside them.", do)
    return ok("connections", f"{told}.")


def references(driver: "psycopg.Connection[Any]") -> Finding:
    """Whether the database watches over what rows name in other tables."""
    watched = set(driver.execute(_REFERENCES).fetchall())
    missing = sorted(
        f"{table.name} → {key.referred_table.name}"
        for table in metadata.sorted_tables
        for key in table.foreign_key_constraints
        if (table.name, key.referred_table.name) not in watched
    )
    if missing:
        return problem(
            "references",
            f"The database does not watch over what rows name ({', '.join(missing)}).",
            "Something changed its tables, or a copy was put back in part. Run this with --full, "
            f"and put back {contents.BACKUP} if rows are missing.",
        )
    return ok("references", "The database watches over all that rows name in other tables.")


def loose_rows(reader: Connection) -> Finding:
    """Whether every row that names another names one that is there; may take long."""
    reader.execute("SET statement_timeout = 0")
    loose = {
        table.name: count
        for table in metadata.sorted_tables
        for key in table.foreign_key_constraints
        for element in key.elements
        if (count := _count_loose(reader, table.name, element.parent.name, element.column))
    }
    if loose:
        return problem(
            "rows",
            f"{sum(loose.values())} rows name others that are not there (in "
            f"{', '.join(sorted(loose))}).",
            f"Something else wrote to the database. Stop the servers, and put back "
            f"{contents.BACKUP}.",
        )
    return ok("rows", "All that rows name in other tables is there.")


def _count_loose(reader: Connection, table: str, column: str, named: Any) -> int:
    there = f"{named.table.name}.{named.name} = {table}.{column}"
    [(count,)] = reader.execute(
        f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - our own names
        f" AND NOT EXISTS (SELECT 1 FROM {named.table.name} WHERE {there})"
    )
    return int(count)
