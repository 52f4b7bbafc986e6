"""Queries with which the nodes on one database find changes that they missed."""

from hubbub.model.outcome import Entry, Heads
from hubbub.store.tx import Tx

ENTRIES_MAX = 500  # per read


def get_heads(tx: Tx, rooms: list[str], people: list[str]) -> Heads:
    """The present revs of these rooms and people, and the journal's range, in one snapshot."""
    newest, oldest = tx.journal_range()
    return Heads(
        rooms=tx.room_heads(rooms),
        people=tx.people_heads(people),
        journal=newest,
        journal_floor=oldest,
        epoch=tx.server_values().get("epoch", ""),
        now=tx.db.clock(),
    )


def list_entries_after(tx: Tx, number: int) -> list[Entry]:
    """The journal's entries after a number, in order, at most `ENTRIES_MAX`."""
    return tx.journal_after(number, ENTRIES_MAX)
