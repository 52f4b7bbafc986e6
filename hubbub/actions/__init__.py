"""One plain function for each command and query, registered in one table."""

from hubbub.actions import (  # noqa: F401 - importing them registers their handlers
    accounts,
    blocks,
    bookmarks,
    directory,
    drafts,
    forwarding,
    history,
    invites,
    marks,
    membership,
    mentions,
    messages,
    posting,
    read_markers,
    rooms,
    server,
    threads,
)
from hubbub.actions.registry import (
    COMMAND_HANDLERS,
    QUERY_HANDLERS,
    RUN_HANDLERS,
    answer,
    can_run_concurrently,
    execute,
)

__all__ = [
    "COMMAND_HANDLERS",
    "QUERY_HANDLERS",
    "RUN_HANDLERS",
    "answer",
    "can_run_concurrently",
    "execute",
]
