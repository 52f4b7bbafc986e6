"""A small chat: runs actions on a real database, one command at a time or in batches."""

import itertools
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from hubbub import actions
from hubbub.model.accounts import OPERATOR, Actor, AddAccount, Prepare
from hubbub.model.base import Command, Query
from hubbub.model.errors import HubbubError
from hubbub.model.messages import Changes, Delete, Edit, Post, Posted, Sync
from hubbub.model.names import skeleton, user_name
from hubbub.model.outcome import Effect, Outcome
from hubbub.model.policy import ServerRole
from hubbub.model.quotas import DEFAULT_QUOTAS
from hubbub.model.rooms import MyRoom
from hubbub.store.engines.database import Connection
from hubbub.store.engines.postgres import Database as PostgresDatabase
from hubbub.store.engines.sqlite.connection import Connection as SqliteConnection
from hubbub.store.engines.sqlite.database import Database
from hubbub.store.tx import Tx
from tests.support.sqlite import opened

DAY_MS = 24 * 3600 * 1000
START = 1_763_800_000_000


@cache
def schema() -> bytes:
    """An empty database with the newest schema; created only once, as Alembic is slow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.db"
        Database(path).migrate()
        with opened(path) as source:
            # An image in WAL mode cannot be opened in memory.
            source.execute("PRAGMA journal_mode=DELETE").fetchall()
            return bytes(source.serialize("main"))


def _in_memory() -> Connection:
    driver = apsw.Connection(":memory:")
    driver.deserialize("main", schema())
    driver.execute("PRAGMA foreign_keys=ON")
    return SqliteConnection(driver)


class World:
    """Executes commands as the executor does, with predictable time and ids.

    It uses SQLite in memory, unless a migrated PostgreSQL is given. ``effects`` are those of the
    latest batch; ``quotas`` may be replaced at any time.
    """

    def __init__(self, postgres: PostgresDatabase | None = None, *, prepared: bool = True) -> None:
        self.db: Connection = postgres.writer() if postgres else _in_memory()
        self.now = START
        self.effects: list[Effect] = []
        self.quotas = DEFAULT_QUOTAS
        self._ids = itertools.count(1)
        if prepared:
            self.do(OPERATOR, Prepare())

    def close(self) -> None:
        self.db.close()

    def batch(self, *commands: tuple[Actor, Command]) -> list[Any]:
        """Execute commands in one transaction; returns the reply or the error of each."""
        self.db.begin(exclusive=not actions.can_run_concurrently(list(commands)))
        try:
            results = actions.execute(self.tx(), list(commands))
        except BaseException:
            self.db.rollback()
            raise
        self.db.commit()
        outcomes = [result for result in results if isinstance(result, Outcome)]
        self.effects = [effect for outcome in outcomes for effect in outcome.effects]
        return [result.reply if isinstance(result, Outcome) else result for result in results]

    def do(self, actor: Actor, command: Command) -> Any:
        """Execute a command; returns its reply. Raises HubbubError."""
        [result] = self.batch((actor, command))
        if isinstance(result, HubbubError):
            raise result
        return result

    def ask(self, actor: Actor, query: Query) -> Any:
        """Answer a query. Raises HubbubError."""
        self.db.begin_snapshot()
        try:
            return actions.answer(self.tx(), actor, query)
        finally:
            self.db.rollback()

    def take(self, actor: Actor, command: Command) -> Any:
        """Execute a command or answer a query, whichever it is. Raises HubbubError."""
        return self.ask(actor, command) if isinstance(command, Query) else self.do(actor, command)

    def tx(self) -> Tx:
        return Tx(self.db, self.now, lambda: f"random-{next(self._ids)}", self.quotas)

    def rows(self, sql: str) -> list[Any]:
        """Run a statement; its rows are sorted unless it has an ORDER BY."""
        rows = self.db.execute(sql)
        return rows if "ORDER BY" in sql else sorted(rows, key=repr)

    def change(self, sql: str) -> None:
        """Run a statement that changes the tables directly."""
        self.db.execute(sql)

    def account(
        self, name: str, role: ServerRole = ServerRole.MEMBER, session: str | None = None
    ) -> Actor:
        """Create an account, which is a member of the lobby."""
        added = self.do(OPERATOR, sign_up(name, role=role, session=session))
        return Actor(user_id=added.user_id, name=added.me.name, role=role, session=session)

    def people(self, names: str) -> list[Actor]:
        return [self.account(name) for name in names.split()]

    def post(self, actor: Actor, text: str = "hi", room: str = "lobby", **more: Any) -> Posted:
        posted: Posted = self.do(actor, Post(room=room, text=text, **more))
        return posted

    def edit(self, actor: Actor, seq: int, text: str, room: str = "lobby") -> int:
        return int(self.do(actor, Edit(room=room, seq=seq, text=text)).rev)

    def delete(self, actor: Actor, seq: int, room: str = "lobby") -> int:
        return int(self.do(actor, Delete(room=room, seq=seq)).rev)

    def sync(self, actor: Actor, after: int, room: str = "lobby") -> Changes:
        changes: Changes = self.ask(actor, Sync(room=room, after=after))
        return changes

    def mine(self, actor: Actor) -> dict[str, MyRoom]:
        """A person's rooms by id."""
        from hubbub.model.accounts import MyProfile

        return {room.room: room for room in self.ask(actor, MyProfile()).rooms}


def sign_up(name: str, **more: Any) -> AddAccount:
    """The command of a sign-up, with open registration unless given."""
    handle = user_name(name)
    return AddAccount(
        name=handle,
        skeleton=skeleton(handle),
        display_name=name.title(),
        password_hash="hash",
        **{"registration": "open", **more},
    )


def guest(name: str = "gus", key: str | None = None) -> Actor:
    """A guest."""
    return Actor(
        user_id=0, name=f"~{name}", role=ServerRole.GUEST, guest_key=key or f"~key-of-{name}"
    )
