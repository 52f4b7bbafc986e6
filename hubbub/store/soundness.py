"""Whether rows hold what Hubbub writes: what a damaged page gives back is told from a bug.

SQLite checks how a page is built, but not what stands in it: a page with other bytes may give a
room of an unknown kind, a text where a number belongs, or half of a JSON document. To check every
row would make every read slower. So rows are only looked at once something has gone wrong that
should not (see `Connection.suspects`), by what the tables themselves say of their columns.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Integer, Join, Select, String
from sqlalchemy.sql import ClauseElement, visitors

HOLDS, JSON = "holds", "json"
"""In a column's ``info``: the type of its values, or of the JSON in it (an empty text is none)."""

Check = Callable[[Any], bool]


class ImpossibleRow(Exception):
    """A row holds what Hubbub does not write there. The message names the column, not the value."""


class Rows:
    """What rows of one statement may hold."""

    __slots__ = ("_checks",)

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
        self._checks = [_of_column(column, is_outer=is_outer) for column in columns]

    def check(self, rows: Iterable[Sequence[Any]]) -> None:
        """Raises ImpossibleRow."""
        for row in rows:
            for value, (name, is_right) in zip(row, self._checks, strict=False):
                if not is_right(value):
                    raise ImpossibleRow(f"{name} holds what Hubbub does not write there")


def _of_column(column: Any, *, is_outer: bool = False) -> tuple[str, Check]:
    """A column's name, and what is right in it; anything is for what is computed."""
    base = next(iter(column.base_columns))
    if not isinstance(base, Column) or base.table is None:
        return str(column), lambda value: True
    of_type = _of_type(base)
    may_be_null = bool(base.nullable) or is_outer

    def is_right(value: Any) -> bool:
        return may_be_null if value is None else of_type(value)

    return f"{base.table.name}.{base.name}", is_right


def _of_type(column: "Column[Any]") -> Check:
    if holds := column.info.get(HOLDS):
        return lambda value: _can(lambda: msgspec.convert(value, holds))
    if json := column.info.get(JSON):
        decode = msgspec.json.Decoder(json).decode
        return lambda value: type(value) is str and (not value or _can(lambda: decode(value)))
    if isinstance(column.type, String):
        return lambda value: type(value) is str
    if isinstance(column.type, Integer):
        return lambda value: type(value) is int
    return lambda value: True


def _can(convert: Callable[[], Any]) -> bool:
    try:
        convert()
    except (msgspec.DecodeError, ValueError):
        return False
    return True
