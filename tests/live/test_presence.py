"""Presence: sent for each person in small rooms, as a count in large ones."""

import pytest

from hubbub.live import presence
from hubbub.live.client import Client
from tests.support.hub import HubHarness, clear, events, lines, transport
from tests.support.waiting import until


def states(client: Client) -> list[tuple[str, str]]:
    return [(event["user"], event["state"]) for event in events(client, "presence")]


async def test_a_person_is_online_on_connect_and_offline_after_the_grace_time(
    harness: HubHarness,
) -> None:
    ana = await harness.enter("ana")
    bo = await harness.enter("bo")
    await until(lambda: ("bo", "online") in states(ana))
    assert harness.hub.presence.visible_to(bo) == {"ana": "online", "bo": "online"}
    harness.hub.disconnect(bo)
    await until(lambda: states(ana)[-1] == ("bo", "offline"))
    assert harness.hub.presence.visible_to(ana) == {"ana": "online"}
    assert harness.hub.presence.state("bo") == "offline"


async def test_a_page_reload_sends_no_presence(
    harness: HubHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "GRACE_S", 60)
    ana, bo = await harness.enter("ana"), await harness.enter("bo")
    await harness.drain()
    clear(ana)
    harness.hub.disconnect(bo)
    await harness.enter("bo")
    await harness.drain()
    assert states(ana) == []


async def test_a_person_who_left_while_away_and_returns_in_time_is_online(
    harness: HubHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "GRACE_S", 60)
    ana, bo = await harness.enter("ana"), await harness.enter("bo")
    reader = await harness.enter("ines", dialect="text")
    await harness.drain()
    harness.hub.presence.set_active(bo, False)
    harness.hub.disconnect(bo)
    clear(ana)
    clear(reader)
    bo = await harness.enter("bo")
    await until(lambda: states(ana) == [("bo", "online")])
    assert lines(reader) == []


async def test_a_second_device_that_comes_and_goes_sends_no_presence(harness: HubHarness) -> None:
    ana, _ = await harness.enter("ana"), await harness.enter("bo")
    await harness.drain()
    clear(ana)
    harness.hub.disconnect(await harness.enter("bo"))
    harness.hub.disconnect(await harness.enter("eva"))
    await until(lambda: ("eva", "offline") in states(ana))
    assert {user for user, _ in states(ana)} == {"eva"}


async def test_a_person_is_away_when_all_their_devices_are(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    phone, laptop = await harness.enter("bo"), await harness.enter("bo")
    await harness.drain()
    clear(ana)
    presence_tracker = harness.hub.presence
    presence_tracker.set_active(phone, False)
    assert (presence_tracker.state("bo"), states(ana)) == ("online", [])
    presence_tracker.set_active(laptop, False)
    assert (presence_tracker.state("bo"), states(ana)) == ("away", [("bo", "away")])
    assert presence_tracker.visible_to(ana)["bo"] == "away"
    presence_tracker.set_active(laptop, False)
    presence_tracker.set_active(phone, True)
    assert states(ana) == [("bo", "away"), ("bo", "online")]


async def test_devices_that_come_and_go_change_a_persons_state(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    phone, laptop = await harness.enter("bo"), await harness.enter("bo")
    await harness.drain()
    clear(ana)
    harness.hub.presence.set_active(laptop, False)
    harness.hub.disconnect(phone)
    assert states(ana) == [("bo", "away")]
    harness.hub.disconnect(await harness.enter("bo"))
    assert states(ana) == [("bo", "away"), ("bo", "online"), ("bo", "away")]
    harness.hub.disconnect(laptop)
    await until(lambda: states(ana)[-1] == ("bo", "offline"))
    assert len(states(ana)) == 4


async def test_presence_is_sent_once_to_a_client_that_shares_several_rooms(
    harness: HubHarness,
) -> None:
    harness.stored["tea"] = []
    ana = await harness.enter("ana", "lobby", "tea")
    await harness.drain()
    clear(ana)
    await harness.enter("bo", "lobby", "tea")
    await harness.drain()
    assert states(ana) == [("bo", "online")]


async def test_presence_of_many_connections_is_sent_in_batches(
    harness: HubHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "PRESENCE_EVENTS_PER_S", 100)
    count = presence.IMMEDIATE_MAX + 50
    ana = await harness.enter("ana")
    for number in range(count):
        await harness.enter(f"user{number}")
        await harness.drain()
    await until(lambda: {f"user{number}" for number in range(count)} <= dict(states(ana)).keys())
    # The first ones are sent one by one; then nothing for a second, and the rest in batches.
    assert len(transport(ana).writes) < presence.IMMEDIATE_MAX + 25


async def test_delayed_presence_has_the_current_state(
    harness: HubHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "IMMEDIATE_MAX", 0)
    monkeypatch.setattr(presence, "PRESENCE_EVENTS_PER_S", 10)
    ana, _ = await harness.enter("ana"), await harness.enter("eva")
    await harness.drain()
    clear(ana)
    bo = await harness.enter("bo")
    harness.hub.presence.set_active(bo, False)
    await harness.enter("gus")
    await until(lambda: ("gus", "online") in states(ana))
    assert states(ana)[-2:] in (
        [("bo", "away"), ("gus", "online")],
        [("gus", "online"), ("bo", "away")],
    )


async def test_a_person_who_reconnects_before_their_presence_is_sent_is_online(
    harness: HubHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "GRACE_S", 60)
    monkeypatch.setattr(presence, "IMMEDIATE_MAX", 0)
    monkeypatch.setattr(presence, "PRESENCE_EVENTS_PER_S", 10)
    ana, _ = await harness.enter("ana"), await harness.enter("eva")
    await harness.drain()
    harness.hub.disconnect(await harness.enter("bo"))
    await until(lambda: "bo" in dict(states(ana)))
    await harness.enter("bo")
    await harness.drain()
    assert dict(states(ana))["bo"] == "online"


async def test_the_count_of_a_large_room_is_sent_less_often_the_larger_it_is(
    harness: HubHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "COUNT_EVENTS_PER_S", 0.001)
    harness.members["lobby"] = 201
    ana = await harness.enter("ana")
    await until(lambda: bool(events(ana, "presence")))
    await harness.enter("bo")
    for _ in range(10):
        harness.hub.presence.send_counts()
    await harness.drain()
    assert len(events(ana, "presence")) == 1


async def test_in_a_large_room_presence_is_sent_as_a_count(harness: HubHarness) -> None:
    harness.members["lobby"] = 201
    ana = await harness.enter("ana")
    others = [await harness.enter(f"user{number}") for number in range(5)]
    await until(lambda: bool(events(ana, "presence")))
    await until(lambda: events(ana, "presence")[-1].get("online") == 6)
    for other in others:
        harness.hub.disconnect(other)
    await until(lambda: events(ana, "presence")[-1].get("online") == 1)
    assert all("user" not in event for event in events(ana, "presence"))
    assert harness.hub.presence.visible_to(ana) == {}


async def test_text_clients_are_shown_who_comes_and_goes(harness: HubHarness) -> None:
    ana = await harness.enter("ana", dialect="text")
    gus = await harness.enter("~gus", dialect="text")
    await harness.drain()
    harness.hub.disconnect(gus)
    await until(lambda: "* ~gus left" in lines(ana))
    assert lines(ana)[-2:] == ["* ~gus is here", "* ~gus left"]


async def test_a_text_client_that_changes_rooms_has_left_the_first_one(harness: HubHarness) -> None:
    harness.stored["tea"] = []
    ana, gus = (
        await harness.enter("ana", dialect="text"),
        await harness.enter("~gus", dialect="text"),
    )
    await harness.drain()
    clear(ana)
    harness.hub.attach(gus, await harness.hub.load_room("tea"))
    harness.hub.detach(gus, harness.room())
    await until(lambda: bool(lines(ana)))
    assert lines(ana) == ["* ~gus left"]


async def test_guests_with_the_same_name_have_different_keys(harness: HubHarness) -> None:
    one, other = await harness.enter("~gus"), harness.connect("~gus")
    assert one.key == other.key
    assert one.key != one.actor.name
    assert harness.hub.presence.room_states(harness.room()) == {"~gus": "online"}


async def test_typing_is_sent_to_the_room_and_not_stored(
    harness: HubHarness,
) -> None:
    harness.stored["tea"] = []
    ana, eva = await harness.enter("ana"), await harness.enter("eva", "tea")
    line = await harness.enter("bo", dialect="text")
    await harness.drain()
    clear(line)
    harness.hub.presence.announce_typing(ana, harness.room())
    await harness.drain()
    assert events(ana, "typing") == [{"on": "typing", "room": "lobby", "user": "ana"}]
    assert events(eva, "typing") == []
    assert lines(line) == []
    assert harness.room().rev == 0
