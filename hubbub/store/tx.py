"""The transaction that actions read and write with."""

import secrets
from collections.abc import Callable

from hubbub.model.base import Millis
from hubbub.model.quotas import DEFAULT_QUOTAS, Quotas
from hubbub.store.engines.database import Connection
from hubbub.store.statements.blocks import Blocks
from hubbub.store.statements.bookmarks import Bookmarks
from hubbub.store.statements.drafts import Drafts
from hubbub.store.statements.journal import Journal
from hubbub.store.statements.marks import MessageMarks
from hubbub.store.statements.mentions import Mentions
from hubbub.store.statements.messages import Messages
from hubbub.store.statements.rooms import Rooms
from hubbub.store.statements.threads import Threads
from hubbub.store.statements.usage import Usage


class Tx(
    Rooms,
    Messages,
    MessageMarks,
    Threads,
    Bookmarks,
    Drafts,
    Mentions,
    Blocks,
    Usage,
    Journal,
):
    """All statements, within one transaction; on a reader's connection only those that read.

    ``now`` is the time of the whole transaction, by the server's clock; ``random_id`` returns ids
    that cannot be guessed. ``quotas`` are the limits that actions enforce.
    """

    def __init__(
        self,
        db: Connection,
        now: Millis,
        random_id: Callable[[], str] = lambda: secrets.token_hex(10),
        quotas: Quotas = DEFAULT_QUOTAS,
    ) -> None:
        self.db = db
        self.now = now
        self.random_id = random_id
        self.quotas = quotas
        self.revs_issued = 0
        self.erased = False
