"""Checks of PostgreSQL: version, rights, clock, durability, connections and references."""

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
from hubbub.store.engines.opening import missing_chat_message
from hubbub.store.engines.postgres import (
    APPLICATION_NAME,
    Connection,
    Database,
    clock_of,
    connect,
    require_clock_in_sync,
    require_supported,
    version_of,
)
from hubbub.store.executor import READERS
from hubbub.store.schema.tables import metadata

SERVING_CONNECTIONS = 1 + READERS  # of a serving process: its writer and its readers
CONNECTIONS_PER_PROCESS = SERVING_CONNECTIONS + 1  # one more for the operator's commands
CLOCKS_APART_MS = 2_000

_DURABILITY = """
    SELECT current_setting('fsync'), current_setting('full_page_writes'),
        current_setting('synchronous_commit')
"""
# Only a superuser sees more of other roles' connections than their database.
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
    """Numbers of connections: the limit, Hubbub's, and those of other programs."""

    limit: int
    ours: int
    others: int

    @property
    def serving(self) -> int:
        """The least number of processes that must be serving."""
        return -(-self.ours // SERVING_CONNECTIONS)


class DatabaseFacts(NamedTuple):
    """Facts that later checks need. ``values`` are the rows of the ``server`` table."""

    values: dict[str, str]
    connections: Connections | None


def check_database(
    url: str, folder: DataFolder, now_ms: Millis, *, full: bool, is_running: bool
) -> Generator[Finding, None, DatabaseFacts]:
    """Check the database. ``full`` looks up every referenced row."""
    facts = DatabaseFacts({}, None)
    try:
        database = Database(url)
    except DatabaseError as error:
        yield refused("database", error)
        return facts
    try:
        with contextlib.closing(connect(url)) as driver:
            require_supported(driver, database.name)
            yield server(driver.info.server_version, database.name)
            yield rights(driver, database.name)
            yield _clock(driver, database.name)
            # Counted before this check opens more of its own.
            facts = DatabaseFacts({}, connections_of(driver))
            yield _durability(database)
            version, works_with = version_of(driver, database.name)
            if version is None and (missing_chat := missing_chat_message(database, folder)):
                raise DatabaseError(missing_chat)
            schema = contents.schema(version, works_with, database.name)
            yield schema
            if schema.state == "ok":
                yield references(driver)
                values = yield from _contents(
                    database, folder, now_ms, full=full, is_running=is_running
                )
                facts = facts._replace(values=values)
    except HubbubError as error:
        yield refused("database", error)
    except psycopg.errors.InsufficientPrivilege:
        return facts  # `rights` has reported it
    except psycopg.Error as error:
        yield refused("database", DatabaseError(database.connection_error_text(error)))
    return facts


def _contents(
    database: Database, folder: DataFolder, now_ms: Millis, *, full: bool, is_running: bool
) -> Generator[Finding, None, dict[str, str]]:
    with contextlib.closing(database.reader()) as reader:
        reader.open()
        if full:
            yield orphaned_rows(reader)
        found = contents.contents(reader, folder, now_ms, is_running=is_running, is_shared=True)
        return (yield from found)


def server(version: int, name: str) -> Finding:
    """Report the version, which is PostgreSQL's number, such as 160004."""
    return ok(
        "database server",
        f"{name} is PostgreSQL {version // 10_000}.{version % 10_000} and is writable.",
    )


def rights(driver: "psycopg.Connection[Any]", name: str) -> Finding:
    """Whether the user may create tables and alter existing ones, as a start does."""
    [(may,)] = driver.execute(_RIGHTS).fetchall()
    if not may:
        return problem(
            "rights",
            f"{name}: this user may not create tables, or does not own the existing ones.",
            "Make it the owner of the database and of its tables.",
        )
    return ok("rights", "The database's user may create and alter its tables.")


def _clock(driver: "psycopg.Connection[Any]", name: str) -> Finding:
    before = time.time_ns() // 1_000_000
    theirs = clock_of(driver)
    after = time.time_ns() // 1_000_000
    # It was read between these two; the nearest moment is used, as the connection may be slow.
    return clock(theirs, min(max(theirs, before), after), name)


def clock(theirs: Millis, ours: Millis, name: str) -> Finding:
    """Whether this machine's clock agrees with the database's."""
    what = "database clock"
    try:
        require_clock_in_sync(theirs, ours, name)
    except DatabaseError as error:
        return refused(what, error)
    gap_ms = ours - theirs
    if abs(gap_ms) > CLOCKS_APART_MS:
        direction = "ahead of" if gap_ms > 0 else "behind"
        return warning(
            what,
            f"This machine's clock is {abs(gap_ms) / 1000:.1f} s {direction} the database's.",
            "Synchronise both with NTP; otherwise messages of several servers seem out of order.",
        )
    return ok(what, "This machine's clock agrees with the database's.")


def _durability(database: Database) -> Finding:
    with contextlib.closing(database.writer()) as writer:
        [row] = writer.execute(_DURABILITY)
    return durability(*row)


def durability(fsync: str, full_page_writes: str, synchronous_commit: str) -> Finding:
    """Whether commits survive a power failure, by the settings of a connection that writes."""
    what = "durability"
    if fsync == "off":
        return problem(
            what,
            "fsync is off in PostgreSQL: a power failure can destroy the whole database.",
            "Set fsync = on in its configuration and reload it.",
        )
    if synchronous_commit == "off":
        return problem(
            what,
            "synchronous_commit is off, although Hubbub turns it on for its connections: a power "
            "failure can lose the latest messages that people have seen.",
            "A pooler drops settings of a connection: let it pool sessions, not transactions.",
        )
    if full_page_writes == "off":
        return warning(
            what,
            "full_page_writes is off in PostgreSQL: a power failure can damage pages, unless the "
            "file system writes pages atomically, like ZFS.",
            "Set full_page_writes = on in its configuration and reload it.",
        )
    return ok(what, "Acknowledged messages are on the disk and survive a power failure.")


def connections_of(driver: "psycopg.Connection[Any]") -> Connections:
    row = driver.execute(_CONNECTIONS, [APPLICATION_NAME]).fetchone()
    assert row
    server_most, database_most, role_most, ours, others = row
    limits = [limit for limit in (database_most, role_most) if limit >= 0]  # -1: none
    return Connections(min([server_most, *limits]), ours, others)


def connection_limit(found: Connections, processes: int) -> Finding:
    """Whether PostgreSQL has enough connections for this number of serving processes."""
    capacity = max(0, found.limit - found.others) // CONNECTIONS_PER_PROCESS
    summary = (
        f"PostgreSQL has connections for {capacity} serving processes, "
        f"{CONNECTIONS_PER_PROCESS} for each; needed now: {processes}"
    )
    do = "Raise max_connections, or the limit of the role or database, and restart PostgreSQL."
    if capacity < processes:
        return problem("connections", f"{summary}.", do)
    if capacity == processes:
        return warning("connections", f"{summary}, so no other process can start.", do)
    return ok("connections", f"{summary}.")


def references(driver: "psycopg.Connection[Any]") -> Finding:
    """Whether the database has and enforces all foreign keys."""
    enforced = set(driver.execute(_REFERENCES).fetchall())
    missing = sorted(
        f"{table.name} → {key.referred_table.name}"
        for table in metadata.sorted_tables
        for key in table.foreign_key_constraints
        if (table.name, key.referred_table.name) not in enforced
    )
    if missing:
        return problem(
            "references",
            f"The database does not enforce all foreign keys ({', '.join(missing)}).",
            "Another program changed its tables, or a copy was restored in part. Run this with "
            f"--full, and restore {contents.BACKUP} if rows are missing.",
        )
    return ok("references", "The database enforces all foreign keys.")


def orphaned_rows(reader: Connection) -> Finding:
    """Whether all foreign keys point to existing rows; this may take long."""
    reader.execute("SET statement_timeout = 0")
    orphans = {
        table.name: count
        for table in metadata.sorted_tables
        for key in table.foreign_key_constraints
        for element in key.elements
        if (count := _count_orphans(reader, table.name, element.parent.name, element.column))
    }
    if orphans:
        return problem(
            "rows",
            f"{sum(orphans.values())} rows refer to rows that do not exist (in "
            f"{', '.join(sorted(orphans))}).",
            f"Another program wrote to the database. Stop the servers, and restore "
            f"{contents.BACKUP}.",
        )
    return ok("rows", "All references between tables are valid.")


def _count_orphans(reader: Connection, table: str, column: str, named: Any) -> int:
    condition = f"{named.table.name}.{named.name} = {table}.{column}"
    [(count,)] = reader.execute(
        f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - our own names
        f" AND NOT EXISTS (SELECT 1 FROM {named.table.name} WHERE {condition})"
    )
    return int(count)
