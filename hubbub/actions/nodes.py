"""What servers on one database compare with it: how far things are, and the journal."""

from hubbub.model.outcome import Entry, Heads
from hubbub.store.tx import Tx

ENTRIES_MAX = 500  # read at a time


def heads(tx: Tx, rooms: list[str], people: list[str]) -> Heads:
    """How far these rooms and people are, and the journal, in one snapshot."""
    newest, oldest = tx.journal_ends()
    return Heads(
        rooms=tx.room_heads(rooms),
        people=tx.people_heads(people),
        journal=newest,
        journal_floor=oldest,
        epoch=tx.server_values().get("epoch", ""),
        now=tx.db.clock(),
    )


def entries_after(tx: Tx, number: int) -> list[Entry]:
    """The journal's next entries, in order; more may follow."""
    return tx.journal_after(number, ENTRIES_MAX)
