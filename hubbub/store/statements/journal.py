"""Statements about the journal, and about how far things are: what nodes compare."""

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select

from hubbub.model.base import Millis
from hubbub.model.outcome import Entry, Head, Journaled
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Sized, Sql
from hubbub.store.schema.tables import journal, rooms, users

# How long an entry is kept: a node that was away for longer starts over.
KEPT_MS = 10 * 60_000

_NEWEST = Sql(select(func.max(journal.c.number), func.min(journal.c.number)))
_APPEND = Sql(
    insert(journal).values({name: bindparam(name) for name in ("number", "node", "at", "body")})
)
# The newest stays in any case, as the next number follows from it.
_FORGET = Sql(
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
_ROOM_HEADS = Sized(
    lambda size: select(rooms.c.id, rooms.c.seq, rooms.c.rev, rooms.c.mrev, rooms.c.members).where(
        rooms.c.id.in_([bindparam(f"id{i}") for i in range(size)])
    )
)
_PEOPLE_HEADS = Sized(
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

    def journal_ends(self) -> tuple[int, int]:
        """The numbers of the newest and of the oldest entry; 0 and 0 if there is none."""
        row = self.db.row(_NEWEST)
        return (int(row[0]), int(row[1])) if row and row[0] is not None else (0, 0)

    def append_to_journal(self, node: str, effects: tuple[Journaled, ...]) -> Entry:
        """Write an entry; only where no other node writes at the same time."""
        newest, _ = self.journal_ends()
        entry = Entry(newest + 1, node, effects)
        self.db.run(_FORGET, before=self.now - KEPT_MS, newest=newest)
        body = msgspec.json.encode(effects).decode()
        self.db.run(_APPEND, number=entry.number, node=node, at=self.now, body=body)
        return entry

    def journal_after(self, number: int, limit: int) -> list[Entry]:
        """The entries that follow this one, in order."""
        return [
            Entry(row[0], row[1], _body.decode(row[2]))
            for row in self.db.rows(_AFTER, after=number, limit=limit)
        ]

    def room_heads(self, ids: list[str]) -> dict[str, Head]:
        """How far these rooms are; those that are gone are left out."""
        found = self.db.look_up(_ROOM_HEADS, [{"id": one} for one in ids])
        return {row[0]: Head(*row[1:]) for row in found}

    def people_heads(self, names: list[str]) -> dict[str, int]:
        """The revs of these accounts."""
        return dict(self.db.look_up(_PEOPLE_HEADS, [{"name": name} for name in names]))
