"""Nodes on one database, with a bus that loses, repeats, delays and reorders."""

import asyncio
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.live.cluster import nodes
from hubbub.model.messages import Message
from hubbub.model.outcome import AccountChanged, Entry, Heads, RoomGone, SessionsEnded, ToRoom
from tests.support.hub import end_turn, events, handler
from tests.support.nodes import (
    FakeBus,
    FakeDatabase,
    cluster,
    own_rev,
    random_copies,
    shown_replies,
    shown_texts,
    stored_marks,
    stored_texts,
)
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("short_timers")

# Random actions: the number of the node, and what is done there

ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            ["post", "post", "post", "edit", "mark", "rename", "join", "kick", "late", "turn"]
        ),
    ),
    max_size=60,
)
PROBABILITY = st.floats(0, 0.4)


@settings(max_examples=150, deadline=None)
@given(actions=ACTIONS, lost=PROBABILITY, twice=PROBABILITY, late=PROBABILITY, seed=st.integers())
async def test_whatever_the_bus_does_every_client_ends_with_the_state_of_the_database(
    actions: list[tuple[int, str]], lost: float, twice: float, late: float, seed: int
) -> None:
    random = Random(seed)
    database, fake_bus = (
        FakeDatabase("ana", "bo", "cy"),
        FakeBus(random_copies(random, lost=lost, twice=twice, late=late)),
    )
    async with cluster(database, fake_bus) as three:
        clients = [await node.enter(name) for node, name in zip(three, NAMES, strict=True)]
        dee = await three[2].enter("dee")
        three[1].hub.note_rev("bo", 0)  # as the reply to hello does
        removed_at_rev: int | None = None
        three[0].set_member("dee", joins=True)
        for number, action in actions:
            node = three[number]
            match action:
                case "post":
                    node.post(f"message {len(database.changes)}")
                case "edit" if database.changes:
                    node.edit(
                        random.randint(1, len(stored_texts(database))),
                        f"edited {len(database.changes)}",
                    )
                case "mark" if database.changes:
                    node.mark(random.randint(1, len(stored_texts(database))), len(database.changes))
                case "rename":
                    node.change_profile("bo")
                case "kick" if removed_at_rev is None:
                    node.set_member("dee", joins=False)
                    removed_at_rev = len(database.changes)
                case "late":
                    fake_bus.deliver_late(random)
                case _:
                    await asyncio.sleep(0.001)
        fake_bus.deliver_late(random)
        for client in clients:
            await until(lambda: shown_texts(client) == stored_texts(database))  # noqa: B023 - awaited here
            marks = {seq: replies for seq, (_, replies) in stored_marks(database).items()}
            await until(lambda: shown_replies(client) == marks)  # noqa: B023
        await until(lambda: own_rev(clients[1]) == database.revs.get("bo", 0))
        if removed_at_rev is not None:
            await until(lambda: handler(dee).removed_from == ["lobby"])
            # A removed member never gets later messages, whatever was lost.
            assert all(event["rev"] <= removed_at_rev for event in events(dee, "message"))


NAMES = ("ana", "bo", "cy")


async def test_a_lost_last_event_is_read_from_the_database(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo = await two.enter("bo")
        fake_bus.copies = lambda: 0
        one.post("lost")
        await until(lambda: shown_texts(bo) == {1: "lost"})


async def test_events_missed_while_the_bus_was_away_arrive_later(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo = await two.enter("bo")
        two.hub.note_rev("bo", 0)
        fake_bus.disconnect()
        one.post("while it was away")
        one.change_profile("bo")
        await until(lambda: shown_texts(bo) == stored_texts(database) and own_rev(bo) == 1)
        fake_bus.reconnect()
        one.post("and after")
        await until(lambda: shown_texts(bo) == stored_texts(database))


async def test_more_missed_events_than_one_snapshot_holds_arrive_without_a_gap(
    fake_bus: FakeBus,
) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo = await two.enter("bo")
        two.changes_max = 7
        fake_bus.disconnect()
        for number in range(50):
            one.post(f"message {number}")
        await until(lambda: shown_texts(bo) == stored_texts(database))
        assert [event["seq"] for event in events(bo, "message")] == list(range(1, 51))


async def test_events_arrive_after_the_database_was_away(
    fake_bus: FakeBus,
) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo = await two.enter("bo")
        fake_bus.disconnect()
        database.is_down = True
        await asyncio.sleep(0.05)
        database.is_down = False
        one.post("after all")
        await until(lambda: shown_texts(bo) == stored_texts(database))


async def test_an_error_in_a_background_loop_does_not_end_it(
    fake_bus: FakeBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo = await two.enter("bo")
        calls: list[str] = []

        def heads(*_: object) -> Heads:
            calls.append("heads")
            raise RuntimeError("a bug")

        def check_peers(_: float) -> None:
            calls.append("check")
            raise RuntimeError("a bug")

        with monkeypatch.context() as patched:
            patched.setattr(database, "heads", heads)
            patched.setattr(two.nodes.peers, "_check_peers", check_peers)
            await until(lambda: {"heads", "check"} <= set(calls))
        fake_bus.copies = lambda: 0
        one.post("lost on the bus")
        await until(lambda: shown_texts(bo) == stored_texts(database))


async def test_only_subjects_of_connected_rooms_and_people_are_subscribed(
    fake_bus: FakeBus,
) -> None:
    database = FakeDatabase("ana", "bo")
    with patch.object(nodes, "EMPTY_ROOMS_MAX", 0):
        async with cluster(database, fake_bus, 1) as (one,):
            always_subscribed = {"hubbub.epoch.journal", "hubbub.*.nodes"}
            assert one.endpoint.subscriptions == always_subscribed
            ana, guest = await one.enter("ana"), await one.enter("~gus")
            assert one.endpoint.subscriptions == {
                *always_subscribed,
                "hubbub.epoch.room.lobby",
                f"hubbub.epoch.user.{b'ana'.hex()}",
            }
            one.hub.disconnect(ana)
            one.hub.disconnect(guest)
            await until(lambda: one.endpoint.subscriptions == always_subscribed)


async def test_ended_sessions_and_changed_accounts_close_sockets_at_all_nodes(
    fake_bus: FakeBus,
) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo, cy = await two.enter("bo", session="of bo"), await two.enter("cy")
        fake_bus.copies = lambda: 0  # the bus loses everything
        one.append_journal(SessionsEnded("bo", ("of bo",)))
        one.append_journal(AccountChanged("cy"))
        await until(lambda: bool(handler(bo).close_codes and handler(cy).close_codes))


async def test_a_deleted_room_is_closed_at_all_nodes(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo = await two.enter("bo")
        one.append_journal(RoomGone("lobby"))
        await until(lambda: handler(bo).removed_from == ["lobby"])


async def test_a_node_suspended_for_too_long_disconnects_its_clients(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo = await two.enter("bo")
        resets: list[bool] = []
        two.nodes.on_reset = lambda: resets.append(True)
        fake_bus.disconnect()
        database.is_down = True
        for _ in range(5):
            one.append_journal(AccountChanged("somebody"))
        database.floor = 4  # the entries before are no longer there
        database.is_down = False
        await until(lambda: bool(handler(bo).close_codes))
        assert resets == [True]


async def test_a_replaced_database_is_noticed(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana")
    async with cluster(database, fake_bus, 1) as (one,):
        noticed = asyncio.Event()
        one.nodes.on_database_replaced = noticed.set
        database.epoch = "of another time"
        async with asyncio.timeout(20):
            await noticed.wait()


async def test_another_chat_on_the_bus_is_noticed_and_ignored(fake_bus: FakeBus) -> None:
    ours, theirs = FakeDatabase("ana"), FakeDatabase("ana")
    theirs.epoch = "theirs"
    async with cluster(ours, fake_bus, 1) as (one,), cluster(theirs, fake_bus, 1) as (other,):
        ana = await one.enter("ana")
        await other.enter("ana")
        await until(lambda: one.nodes.peers.foreign_epochs == {"theirs"})
        other.post("not for you")
        await end_turn()
        assert shown_texts(ana) == {}
        assert not one.nodes.peers.known


# Threads


async def test_a_watcher_of_a_thread_gets_no_events_after_removal_from_its_room(
    fake_bus: FakeBus,
) -> None:
    """Their node must first apply the removal, though the thread's own members have not changed."""
    database = FakeDatabase("ana", "dee")
    async with cluster(database, fake_bus, 2) as (one, two):
        dee = await two.enter("dee")
        database.rooms.add("lobby.1")
        two.hub.attach(dee, await two.hub.load_room("lobby.1"))
        fake_bus.disconnect()
        one.set_member("dee", joins=False)
        await end_turn()
        fake_bus.reconnect()
        late = Message(room="lobby.1", seq=1, rev=1, by="ana", at=0, text="without dee")
        one.nodes.publish([ToRoom("lobby.1", late, parent_mrev=database.mrev)])
        await until(lambda: "lobby" in handler(dee).removed_from)
        await end_turn()
        assert handler(dee).removed_from == ["lobby", "lobby.1"]
        assert all(event["text"] != "without dee" for event in events(dee, "message"))


async def test_a_node_applies_its_own_revocations_at_once(
    fake_bus: FakeBus,
) -> None:
    """The command is acknowledged; a gap in the journal before it does not delay it."""
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        bo, cy = await one.enter("bo"), await one.enter("cy", session="of cy")
        fake_bus.copies = lambda: 0
        two.append_journal(AccountChanged("somebody"))
        one.set_member("bo", joins=False)
        one.append_journal(SessionsEnded("cy", ("of cy",)))
        assert handler(bo).removed_from == ["lobby"]
        assert handler(cy).close_codes
        one.post("secret")
        await end_turn()
        assert shown_texts(bo) == {}


async def test_events_that_arrive_while_the_journal_is_read_wait_for_the_next_read(
    fake_bus: FakeBus,
) -> None:
    """They may be later than a removal that the read does not contain."""
    database = FakeDatabase("ana", "dee")
    async with cluster(database, fake_bus, 2) as (one, two):
        dee = await two.enter("dee")
        two.endpoint.unsubscribe("hubbub.epoch.journal")
        reads: list[asyncio.Future[None]] = []

        async def entries(after: int) -> list[Entry]:
            found = database.entries(after)
            reads.append(asyncio.get_running_loop().create_future())
            await reads[-1]
            return found

        with patch.object(two.nodes, "_queries", two.nodes._queries._replace(entries=entries)):
            one.set_member("cy", joins=True)
            one.post("before")
            await until(lambda: len(reads) == 1)
            reads[0].set_result(None)
            await until(lambda: len(reads) == 2)  # which finds no more entries
            one.set_member("dee", joins=False)
            one.post("secret")
            await end_turn()
            for nth in range(1, 4):
                await until(lambda: len(reads) > nth)  # noqa: B023 - awaited here
                reads[nth].set_result(None)
            await until(lambda: handler(dee).removed_from == ["lobby"])
        await until(lambda: two.room().seq == 2)
        assert shown_texts(dee) == {1: "before"}
