"""PostgreSQL, 13 or newer, which several servers may share.

Only servers that use PostgreSQL import this module, and with it psycopg. A broken connection is
reopened by the next transaction; commands in progress fail with the error `unavailable`.
"""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import conninfo
from psycopg.types.numeric import Int8BinaryDumper
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from hubbub.model.base import Millis
from hubbub.model.errors import Unavailable
from hubbub.store.engines import database
from hubbub.store.engines.database import (
    REPAIR_HINT,
    DatabaseError,
    needs_migration,
    parse_versions,
)
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.engines.sql import Bound, Row, Sql, Values
from hubbub.store.schema.migrations import OLDEST
from hubbub.store.schema.move_marker import MOVED, require_not_moved

APPLICATION_NAME = "hubbub"  # in PostgreSQL's list of connections
SERVER_VERSION_MIN = 130_000  # version 13, in PostgreSQL's numeric form
CONNECT_TIMEOUT_S = 5
CLOCK_SKEW_MAX_MS = 60_000
PREPARED_MAX = 500  # prepared statements per connection

# Timeouts of the writer: for locks, for each statement, and for being idle in a transaction, as a
# node that is frozen in one would keep its locks and so block all other nodes.
LOCK_TIMEOUT_MS = 10_000
STATEMENT_TIMEOUT_MS = 30_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000
COPIER_IDLE_TIMEOUT_MS = 60_000  # a copier also waits for the other database
# Keepalives, by which a host that has disappeared is detected.
KEEPALIVE = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

# Keys of advisory locks that no other program on this database uses: “writer” and “hubbub”.
WRITER_LOCK = int.from_bytes(b"writer")
MIGRATION_LOCK = int.from_bytes(b"hubbub")
_BEGIN_WRITING = {
    True: f"BEGIN; SELECT pg_advisory_xact_lock({WRITER_LOCK})",
    False: f"BEGIN; SELECT pg_advisory_xact_lock_shared({WRITER_LOCK})",
}

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

FAILURES = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)

# An additional @ or a space, a / ? or # before the @, or a % that does not encode a byte.
_NOT_ENCODED = re.compile(r"@.*@|\s|^\w+://[^@]*[/?#][^@]*@|%(?![0-9A-Fa-f]{2})")

INSUFFICIENT_PRIVILEGE = "42501"
DAMAGE_CODES = {"XX001", "XX002"}  # of a page, of an index
# Messages by SQLSTATE; other errors are reported in the server's words.
_REFUSALS = {
    "28P01": "{name} refuses the password. Check --database (or HUBBUB_DATABASE).",
    "28000": "{name} does not accept this user. Check its pg_hba.conf, or --database.",
    "3D000": "{name}: there is no such database. Create it with: createdb {database}",
    "53300": "{name} has no free connections. Raise its max_connections.",
}


class Connection(database.Connection):
    """A connection that is opened at first use, and again after it broke."""

    def __init__(self, url: str, dialect: Dialect, settings: Mapping[str, str]) -> None:
        super().__init__(dialect)
        self._url = url
        self._settings = settings
        self._driver: psycopg.Connection[Any] | None = None

    def open(self) -> psycopg.Connection[Any]:
        """The open psycopg connection. Raises psycopg.Error."""
        driver = self._driver
        if driver is not None and not driver.closed:
            return driver
        driver = connect(self._url)
        driver.prepared_max = PREPARED_MAX
        # One type for all integers, or each mix of sizes would get its own prepared statement.
        driver.adapters.register_dumper(int, Int8BinaryDumper)
        for name, value in self._settings.items():
            driver.execute("SELECT set_config(%s, %s, false)", (name, value))
        self._driver = driver
        return driver

    def execute(self, text: str, values: Bound | None = None) -> list[Row]:
        cursor = self._run(text, values)
        return cursor.fetchall() if cursor.description else []

    def change(self, text: str, values: Bound | None = None) -> int:
        return self._run(text, values).rowcount

    def _run(self, text: str, values: Bound | None) -> "psycopg.Cursor[Any]":
        assert self._driver is not None, "a transaction was begun"
        return self._driver.execute(text.encode(), values or None, prepare=bool(values))

    def execute_many(self, text: str, rows: Sequence[Bound]) -> None:
        assert self._driver is not None, "a transaction was begun"
        with self._driver.cursor() as cursor:
            cursor.executemany(text.encode(), rows)

    def stream(self, statement: Sql, values: Values, size: int) -> Iterator[list[Row]]:
        compiled = statement.compiled(self.dialect)
        with self.open().cursor(name="stream", binary=True) as cursor:
            cursor.execute(compiled.text.encode(), compiled.bind(values) or None)
            while rows := cursor.fetchmany(size):
                yield rows

    def bulk_insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names = '", "'.join(columns)
        into = f'COPY {table} ("{names}") FROM STDIN'
        with self.open().cursor() as cursor, cursor.copy(into.encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def reset_sequences(self, numbered: Mapping[str, str]) -> None:
        for table, column in numbered.items():
            highest = f"SELECT max({column}) FROM {table}"  # noqa: S608 - our own names
            sequence = f"pg_get_serial_sequence('{table}', '{column}')"
            self.execute(f"SELECT setval({sequence}, ({highest}))")
        self.execute("ANALYZE")  # the planner has no statistics of the new rows yet

    def tables(self) -> set[str]:
        rows = self.open().execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )
        return {name for (name,) in rows}

    def try_writer_lock(self) -> bool:
        """Lock out all other writers until this connection closes; False if one is writing."""
        [(is_acquired,)] = (
            self.open().execute(f"SELECT pg_try_advisory_lock({WRITER_LOCK})").fetchall()
        )
        return bool(is_acquired)

    def count_other_connections(self) -> int:
        """Count the other Hubbub connections to this database."""
        [(count,)] = (
            self.open()
            .execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = %s AND pid <> pg_backend_pid()",
                [APPLICATION_NAME],
            )
            .fetchall()
        )
        return int(count)

    def begin(self, *, exclusive: bool = True) -> None:
        self._begin(_BEGIN_WRITING[exclusive].encode())

    def begin_migration(self) -> None:
        self._begin(f"BEGIN; SELECT pg_advisory_xact_lock({MIGRATION_LOCK})".encode())

    def begin_snapshot(self) -> None:
        self._begin(b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def _begin(self, text: bytes) -> None:
        """Begin a transaction, on a new connection if the old one turns out to be broken.

        That is safe, as nothing has been done in this transaction yet.
        """
        was_open = self._driver is not None and not self._driver.closed
        try:
            self.open().execute(text)
        except FAILURES:
            if not was_open or self._driver is None or not self._driver.closed:
                raise
            self.open().execute(text)

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        driver = self._driver
        if driver is None:
            return
        if driver.closed or driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            return
        try:
            driver.execute("ROLLBACK")
        except FAILURES:
            # Its state is unknown, so the next transaction opens another connection.
            driver.close()
            raise

    def clock(self) -> Millis:
        assert self._driver is not None, "a transaction was begun"
        return clock_of(self._driver)

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()


class Database(database.Database):
    """A database in a PostgreSQL server."""

    is_shared = True
    failures = FAILURES
    errors = (psycopg.Error,)

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = without_password(url)
        self.dialect: Dialect = PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]

    def migrate(self, missing_chat: str | None = None) -> None:
        with self._translating_errors(), contextlib.closing(connect(self.url)) as driver:
            require_supported(driver, self.name)
            require_clock_in_sync(clock_of(driver), time.time_ns() // 1_000_000, self.name)
            version, works_with = version_of(driver, self.name)
            if missing_chat and (
                version is None or not driver.execute("SELECT 1 FROM rooms LIMIT 1").fetchall()
            ):
                raise DatabaseError(missing_chat)
        if needs_migration(version, works_with, self.name):
            from hubbub.store.schema.migrations.run import upgrade

            try:
                with contextlib.closing(Connection(self.url, self.dialect, {})) as db:
                    upgrade(db, self)
            except Unavailable as error:
                if getattr(error.__cause__, "sqlstate", None) == INSUFFICIENT_PRIVILEGE:
                    raise DatabaseError(
                        f"{self.name}: this user may not create tables there. "
                        "Make it the owner of the database."
                    ) from error
                raise

    def writer(self) -> Connection:
        return self._connection(STATEMENT_TIMEOUT_MS, IDLE_IN_TRANSACTION_TIMEOUT_MS)

    def copier(self) -> Connection:
        return self._connection(0, COPIER_IDLE_TIMEOUT_MS)

    def _connection(self, statement_ms: int, idle_ms: int) -> Connection:
        # With synchronous_commit a commit is on disk before it is acknowledged, whatever the
        # default of the role is.
        opened = Connection(
            self.url,
            self.dialect,
            {
                "synchronous_commit": "on",
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "statement_timeout": str(statement_ms),
                "idle_in_transaction_session_timeout": str(idle_ms),
            },
        )
        with self._translating_errors():
            opened.open()
        return opened

    def reader(self) -> Connection:
        return Connection(
            self.url,
            self.dialect,
            {
                "default_transaction_read_only": "on",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_MS),
            },
        )

    def is_damage(self, error: BaseException) -> bool:
        return (getattr(error, "sqlstate", None) or "") in DAMAGE_CODES

    def failure_text(self, error: Exception) -> str:
        return str(error)

    def temporary_error(self, error: Exception) -> Unavailable:
        if getattr(error, "sqlstate", None) == "53100":
            return Unavailable(
                "The database's disk is full. Nothing can be stored until there is room."
            )
        return Unavailable()

    @contextlib.contextmanager
    def _translating_errors(self) -> Iterator[None]:
        """Turn errors of the driver into DatabaseError."""
        try:
            yield
        except psycopg.Error as error:
            raise DatabaseError(self.connection_error_text(error)) from error

    def connection_error_text(self, error: psycopg.Error) -> str:
        """A sentence on why the database cannot be used, and what to do."""
        message = " ".join(str(error).split()).rstrip(".")
        code = error.sqlstate or _sqlstate_in(message)
        if code in _REFUSALS:
            parts = conninfo.conninfo_to_dict(self.url)
            return _REFUSALS[code].format(name=self.name, database=parts.get("dbname", "hubbub"))
        message = message.partition(" Is the server running")[0]
        return (
            f"{self.name} cannot be reached ({message}). Check the address, and that it is running."
        )


def require_supported(driver: "psycopg.Connection[Any]", name: str) -> None:
    """Raises DatabaseError if Hubbub does not support this PostgreSQL or database."""
    version = driver.info.server_version
    if version < SERVER_VERSION_MIN:
        raise DatabaseError(
            f"{name} is PostgreSQL {version // 10_000}. Hubbub needs version 13 or newer."
        )
    row = driver.execute(
        "SELECT current_setting('server_encoding'), lower('Ü') = 'ü',"
        " pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'"
    ).fetchone()
    assert row
    encoding, supports_unicode, is_read_only = row
    if encoding != "UTF8" or not supports_unicode:
        raise DatabaseError(
            f"{name} does not support all of Unicode. Create the database again with: "
            "createdb --template template0 --encoding UTF8 --lc-ctype C.UTF-8"
        )
    if is_read_only:
        raise DatabaseError(
            f"{name} is read-only: it is a standby. Give the address of its primary."
        )


def clock_of(driver: "psycopg.Connection[Any]") -> Millis:
    """The time by the database's clock."""
    [(now,)] = driver.execute(f"SELECT {_NOW}").fetchall()
    return int(now)


def require_clock_in_sync(database_time: Millis, local_time: Millis, name: str) -> None:
    """Raises DatabaseError if this machine's clock is far from the database's."""
    skew = local_time - database_time
    if abs(skew) > CLOCK_SKEW_MAX_MS:
        direction = "ahead of" if skew > 0 else "behind"
        raise DatabaseError(
            f"This machine's clock is {abs(skew) // 1000} s {direction} that of {name}. "
            "Synchronize both with NTP, or messages would have wrong times."
        )


def connect(url: str) -> "psycopg.Connection[Any]":
    """A connection on which transactions are begun explicitly. Raises psycopg.Error."""
    given = conninfo.conninfo_to_dict(url)
    defaults = {
        **KEEPALIVE,
        "connect_timeout": str(CONNECT_TIMEOUT_S),
        "application_name": APPLICATION_NAME,
        "client_encoding": "UTF8",
    }
    return psycopg.connect(url, autocommit=True, **{**defaults, **given})  # type: ignore[arg-type]


def without_password(url: str) -> str:
    """The address without secrets: server, port and database. Raises DatabaseError."""
    # A part of an unencoded password could be taken for the host, and appear in errors.
    if _NOT_ENCODED.search(url):
        raise DatabaseError(
            "The password in --database (or HUBBUB_DATABASE) has a character that must be encoded. "
            "Write @ as %40, / as %2F, ? as %3F, # as %23, % as %25, and a space as %20."
        )
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise DatabaseError(
            "--database (or HUBBUB_DATABASE) is not an address such as "
            f"postgresql://hubbub@db.example.org/hubbub ({' '.join(str(error).split())})."
        ) from error
    host, port = parts.get("host") or "localhost", parts.get("port")
    where = f"{host}:{port}" if port else host
    return f"postgresql://{where}/{parts.get('dbname') or parts.get('user') or ''}"


def _sqlstate_in(message: str) -> str:
    """The SQLSTATE of a failed connection, for which libpq has only the server's message."""
    codes = {
        "password authentication failed": "28P01",
        "no password supplied": "28P01",
        "no pg_hba.conf entry": "28000",
        "does not exist": "3D000",
        "too many clients": "53300",
        "remaining connection slots": "53300",
    }
    return next((code for text, code in codes.items() if text in message), "")


def version_of(driver: "psycopg.Connection[Any]", name: str) -> tuple[str | None, str]:
    """The schema version, None for an empty database, and the oldest version that it works with.

    Raises DatabaseError, MovedError.
    """
    rows = driver.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    ).fetchall()
    tables = {row[0] for row in rows}
    if not tables:
        return None, OLDEST
    if not tables >= {"alembic_version", "rooms", "server"}:
        raise DatabaseError(f"{name} is not a Hubbub database. Give another database.")
    versions = driver.execute("SELECT version_num FROM alembic_version").fetchall()
    values = dict(driver.execute("SELECT key, value FROM server").fetchall())
    try:
        require_not_moved(name, tables, values.get(MOVED))
        return parse_versions(versions, values)
    except CorruptRow as error:
        raise DatabaseError(f"{name} is damaged ({error}). {REPAIR_HINT}") from error
