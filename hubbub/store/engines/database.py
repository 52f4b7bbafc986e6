"""The interface of the database engines: connections, transactions, and errors.

Two engines implement it: `sqlite`, embedded, and `postgres`. Both run the same statements.
"""

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import Dialect

from hubbub.model.base import Millis
from hubbub.model.errors import HubbubError, Unavailable
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.engines.sql import BatchSql, Bound, Row, Sql, Values
from hubbub.store.schema.migrations import HEAD, WORKS_WITH

REPAIR_HINT = "Run hubbub doctor, then put back the latest backup with hubbub restore."
DAMAGE_RETRY_S = 30.0  # `retry_after` for damage, which first has to be repaired


class DatabaseError(HubbubError):
    """The database cannot be used; the message says why, and what to do."""

    code = "database"
    title = "The database cannot be used."

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        is_damage: bool = False,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.is_damage = is_damage


class Connection(ABC):
    """One connection, used by one thread at a time."""

    checks_rows = False
    """Whether rows are checked as they are read; invalid ones then raise CorruptRow."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    @contextlib.contextmanager
    def checking_rows(self) -> Iterator[None]:
        """Check all rows that are read in this context, after an unexpected error."""
        self.checks_rows = True
        try:
            yield
        finally:
            self.checks_rows = False

    @abstractmethod
    def execute(self, text: str, values: Bound | None = None) -> list[Row]:
        """Run a statement in the engine's SQL dialect, and return its rows, if any.

        Without values, the text may have several statements.
        """

    @abstractmethod
    def change(self, text: str, values: Bound | None = None) -> int:
        """Run an INSERT, UPDATE or DELETE, and return the number of its rows."""

    @abstractmethod
    def execute_many(self, text: str, rows: Sequence[Bound]) -> None:
        """Run a statement once for each row of values."""

    def rows(self, statement: Sql, **values: Any) -> list[Row]:
        return self._fetch(statement, values)

    def row(self, statement: Sql, **values: Any) -> Row | None:
        """The first row, or None."""
        rows = self._fetch(statement, values)
        return rows[0] if rows else None

    def count(self, statement: Sql, **values: Any) -> int:
        """The number in the first column of the first row; 0 without a row."""
        row = self.row(statement, **values)
        return int(row[0]) if row else 0

    def run(self, statement: Sql, **values: Any) -> int:
        """Run an INSERT, UPDATE or DELETE, and return the number of its rows."""
        return self.change(*self._bind(statement, values))

    def run_many(self, statement: Sql, rows: Sequence[Values]) -> None:
        """Run an INSERT, UPDATE or DELETE once for each row of values."""
        compiled = statement.compiled(self.dialect)
        self.execute_many(compiled.text, [compiled.bind(row) for row in rows])

    def rows_for(self, statement: BatchSql, keys: Sequence[Values], **values: Any) -> list[Row]:
        """The rows for all keys, in no particular order."""
        rows: list[Row] = []
        for sized, numbered in statement.padded(keys):
            rows.extend(self._fetch(sized, {**numbered, **values}))
        return rows

    def insert(self, statement: BatchSql, rows: Sequence[Values]) -> None:
        """Insert many rows with few statements."""
        for sized, numbered in statement.exact(rows):
            self.change(*self._bind(sized, numbered))

    def _fetch(self, statement: Sql, values: Values) -> list[Row]:
        rows = self.execute(*self._bind(statement, values))
        if self.checks_rows:
            statement.check(rows)
        return rows

    def _bind(self, statement: Sql, values: Values) -> tuple[str, Bound]:
        compiled = statement.compiled(self.dialect)
        return compiled.text, compiled.bind(values)

    @abstractmethod
    def stream(self, statement: Sql, values: Values, size: int) -> Iterator[list[Row]]:
        """The rows in lists of ``size``, never all in memory; needs a transaction."""

    @abstractmethod
    def bulk_insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert rows in the engine's fastest way."""

    def reset_sequences(self, numbered: Mapping[str, str]) -> None:  # noqa: B027 - SQLite needs nothing
        """After `bulk_insert`, let the ids of new rows continue above the inserted ones.

        ``numbered`` maps tables whose rows the engine numbers to the id column.
        """

    @abstractmethod
    def tables(self) -> set[str]:
        """The names of all existing tables."""

    @abstractmethod
    def begin(self, *, exclusive: bool = True) -> None:
        """Begin a transaction that writes; if ``exclusive``, the only one on all nodes.

        Otherwise others that are not exclusive may write as well; see `Rooms.lock_rooms`.
        """

    @abstractmethod
    def begin_migration(self) -> None:
        """Begin to change the schema, after waiting for other migrations."""

    @abstractmethod
    def begin_snapshot(self) -> None:
        """Begin to read: all reads of the transaction see the same state."""

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def rollback(self) -> None:
        """Roll the transaction back, if there is one."""

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Roll back only the statements in this context if it raises."""
        self.execute("SAVEPOINT one")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK TO SAVEPOINT one")
            self.execute("RELEASE SAVEPOINT one")
            raise
        self.execute("RELEASE SAVEPOINT one")

    @abstractmethod
    def clock(self) -> Millis:
        """The time by the database's clock."""

    def shorten_lock_timeout(self) -> None:  # noqa: B027 - most need not
        """Wait less for locks from now on, as the server is stopping."""

    @abstractmethod
    def close(self) -> None: ...


class Upkeep:
    """Maintenance between the writer's transactions; by default there is none."""

    checkpoints = 0
    """The number of checkpoints so far, for `/metrics`."""

    def idle_timeout_s(self) -> float | None:
        """How long the writer waits for work before it calls `tidy`; None for no limit."""
        return None

    def on_commit(self, *, erased: bool) -> None:
        """A batch was committed; ``erased`` if texts were deleted or replaced in it."""

    def tidy(self, *, idle: bool) -> None:
        """Called after each batch, and after `idle_timeout_s` without one (``idle``)."""

    def finish(self) -> None:
        """Called just before the writer's connection is closed."""


class Database(ABC):
    """A database, which opens connections."""

    dialect: Dialect
    is_shared: ClassVar[bool]
    """Whether several servers can use it at the same time."""
    failures: ClassVar[tuple[type[Exception], ...]]
    """Exceptions of the driver for failures of disk, locks, connections or pages."""
    statement_errors: ClassVar[tuple[type[Exception], ...]] = ()
    """Those of ``failures`` that a bug in our statements causes as well."""
    errors: ClassVar[tuple[type[Exception], ...]]
    """All exceptions of the driver."""
    name: str
    """Its name in messages; without a password."""

    @abstractmethod
    def migrate(self, missing_chat: str | None = None) -> None:
        """Upgrade the schema to this release's version. Raises DatabaseError, Unavailable.

        With ``missing_chat``, an empty database is not set up, but refused with this message.
        """

    @abstractmethod
    def writer(self) -> Connection:
        """Raises DatabaseError."""

    @abstractmethod
    def reader(self) -> Connection:
        """Raises DatabaseError."""

    def copier(self) -> Connection:
        """A connection for copying everything, without short timeouts. Raises DatabaseError."""
        return self.writer()

    def upkeep(self, writer: Connection) -> Upkeep:
        return Upkeep()

    def has_failed(self, error: Exception) -> bool:
        """Whether the error is a failure of the database or its content, not a bug."""
        return isinstance(error, (CorruptRow, *self.failures)) and not isinstance(
            error, self.statement_errors
        )

    @abstractmethod
    def is_damage(self, error: BaseException) -> bool:
        """Whether the error means that the database is damaged."""

    def find_damage(self, db: Connection) -> str | None:
        """A fault found by a brief check, or None; called after errors that look like bugs."""
        return None

    @abstractmethod
    def failure_text(self, error: Exception) -> str:
        """The driver's message, for the log: without texts of people."""

    def to_unavailable(self, error: Exception) -> Unavailable:
        """The error for clients when the database fails; only the log has the cause."""
        cause: BaseException | None = error
        while cause is not None:
            # If the rollback failed as well, its error hides the original one.
            if isinstance(cause, CorruptRow) or self.is_damage(cause):
                return Unavailable(
                    f"The server's database is damaged. For its operator: {REPAIR_HINT}",
                    retry_after=DAMAGE_RETRY_S,
                    is_damage=True,
                )
            cause = cause.__context__
        return self.temporary_error(error)

    @abstractmethod
    def temporary_error(self, error: Exception) -> Unavailable:
        """The error for clients after a failure that is not damage."""

    def close(self) -> None:  # noqa: B027 - most need not
        """Release resources; called after all connections have been closed."""


def parse_versions(rows: Sequence[Row], values: Mapping[Any, Any]) -> tuple[str, str]:
    """The stored schema version, and the oldest version that it works with.

    Raises CorruptRow if they are not versions.
    """
    version = rows[0][0] if len(rows) == 1 else None
    works_with = values.get(WORKS_WITH, version)
    for value in (version, works_with):
        if not isinstance(value, str) or not re.fullmatch("[0-9]{4}", value):
            raise CorruptRow("its schema version is missing or invalid")
    return str(version), str(works_with)


def needs_migration(version: str | None, works_with: str, name: str) -> bool:
    """Whether this release must upgrade a schema of this version (None: an empty database).

    ``works_with`` is the oldest schema version whose release can still use the database: a newer
    release may have extended the tables while this one still runs. Raises DatabaseError.
    """
    if version is None or version < HEAD:
        return True
    if version > HEAD and works_with > HEAD:
        raise DatabaseError(
            f"{name} was written by a newer Hubbub (schema {version}; this one supports {HEAD}). "
            "Install that version or a later one."
        )
    return False
