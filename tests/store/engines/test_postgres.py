"""PostgreSQL: the schema, refused databases, and concurrent nodes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from hubbub import actions
from hubbub.model.accounts import OPERATOR, AccountAdded, Actor, Prepare
from hubbub.model.blocks import Block
from hubbub.model.errors import Conflict, QuotaReached, Unavailable
from hubbub.model.messages import Post, Posted
from hubbub.model.outcome import Entry, MembershipChanged
from hubbub.model.policy import ServerRole
from hubbub.model.quotas import Quotas
from hubbub.model.rooms import CreateRoom, Direct, Joined
from hubbub.store.engines import postgres as store
from hubbub.store.engines.database import DatabaseError
from hubbub.store.engines.postgres import Database
from hubbub.store.executor import CommandExecutor
from hubbub.store.schema.migrations import HEAD
from hubbub.store.schema.tables import metadata
from tests.support.postgres import PASSWORD, Postgres
from tests.support.waiting import until
from tests.support.world import sign_up

NewUrl = Callable[[], str]


@pytest.fixture
def url(postgres_url: NewUrl) -> str:
    return postgres_url()


def test_the_migrations_create_the_tables_of_the_module(url: str) -> None:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool
    )
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD


def test_migrating_again_changes_nothing(url: str) -> None:
    Database(url).migrate()
    with psycopg.connect(url) as driver:
        assert driver.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


async def test_nodes_that_start_at_the_same_time_create_one_schema(
    postgres: Postgres,
) -> None:
    database = Database(postgres.url(postgres.database()))
    await asyncio.gather(*(asyncio.to_thread(database.migrate) for _ in range(4)))
    with psycopg.connect(database.url) as driver:
        assert driver.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


# Errors at the start


def refusal(url: str) -> str:
    """The error message with which this database is refused."""
    with pytest.raises(DatabaseError) as caught:
        Database(url).migrate()
    message = caught.value.message
    assert message.count(". ") <= 1
    assert "\n" not in message
    assert PASSWORD not in message
    assert "pass%2Fword" not in message
    return message


def test_an_unreachable_server_is_reported(postgres: Postgres) -> None:
    assert "cannot be reached" in refusal("postgresql://hubbub@127.0.0.1:1/chat")


def test_a_wrong_password_is_reported(postgres: Postgres) -> None:
    wrong = f"postgresql://hubbub:wrong@127.0.0.1:{postgres.port}/postgres"
    assert "refuses the password" in refusal(wrong)


@pytest.mark.parametrize("password", ["se@cret", "12/secret", "se?cret", "#secret", "%secret"])
def test_the_error_for_an_unencoded_password_contains_no_part_of_it(password: str) -> None:
    with pytest.raises(DatabaseError, match="must be encoded") as caught:
        Database(f"postgresql://hubbub:{password}@127.0.0.1:1/chat")
    assert "cret" not in caught.value.message


def test_a_missing_database_is_reported_with_the_command_to_create_it(postgres: Postgres) -> None:
    assert "createdb nowhere" in refusal(postgres.url("nowhere"))


def test_a_database_without_unicode_is_refused(postgres: Postgres) -> None:
    name = "letters"
    postgres.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    assert "does not support all of Unicode" in refusal(postgres.url(name))


def test_a_read_only_database_is_refused(postgres: Postgres) -> None:
    name = postgres.database()
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "is read-only" in refusal(postgres.url(name))


def test_a_user_without_the_right_to_create_tables_is_refused(postgres: Postgres) -> None:
    name = postgres.database()
    postgres.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
    assert "may not create tables" in refusal(
        f"postgresql://weak:weak@127.0.0.1:{postgres.port}/{name}"
    )


def test_a_database_of_another_program_is_refused_and_not_changed(postgres: Postgres) -> None:
    name = postgres.database()
    postgres.execute("CREATE TABLE recipes (name text)", name)
    assert "not a Hubbub database" in refusal(postgres.url(name))
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert postgres.execute(tables, name) == [(1,)]


def test_a_newer_schema_is_refused_unless_it_works_with_this_release(url: str) -> None:
    with psycopg.connect(url) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    Database(url).migrate()
    with psycopg.connect(url) as driver:
        driver.execute("UPDATE server SET value = '9999' WHERE key = 'works_with'")
    assert "written by a newer Hubbub (schema 9999" in refusal(url)


def test_a_clock_that_is_minutes_off_is_refused() -> None:
    now = 1_000_000
    store.require_clock_in_sync(now, now + store.CLOCK_SKEW_MAX_MS, "db")
    with pytest.raises(DatabaseError, match="120 s ahead of"):
        store.require_clock_in_sync(now, now + 120_000, "db")
    with pytest.raises(DatabaseError, match="300 s behind"):
        store.require_clock_in_sync(now, now - 300_000, "db")


# Connections


def test_a_commit_is_on_disk_before_it_is_acknowledged(url: str) -> None:
    with psycopg.connect(url) as driver:
        name = driver.info.dbname
        driver.execute(
            f"ALTER ROLE hubbub IN DATABASE {name} SET synchronous_commit = off".encode()
        )
    with closing(Database(url).writer()) as writer:
        assert writer.execute("SHOW synchronous_commit") == [("on",)]


def test_a_reader_cannot_write(url: str) -> None:
    with closing(Database(url).reader()) as reader:
        reader.begin_snapshot()
        with pytest.raises(store.FAILURES, match="read-only"):
            reader.execute("DELETE FROM rooms")


# Two nodes


class Node:
    """The command executor of a node, with its journal entries and effects."""

    def __init__(self, url: str, name: str) -> None:
        self.entries: list[Entry] = []
        self.effects: list[object] = []
        self.executor = CommandExecutor(
            Database(url),
            actions.execute,
            actions.answer,
            self.effects.extend,
            quotas=Quotas(rooms_made_per_day=10, threads_begun_per_day=10),
            can_run_concurrently=actions.can_run_concurrently,
            node=name,
            on_journal_entry=self.entries.append,
        )
        self.executor.start()

    async def account(self, name: str) -> Actor:
        added: AccountAdded = await self.executor.submit(OPERATOR, sign_up(name))
        return Actor(user_id=added.user_id, name=name, role=ServerRole.MEMBER)

    async def post(
        self, actor: Actor, text: str, room: str = "lobby", nonce: str | None = None
    ) -> Posted:
        posted: Posted = await self.executor.submit(actor, Post(room=room, text=text, nonce=nonce))
        return posted


@pytest.fixture
async def nodes(url: str) -> AsyncIterator[list[Node]]:
    nodes = [Node(url, "one"), Node(url, "two")]
    await nodes[0].executor.submit(OPERATOR, Prepare(shared=True))
    yield nodes
    for node in nodes:
        await node.executor.close()


async def test_messages_from_two_nodes_are_numbered_without_gaps(nodes: list[Node]) -> None:
    people = [await nodes[n % 2].account(f"person-{n}") for n in range(4)]
    posts = [nodes[n % 2].post(people[n % 4], f"{n}") for n in range(200)]
    seqs = [posted.seq for posted in await asyncio.gather(*posts)]
    assert sorted(seqs) == list(range(1, 201))


async def test_batches_of_many_rooms_do_not_deadlock(
    nodes: list[Node],
) -> None:
    ana = await nodes[0].account("ana")
    for n in range(6):
        await nodes[0].executor.submit(ana, CreateRoom(title=f"Room {n}"))
    ids = [f"room-{n}" for n in range(6)]
    posts = []
    for n in range(240):
        order = ids if n % 2 else ids[::-1]
        posts.append(nodes[n % 2].post(ana, f"{n}", room=order[n // 2 % 6]))
    assert len(await asyncio.gather(*posts)) == 240


async def test_the_same_nonce_at_two_nodes_posts_one_message(nodes: list[Node]) -> None:
    ana = await nodes[0].account("ana")
    for n in range(20):
        first, second = await asyncio.gather(
            *(node.post(ana, "once", nonce=f"nonce-{n}") for node in nodes)
        )
        assert (first.seq, first.rev) == (second.seq, second.rev) == (n + 1, n + 1)


async def test_the_same_name_at_two_nodes_creates_one_account(nodes: list[Node]) -> None:
    for n in range(10):
        results = await asyncio.gather(
            *(node.executor.submit(OPERATOR, sign_up(f"max-{n}")) for node in nodes),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in results) == ["AccountAdded", "NameTaken"]


async def test_a_nonce_with_another_text_is_a_conflict_at_the_other_node(nodes: list[Node]) -> None:
    ana = await nodes[0].account("ana")
    await nodes[0].post(ana, "one", nonce="n")
    with pytest.raises(Conflict):
        await nodes[1].post(ana, "two", nonce="n")


async def test_a_daily_quota_is_exact_over_two_nodes(nodes: list[Node]) -> None:
    ana = await nodes[0].account("ana")
    makes = [
        node.executor.submit(ana, CreateRoom(title=f"Room {n}"))
        for n in range(15)
        for node in nodes
    ]
    results = await asyncio.gather(*makes, return_exceptions=True)
    assert sorted(type(one).__name__ for one in results) == ["Joined"] * 10 + ["QuotaReached"] * 20
    for _ in range(15):
        await nodes[0].post(ana, "hi")
    answers = [nodes[n % 2].post(ana, f"{n}", room=f"lobby.{n // 2 + 1}") for n in range(30)]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(isinstance(one, Posted) for one in results) == 20
    assert sum(isinstance(one, QuotaReached) for one in results) == 10


async def test_a_block_applies_immediately_at_the_other_node(nodes: list[Node]) -> None:
    ana, bo = await nodes[0].account("ana"), await nodes[1].account("bo")
    made: Joined = await nodes[1].executor.submit(bo, Direct(users=("ana",)))
    await nodes[1].post(bo, "hi", room=made.room.room)
    await nodes[0].executor.submit(ana, Block(user="bo"))
    with pytest.raises(Conflict, match="cannot be delivered"):
        await nodes[1].post(bo, "again", room=made.room.room)
    with pytest.raises(Conflict, match="cannot be added"):
        await nodes[1].executor.submit(bo, CreateRoom(title="X", members=("ana",)))


async def test_journal_entries_of_all_nodes_are_numbered_without_gaps(nodes: list[Node]) -> None:
    await asyncio.gather(*(nodes[n % 2].account(f"person-{n}") for n in range(40)))
    entries = sorted([*nodes[0].entries, *nodes[1].entries], key=lambda entry: entry.number)
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    effects = [effect for entry in entries for effect in entry.effects]
    changes = [effect for effect in effects if isinstance(effect, MembershipChanged)]
    assert [change.event.mrev for change in changes] == [*range(1, 41)]
    # The callbacks got the entries that are in the journal.
    stored = await nodes[0].executor.read(lambda tx: tx.journal_after(0, 1000))
    assert stored == entries
    assert not any(isinstance(one, MembershipChanged) for node in nodes for one in node.effects)


async def test_a_node_that_is_frozen_in_a_transaction_does_not_block_others_for_long(
    nodes: list[Node], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "IDLE_IN_TRANSACTION_TIMEOUT_MS", 300)
    ana = await nodes[0].account("ana")
    frozen = Database(url).writer()
    frozen.begin()
    posted = asyncio.ensure_future(nodes[1].post(ana, "still here"))
    assert (await posted).seq == 1
    with pytest.raises(store.FAILURES):
        frozen.execute("SELECT 1")
    frozen.close()


# Restarts of PostgreSQL


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL of its own, which a test may stop."""
    server = Postgres().start()
    yield server
    server.close()


@pytest.fixture
async def own_node(own_postgres: Postgres) -> AsyncIterator[tuple[Node, Actor]]:
    """A node on `own_postgres` that has already written and read, and an account."""
    url = own_postgres.url(own_postgres.database())
    Database(url).migrate()
    node = Node(url, "one")
    await node.executor.submit(OPERATOR, Prepare(shared=True))
    ana = await node.account("ana")
    await node.executor.read(lambda tx: tx.total_rev())
    yield node, ana
    await node.executor.close()


async def post_with_retries(node: Node, actor: Actor, nonce: str) -> Posted:
    """Post as a client does, with the same nonce until there is a reply."""
    while True:
        try:
            return await node.post(actor, nonce, nonce=nonce)
        except Unavailable:
            await asyncio.sleep(0.05)


async def test_a_transaction_after_a_restart_gets_a_new_connection(
    own_postgres: Postgres, own_node: tuple[Node, Actor]
) -> None:
    node, ana = own_node
    await asyncio.to_thread(own_postgres.stop)
    await asyncio.to_thread(own_postgres.start)
    # Nothing was sent over the old connections, so this is safe.
    assert (await node.post(ana, "hi")).seq == 1
    assert await node.executor.read(lambda tx: tx.total_rev()) == 1


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_after_a_restart_of_postgresql_no_message_is_lost_or_posted_twice(
    own_postgres: Postgres, own_node: tuple[Node, Actor], how: str
) -> None:
    node, ana = own_node
    acknowledged: dict[str, int] = {}
    stopping = asyncio.Event()

    async def post_until_stopped(poster: int) -> None:
        number = 0
        while not stopping.is_set():
            nonce, number = f"{poster}-{number}", number + 1
            acknowledged[nonce] = (await post_with_retries(node, ana, nonce)).seq

    posters = [asyncio.ensure_future(post_until_stopped(poster)) for poster in range(5)]
    await until(lambda: len(acknowledged) > 50)
    await asyncio.to_thread(own_postgres.stop if how == "stop" else own_postgres.kill)
    with pytest.raises(Unavailable):
        await node.executor.read(lambda tx: tx.total_rev())
    await asyncio.to_thread(own_postgres.start)
    before = len(acknowledged)
    await until(lambda: len(acknowledged) > before + 50)
    stopping.set()
    await asyncio.gather(*posters)
    room = await node.executor.read(lambda tx: tx.room("lobby"))
    assert room
    stored = await node.executor.read(lambda tx: tx.messages_after(room.pk, 0, 1_000_000))
    assert [message.seq for message in stored] == list(range(1, room.seq + 1))
    assert {message.nonce: message.seq for message in stored} == acknowledged
