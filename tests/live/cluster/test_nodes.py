"""Nodes on one database, joined by a bus that loses, doubles, delays and turns around."""

import asyncio
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.live.cluster import nodes
from hubbub.model.messages import Message
from hubbub.model.outcome import AccountChanged, Entry, Heads, RoomGone, SessionsEnded, ToRoom
from tests.support.hub import door, events, turn
from tests.support.nodes import (
    Table,
    Wire,
    cluster,
    fates,
    kept,
    known,
    known_marks,
    marked,
    own_rev,
)
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("quick")

# What happens at one node, and where

DEEDS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            ["post", "post", "post", "edit", "mark", "rename", "join", "kick", "late", "turn"]
        ),
    ),
    max_size=60,
)
ODDS = st.floats(0, 0.4)


@settings(max_examples=150, deadline=None)
@given(deeds=DEEDS, lost=ODDS, twice=ODDS, late=ODDS, seed=st.integers())
async def test_whatever_the_bus_does_every_client_ends_with_what_the_database_has(
    deeds: list[tuple[int, str]], lost: float, twice: float, late: float, seed: int
) -> None:
    chance = Random(seed)
    table, wire = Table("ana", "bo", "cy"), Wire(fates(chance, lost=lost, twice=twice, late=late))
    async with cluster(table, wire) as three:
        clients = [await node.come(name) for node, name in zip(three, table_names, strict=True)]
        dee = await three[2].come("dee")
        three[1].hub.note_rev("bo", 0)  # as the welcome says
        put_out_at: int | None = None
        three[0].member("dee", joins=True)
        for which, deed in deeds:
            node = three[which]
            match deed:
                case "post":
                    node.post(f"message {len(table.changes)}")
                case "edit" if table.changes:
                    node.edit(chance.randint(1, len(kept(table))), f"edited {len(table.changes)}")
                case "mark" if table.changes:
                    node.mark(chance.randint(1, len(kept(table))), len(table.changes))
                case "rename":
                    node.renamed("bo")
                case "kick" if put_out_at is None:
                    node.member("dee", joins=False)
                    put_out_at = len(table.changes)
                case "late":
                    wire.deliver_late(chance)
                case _:
                    await asyncio.sleep(0.001)
        wire.deliver_late(chance)
        for client in clients:
            await until(lambda: known(client) == kept(table))  # noqa: B023 - awaited here
            marks = {seq: replies for seq, (_, replies) in marked(table).items()}
            await until(lambda: known_marks(client) == marks)  # noqa: B023
        await until(lambda: own_rev(clients[1]) == table.revs.get("bo", 0))
        if put_out_at is not None:
            await until(lambda: door(dee).left == ["lobby"])
            # Nobody is told what was said after they were put out, whatever was lost.
            assert all(event["rev"] <= put_out_at for event in events(dee, "message"))


table_names = ("ana", "bo", "cy")


async def test_a_lost_last_event_comes_from_the_database(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo = await two.come("bo")
        wire.fate = lambda: 0
        one.post("lost")
        await until(lambda: known(bo) == {1: "lost"})


async def test_after_the_bus_was_away_all_is_made_up_for(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo = await two.come("bo")
        two.hub.note_rev("bo", 0)
        wire.cut()
        one.post("while it was away")
        one.renamed("bo")
        await until(lambda: known(bo) == kept(table) and own_rev(bo) == 1)
        wire.mend()
        one.post("and after")
        await until(lambda: known(bo) == kept(table))


async def test_more_than_one_answer_holds_is_made_up_for_without_a_hole(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo = await two.come("bo")
        two.changes_max = 7
        wire.cut()
        for number in range(50):
            one.post(f"message {number}")
        await until(lambda: known(bo) == kept(table))
        assert [event["seq"] for event in events(bo, "message")] == list(range(1, 51))


async def test_while_the_database_is_away_nothing_breaks_and_then_all_comes(
    wire: Wire,
) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo = await two.come("bo")
        wire.cut()
        table.is_down = True
        await asyncio.sleep(0.05)
        table.is_down = False
        one.post("after all")
        await until(lambda: known(bo) == kept(table))


async def test_a_bug_in_comparing_or_looking_around_does_not_end_it(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo = await two.come("bo")
        bugs: list[str] = []

        def heads(*_: object) -> Heads:
            bugs.append("heads")
            raise RuntimeError("a bug")

        def look_around(_: float) -> None:
            bugs.append("look")
            raise RuntimeError("a bug")

        with monkeypatch.context() as patched:
            patched.setattr(table, "heads", heads)
            patched.setattr(two.nodes.peers, "_look_around", look_around)
            await until(lambda: {"heads", "look"} <= set(bugs))
        wire.fate = lambda: 0
        one.post("lost on the bus")
        await until(lambda: known(bo) == kept(table))


async def test_only_rooms_and_people_who_are_here_are_listened_to(wire: Wire) -> None:
    table = Table("ana", "bo")
    with patch.object(nodes, "EMPTY_ROOMS_MAX", 0):
        async with cluster(table, wire, 1) as (one,):
            everywhere = {"hubbub.epoch.journal", "hubbub.*.nodes"}
            assert one.end.watched == everywhere
            ana, guest = await one.come("ana"), await one.come("~gus")
            assert one.end.watched == {
                *everywhere,
                "hubbub.epoch.room.lobby",
                f"hubbub.epoch.user.{b'ana'.hex()}",
            }
            one.hub.disconnect(ana)
            one.hub.disconnect(guest)
            await until(lambda: one.end.watched == everywhere)


async def test_ended_sessions_and_changed_accounts_close_sockets_at_all_nodes(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo, cy = await two.come("bo", session="of bo"), await two.come("cy")
        wire.fate = lambda: 0  # even if the bus says nothing of it
        one.write(SessionsEnded("bo", ("of bo",)))
        one.write(AccountChanged("cy"))
        await until(lambda: bool(door(bo).closed and door(cy).closed))


async def test_a_deleted_room_is_gone_at_all_nodes(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo = await two.come("bo")
        one.write(RoomGone("lobby"))
        await until(lambda: door(bo).left == ["lobby"])


async def test_a_node_that_slept_for_too_long_has_everyone_come_back(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo = await two.come("bo")
        started_over: list[bool] = []
        two.nodes.on_start_over = lambda: started_over.append(True)
        wire.cut()
        table.is_down = True
        for _ in range(5):
            one.write(AccountChanged("somebody"))
        table.floor = 4  # what was before is not there any more
        table.is_down = False
        await until(lambda: bool(door(bo).closed))
        assert started_over == [True]


async def test_another_database_under_the_same_address_is_noticed(wire: Wire) -> None:
    table = Table("ana")
    async with cluster(table, wire, 1) as (one,):
        noticed = asyncio.Event()
        one.nodes.on_other_database = noticed.set
        table.epoch = "of another time"
        async with asyncio.timeout(20):
            await noticed.wait()


async def test_another_chat_on_the_bus_is_noticed_and_not_listened_to(wire: Wire) -> None:
    mine, theirs = Table("ana"), Table("ana")
    theirs.epoch = "theirs"
    async with cluster(mine, wire, 1) as (one,), cluster(theirs, wire, 1) as (other,):
        ana = await one.come("ana")
        await other.come("ana")
        await until(lambda: one.nodes.peers.strangers == {"theirs"})
        other.post("not for you")
        await turn()
        assert known(ana) == {}
        assert not one.nodes.peers.others


# Threads


async def test_who_only_watches_a_thread_is_not_told_after_they_were_put_out_of_its_room(
    wire: Wire,
) -> None:
    """Their node must first hear of that, though nothing of the thread's own members changed."""
    table = Table("ana", "dee")
    async with cluster(table, wire, 2) as (one, two):
        dee = await two.come("dee")
        table.rooms.add("lobby.1")
        two.hub.attach(dee, await two.hub.room("lobby.1"))
        wire.cut()
        one.member("dee", joins=False)
        await turn()
        wire.mend()
        late = Message(room="lobby.1", seq=1, rev=1, by="ana", at=0, text="without dee")
        one.nodes.show([ToRoom("lobby.1", late, parent_mrev=table.mrev)])
        await until(lambda: "lobby" in door(dee).left)
        await turn()
        assert door(dee).left == ["lobby", "lobby.1"]
        assert all(event["text"] != "without dee" for event in events(dee, "message"))


async def test_what_a_node_has_taken_from_somebody_is_taken_there_at_once(wire: Wire) -> None:
    """Whoever asked for it has been told so; a hole in the journal before it does not count."""
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        bo, cy = await one.come("bo"), await one.come("cy", session="of cy")
        wire.fate = lambda: 0
        two.write(AccountChanged("somebody"))
        one.member("bo", joins=False)
        one.write(SessionsEnded("cy", ("of cy",)))
        assert door(bo).left == ["lobby"]
        assert door(cy).closed
        one.post("secret")
        await turn()
        assert known(bo) == {}


async def test_what_comes_while_the_journal_is_read_waits_for_the_next_read(wire: Wire) -> None:
    """It may come after a removal which that read does not tell of."""
    table = Table("ana", "dee")
    async with cluster(table, wire, 2) as (one, two):
        dee = await two.come("dee")
        two.end.unwatch("hubbub.epoch.journal")
        reads: list[asyncio.Future[None]] = []

        async def entries(after: int) -> list[Entry]:
            found = table.entries(after)
            reads.append(asyncio.get_running_loop().create_future())
            await reads[-1]
            return found

        with patch.object(two.nodes, "_reads", two.nodes._reads._replace(entries=entries)):
            one.member("cy", joins=True)
            one.post("before")
            await until(lambda: len(reads) == 1)
            reads[0].set_result(None)
            await until(lambda: len(reads) == 2)  # which finds nothing more
            one.member("dee", joins=False)
            one.post("secret")
            await turn()
            for nth in range(1, 4):
                await until(lambda: len(reads) > nth)  # noqa: B023 - awaited here
                reads[nth].set_result(None)
            await until(lambda: door(dee).left == ["lobby"])
        await until(lambda: two.room().seq == 2)
        assert known(dee) == {1: "before"}
