"""Checks that rows have valid values, to tell a damaged database from a bug.

SQLite checks the structure of a page, but not its values: a damaged page may return a room of an
unknown kind, a text instead of a number, or half of a JSON document. Checking every row would slow
all reads down. So rows are checked only after an unexpected error (see `Connection.checks_rows`),
against the types that the tables declare for their columns.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Integer, Join, Select, String
from sqlalchemy.sql import ClauseElement, visitors

VALUE_TYPE, JSON_TYPE = "holds", "json"
"""Keys of a column's ``info``: the type of its values, or of its JSON. Empty text means no JSON."""

Check = Callable[[Any], bool]
Types = frozenset[type]


class CorruptRow(Exception):
    """A row has a value that Hubbub never writes. The message names the column, not the value."""


class RowChecker:
    """Checks the rows of one statement."""

    __slots__ = ("_columns",)

    def __init__(self, statement: ClauseElement) -> None:
        found = getattr(statement, "selected_columns", None)
        columns = getattr(statement, "exported_columns", ()) if found is None else found
        # An outer join returns NULL for missing rows, even in columns that are NOT NULL.
        is_outer = any(
            isinstance(part, Join) and part.isouter
            for select in getattr(statement, "selects", [statement])
            if isinstance(select, Select)
            for source in select.get_final_froms()
            for part in visitors.iterate(source)
        )
        self._columns = [_ColumnChecker(column, is_outer=is_outer) for column in columns]

    def check(self, rows: Sequence[Sequence[Any]]) -> None:
        """Raises CorruptRow."""
        # Column by column, which checks many rows in one step of the interpreter.
        for values, column in zip(zip(*rows, strict=True), self._columns, strict=False):
            if not column.accepts(values):
                raise CorruptRow(f"{column.name} has an invalid value")


class _ColumnChecker:
    """Checks one column of a result; a computed column accepts any value."""

    def __init__(self, column: Any, *, is_outer: bool) -> None:
        base = next(iter(column.base_columns))
        self._types: Types | None = None
        self._is_valid: Check | None = None
        if not isinstance(base, Column) or base.table is None:
            self.name = str(column)
            return
        self.name = f"{base.table.name}.{base.name}"
        may_be_null = bool(base.nullable) or is_outer
        if isinstance(base.type, Integer | String):
            kind = int if isinstance(base.type, Integer) else str
            self._types = frozenset({kind, type(None)} if may_be_null else {kind})
        self._is_valid = _check_of(base)

    def accepts(self, values: Sequence[Any]) -> bool:
        if self._types is not None and not self._types.issuperset(map(type, values)):
            return False
        check = self._is_valid
        return check is None or all(map(check, set(values) - {None}))


def _check_of(column: "Column[Any]") -> Check | None:
    """The check of a column's values, which already have the SQL type."""
    if value_type := column.info.get(VALUE_TYPE):
        return lambda value: _succeeds(lambda: msgspec.convert(value, value_type))
    if json_type := column.info.get(JSON_TYPE):
        decode = msgspec.json.Decoder(json_type).decode
        return lambda value: not value or _succeeds(lambda: decode(value))
    return None


def _succeeds(convert: Callable[[], Any]) -> bool:
    try:
        convert()
    except (msgspec.DecodeError, ValueError):
        return False
    return True
