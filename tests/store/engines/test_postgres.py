"""PostgreSQL: what it is asked to keep, what is refused, and two writers at a time."""

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


def test_the_migrations_make_the_tables_that_statements_are_built_from(url: str) -> None:
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


async def test_nodes_that_start_at_once_on_an_empty_database_make_one_schema(
    postgres: Postgres,
) -> None:
    database = Database(postgres.url(postgres.database()))
    await asyncio.gather(*(asyncio.to_thread(database.migrate) for _ in range(4)))
    with psycopg.connect(database.url) as driver:
        assert driver.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


# What is refused at the start, each in one sentence


def refusal(url: str) -> str:
    with pytest.raises(DatabaseError) as caught:
        Database(url).migrate()
    message = caught.value.message
    assert message.count(". ") <= 1
    assert "\n" not in message
    assert PASSWORD not in message
    assert "pass%2Fword" not in message
    return message


def test_a_wrong_address_is_named(postgres: Postgres) -> None:
    assert "cannot be reached" in refusal("postgresql://hubbub@127.0.0.1:1/chat")


def test_a_wrong_password_is_named(postgres: Postgres) -> None:
    wrong = f"postgresql://hubbub:wrong@127.0.0.1:{postgres.port}/postgres"
    assert "refuses the password" in refusal(wrong)


@pytest.mark.parametrize("password", ["se@cret", "12/secret", "se?cret", "#secret", "%secret"])
def test_no_part_of_a_password_is_told_when_it_is_not_encoded(password: str) -> None:
    with pytest.raises(DatabaseError, match="must be encoded") as caught:
        Database(f"postgresql://hubbub:{password}@127.0.0.1:1/chat")
    assert "cret" not in caught.value.message


def test_a_database_that_is_not_there_is_named_with_how_to_make_it(postgres: Postgres) -> None:
    assert "createdb nowhere" in refusal(postgres.url("nowhere"))


def test_a_database_that_does_not_know_all_letters_is_refused(postgres: Postgres) -> None:
    name = "letters"
    postgres.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    assert "does not know all letters" in refusal(postgres.url(name))


def test_a_database_that_can_only_be_read_is_refused(postgres: Postgres) -> None:
    name = postgres.database()
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "can only be read" in refusal(postgres.url(name))


def test_a_user_who_may_not_make_tables_is_told_so(postgres: Postgres) -> None:
    name = postgres.database()
    postgres.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
    assert "may not make tables" in refusal(
        f"postgresql://weak:weak@127.0.0.1:{postgres.port}/{name}"
    )


def test_another_programs_database_is_refused_and_left_as_it_is(postgres: Postgres) -> None:
    name = postgres.database()
    postgres.execute("CREATE TABLE recipes (name text)", name)
    assert "not Hubbub's" in refusal(postgres.url(name))
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert postgres.execute(tables, name) == [(1,)]


def test_a_newer_schema_is_refused_unless_it_works_with_this_release(url: str) -> None:
    with psycopg.connect(url) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    Database(url).migrate()
    with psycopg.connect(url) as driver:
        driver.execute("UPDATE server SET value = '9999' WHERE key = 'works_with'")
    assert "written by a newer Hubbub (schema 9999" in refusal(url)


def test_a_clock_that_is_minutes_apart_is_refused() -> None:
    now = 1_000_000
    store.require_same_time(now, now + store.CLOCK_APART_MAX_MS, "db")
    with pytest.raises(DatabaseError, match="120 s ahead of"):
        store.require_same_time(now, now + 120_000, "db")
    with pytest.raises(DatabaseError, match="300 s behind"):
        store.require_same_time(now, now - 300_000, "db")


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
    """A ledger as a node has it, and what it was told."""

    def __init__(self, url: str, name: str) -> None:
        self.entries: list[Entry] = []
        self.shown: list[object] = []
        self.executor = CommandExecutor(
            Database(url),
            actions.execute,
            actions.answer,
            self.shown.extend,
            quotas=Quotas(rooms_made_per_day=10, threads_begun_per_day=10),
            may_share=actions.may_share,
            node=name,
            journaled=self.entries.append,
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
    made = [Node(url, "one"), Node(url, "two")]
    await made[0].executor.submit(OPERATOR, Prepare(shared=True))
    yield made
    for node in made:
        await node.executor.close()


async def test_two_nodes_number_a_rooms_messages_without_a_hole(nodes: list[Node]) -> None:
    people = [await nodes[n % 2].account(f"person-{n}") for n in range(4)]
    posts = [nodes[n % 2].post(people[n % 4], f"{n}") for n in range(200)]
    seqs = [posted.seq for posted in await asyncio.gather(*posts)]
    assert sorted(seqs) == list(range(1, 201))


async def test_batches_of_many_rooms_never_wait_for_each_other_in_a_circle(
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


async def test_one_nonce_at_two_nodes_is_one_message(nodes: list[Node]) -> None:
    ana = await nodes[0].account("ana")
    for n in range(20):
        first, second = await asyncio.gather(
            *(node.post(ana, "once", nonce=f"nonce-{n}") for node in nodes)
        )
        assert (first.seq, first.rev) == (second.seq, second.rev) == (n + 1, n + 1)


async def test_one_name_at_two_nodes_is_one_account(nodes: list[Node]) -> None:
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


async def test_a_block_holds_at_the_other_node_at_once(nodes: list[Node]) -> None:
    ana, bo = await nodes[0].account("ana"), await nodes[1].account("bo")
    made: Joined = await nodes[1].executor.submit(bo, Direct(users=("ana",)))
    await nodes[1].post(bo, "hi", room=made.room.room)
    await nodes[0].executor.submit(ana, Block(user="bo"))
    with pytest.raises(Conflict, match="cannot be delivered"):
        await nodes[1].post(bo, "again", room=made.room.room)
    with pytest.raises(Conflict, match="cannot be added"):
        await nodes[1].executor.submit(bo, CreateRoom(title="X", members=("ana",)))


async def test_the_journal_counts_commits_of_all_nodes_without_a_hole(nodes: list[Node]) -> None:
    await asyncio.gather(*(nodes[n % 2].account(f"person-{n}") for n in range(40)))
    entries = sorted([*nodes[0].entries, *nodes[1].entries], key=lambda entry: entry.number)
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    told = [told for entry in entries for told in entry.effects]
    assert [one.event.mrev for one in told if isinstance(one, MembershipChanged)] == [*range(1, 41)]
    # What stands in the journal is what was handed on.
    kept = await nodes[0].executor.read(lambda tx: tx.journal_after(0, 1000))
    assert kept == entries
    assert not any(isinstance(one, MembershipChanged) for node in nodes for one in node.shown)


async def test_a_node_frozen_in_a_transaction_is_put_out_of_it_and_the_others_go_on(
    nodes: list[Node], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "IDLE_IN_TRANSACTION_MS", 300)
    ana = await nodes[0].account("ana")
    frozen = Database(url).writer()
    frozen.begin()
    posted = asyncio.ensure_future(nodes[1].post(ana, "still here"))
    assert (await posted).seq == 1
    with pytest.raises(store.FAILURES):
        frozen.execute("SELECT 1")
    frozen.close()


# Bad days


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that a test may stop."""
    server = Postgres().start()
    yield server
    server.close()


@pytest.fixture
async def own_node(own_postgres: Postgres) -> AsyncIterator[tuple[Node, Actor]]:
    """A node on it that has written and read already, and somebody who may post."""
    url = own_postgres.url(own_postgres.database())
    Database(url).migrate()
    node = Node(url, "one")
    await node.executor.submit(OPERATOR, Prepare(shared=True))
    ana = await node.account("ana")
    await node.executor.read(lambda tx: tx.total_rev())
    yield node, ana
    await node.executor.close()


async def settled(node: Node, actor: Actor, nonce: str) -> Posted:
    """What a client does: again with the same nonce, until there is an answer."""
    while True:
        try:
            return await node.post(actor, nonce, nonce=nonce)
        except Unavailable:
            await asyncio.sleep(0.05)


async def test_what_begins_after_a_restart_meets_no_broken_connection(
    own_postgres: Postgres, own_node: tuple[Node, Actor]
) -> None:
    node, ana = own_node
    await asyncio.to_thread(own_postgres.stop)
    await asyncio.to_thread(own_postgres.start)
    # Nothing has been sent over the old connections, so it is sure that nothing was done.
    assert (await node.post(ana, "hi")).seq == 1
    assert await node.executor.read(lambda tx: tx.total_rev()) == 1


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_after_a_restart_of_postgresql_all_goes_on_and_nothing_is_said_twice(
    own_postgres: Postgres, own_node: tuple[Node, Actor], how: str
) -> None:
    node, ana = own_node
    acknowledged: dict[str, int] = {}
    stopping = asyncio.Event()

    async def talk(who: int) -> None:
        number = 0
        while not stopping.is_set():
            nonce, number = f"{who}-{number}", number + 1
            acknowledged[nonce] = (await settled(node, ana, nonce)).seq

    talkers = [asyncio.ensure_future(talk(who)) for who in range(5)]
    await until(lambda: len(acknowledged) > 50)
    await asyncio.to_thread(own_postgres.stop if how == "stop" else own_postgres.kill)
    with pytest.raises(Unavailable):
        await node.executor.read(lambda tx: tx.total_rev())
    await asyncio.to_thread(own_postgres.start)
    before = len(acknowledged)
    await until(lambda: len(acknowledged) > before + 50)
    stopping.set()
    await asyncio.gather(*talkers)
    room = await node.executor.read(lambda tx: tx.room("lobby"))
    assert room
    kept = await node.executor.read(lambda tx: tx.messages_after(room.pk, 0, 1_000_000))
    assert [message.seq for message in kept] == list(range(1, room.seq + 1))
    assert {message.nonce: message.seq for message in kept} == acknowledged
