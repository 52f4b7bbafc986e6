"""What a move leaves in databases, so that nothing is served that is half there, or elsewhere.

The database that is moved has a mark in its table `server` from the beginning on. The one it is
moved to has a table more until all is there and checked.
"""

from collections.abc import Container

import msgspec
from sqlalchemy import Column, MetaData, String, Table

from hubbub.model.errors import HubbubError
from hubbub.store.engines.row_checks import ImpossibleRow

MOVED = "moved"
"""The key of a `Mark` in the table `server`."""
arriving = Table("move", MetaData(), Column("id", String(64), primary_key=True))
"""Only in a database that a chat is being moved to."""


class MovedError(HubbubError):
    """This database is not to be served; the message says why and what to do."""

    code = "moved"
    title = "The chat is being moved, or was."


class Mark(msgspec.Struct, frozen=True):
    """A move away from here: its id, where to, and whether it is done."""

    move: str
    to: str
    done: bool = False


def require_served(name: str, tables: Container[str], mark: str | None) -> None:
    """Raises MovedError for a database that only moves may touch. ``mark`` as it is stored.

    Raises ImpossibleRow if that is no mark.
    """
    if arriving.name in tables:
        raise MovedError(
            f"{name} has a part of a chat that is being moved here. Run the same hubbub move "
            "again, which goes on."
        )
    if mark is not None:
        raise moved_away(name, mark_of(mark))


def mark_of(stored: str) -> Mark:
    """Raises ImpossibleRow."""
    try:
        return msgspec.json.decode(stored, type=Mark)
    except (msgspec.DecodeError, TypeError) as error:
        raise ImpossibleRow(f"server.value holds no mark of a move: {error}") from error


def moved_away(name: str, mark: Mark) -> MovedError:
    if mark.done:
        return MovedError(
            f"{name} was moved to {mark.to}: serve that, or have this one served again, as it was "
            "then, with hubbub move --undo."
        )
    return MovedError(
        f"{name} is being moved to {mark.to}: run the same hubbub move again, which goes on, or "
        "give it up with hubbub move --undo."
    )
