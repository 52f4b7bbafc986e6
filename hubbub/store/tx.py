"""One transaction, as actions see it."""

from hubbub.model.base import Millis
from hubbub.store.accounts import Accounts
from hubbub.store.database import Connection
from hubbub.store.messages import Messages
from hubbub.store.rooms import Rooms


class Tx(Accounts, Rooms, Messages):
    """Everything that can be read and changed; on a reader's connection, only read.

    ``now`` is the time of the whole transaction, by the server's clock.
    """

    def __init__(self, db: Connection, now: Millis) -> None:
        self.db = db
        self.now = now
        self.raised = 0
        self.erased = False
