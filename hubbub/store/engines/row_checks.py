"""Whether rows hold what Hubbub writes: what a damaged page gives back is told from a bug.

SQLite checks how a page is built, but not what stands in it: a page with other bytes may give a
room of an unknown kind, a text where a number belongs, or half of a JSON document. To check every
row would make every read slower. So rows are only looked at once something has gone wrong that
should not (see `Connection.suspects`), by what the tables themselves say of their columns.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Integer, Join, Select, String
from sqlalchemy.sql import ClauseElement, visitors

HOLDS, JSON = "holds", "json"
"""In a column's ``info``: the type of its values, or of the JSON in it. An empty text is none."""

Check = Callable[[Any], bool]
Types = frozenset[type]


class ImpossibleRow(Exception):
    """A row holds what Hubbub does not write there. The message names the column, not the value."""


class Rows:
    """Checks the rows of one statement."""

    __slots__ = ("_columns",)

    def __init__(self, statement: ClauseElement) -> None:
        found = getattr(statement, "selected_columns", None)
        columns = getattr(statement, "exported_columns", ()) if found is None else found
        # What an outer join does not find is NULL, whatever its column says.
        is_outer = any(
            isinstance(part, Join) and part.isouter
            for one in getattr(statement, "selects", [statement])
            if isinstance(one, Select)
            for joined in one.get_final_froms()
            for part in visitors.iterate(joined)
        )
        self._columns = [_Column(column, is_outer=is_outer) for column in columns]

    def check(self, rows: Sequence[Sequence[Any]]) -> None:
        """Raises ImpossibleRow."""
        # By columns: most of it is then one step of the interpreter for many rows.
        for values, column in zip(zip(*rows, strict=True), self._columns, strict=False):
            if not column.may_have(values):
                raise ImpossibleRow(f"{column.name} holds what Hubbub does not write there")


class _Column:
    """Checks one column of a result; a computed column may hold anything."""

    def __init__(self, column: Any, *, is_outer: bool) -> None:
        base = next(iter(column.base_columns))
        self._types: Types | None = None
        self._is_right: Check | None = None
        if not isinstance(base, Column) or base.table is None:
            self.name = str(column)
            return
        self.name = f"{base.table.name}.{base.name}"
        may_be_null = bool(base.nullable) or is_outer
        if isinstance(base.type, Integer | String):
            kind = int if isinstance(base.type, Integer) else str
            self._types = frozenset({kind, type(None)} if may_be_null else {kind})
        self._is_right = _domain_of(base)

    def may_have(self, values: Sequence[Any]) -> bool:
        if self._types is not None and not self._types.issuperset(map(type, values)):
            return False
        check = self._is_right
        return check is None or all(map(check, set(values) - {None}))


def _domain_of(column: "Column[Any]") -> Check | None:
    """A check of values that already have the right type."""
    if holds := column.info.get(HOLDS):
        return lambda value: _can(lambda: msgspec.convert(value, holds))
    if json := column.info.get(JSON):
        decode = msgspec.json.Decoder(json).decode
        return lambda value: not value or _can(lambda: decode(value))
    return None


def _can(convert: Callable[[], Any]) -> bool:
    try:
        convert()
    except (msgspec.DecodeError, ValueError):
        return False
    return True
