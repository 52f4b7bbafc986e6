"""Markers in the databases of a move, so that neither is served before the move is complete.

From the start, the source has a marker in its table `server`. The target has an additional table
until everything has been copied and checked.
"""

from collections.abc import Container

import msgspec
from sqlalchemy import Column, MetaData, String, Table

from hubbub.model.errors import HubbubError
from hubbub.store.engines.row_checks import CorruptRow

MOVED = "moved"
"""The key of a `MoveMarker` in the table `server`."""
incoming_move = Table("move", MetaData(), Column("id", String(64), primary_key=True))
"""Exists only in the target of an unfinished move."""


class MovedError(HubbubError):
    """This database must not be served; the message says why, and what to do."""

    code = "moved"
    title = "The chat is being moved, or has been moved."


class MoveMarker(msgspec.Struct, frozen=True):
    """The marker of a move in its source: its id, the target, and whether it is complete."""

    move: str
    to: str
    done: bool = False


def require_not_moved(name: str, tables: Container[str], marker: str | None) -> None:
    """Raises MovedError if this database is the source or target of a move.

    ``marker`` is the stored value. Raises CorruptRow if it is invalid.
    """
    if incoming_move.name in tables:
        raise MovedError(
            f"{name} is incomplete: a chat is being moved here. Run the same hubbub move again to "
            "continue."
        )
    if marker is not None:
        raise moved_error(name, parse_move_marker(marker))


def parse_move_marker(stored: str) -> MoveMarker:
    """Decode a stored marker. Raises CorruptRow."""
    try:
        return msgspec.json.decode(stored, type=MoveMarker)
    except (msgspec.DecodeError, TypeError) as error:
        raise CorruptRow(f"server.value has an invalid move marker: {error}") from error


def moved_error(name: str, marker: MoveMarker) -> MovedError:
    if marker.done:
        return MovedError(
            f"{name} was moved to {marker.to}. Serve that one; or, to use this one again in its "
            "old state, run hubbub move --undo."
        )
    return MovedError(
        f"{name} is being moved to {marker.to}. Run the same hubbub move again to continue, or "
        "cancel it with hubbub move --undo."
    )
