"""Presence and typing, as nodes exchange them over the bus."""

from unittest.mock import patch

import pytest

from hubbub.live import presence
from hubbub.live.client import Client
from hubbub.live.cluster import peers
from tests.support.hub import clear, end_turn, events, lines
from tests.support.nodes import (
    FakeBus,
    FakeDatabase,
    Node,
    cluster,
)
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("short_timers")


def states_sent(name: str, client: Client) -> list[str]:
    """The presence states of a person that a client was sent, in order."""
    return [event["state"] for event in events(client, "presence") if event.get("user") == name]


async def test_presence_at_one_node_is_visible_at_all(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        ana = await one.enter("ana")
        tess = await one.enter("tess", dialect="text")
        await two.enter("bo")
        await until(lambda: one.hub.presence.state("bo") == "online")
        await until(lambda: "* bo is here" in lines(tess))
        await until(lambda: any(event.get("user") == "bo" for event in events(ana, "presence")))
        assert one.hub.presence.room_states(one.room())["bo"] == "online"
        assert two.hub.presence.room_states(two.room())["ana"] == "online"


async def test_a_person_at_two_nodes_is_online_if_online_at_either(
    fake_bus: FakeBus,
) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 3) as (one, two, three):
        ana = await one.enter("ana")
        at_two, at_three = await two.enter("bo"), await three.enter("bo")
        await until(lambda: one.hub.presence.state("bo") == "online")
        clear(ana)
        two.hub.presence.set_active(at_two, False)
        three.hub.presence.set_active(at_three, False)
        await until(lambda: one.hub.presence.state("bo") == "away")
        two.hub.presence.set_active(at_two, True)
        await until(lambda: one.hub.presence.state("bo") == "online")


async def test_presence_is_dropped_with_a_killed_node(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 1) as (one,):
        tess = await one.enter("tess", dialect="text")
        other = await Node(database, fake_bus).start()
        await other.enter("bo")
        await until(lambda: "* bo is here" in lines(tess))
        fake_bus.endpoints.remove(
            other.endpoint
        )  # killed: it sends nothing more, not even a last heartbeat
        await until(lambda: "* bo left" in lines(tess))
        assert one.hub.presence.state("bo") == "offline"
        fake_bus.endpoints.append(other.endpoint)
        await other.stop()


async def test_a_node_that_stops_is_dropped_at_once(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    with patch.object(peers, "PEER_TIMEOUT_S", 1000):
        async with cluster(database, fake_bus, 1) as (one,):
            await one.enter("ana")
            other = await Node(database, fake_bus).start()
            await other.enter("bo")
            await until(lambda: one.hub.presence.state("bo") == "online")
            await other.stop()
            await until(lambda: one.hub.presence.state("bo") == "offline")


async def test_a_snapshot_makes_up_for_a_lost_update(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    with patch.object(peers, "SNAPSHOT_EVERY_S", 0.05):
        async with cluster(database, fake_bus, 2) as (one, two):
            await one.enter("ana")
            await until(lambda: bool(two.nodes.peers.known))
            fake_bus.copies = lambda: 0
            await two.enter("bo")
            await end_turn()
            assert one.hub.presence.state("bo") == "offline"
            fake_bus.copies = lambda: 1
            await until(lambda: one.hub.presence.state("bo") == "online")


async def test_a_person_who_has_left_is_offline_for_everybody_whenever_a_snapshot_is_taken(
    fake_bus: FakeBus,
) -> None:
    database = FakeDatabase("ana", "bo", "cy")
    database.rooms.add("den")
    with (
        patch.object(peers, "SNAPSHOT_EVERY_S", 0.02),
        patch.object(presence, "GRACE_S", 0.3),  # time for several
    ):
        async with cluster(database, fake_bus, 2) as (one, two):
            watchers = [await one.enter("ana", "lobby", "den"), await one.enter("cy", "lobby")]
            bo = await two.enter("bo", "lobby", "den")
            remote = one.hub.presence.remote
            await until(lambda: all(remote.is_in_room(room, "bo") for room in database.rooms))
            clear(*watchers)
            two.hub.disconnect(bo)
            await until(lambda: all("offline" in states_sent("bo", each) for each in watchers))
            before = two.endpoint.sent_count
            await until(lambda: two.endpoint.sent_count > before + 10)  # more snapshots
            await end_turn()
            assert [states_sent("bo", each)[-1] for each in watchers] == ["offline"] * 2
            assert one.hub.presence.state("bo") == "offline"


async def test_a_lost_departure_is_repaired_in_all_rooms_by_the_next_snapshot(
    fake_bus: FakeBus,
) -> None:
    database = FakeDatabase("ana", "bo", "cy")
    database.rooms.add("den")
    with (
        patch.object(peers, "SNAPSHOT_EVERY_S", 0.02),
        patch.object(presence, "GRACE_S", 0.01),
    ):
        async with cluster(database, fake_bus, 2) as (one, two):
            watchers = [await one.enter("ana", "lobby", "den"), await one.enter("cy", "lobby")]
            bo = await two.enter("bo", "lobby", "den")
            remote = one.hub.presence.remote
            await until(lambda: all(remote.is_in_room(room, "bo") for room in database.rooms))
            fake_bus.copies = lambda: 0
            two.hub.disconnect(bo)
            await until(lambda: two.hub.presence.room_states(two.room("den")).get("bo") is None)
            await until(lambda: not two.hub.presence._departures)
            await end_turn()
            fake_bus.copies = lambda: 1
            await until(lambda: all(states_sent("bo", each)[-1] == "offline" for each in watchers))


async def test_a_snapshot_keeps_the_state_of_a_person_within_the_grace_time(
    fake_bus: FakeBus,
) -> None:
    database = FakeDatabase("ana", "bo")
    with (
        patch.object(peers, "SNAPSHOT_EVERY_S", 0.02),
        patch.object(presence, "GRACE_S", 60),
    ):
        async with cluster(database, fake_bus, 2) as (one, two):
            ana = await one.enter("ana")
            bo = await two.enter("bo")
            two.hub.presence.set_active(bo, False)
            await until(lambda: states_sent("bo", ana)[-1:] == ["away"])
            clear(ana)
            two.hub.disconnect(bo)
            before = two.endpoint.sent_count
            await until(lambda: two.endpoint.sent_count > before + 10)
            await end_turn()
            assert states_sent("bo", ana) == []
            await two.enter("bo")
            await until(lambda: states_sent("bo", ana)[-1:] == ["online"])


async def test_typing_is_sent_to_other_nodes(fake_bus: FakeBus) -> None:
    database = FakeDatabase("ana", "bo")
    async with cluster(database, fake_bus, 2) as (one, two):
        ana, bo = await one.enter("ana"), await two.enter("bo")
        two.hub.presence.announce_typing(bo, two.room())
        await until(lambda: bool(events(ana, "typing")))
        assert events(ana, "typing")[0]["user"] == "bo"


async def test_large_rooms_are_counted_over_all_nodes(fake_bus: FakeBus) -> None:
    database = FakeDatabase(*(f"person-{number}" for number in range(500)))
    with patch("hubbub.live.hub.COUNTS_EVERY_S", 0.01):
        async with cluster(database, fake_bus, 2) as (one, two):
            ana = await one.enter("ana")
            for number in range(3):
                await two.enter(f"person-{number}")
            await until(lambda: any(event.get("online") == 4 for event in events(ana, "presence")))
            assert not any(event.get("user") for event in events(ana, "presence"))
