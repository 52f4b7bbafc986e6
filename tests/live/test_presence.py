"""Who is here: told one by one in small rooms, counted in large ones."""

import pytest

from hubbub.live import presence
from hubbub.live.client import Client
from tests.support.hub import Hall, events, forget, lines, transport
from tests.support.waiting import until


def states(client: Client) -> list[tuple[str, str]]:
    return [(event["user"], event["state"]) for event in events(client, "presence")]


async def test_who_comes_is_online_and_who_stays_away_is_offline_after_a_moment(
    hall: Hall,
) -> None:
    ana = await hall.come("ana")
    bo = await hall.come("bo")
    await until(lambda: ("bo", "online") in states(ana))
    assert hall.hub.presence.seen_by(bo) == {"ana": "online", "bo": "online"}
    hall.hub.disconnect(bo)
    await until(lambda: states(ana)[-1] == ("bo", "offline"))
    assert hall.hub.presence.seen_by(ana) == {"ana": "online"}
    assert hall.hub.presence.state("bo") == "offline"


async def test_a_reload_of_the_page_is_no_leaving(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "GRACE_S", 60)
    ana, bo = await hall.come("ana"), await hall.come("bo")
    await hall.written()
    forget(ana)
    hall.hub.disconnect(bo)
    await hall.come("bo")
    await hall.written()
    assert states(ana) == []


async def test_who_left_while_away_and_is_back_in_a_moment_is_online(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "GRACE_S", 60)
    ana, bo = await hall.come("ana"), await hall.come("bo")
    reader = await hall.come("ines", dialect="text")
    await hall.written()
    hall.hub.presence.set_active(bo, False)
    hall.hub.disconnect(bo)
    forget(ana)
    forget(reader)
    bo = await hall.come("bo")
    await until(lambda: states(ana) == [("bo", "online")])
    assert lines(reader) == []


async def test_a_second_device_is_no_coming_and_its_end_no_leaving(hall: Hall) -> None:
    ana, _ = await hall.come("ana"), await hall.come("bo")
    await hall.written()
    forget(ana)
    hall.hub.disconnect(await hall.come("bo"))
    hall.hub.disconnect(await hall.come("eva"))
    await until(lambda: ("eva", "offline") in states(ana))
    assert {user for user, _ in states(ana)} == {"eva"}


async def test_a_person_is_away_when_all_their_devices_are(hall: Hall) -> None:
    ana = await hall.come("ana")
    phone, laptop = await hall.come("bo"), await hall.come("bo")
    await hall.written()
    forget(ana)
    book = hall.hub.presence
    book.set_active(phone, False)
    assert (book.state("bo"), states(ana)) == ("online", [])
    book.set_active(laptop, False)
    assert (book.state("bo"), states(ana)) == ("away", [("bo", "away")])
    assert book.seen_by(ana)["bo"] == "away"
    book.set_active(laptop, False)
    book.set_active(phone, True)
    assert states(ana) == [("bo", "away"), ("bo", "online")]


async def test_devices_that_come_and_go_change_what_a_person_is(hall: Hall) -> None:
    ana = await hall.come("ana")
    phone, laptop = await hall.come("bo"), await hall.come("bo")
    await hall.written()
    forget(ana)
    hall.hub.presence.set_active(laptop, False)
    hall.hub.disconnect(phone)
    assert states(ana) == [("bo", "away")]
    hall.hub.disconnect(await hall.come("bo"))
    assert states(ana) == [("bo", "away"), ("bo", "online"), ("bo", "away")]
    hall.hub.disconnect(laptop)
    await until(lambda: states(ana)[-1] == ("bo", "offline"))
    assert len(states(ana)) == 4


async def test_whoever_shares_several_rooms_is_told_once(hall: Hall) -> None:
    hall.stored["tea"] = []
    ana = await hall.come("ana", "lobby", "tea")
    await hall.written()
    forget(ana)
    await hall.come("bo", "lobby", "tea")
    await hall.written()
    assert states(ana) == [("bo", "online")]


async def test_a_crowd_is_told_of_in_lumps(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "PRESENCE_EVENTS_PER_S", 100)
    many = presence.IMMEDIATE_MAX + 50
    ana = await hall.come("ana")
    for number in range(many):
        await hall.come(f"user{number}")
        await hall.written()
    await until(lambda: {f"user{number}" for number in range(many)} <= dict(states(ana)).keys())
    # The first of them one by one; then nothing for a second and more at a time.
    assert len(transport(ana).writes) < presence.IMMEDIATE_MAX + 25


async def test_who_is_told_of_late_is_what_they_are_by_then(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "IMMEDIATE_MAX", 0)
    monkeypatch.setattr(presence, "PRESENCE_EVENTS_PER_S", 10)
    ana, _ = await hall.come("ana"), await hall.come("eva")
    await hall.written()
    forget(ana)
    bo = await hall.come("bo")
    hall.hub.presence.set_active(bo, False)
    await hall.come("gus")
    await until(lambda: ("gus", "online") in states(ana))
    assert states(ana)[-2:] in (
        [("bo", "away"), ("gus", "online")],
        [("gus", "online"), ("bo", "away")],
    )


async def test_who_comes_and_goes_and_comes_before_they_are_told_of_is_here(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "GRACE_S", 60)
    monkeypatch.setattr(presence, "IMMEDIATE_MAX", 0)
    monkeypatch.setattr(presence, "PRESENCE_EVENTS_PER_S", 10)
    ana, _ = await hall.come("ana"), await hall.come("eva")
    await hall.written()
    hall.hub.disconnect(await hall.come("bo"))
    await until(lambda: "bo" in dict(states(ana)))
    await hall.come("bo")
    await hall.written()
    assert dict(states(ana))["bo"] == "online"


async def test_a_large_room_is_counted_the_less_often_the_more_there_are(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "COUNT_EVENTS_PER_S", 0.001)
    hall.members["lobby"] = 201
    ana = await hall.come("ana")
    await until(lambda: bool(events(ana, "presence")))
    await hall.come("bo")
    for _ in range(10):
        hall.hub.presence.tell_counts()
    await hall.written()
    assert len(events(ana, "presence")) == 1


async def test_in_a_large_room_people_are_counted(hall: Hall) -> None:
    hall.members["lobby"] = 201
    ana = await hall.come("ana")
    others = [await hall.come(f"user{number}") for number in range(5)]
    await until(lambda: bool(events(ana, "presence")))
    await until(lambda: events(ana, "presence")[-1].get("online") == 6)
    for other in others:
        hall.hub.disconnect(other)
    await until(lambda: events(ana, "presence")[-1].get("online") == 1)
    assert all("user" not in event for event in events(ana, "presence"))
    assert hall.hub.presence.seen_by(ana) == {}


async def test_text_clients_read_who_comes_and_goes(hall: Hall) -> None:
    ana = await hall.come("ana", dialect="text")
    gus = await hall.come("~gus", dialect="text")
    await hall.written()
    hall.hub.disconnect(gus)
    await until(lambda: "* ~gus left" in lines(ana))
    assert lines(ana)[-2:] == ["* ~gus is here", "* ~gus left"]


async def test_who_goes_to_another_room_has_left_this_one(hall: Hall) -> None:
    hall.stored["tea"] = []
    ana, gus = await hall.come("ana", dialect="text"), await hall.come("~gus", dialect="text")
    await hall.written()
    forget(ana)
    hall.hub.attach(gus, await hall.hub.room("tea"))
    hall.hub.detach(gus, hall.room())
    await until(lambda: bool(lines(ana)))
    assert lines(ana) == ["* ~gus left"]


async def test_guests_of_one_name_are_told_apart_by_their_keys(hall: Hall) -> None:
    one, other = await hall.come("~gus"), hall.client("~gus")
    assert one.key == other.key
    assert one.key != one.actor.name
    assert hall.hub.presence.of_room(hall.room()) == {"~gus": "online"}


async def test_who_writes_is_seen_by_those_in_the_room_and_nothing_is_kept(hall: Hall) -> None:
    hall.stored["tea"] = []
    ana, eva = await hall.come("ana"), await hall.come("eva", "tea")
    line = await hall.come("bo", dialect="text")
    await hall.written()
    forget(line)
    hall.hub.presence.typing(ana, hall.room())
    await hall.written()
    assert events(ana, "typing") == [{"on": "typing", "room": "lobby", "user": "ana"}]
    assert events(eva, "typing") == []
    assert lines(line) == []
    assert hall.room().rev == 0
