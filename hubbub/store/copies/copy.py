"""Everything, copied from one database into another of any engine: all tables but the journal.

Rows are read in the order of their primary keys, with texts in the order of their bytes, which is
the same in all engines. So how far a copy is shows from its last row, and two copies are the same
if what is read of them is.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import String, Table, bindparam, collate, func, select, text, tuple_

from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Row, Sql
from hubbub.store.schema.migrations import WORKS_WITH
from hubbub.store.schema.move_marker import MOVED
from hubbub.store.schema.tables import journal, messages, metadata, rooms, server, users
from hubbub.store.statements.accounts import SIGNING_KEY

ROWS_AT_ONCE = 1_000  # with texts of 16,000 characters that is up to 64 MB
EPOCH = "epoch"

# What belongs to the database it stands in, and not to the chat.
_OF_THE_PLACE = frozenset({WORKS_WITH, SIGNING_KEY, MOVED})

# Tables before those that refer to them. The server's values come last and at once: with them a
# copy is whole.
TABLES = tuple(one for one in metadata.sorted_tables if one not in (journal, server))

_BY_BYTES = {"sqlite": "BINARY", "postgresql": "C"}  # collations
_SCHEMA = Sql(text("SELECT version_num FROM alembic_version"))
_VALUES = Sql(select(server.c.key, server.c.value))
_COUNTS = {table.name: Sql(select(func.count()).select_from(table)) for table in TABLES}
_ANY = {table.name: Sql(select(table.c[0]).limit(1)) for table in TABLES}
_PEOPLE = Sql(select(func.count()).select_from(users).where(users.c.skeleton.is_not(None)))
_MESSAGES = Sql(select(func.count()).select_from(messages).where(messages.c.deleted == 0))

# PostgreSQL cannot keep U+0000. Names, titles and messages never had it; a nonce could.
_NUL, _NUL_IN_JSON, _IN_ITS_PLACE = "\0", rb"\u0000", "\ufffd"

Tell = Callable[[str, int, int], None]
"""What is being done, how much of it, and how much it is in all: 0 if that is not known."""


class Contents(NamedTuple):
    """What a database holds: its schema's version, and how many there are of each."""

    schema: str
    people: int
    rooms: int
    messages: int


class Digest(NamedTuple):
    """How many rows a table has, and a checksum of what is in them."""

    rows: int
    sha256: str


def contents_of(db: Connection) -> Contents:
    counts = (_PEOPLE, _COUNTS[rooms.name], _MESSAGES)
    return Contents(schema_of(db), *(_number(db, count) for count in counts))


def schema_of(db: Connection) -> str:
    """The version that the schema has, in a database that has one."""
    row = db.row(_SCHEMA)
    return str(row[0]) if row else ""


def count_of(db: Connection) -> int:
    """How many rows there are to copy."""
    return sum(_number(db, count) for count in _COUNTS.values())


def is_empty(db: Connection) -> bool:
    """Whether there is nothing, or nothing but the schema."""
    there = db.tables()
    if any(db.row(_ANY[table.name]) for table in TABLES if table.name in there):
        return False
    return server.name not in there or not values_of(db)


def _number(db: Connection, count: Sql) -> int:
    row = db.row(count)
    assert row
    return int(row[0])


def copy_rows(source: Connection, target: Connection, table: Table) -> Iterator[int]:
    """Copy what the target does not have yet, part by part; how many rows each part had.

    Both are in a transaction, and the target may begin a new one between two parts.
    """
    keys, columns = _keys(table), list(table.columns.keys())
    last = target.row(_last(table, target.dialect.name))
    after = dict(zip(keys, last, strict=True)) if last else None
    for rows, _ in _read(source, table, after):
        target.bulk_insert(table.name, columns, rows)
        yield len(rows)


def digest_of(db: Connection, table: Table, tell: Callable[[int], None]) -> Digest:
    """The same for the same rows, in whichever engine; ``tell`` gets how many more were read."""
    total, sha256 = 0, hashlib.sha256()
    for rows, encoded in _read(db, table, None):
        total += len(rows)
        sha256.update(encoded)
        tell(len(rows))
    return Digest(total, sha256.hexdigest())


def digests_of(db: Connection, tell: Callable[[int], None]) -> dict[str, Digest]:
    return {table.name: digest_of(db, table, tell) for table in TABLES}


def check_rows(db: Connection) -> int:
    """How many rows there are, each of which holds what Hubbub writes. Raises ImpossibleRow.

    In a database with this release's schema.
    """
    total = 0
    for table in metadata.sorted_tables:
        statement = Sql(select(*table.columns))
        for rows in db.stream(statement, {}, ROWS_AT_ONCE):
            statement.check(rows)
            total += len(rows)
    return total


def settle(db: Connection) -> None:
    """New rows are numbered above those that were copied."""
    columns = ((table.name, table.autoincrement_column) for table in TABLES)
    db.settle({table: column.name for table, column in columns if column is not None})


def values_of(db: Connection) -> dict[str, str]:
    """What the server knows of the chat, without what belongs to the place."""
    return {key: value for key, value in db.rows(_VALUES) if key not in _OF_THE_PLACE}


def add_values(db: Connection, values: dict[str, str]) -> None:
    db.bulk_insert(server.name, ["key", "value"], list(values.items()))


def _read(
    db: Connection, table: Table, after: dict[str, Any] | None
) -> Iterator[tuple[Sequence[Row], bytes]]:
    """The rows after this key, in order, and the same encoded in one way."""
    statement = _ordered(table, db.dialect.name, is_after=after is not None)
    for rows in db.stream(statement, after or {}, ROWS_AT_ONCE):
        encoded = msgspec.json.encode(rows)
        if _NUL_IN_JSON in encoded:
            kept = [tuple(map(_without_nul, row)) for row in rows]
            encoded = msgspec.json.encode(kept)
        else:
            kept = rows
        # Without the brackets: how many rows were read at once makes no difference.
        yield kept, encoded[1:-1] + b","


def _without_nul(value: Any) -> Any:
    return value.replace(_NUL, _IN_ITS_PLACE) if isinstance(value, str) else value


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _in_order(table: Table, engine: str) -> list[Any]:
    return [
        collate(column, _BY_BYTES[engine]) if isinstance(column.type, String) else column
        for column in table.primary_key
    ]


def _ordered(table: Table, engine: str, *, is_after: bool) -> Sql:
    order = _in_order(table, engine)
    statement = select(*table.columns).order_by(*order)
    if is_after:
        last = tuple_(*(bindparam(key) for key in _keys(table)))
        statement = statement.where(tuple_(*order) > last)
    return Sql(statement)


def _last(table: Table, engine: str) -> Sql:
    backwards = [column.desc() for column in _in_order(table, engine)]
    return Sql(select(*table.primary_key).order_by(*backwards).limit(1))
