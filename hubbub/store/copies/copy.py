"""Copies all tables but the journal from one database to another, of any engine.

Rows are read in the order of their primary keys, with texts in byte order, which is the same in all
engines. So an interrupted copy continues after its last row, and two copies are compared by
digests of their rows.
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

BATCH_ROWS = 1_000  # with texts of 16,000 characters that is up to 64 MB
EPOCH = "epoch"

# Keys of the table `server` that belong to the database and not to the chat.
_LOCAL_KEYS = frozenset({WORKS_WITH, SIGNING_KEY, MOVED})

# In the order of foreign keys. The values of the table `server` are copied last, in one step, which
# completes a copy.
TABLES = tuple(table for table in metadata.sorted_tables if table not in (journal, server))

_BYTE_COLLATIONS = {"sqlite": "BINARY", "postgresql": "C"}
_SCHEMA = Sql(text("SELECT version_num FROM alembic_version"))
_VALUES = Sql(select(server.c.key, server.c.value))
_COUNTS = {table.name: Sql(select(func.count()).select_from(table)) for table in TABLES}
_ANY = {table.name: Sql(select(table.c[0]).limit(1)) for table in TABLES}
_PEOPLE = Sql(select(func.count()).select_from(users).where(users.c.skeleton.is_not(None)))
_MESSAGES = Sql(select(func.count()).select_from(messages).where(messages.c.deleted == 0))

# PostgreSQL cannot store U+0000. Names, titles and messages never have it, but a nonce may.
_NUL, _NUL_IN_JSON, _REPLACEMENT = "\0", rb"\u0000", "\ufffd"

Progress = Callable[[str, int, int], None]
"""Reports progress: a label, the amount done, and the total, 0 if unknown."""


class Contents(NamedTuple):
    """A summary of a database: its schema version, and numbers of rows."""

    schema: str
    people: int
    rooms: int
    messages: int


class Digest(NamedTuple):
    """The number of a table's rows, and a checksum of their values."""

    rows: int
    sha256: str


def contents_of(db: Connection) -> Contents:
    counts = (_PEOPLE, _COUNTS[rooms.name], _MESSAGES)
    return Contents(schema_of(db), *(db.count(count) for count in counts))


def schema_of(db: Connection) -> str:
    """The schema version; an empty text if the table has none."""
    row = db.row(_SCHEMA)
    return str(row[0]) if row else ""


def count_rows(db: Connection) -> int:
    """The number of all rows to copy."""
    return sum(db.count(count) for count in _COUNTS.values())


def is_empty(db: Connection) -> bool:
    """Whether the database has no tables, or only empty ones."""
    existing = db.tables()
    if any(db.row(_ANY[table.name]) for table in TABLES if table.name in existing):
        return False
    return server.name not in existing or not values_of(db)


def copy_rows(source: Connection, target: Connection, table: Table) -> Iterator[int]:
    """Copy the rows that the target does not have yet, in parts; yields the size of each part.

    Both must be in a transaction; the target may begin a new one between two parts.
    """
    keys, columns = _keys(table), list(table.columns.keys())
    last = target.row(_last(table, target.dialect.name))
    after = dict(zip(keys, last, strict=True)) if last else None
    for rows, _ in _read(source, table, after):
        target.bulk_insert(table.name, columns, rows)
        yield len(rows)


def digest_of(db: Connection, table: Table, on_progress: Callable[[int], None]) -> Digest:
    """A digest of all rows, equal in all engines.

    ``on_progress`` gets the number of rows after each batch.
    """
    total, sha256 = 0, hashlib.sha256()
    for rows, encoded in _read(db, table, None):
        total += len(rows)
        sha256.update(encoded)
        on_progress(len(rows))
    return Digest(total, sha256.hexdigest())


def digests_of(db: Connection, on_progress: Callable[[int], None]) -> dict[str, Digest]:
    return {table.name: digest_of(db, table, on_progress) for table in TABLES}


def check_rows(db: Connection) -> int:
    """Check all rows of a database with this release's schema, and return their number.

    Raises CorruptRow.
    """
    total = 0
    for table in metadata.sorted_tables:
        statement = Sql(select(*table.columns))
        for rows in db.stream(statement, {}, BATCH_ROWS):
            statement.check(rows)
            total += len(rows)
    return total


def reset_sequences(db: Connection) -> None:
    """Let the ids of new rows continue above the copied ones."""
    columns = ((table.name, table.autoincrement_column) for table in TABLES)
    db.reset_sequences({table: column.name for table, column in columns if column is not None})


def values_of(db: Connection) -> dict[str, str]:
    """The values of the table `server` that belong to the chat."""
    return {key: value for key, value in db.rows(_VALUES) if key not in _LOCAL_KEYS}


def add_values(db: Connection, values: dict[str, str]) -> None:
    db.bulk_insert(server.name, ["key", "value"], list(values.items()))


def _read(
    db: Connection, table: Table, after: dict[str, Any] | None
) -> Iterator[tuple[Sequence[Row], bytes]]:
    """The rows after this key, in order, and their canonical encoding."""
    statement = _select_in_order(table, db.dialect.name, is_after=after is not None)
    for rows in db.stream(statement, after or {}, BATCH_ROWS):
        encoded = msgspec.json.encode(rows)
        if _NUL_IN_JSON in encoded:
            kept = [tuple(map(_without_nul, row)) for row in rows]
            encoded = msgspec.json.encode(kept)
        else:
            kept = rows
        # Without brackets, so that the digest does not depend on the batch size.
        yield kept, encoded[1:-1] + b","


def _without_nul(value: Any) -> Any:
    return value.replace(_NUL, _REPLACEMENT) if isinstance(value, str) else value


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _in_order(table: Table, engine: str) -> list[Any]:
    return [
        collate(column, _BYTE_COLLATIONS[engine]) if isinstance(column.type, String) else column
        for column in table.primary_key
    ]


def _select_in_order(table: Table, engine: str, *, is_after: bool) -> Sql:
    order = _in_order(table, engine)
    statement = select(*table.columns).order_by(*order)
    if is_after:
        last = tuple_(*(bindparam(key) for key in _keys(table)))
        statement = statement.where(tuple_(*order) > last)
    return Sql(statement)


def _last(table: Table, engine: str) -> Sql:
    backwards = [column.desc() for column in _in_order(table, engine)]
    return Sql(select(*table.primary_key).order_by(*backwards).limit(1))
