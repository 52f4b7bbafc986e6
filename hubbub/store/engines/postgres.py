"""PostgreSQL, 13 or newer, which several servers may share.

psycopg is loaded only by those who use it. A connection that broke is opened again by the next
transaction; what was under way fails, and is answered `unavailable`.
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
from hubbub.store.engines.database import MEND, DatabaseError, needs_migration, versions_in
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.engines.sql import Bound, Row, Sql, Values
from hubbub.store.schema.migrations import OLDEST
from hubbub.store.schema.move_marker import MOVED, require_served

NAME = "hubbub"  # as the server lists its connections
OLDEST_SERVER = 130_000  # 13, as PostgreSQL counts
CONNECT_WITHIN_S = 5
CLOCK_APART_MAX_MS = 60_000
PREPARED_MAX = 500  # statements that the server keeps planned, for each connection

# What the writer waits for at most: others' locks, and its own statement. And for how long it
# may sit in a transaction and do nothing before the server ends it: a node that is frozen there
# keeps its locks, and with them all the others.
LOCK_WAITS_MS = 10_000
STATEMENT_MS = 30_000
IDLE_IN_TRANSACTION_MS = 5_000
COPIER_IDLE_MS = 60_000  # one that copies waits for another disk, too
# A host that is gone is noticed after so long without a word from it.
KEEPALIVE = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

# Any numbers that no other program on this database takes: “writer” and “hubbub” in bytes.
TURN = int.from_bytes(b"writer")
MIGRATION = int.from_bytes(b"hubbub")
_TURNS = {
    True: f"BEGIN; SELECT pg_advisory_xact_lock({TURN})",
    False: f"BEGIN; SELECT pg_advisory_xact_lock_shared({TURN})",
}

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

FAILURES = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)

# An @ or space too many, a stroke or the like before the @, or a % that begins no byte.
_NOT_ENCODED = re.compile(r"@.*@|\s|^\w+://[^@]*[/?#][^@]*@|%(?![0-9A-Fa-f]{2})")

MAY_NOT = "42501"
DAMAGE = {"XX001", "XX002"}  # of a page, of an index
# As the server says them; what is not here is told in its own words.
_REFUSALS = {
    "28P01": "{name} refuses the password. Look at --database (or HUBBUB_DATABASE).",
    "28000": "{name} lets this user not in. Look at its pg_hba.conf, or at --database.",
    "3D000": "{name}: there is no such database. Make it with: createdb {database}",
    "53300": "{name} has no connection left to give. Raise its max_connections.",
}


class Connection(database.Connection):
    """A connection that is opened when it is first needed, and again when it broke."""

    def __init__(self, url: str, dialect: Dialect, settings: Mapping[str, str]) -> None:
        super().__init__(dialect)
        self._url = url
        self._settings = settings
        self._driver: psycopg.Connection[Any] | None = None

    def open(self) -> psycopg.Connection[Any]:
        """Raises what psycopg raises."""
        driver = self._driver
        if driver is not None and not driver.closed:
            return driver
        driver = connect(self._url)
        driver.prepared_max = PREPARED_MAX
        # One type for all numbers, or each statement would be planned for each mix of sizes.
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

    def settle(self, numbered: Mapping[str, str]) -> None:
        for table, column in numbered.items():
            highest = f"SELECT max({column}) FROM {table}"  # noqa: S608 - our own names
            sequence = f"pg_get_serial_sequence('{table}', '{column}')"
            self.execute(f"SELECT setval({sequence}, ({highest}))")
        self.execute("ANALYZE")  # it knows nothing yet of how much it has of what

    def tables(self) -> set[str]:
        found = self.open().execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )
        return {name for (name,) in found}

    def take_turn(self) -> bool:
        """Keep every other connection from writing until this one closes; False if one writes."""
        [(is_ours,)] = self.open().execute(f"SELECT pg_try_advisory_lock({TURN})").fetchall()
        return bool(is_ours)

    def others(self) -> int:
        """How many other connections of Hubbub's this database has."""
        [(count,)] = (
            self.open()
            .execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = %s AND pid <> pg_backend_pid()",
                [NAME],
            )
            .fetchall()
        )
        return int(count)

    def begin(self, *, alone: bool = True) -> None:
        self._begin(_TURNS[alone].encode())

    def begin_migration(self) -> None:
        self._begin(f"BEGIN; SELECT pg_advisory_xact_lock({MIGRATION})".encode())

    def begin_snapshot(self) -> None:
        self._begin(b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def _begin(self, text: bytes) -> None:
        """With a connection that broke since the last time, which is found out only now, nothing
        has been done yet: another one may begin in its place."""
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
            # It is not to be trusted any more: the next transaction opens another.
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

    def migrate(self, lost: str | None = None) -> None:
        with self._telling(), contextlib.closing(connect(self.url)) as driver:
            require_right(driver, self.name)
            require_same_time(clock_of(driver), time.time_ns() // 1_000_000, self.name)
            version, works_with = version_of(driver, self.name)
            if lost and (
                version is None or not driver.execute("SELECT 1 FROM rooms LIMIT 1").fetchall()
            ):
                raise DatabaseError(lost)
        if needs_migration(version, works_with, self.name):
            from hubbub.store.schema.migrations.run import upgrade

            try:
                with contextlib.closing(Connection(self.url, self.dialect, {})) as db:
                    upgrade(db, self)
            except Unavailable as error:
                if getattr(error.__cause__, "sqlstate", None) == MAY_NOT:
                    raise DatabaseError(
                        f"{self.name}: this user may not make tables there. "
                        "Make it the database's owner."
                    ) from error
                raise

    def writer(self) -> Connection:
        return self._opened(STATEMENT_MS, IDLE_IN_TRANSACTION_MS)

    def copier(self) -> Connection:
        return self._opened(0, COPIER_IDLE_MS)

    def _opened(self, statement_ms: int, idle_ms: int) -> Connection:
        # synchronous_commit: a commit is on disk before it is acknowledged, whatever the role
        # has been given as its default.
        opened = Connection(
            self.url,
            self.dialect,
            {
                "synchronous_commit": "on",
                "lock_timeout": str(LOCK_WAITS_MS),
                "statement_timeout": str(statement_ms),
                "idle_in_transaction_session_timeout": str(idle_ms),
            },
        )
        with self._telling():
            opened.open()
        return opened

    def reader(self) -> Connection:
        return Connection(
            self.url,
            self.dialect,
            {
                "default_transaction_read_only": "on",
                "statement_timeout": str(STATEMENT_MS),
                "idle_in_transaction_session_timeout": str(STATEMENT_MS),
            },
        )

    def is_damage(self, error: BaseException) -> bool:
        return (getattr(error, "sqlstate", None) or "") in DAMAGE

    def why_failed(self, error: Exception) -> str:
        return str(error)

    def passing(self, error: Exception) -> Unavailable:
        if getattr(error, "sqlstate", None) == "53100":
            return Unavailable("The database's disk is full. Nothing can be written for now.")
        return Unavailable()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """What the driver raises, as a DatabaseError of one sentence."""
        try:
            yield
        except psycopg.Error as error:
            raise DatabaseError(self.why_not(error)) from error

    def why_not(self, error: psycopg.Error) -> str:
        """One sentence on why it cannot be used, and what to do."""
        message = " ".join(str(error).split()).rstrip(".")
        code = error.sqlstate or _code_in(message)
        if code in _REFUSALS:
            parts = conninfo.conninfo_to_dict(self.url)
            return _REFUSALS[code].format(name=self.name, database=parts.get("dbname", "hubbub"))
        message = message.partition(" Is the server running")[0]
        return f"{self.name} cannot be reached ({message}). Is it right, and does it run?"


def require_right(driver: "psycopg.Connection[Any]", name: str) -> None:
    """Raises DatabaseError if this PostgreSQL cannot hold a chat."""
    version = driver.info.server_version
    if version < OLDEST_SERVER:
        raise DatabaseError(
            f"{name} is PostgreSQL {version // 10_000}. Hubbub needs 13 or newer: give another."
        )
    row = driver.execute(
        "SELECT current_setting('server_encoding'), lower('Ü') = 'ü',"
        " pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'"
    ).fetchone()
    assert row
    encoding, knows_letters, is_standby = row
    if encoding != "UTF8" or not knows_letters:
        raise DatabaseError(
            f"{name} does not know all letters. Make the database anew with: "
            "createdb --template template0 --encoding UTF8 --lc-ctype C.UTF-8"
        )
    if is_standby:
        raise DatabaseError(
            f"{name} can only be read: it is a standby. Give the address of its primary."
        )


def clock_of(driver: "psycopg.Connection[Any]") -> Millis:
    """The time where the database is."""
    [(now,)] = driver.execute(f"SELECT {_NOW}").fetchall()
    return int(now)


def require_same_time(theirs: Millis, ours: Millis, name: str) -> None:
    """Raises DatabaseError if this machine's clock is far from the database's."""
    apart = ours - theirs
    if abs(apart) > CLOCK_APART_MAX_MS:
        direction = "ahead of" if apart > 0 else "behind"
        raise DatabaseError(
            f"This machine's clock is {abs(apart) // 1000} s {direction} that of {name}. "
            "Set both by NTP: messages would carry wrong times."
        )


def connect(url: str) -> "psycopg.Connection[Any]":
    """A connection whose transactions are begun by statements. Raises what psycopg raises."""
    given = conninfo.conninfo_to_dict(url)
    defaults = {
        **KEEPALIVE,
        "connect_timeout": str(CONNECT_WITHIN_S),
        "application_name": NAME,
        "client_encoding": "UTF8",
    }
    return psycopg.connect(url, autocommit=True, **{**defaults, **given})  # type: ignore[arg-type]


def without_password(url: str) -> str:
    """The address as it may be shown: server, port and database. Raises DatabaseError."""
    # Part of a password would be taken for the host, and told in errors.
    if _NOT_ENCODED.search(url):
        raise DatabaseError(
            "--database (or HUBBUB_DATABASE) has a character in its password that must be encoded. "
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


def _code_in(message: str) -> str:
    """libpq gives no code when a connection cannot be made, only the server's words."""
    signs = {
        "password authentication failed": "28P01",
        "no password supplied": "28P01",
        "no pg_hba.conf entry": "28000",
        "does not exist": "3D000",
        "too many clients": "53300",
        "remaining connection slots": "53300",
    }
    return next((code for sign, code in signs.items() if sign in message), "")


def version_of(driver: "psycopg.Connection[Any]", name: str) -> tuple[str | None, str]:
    """The schema's version, None for an empty database, and the oldest that it works with.

    Raises DatabaseError, MovedError.
    """
    found = driver.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    ).fetchall()
    tables = {row[0] for row in found}
    if not tables:
        return None, OLDEST
    if not tables >= {"alembic_version", "rooms", "server"}:
        raise DatabaseError(f"{name} holds something that is not Hubbub's. Give another database.")
    versions = driver.execute("SELECT version_num FROM alembic_version").fetchall()
    values = dict(driver.execute("SELECT key, value FROM server").fetchall())
    try:
        require_served(name, tables, values.get(MOVED))
        return versions_in(versions, values)
    except ImpossibleRow as error:
        raise DatabaseError(f"{name} is damaged ({error}). {MEND}") from error
