"""What happens: one plain function for each command and query, gathered in one table."""

from hubbub.actions import (  # noqa: F401 - importing them registers what they handle
    accounts,
    blocks,
    directory,
    history,
    invites,
    keeping,
    marks,
    membership,
    messages,
    posting,
    reading,
    rooms,
    server,
)
from hubbub.actions.registry import ANSWERS, HANDLERS, RUNS, answer, carry, may_share

__all__ = ["ANSWERS", "HANDLERS", "RUNS", "answer", "carry", "may_share"]
