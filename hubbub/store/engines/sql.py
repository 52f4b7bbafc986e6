"""Statements: built with SQLAlchemy Core, compiled once for each engine, run on the driver.

Executing a Core statement costs about 80 µs, most of it the work that is the same each time.
So each is compiled to text at first use and then goes straight to the driver's cursor; as all
columns are plain integers and text, no row needs converting either.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from hubbub.store.engines.row_checks import Rows

Row = tuple[Any, ...]
Values = Mapping[str, Any]
Bound = Values | tuple[Any, ...]
"""The values of a statement as its driver wants them: by name, or in order."""

CHUNK_MAX = 64  # rows or keys in one statement


class Compiled:
    """A statement in an engine's words."""

    __slots__ = ("_in_order", "_literals", "text")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        made = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.text = str(made)
        self._literals = {key: value for key, value in made.params.items() if value is not None}
        assert isinstance(made, SQLCompiler)
        names = made.positiontup
        self._in_order = None if names is None else _in_order(names)

    def bind(self, values: Values) -> Bound:
        """The values of its parameters and its literals."""
        if self._literals:
            values = {**self._literals, **values}
        return values if self._in_order is None else self._in_order(values)


def _in_order(names: Sequence[str]) -> Callable[[Values], tuple[Any, ...]]:
    """SQLite looks each name up among all others: 64 rows take six times as long by name."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


class Sql:
    """One statement; its bound parameters are named, so that one mapping fits all engines."""

    __slots__ = ("_compiled", "_rows", "_statement")

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._rows: Rows | None = None
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = Compiled(self._statement, dialect)
        return found

    def check(self, rows: Sequence[Row]) -> None:
        """Whether they hold what Hubbub writes there. Raises ImpossibleRow."""
        if self._rows is None:
            self._rows = Rows(self._statement)
        self._rows.check(rows)


class Sized:
    """A statement over a list of keys or rows, made for lists of 1, 2, 4 … 64 of them.

    One step of the driver for many rows: each step lets go of the interpreter's lock, and on a
    busy server must wait to get it back.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[int], ClauseElement]) -> None:
        self._make = make
        self._made: dict[int, Sql] = {}

    def of(self, size: int) -> Sql:
        found = self._made.get(size)
        if found is None:
            found = self._made[size] = Sql(self._make(size))
        return found

    def exact(self, rows: Sequence[Values]) -> Iterator[tuple[Sql, dict[str, Any]]]:
        """The rows in chunks that are powers of two, each with its statement: for inserts."""
        start = 0
        while start < len(rows):
            size = min(CHUNK_MAX, 1 << ((len(rows) - start).bit_length() - 1))
            yield self.of(size), _numbered(rows[start : start + size])
            start += size

    def padded(self, keys: Sequence[Values]) -> Iterator[tuple[Sql, dict[str, Any]]]:
        """The keys in chunks filled up with the last key: for look-ups, where twice is once."""
        for start in range(0, len(keys), CHUNK_MAX):
            chunk = list(keys[start : start + CHUNK_MAX])
            size = 1 << (len(chunk) - 1).bit_length()
            chunk.extend(chunk[-1:] * (size - len(chunk)))
            yield self.of(size), _numbered(chunk)


def _numbered(rows: Iterable[Values]) -> dict[str, Any]:
    return {f"{key}{i}": value for i, row in enumerate(rows) for key, value in row.items()}
