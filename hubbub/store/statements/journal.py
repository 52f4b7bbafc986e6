"""Statements about the journal, and the counters that nodes compare."""

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select

from hubbub.model.base import Millis
from hubbub.model.outcome import Entry, Head, Journaled
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import BatchSql, Sql
from hubbub.store.schema.tables import journal, rooms, users

# How long an entry is kept; a node that misses older entries starts over.
RETENTION_MS = 10 * 60_000

_RANGE = Sql(select(func.max(journal.c.number), func.min(journal.c.number)))
_APPEND = Sql(
    insert(journal).values({name: bindparam(name) for name in ("number", "node", "at", "body")})
)
# The newest entry is kept in any case, as it determines the next number.
_DELETE_OLD = Sql(
    delete(journal).where(
        journal.c.at < bindparam("before"), journal.c.number < bindparam("newest")
    )
)
_AFTER = Sql(
    select(journal.c.number, journal.c.node, journal.c.body)
    .where(journal.c.number > bindparam("after"))
    .order_by(journal.c.number)
    .limit(bindparam("limit"))
)
_ROOM_HEADS = BatchSql(
    lambda size: select(rooms.c.id, rooms.c.seq, rooms.c.rev, rooms.c.mrev, rooms.c.members).where(
        rooms.c.id.in_([bindparam(f"id{i}") for i in range(size)])
    )
)
_PEOPLE_HEADS = BatchSql(
    lambda size: select(users.c.name, users.c.rev).where(
        users.c.skeleton.is_not(None),
        users.c.name.in_([bindparam(f"name{i}") for i in range(size)]),
    )
)
_body = msgspec.json.Decoder(tuple[Journaled, ...])


class Journal:
    """Reads and changes of the journal."""

    db: Connection
    now: Millis

    def journal_range(self) -> tuple[int, int]:
        """The numbers of the newest and the oldest entry; 0 and 0 if there are none."""
        row = self.db.row(_RANGE)
        return (int(row[0]), int(row[1])) if row and row[0] is not None else (0, 0)

    def append_to_journal(self, node: str, effects: tuple[Journaled, ...]) -> Entry:
        """Add an entry; needs an exclusive transaction."""
        newest, _ = self.journal_range()
        entry = Entry(newest + 1, node, effects)
        self.db.run(_DELETE_OLD, before=self.now - RETENTION_MS, newest=newest)
        body = msgspec.json.encode(effects).decode()
        self.db.run(_APPEND, number=entry.number, node=node, at=self.now, body=body)
        return entry

    def journal_after(self, number: int, limit: int) -> list[Entry]:
        """The entries after this number, in order."""
        return [
            Entry(row[0], row[1], _body.decode(row[2]))
            for row in self.db.rows(_AFTER, after=number, limit=limit)
        ]

    def room_heads(self, ids: list[str]) -> dict[str, Head]:
        """The counters of these rooms; deleted rooms are left out."""
        found = self.db.rows_for(_ROOM_HEADS, [{"id": one} for one in ids])
        return {row[0]: Head(*row[1:]) for row in found}

    def people_heads(self, names: list[str]) -> dict[str, int]:
        """The revs of these accounts."""
        return dict(self.db.rows_for(_PEOPLE_HEADS, [{"name": name} for name in names]))
