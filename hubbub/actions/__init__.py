"""What happens: one plain function for each command and query, gathered in one table."""

from hubbub.actions import (  # noqa: F401 - importing them registers what they handle
    accounts,
    blocks,
    bookmarks,
    directory,
    history,
    invites,
    marks,
    membership,
    messages,
    posting,
    read_markers,
    rooms,
    server,
)
from hubbub.actions.registry import ANSWERS, HANDLERS, RUNS, answer, execute, may_share

__all__ = ["ANSWERS", "HANDLERS", "RUNS", "answer", "execute", "may_share"]
