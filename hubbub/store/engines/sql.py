"""SQL statements: built with SQLAlchemy Core, compiled once per engine, run by the driver.

Executing a Core statement takes about 80 µs, mostly for work that is the same each time. So each
is compiled to text at first use, and then passed directly to the driver's cursor; as all columns
are plain integers and text, rows need no conversion.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from hubbub.store.engines.row_checks import RowChecker

Row = tuple[Any, ...]
Values = Mapping[str, Any]
Bound = Values | tuple[Any, ...]
"""The values of a statement in the driver's form: by name, or in order."""

CHUNK_MAX = 64  # rows or keys in one statement


class Compiled:
    """A statement in an engine's SQL dialect."""

    __slots__ = ("_in_order", "_literals", "text")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.text = str(compiled)
        params = compiled.params
        self._literals = {key: value for key, value in params.items() if value is not None}
        assert isinstance(compiled, SQLCompiler)
        names = compiled.positiontup
        self._in_order = None if names is None else _in_order(names)

    def bind(self, values: Values) -> Bound:
        """The values of the parameters, and of the statement's own literals, for the driver."""
        if self._literals:
            values = {**self._literals, **values}
        return values if self._in_order is None else self._in_order(values)


def _in_order(names: Sequence[str]) -> Callable[[Values], tuple[Any, ...]]:
    """Puts values in order. SQLite would take six times as long for 64 rows by name."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


class Sql:
    """One statement; its parameters are named, so that one mapping of values fits all engines."""

    __slots__ = ("_compiled", "_row_checker", "_statement")

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._row_checker: RowChecker | None = None
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = Compiled(self._statement, dialect)
        return found

    def check(self, rows: Sequence[Row]) -> None:
        """Raises CorruptRow if a row has a value that Hubbub never writes."""
        if self._row_checker is None:
            self._row_checker = RowChecker(self._statement)
        self._row_checker.check(rows)


class BatchSql:
    """A statement for a list of keys or rows, built for lists of 1, 2, 4 … 64 of them.

    It handles many rows in one call of the driver: each call releases the GIL, and on a busy
    server has to wait to get it back.
    """

    __slots__ = ("_build", "_by_size")

    def __init__(self, build: Callable[[int], ClauseElement]) -> None:
        self._build = build
        self._by_size: dict[int, Sql] = {}

    def for_size(self, size: int) -> Sql:
        found = self._by_size.get(size)
        if found is None:
            found = self._by_size[size] = Sql(self._build(size))
        return found

    def exact(self, rows: Sequence[Values]) -> Iterator[tuple[Sql, dict[str, Any]]]:
        """The rows in chunks, whose sizes are powers of two, with their statements; for inserts."""
        start = 0
        while start < len(rows):
            size = min(CHUNK_MAX, 1 << ((len(rows) - start).bit_length() - 1))
            yield self.for_size(size), _numbered(rows[start : start + size])
            start += size

    def padded(self, keys: Sequence[Values]) -> Iterator[tuple[Sql, dict[str, Any]]]:
        """The keys in chunks padded with the last key, each with its statement; for look-ups."""
        for start in range(0, len(keys), CHUNK_MAX):
            chunk = list(keys[start : start + CHUNK_MAX])
            size = 1 << (len(chunk) - 1).bit_length()
            chunk.extend(chunk[-1:] * (size - len(chunk)))
            yield self.for_size(size), _numbered(chunk)


def _numbered(rows: Iterable[Values]) -> dict[str, Any]:
    return {f"{key}{i}": value for i, row in enumerate(rows) for key, value in row.items()}
