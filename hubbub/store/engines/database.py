"""What the ledger asks of a database: connections, their transactions, and errors in our words.

Two engines give it: `sqlite`, the embedded one, and `postgres`. Statements are the same for both.
"""

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import Dialect

from hubbub.model.base import Millis
from hubbub.model.errors import HubbubError, Unavailable
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.engines.sql import Bound, Row, Sized, Sql, Values
from hubbub.store.schema.migrations import HEAD, WORKS_WITH

MEND = "Run hubbub doctor, then put back the latest backup with hubbub restore."
DAMAGED_AGAIN_S = 30.0  # a retry before somebody has mended it brings nothing


class DatabaseError(HubbubError):
    """The database cannot be used at all; the message says why and what to do."""

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

    suspects = False
    """Whether rows are checked as they are read, which then raises ImpossibleRow."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    @contextlib.contextmanager
    def suspecting(self) -> Iterator[None]:
        """Check rows for as long as this lasts: something went wrong that should not."""
        self.suspects = True
        try:
            yield
        finally:
            self.suspects = False

    @abstractmethod
    def execute(self, text: str, values: Bound | None = None) -> list[Row]:
        """Run a statement in the engine's own words; its rows, if it gives any.

        Without values it may be several statements.
        """

    @abstractmethod
    def change(self, text: str, values: Bound | None = None) -> int:
        """Run a statement that inserts, updates or deletes; how many rows it was."""

    @abstractmethod
    def execute_many(self, text: str, rows: Sequence[Bound]) -> None:
        """Run one statement for each of the rows."""

    def rows(self, statement: Sql, **values: Any) -> list[Row]:
        return self._found(statement, values)

    def row(self, statement: Sql, **values: Any) -> Row | None:
        """The first row, if there is one."""
        found = self._found(statement, values)
        return found[0] if found else None

    def run(self, statement: Sql, **values: Any) -> int:
        """Change something; how many rows it was."""
        return self.change(*self._bound(statement, values))

    def run_many(self, statement: Sql, rows: Sequence[Values]) -> None:
        """Change something for each of the rows."""
        compiled = statement.compiled(self.dialect)
        self.execute_many(compiled.text, [compiled.bind(row) for row in rows])

    def look_up(self, statement: Sized, keys: Sequence[Values], **values: Any) -> list[Row]:
        """The rows for all keys, in no order."""
        found: list[Row] = []
        for part, numbered in statement.padded(keys):
            found.extend(self._found(part, {**numbered, **values}))
        return found

    def insert(self, statement: Sized, rows: Sequence[Values]) -> None:
        for part, numbered in statement.exact(rows):
            self.change(*self._bound(part, numbered))

    def _found(self, statement: Sql, values: Values) -> list[Row]:
        found = self.execute(*self._bound(statement, values))
        if self.suspects:
            statement.check(found)
        return found

    def _bound(self, statement: Sql, values: Values) -> tuple[str, Bound]:
        compiled = statement.compiled(self.dialect)
        return compiled.text, compiled.bind(values)

    @abstractmethod
    def stream(self, statement: Sql, values: Values, size: int) -> Iterator[list[Row]]:
        """The rows, so many at a time and never all in memory; inside a transaction."""

    @abstractmethod
    def bulk_insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows in the engine's fastest way."""

    def settle(self, numbered: Mapping[str, str]) -> None:  # noqa: B027 - SQLite needs nothing
        """After many rows were poured: numbers for new ones go on above them.

        ``numbered`` has the tables whose rows the engine numbers, and in which column.
        """

    @abstractmethod
    def tables(self) -> set[str]:
        """The names of all tables that there are."""

    @abstractmethod
    def begin(self, *, alone: bool = True) -> None:
        """Begin to write. ``alone``: nobody else writes until the end, on any node.

        Otherwise others who are not alone may write as well; see `Rooms.lock_rooms`.
        """

    @abstractmethod
    def begin_migration(self) -> None:
        """Begin to change the schema, once nobody else is doing so."""

    @abstractmethod
    def begin_snapshot(self) -> None:
        """Begin to read: all reads until the end see one state."""

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def rollback(self) -> None:
        """Undo what was begun; nothing to do is no error."""

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is inside, and only that, if it raises."""
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
        """The time where the database is."""

    def hurry(self) -> None:  # noqa: B027 - most need not
        """The server stops: wait less for others from now on."""

    @abstractmethod
    def close(self) -> None: ...


class Upkeep:
    """What a database needs between transactions: nothing, unless its engine says otherwise."""

    checkpoints = 0
    """How many there have been, for `/metrics`."""

    def patience(self) -> float | None:
        """How long the writer waits for work before `tidy`, in seconds; None for ever."""
        return None

    def committed(self, *, erased: bool) -> None:
        """A batch has been; ``erased`` if text was taken away in it."""

    def tidy(self, *, idle: bool) -> None:
        """After each batch, and when there was none for as long as `patience`."""

    def finish(self) -> None:
        """The last thing before the writer's connection closes."""


class Database(ABC):
    """A database, not yet opened."""

    dialect: Dialect
    is_shared: ClassVar[bool]
    """Whether several servers may use it at a time."""
    failures: ClassVar[tuple[type[Exception], ...]]
    """What its driver raises when disk, lock, connection or a page fail."""
    mistakes: ClassVar[tuple[type[Exception], ...]] = ()
    """Those of them that a wrong statement of ours raises, too."""
    errors: ClassVar[tuple[type[Exception], ...]]
    """All that its driver raises."""
    name: str
    """How it is called in what people read; without a password."""

    @abstractmethod
    def migrate(self, lost: str | None = None) -> None:
        """Bring the schema to this release's. Raises DatabaseError, Unavailable.

        ``lost``: why a database without a chat is not given a new one, if it is not.
        """

    @abstractmethod
    def writer(self) -> Connection:
        """Raises DatabaseError."""

    @abstractmethod
    def reader(self) -> Connection:
        """Raises DatabaseError."""

    def copier(self) -> Connection:
        """For reading and writing much, which takes its time. Raises DatabaseError."""
        return self.writer()

    def upkeep(self, writer: Connection) -> Upkeep:
        return Upkeep()

    def has_failed(self, error: Exception) -> bool:
        """Whether this tells of the database or what is in it; anything else is a bug."""
        return isinstance(error, (ImpossibleRow, *self.failures)) and not isinstance(
            error, self.mistakes
        )

    @abstractmethod
    def is_damage(self, error: BaseException) -> bool:
        """Whether this tells of a database that has to be mended."""

    def find_damage(self, db: Connection) -> str | None:
        """After what looks like a bug: whether the database is at fault, looked at briefly."""
        return None

    @abstractmethod
    def why_failed(self, error: Exception) -> str:
        """What the driver says, for the log: without anything that people wrote."""

    def unavailable(self, error: Exception) -> Unavailable:
        """The error to answer with when the database fails; the cause goes to the log only."""
        found: BaseException | None = error
        while found is not None:
            # Undoing what met the damage may have failed, and say nothing of it.
            if isinstance(found, ImpossibleRow) or self.is_damage(found):
                return Unavailable(
                    f"The server's database is damaged. For whoever runs it: {MEND}",
                    retry_after=DAMAGED_AGAIN_S,
                    is_damage=True,
                )
            found = found.__context__
        return self.passing(error)

    @abstractmethod
    def passing(self, error: Exception) -> Unavailable:
        """The same for what is over by itself, or once there is room."""

    def close(self) -> None:  # noqa: B027 - most need not
        """After all connections."""


def versions_in(rows: Sequence[Row], values: Mapping[Any, Any]) -> tuple[str, str]:
    """The schema's version, and the oldest that it works with, as both are stored.

    Raises ImpossibleRow if they are none.
    """
    version = rows[0][0] if len(rows) == 1 else None
    works_with = values.get(WORKS_WITH, version)
    for value in (version, works_with):
        if not isinstance(value, str) or not re.fullmatch("[0-9]{4}", value):
            raise ImpossibleRow("it does not say which schema it has")
    return str(version), str(works_with)


def needs_migration(version: str | None, works_with: str, name: str) -> bool:
    """Whether this release has something to add to a schema of this version (None: empty).

    ``works_with`` is the oldest release's schema that can go on beside it: a newer release may
    have widened the tables while this one still runs. Raises DatabaseError.
    """
    if version is None or version < HEAD:
        return True
    if version > HEAD and works_with > HEAD:
        raise DatabaseError(
            f"{name} was written by a newer Hubbub (schema {version}; this one knows {HEAD}). "
            "Install that version or a later one."
        )
    return False
