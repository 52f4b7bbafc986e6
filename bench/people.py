"""Accounts and messages, created in a data folder before a server runs there.

They are not created over HTTP, because password hashes are slow on purpose: 5,000 of them would
take longer than the measurements. The same actions create them as over HTTP.

`python -m bench --base` calls `settle`, `gather` and `say` of another commit by name.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.errors import BenchError
from hubbub.actions import execute
from hubbub.actions.accounts import add_account
from hubbub.actions.server import prepare
from hubbub.gateway.auth.passwords import hash_password
from hubbub.gateway.auth.tokens import guest_token, session_token
from hubbub.model.accounts import OPERATOR, Actor, AddAccount, Prepare
from hubbub.model.messages import Post
from hubbub.model.names import LOBBY, skeleton
from hubbub.model.policy import RoomRole, ServerRole
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.sqlite.database import Database
from hubbub.store.tx import Tx


def settle(data: Path, count: int, password: str | None = None) -> list[str]:
    """Create `count` accounts, all members of the lobby, and return their tokens.

    They all have the same password, if any, which is hashed once. Raises BenchError if a server
    uses this folder.
    """
    password_hash = hash_password(password) if password else None
    with _locked_folder(data) as folder:
        secret = folder.secret()
        sessions = [secrets.token_hex(16) for _ in range(count)]
        with _transaction(folder) as tx:
            prepare(tx, OPERATOR, Prepare(shown=None))
            for number, session in enumerate(sessions):
                add_account(tx, OPERATOR, _new_account(number, session, password_hash))
        return [session_token(secret, session) for session in sessions]


def gather(data: Path, count: int, rooms: int, each: int, messages: int) -> list[str]:
    """Create public rooms for the `count` people of `settle`, and return the rooms' ids.

    Everybody is in `each` of the rooms, evenly distributed. Each room and the lobby get so many
    `messages`.
    """
    ids = [f"room-{number:03}" for number in range(rooms)]
    with _locked_folder(data) as folder, _transaction(folder) as tx:
        actors = []
        room_rows = [tx.add_room(room_id=room, kind="public", title=room) for room in ids]
        for number in range(count):
            user = tx.user(name_of(number))
            assert user
            actors.append(Actor(user_id=user.id, name=user.name, role=ServerRole(user.role)))
            for turn in range(each):
                room = room_rows[(number + turn * (rooms // each)) % rooms]
                tx.add_member(room.pk, user.id, RoomRole.MEMBER, read_seq=room.seq)
        for number, room_id in enumerate([*ids, LOBBY]):
            posts = [Post(room=room_id, text=f"{room_id} {turn}") for turn in range(messages)]
            execute(tx, [(actors[number % rooms], post) for post in posts])
    return ids


def say(data: Path, text: str, room: str = LOBBY, times: int = 1) -> None:
    """Post to a room as the first person of `settle`, who is a member."""
    with _locked_folder(data) as folder, _transaction(folder) as tx:
        user = tx.user(name_of(0))
        assert user
        actor = Actor(user_id=user.id, name=user.name, role=ServerRole(user.role))
        execute(tx, [(actor, Post(room=room, text=text))] * times)


def guests(data: Path, count: int) -> list[str]:
    """Tokens of guests, who need no accounts."""
    with _locked_folder(data) as folder:
        secret = folder.secret()
        return [guest_token(secret, secrets.token_hex(16), f"~guest-{n}") for n in range(count)]


@contextmanager
def _locked_folder(data: Path) -> Iterator[DataFolder]:
    """Lock the data folder. Raises BenchError if a server uses it."""
    folder = DataFolder(data)
    folder.prepare()
    if not folder.lock():
        raise BenchError(f"A server is running on {data}.")
    try:
        yield folder
    finally:
        folder.release()


@contextmanager
def _transaction(folder: DataFolder) -> Iterator[Tx]:
    database = Database(folder.database)
    database.migrate()
    with closing(database.writer()) as db:
        db.begin()
        yield Tx(db, int(time.time() * 1000))
        db.commit()
        db.checkpoint("TRUNCATE")


def name_of(number: int) -> str:
    """The name of a person of `settle`; people are numbered from 0."""
    return f"person-{number:05}"


def _new_account(number: int, session: str, password_hash: str | None) -> AddAccount:
    name = name_of(number)
    return AddAccount(
        name=name,
        skeleton=skeleton(name),
        display_name=f"Person {number}",
        password_hash=password_hash,
        registration="open",
        # Without an owner the server would print an owner link at every start.
        role=ServerRole.OWNER if number == 0 else ServerRole.MEMBER,
        session=session,
        label="bench",
    )
