"""The people who come: accounts in a data folder, made before a server runs there.

Not signed up over HTTP, because passwords are slow to hash on purpose: 5,000 of them would take
longer than everything that is measured. Apart from that they are what a sign-up makes, since the
same action makes them.
"""

import secrets
import time
from contextlib import closing
from pathlib import Path

from bench.errors import BenchError
from hubbub.actions.accounts import add_account
from hubbub.actions.server import prepare
from hubbub.gateway.identity import session_token
from hubbub.model.accounts import OPERATOR, AddAccount, Prepare
from hubbub.model.names import skeleton
from hubbub.model.policy import ServerRole
from hubbub.store.folder import DataFolder
from hubbub.store.sqlite import Database
from hubbub.store.tx import Tx


def settle(data: Path, count: int) -> list[str]:
    """Makes `count` accounts without passwords, members of the lobby; a token for each.

    Raises BenchError when a server runs on this folder.
    """
    folder = DataFolder(data)
    folder.prepare()
    if not folder.lock():
        raise BenchError(f"A server is running on {data}.")
    try:
        secret = folder.secret()
        return [session_token(secret, session) for session in _accounts(folder, count)]
    finally:
        folder.release()


def _accounts(folder: DataFolder, count: int) -> list[str]:
    """The new accounts' sessions, one each."""
    database = Database(folder.database)
    database.migrate()
    sessions = [secrets.token_hex(16) for _ in range(count)]
    with closing(database.writer()) as db:
        db.begin()
        tx = Tx(db, int(time.time() * 1000))
        prepare(tx, OPERATOR, Prepare(shown=None))
        for number, session in enumerate(sessions):
            add_account(tx, OPERATOR, _newcomer(number, session))
        db.commit()
        db.checkpoint("TRUNCATE")
    return sessions


def _newcomer(number: int, session: str) -> AddAccount:
    name = f"person-{number:05}"
    return AddAccount(
        name=name,
        skeleton=skeleton(name),
        display_name=f"Person {number}",
        password_hash=None,
        registration="open",
        # A server without an owner prints a link to become it at every start.
        role=ServerRole.OWNER if number == 0 else ServerRole.MEMBER,
        session=session,
        label="bench",
    )
