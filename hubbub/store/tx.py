"""One transaction, as actions see it."""

import secrets
from collections.abc import Callable

from hubbub.model.base import Millis
from hubbub.model.quotas import USUAL, Quotas
from hubbub.store.engines.database import Connection
from hubbub.store.statements.blocks import Blocks
from hubbub.store.statements.bookmarks import BookmarkStatements
from hubbub.store.statements.journal import Journal
from hubbub.store.statements.marks import MessageMarks
from hubbub.store.statements.messages import Messages
from hubbub.store.statements.rooms import Rooms
from hubbub.store.statements.usage import Usage


class Tx(Rooms, Messages, MessageMarks, BookmarkStatements, Blocks, Usage, Journal):
    """Everything that can be read and changed; on a reader's connection, only read.

    ``now`` is the time of the whole transaction, by the server's clock; ``random_id`` makes ids
    that cannot be guessed. ``quotas`` are those that actions keep to.
    """

    def __init__(
        self,
        db: Connection,
        now: Millis,
        random_id: Callable[[], str] = lambda: secrets.token_hex(10),
        quotas: Quotas = USUAL,
    ) -> None:
        self.db = db
        self.now = now
        self.random_id = random_id
        self.quotas = quotas
        self.raised = 0
        self.erased = False
