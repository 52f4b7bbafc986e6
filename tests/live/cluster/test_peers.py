"""Who is present, away or writing, as nodes tell each other over the bus."""

from unittest.mock import patch

import pytest

from hubbub.live import presence
from hubbub.live.client import Client
from hubbub.live.cluster import peers
from tests.support.hub import events, forget, lines, turn
from tests.support.nodes import (
    Node,
    Table,
    Wire,
    cluster,
)
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("quick")


def told_of(name: str, client: Client) -> list[str]:
    """The states of somebody that a client was told, in order."""
    return [event["state"] for event in events(client, "presence") if event.get("user") == name]


async def test_who_is_present_at_one_node_is_seen_at_all(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        ana = await one.come("ana")
        tess = await one.come("tess", dialect="text")
        await two.come("bo")
        await until(lambda: one.hub.presence.state("bo") == "online")
        await until(lambda: "* bo is here" in lines(tess))
        await until(lambda: any(event.get("user") == "bo" for event in events(ana, "presence")))
        assert one.hub.presence.of_room(one.room())["bo"] == "online"
        assert two.hub.presence.of_room(two.room())["ana"] == "online"


async def test_one_person_at_two_nodes_is_one_and_online_at_either_is_online(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 3) as (one, two, three):
        ana = await one.come("ana")
        at_two, at_three = await two.come("bo"), await three.come("bo")
        await until(lambda: one.hub.presence.state("bo") == "online")
        forget(ana)
        two.hub.presence.set_active(at_two, False)
        three.hub.presence.set_active(at_three, False)
        await until(lambda: one.hub.presence.state("bo") == "away")
        two.hub.presence.set_active(at_two, True)
        await until(lambda: one.hub.presence.state("bo") == "online")


async def test_presence_goes_with_a_node_that_is_killed(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 1) as (one,):
        tess = await one.come("tess", dialect="text")
        other = await Node(table, wire).start()
        await other.come("bo")
        await until(lambda: "* bo is here" in lines(tess))
        wire.ends.remove(other.end)  # killed: it says nothing any more, not even goodbye
        await until(lambda: "* bo left" in lines(tess))
        assert one.hub.presence.state("bo") == "offline"
        wire.ends.append(other.end)
        await other.stop()


async def test_a_node_that_says_goodbye_is_gone_at_once(wire: Wire) -> None:
    table = Table("ana", "bo")
    with patch.object(peers, "GONE_AFTER_S", 1000):
        async with cluster(table, wire, 1) as (one,):
            await one.come("ana")
            other = await Node(table, wire).start()
            await other.come("bo")
            await until(lambda: one.hub.presence.state("bo") == "online")
            await other.stop()
            await until(lambda: one.hub.presence.state("bo") == "offline")


async def test_a_snapshot_makes_up_for_a_lost_word(wire: Wire) -> None:
    table = Table("ana", "bo")
    with patch.object(peers, "SNAPSHOT_EVERY_S", 0.05):
        async with cluster(table, wire, 2) as (one, two):
            await one.come("ana")
            await until(lambda: bool(two.nodes.peers.others))
            wire.fate = lambda: 0
            await two.come("bo")
            await turn()
            assert one.hub.presence.state("bo") == "offline"
            wire.fate = lambda: 1
            await until(lambda: one.hub.presence.state("bo") == "online")


async def test_who_has_gone_is_gone_for_everybody_whenever_a_snapshot_is_taken(
    wire: Wire,
) -> None:
    table = Table("ana", "bo", "cy")
    table.rooms.add("den")
    with (
        patch.object(peers, "SNAPSHOT_EVERY_S", 0.02),
        patch.object(presence, "GRACE_S", 0.3),  # time for several
    ):
        async with cluster(table, wire, 2) as (one, two):
            watchers = [await one.come("ana", "lobby", "den"), await one.come("cy", "lobby")]
            bo = await two.come("bo", "lobby", "den")
            elsewhere = one.hub.presence.remote
            await until(lambda: all(elsewhere.in_room(room, "bo") for room in table.rooms))
            forget(*watchers)
            two.hub.disconnect(bo)
            await until(lambda: all("offline" in told_of("bo", each) for each in watchers))
            before = two.end.sent
            await until(lambda: two.end.sent > before + 10)  # more snapshots
            await turn()
            assert [told_of("bo", each)[-1] for each in watchers] == ["offline"] * 2
            assert one.hub.presence.state("bo") == "offline"


async def test_who_went_unheard_is_gone_in_all_rooms_by_the_next_snapshot(wire: Wire) -> None:
    table = Table("ana", "bo", "cy")
    table.rooms.add("den")
    with (
        patch.object(peers, "SNAPSHOT_EVERY_S", 0.02),
        patch.object(presence, "GRACE_S", 0.01),
    ):
        async with cluster(table, wire, 2) as (one, two):
            watchers = [await one.come("ana", "lobby", "den"), await one.come("cy", "lobby")]
            bo = await two.come("bo", "lobby", "den")
            elsewhere = one.hub.presence.remote
            await until(lambda: all(elsewhere.in_room(room, "bo") for room in table.rooms))
            wire.fate = lambda: 0
            two.hub.disconnect(bo)
            await until(lambda: two.hub.presence.of_room(two.room("den")).get("bo") is None)
            await until(lambda: not two.hub.presence._leaving)
            await turn()
            wire.fate = lambda: 1
            await until(lambda: all(told_of("bo", each)[-1] == "offline" for each in watchers))


async def test_who_is_away_and_gone_for_a_moment_is_still_away_in_a_snapshot(wire: Wire) -> None:
    table = Table("ana", "bo")
    with (
        patch.object(peers, "SNAPSHOT_EVERY_S", 0.02),
        patch.object(presence, "GRACE_S", 60),
    ):
        async with cluster(table, wire, 2) as (one, two):
            ana = await one.come("ana")
            bo = await two.come("bo")
            two.hub.presence.set_active(bo, False)
            await until(lambda: told_of("bo", ana)[-1:] == ["away"])
            forget(ana)
            two.hub.disconnect(bo)
            before = two.end.sent
            await until(lambda: two.end.sent > before + 10)
            await turn()
            assert told_of("bo", ana) == []
            await two.come("bo")
            await until(lambda: told_of("bo", ana)[-1:] == ["online"])


async def test_who_writes_is_told_at_other_nodes(wire: Wire) -> None:
    table = Table("ana", "bo")
    async with cluster(table, wire, 2) as (one, two):
        ana, bo = await one.come("ana"), await two.come("bo")
        two.hub.presence.typing(bo, two.room())
        await until(lambda: bool(events(ana, "typing")))
        assert events(ana, "typing")[0]["user"] == "bo"


async def test_large_rooms_are_counted_over_all_nodes(wire: Wire) -> None:
    table = Table(*(f"person-{number}" for number in range(500)))
    with patch("hubbub.live.hub.COUNTS_EVERY_S", 0.01):
        async with cluster(table, wire, 2) as (one, two):
            ana = await one.come("ana")
            for number in range(3):
                await two.come(f"person-{number}")
            await until(lambda: any(event.get("online") == 4 for event in events(ana, "presence")))
            assert not any(event.get("user") for event in events(ana, "presence"))
