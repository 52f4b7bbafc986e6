"""The hub shows what happened, in order of rev, to everyone who is there."""

import asyncio
import random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.live import hub
from hubbub.live import sequencer as ordering
from hubbub.model.accounts import MeChanged, UserChanged
from hubbub.model.errors import NotFound
from hubbub.model.outcome import (
    AccountChanged,
    MembershipChanged,
    RoomGone,
    SessionsEnded,
    ToPerson,
    ToRoom,
    ToRooms,
)
from hubbub.model.policy import RoomRole
from hubbub.model.reading import Notice
from hubbub.model.rooms import MemberChanged, RoomChanged
from tests.support.hub import (
    Hall,
    door,
    events,
    forget,
    lines,
    message,
    received,
    sees,
    transport,
    turn,
)
from tests.support.waiting import until

# Showing


async def test_everyone_in_the_room_gets_it_in_their_dialect_and_nobody_else(hall: Hall) -> None:
    hall.stored["tea"] = []
    ana, bo = await hall.come("ana"), await hall.come("bo", dialect="text")
    eva = await hall.come("eva", "tea")
    await hall.written()
    forget(ana, bo, eva)
    hall.say(message(1, text="hello"))
    hall.say(RoomChanged(room="lobby", rev=2, title="Lobby", topic="t"))
    hall.say(message(1, 3, "hello!"))
    await hall.written()
    assert [event["rev"] for event in events(ana)] == [1, 2, 3]
    assert lines(bo) == [
        "ana: hello",
        "* #lobby is now “Lobby”: t",
        "* ana edited 1: hello!",
    ]
    assert received(eva) == []


async def test_what_happens_in_one_turn_of_the_loop_is_one_write(hall: Hall) -> None:
    ana = await hall.come("ana")
    await turn()
    forget(ana)
    hall.say(*(message(seq) for seq in range(1, 101)))
    await turn()
    assert len(transport(ana).writes) == 1
    assert [event["seq"] for event in events(ana)] == list(range(1, 101))
    assert hall.hub.queue.deliveries == 100


async def test_who_comes_in_gets_nothing_of_what_was_told_before(hall: Hall) -> None:
    ana = await hall.come("ana")
    hall.say(message(1))
    bo = hall.client("bo")
    hall.hub.attach(bo, hall.room())
    hall.say(message(2))
    await sees(ana, [1, 2])
    await sees(bo, [2])


async def test_an_event_too_early_is_held_until_its_turn(hall: Hall) -> None:
    ana = await hall.come("ana")
    first, second, third = message(1), message(2), message(3)
    hall.store(first, second, third)
    hall.hub.sequencer.publish(third)
    hall.hub.sequencer.publish(second)
    await hall.written()
    assert events(ana, "message") == []
    hall.hub.sequencer.publish(first)
    await hall.written()
    await sees(ana, [1, 2, 3])
    await until(lambda: hall.room().gap_timer is None)
    assert hall.reads == [("lobby", None)], "the database was not asked"


async def test_a_gap_that_stays_is_read_from_the_database(hall: Hall) -> None:
    ana = await hall.come("ana")
    hall.store(message(1), message(2), message(1, 3, "edited"), message(3, 4))
    hall.hub.sequencer.publish(message(3, 4))
    await sees(ana, [2, 3, 4])  # rev 1 is no state of anything any more
    assert hall.reads[1:] == [("lobby", 0)]
    hall.say(message(4, 5))
    await sees(ana, [2, 3, 4, 5])


async def test_an_event_that_comes_twice_or_late_is_shown_once(hall: Hall) -> None:
    ana = await hall.come("ana")
    hall.say(message(1), message(2))
    hall.hub.sequencer.publish(message(1))
    hall.hub.sequencer.publish(message(2))
    hall.say(message(3))
    await sees(ana, [1, 2, 3])


@pytest.mark.parametrize("read_has_it", [False, True])
async def test_what_happens_while_a_room_is_being_read_is_shown_once_after_it(
    hall: Hall, read_has_it: bool
) -> None:
    hall.store(message(1))
    hall.may_read.clear()
    coming = [asyncio.ensure_future(hall.come(name)) for name in ("ana", "bo")]
    await until(lambda: hall.reads == [("lobby", None)])
    if read_has_it:
        hall.say(message(2))
    else:
        hall.hub.sequencer.publish(message(2))
    hall.may_read.set()
    ana, bo = await asyncio.gather(*coming)
    assert (hall.room().rev, hall.room().seq) == (2, 2)
    hall.hub.sequencer.publish(message(3))
    await sees(ana, [3])
    await sees(bo, [3])
    assert hall.reads == [("lobby", None)], "one read, however many wait for it"
    recent_changes = hall.room().recent_changes
    assert recent_changes
    assert [entry.event.rev for entry in recent_changes.after(0) or []] == [1, 2, 3]


async def test_a_room_that_is_gone_is_not_found_and_not_kept(hall: Hall) -> None:
    with pytest.raises(NotFound):
        await hall.hub.room("nowhere")
    assert "nowhere" not in hall.hub.rooms
    hall.hub.sequencer.publish(message(1, room="nowhere"))


async def test_coming_back_to_a_room_costs_no_read_until_too_many_are_kept(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "EMPTY_ROOMS_MAX", 1)
    hall.stored["tea"] = []
    for room in ("lobby", "tea"):
        hall.hub.disconnect(await hall.come("ana", room))
    assert set(hall.hub.rooms) == {"tea"}
    await hall.come("ana", "tea")
    assert hall.reads == [("lobby", None), ("tea", None)]
    await hall.come("ana", "lobby")
    assert len(hall.reads) == 3


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(1, 9)),
    lost=st.sets(st.integers(1, 7)),
    again=st.lists(st.integers(1, 8), max_size=4),
    random_=st.randoms(use_true_random=False),
)
def test_in_whatever_order_events_come_everyone_sees_them_in_order_of_rev(
    order: list[int], lost: set[int], again: list[int], random_: random.Random
) -> None:
    async def play() -> None:
        hall = Hall()
        hall.hub.start()
        ana, bo = await hall.come("ana"), await hall.come("bo")
        hall.store(*(message(seq) for seq in range(1, 9)))
        for seq in [*(seq for seq in order if seq not in lost), *again]:
            hall.hub.sequencer.publish(message(seq))
            if random_.random() < 0.3:
                await asyncio.sleep(0)
        await sees(ana, list(range(1, 9)))
        await sees(bo, list(range(1, 9)))
        await hall.hub.stop()

    with patch.object(ordering, "GAP_WAIT_S", 0.001):
        asyncio.run(play())


# Telling


async def test_a_person_is_told_on_all_their_devices(hall: Hall) -> None:
    phone, laptop = await hall.come("ana"), await hall.come("ana")
    line, other = await hall.come("ana", dialect="text"), await hall.come("bo")
    with hall.hub.resume_guard.of("ana") as pending, hall.hub.resume_guard.of("bo") as others:
        hall.hub.tell([ToPerson("ana", MeChanged(rev=4))])
        assert (pending.is_stale, others.is_stale) == (True, False)
    assert [len(events(client, "me")) for client in (phone, laptop, other)] == [1, 1, 0]
    assert not any("rev" in text for text in lines(line))


async def test_who_shares_several_rooms_is_told_once(hall: Hall) -> None:
    hall.stored["tea"] = []
    ana, bo = await hall.come("ana", "lobby", "tea"), await hall.come("bo", "tea")
    eva = await hall.come("eva")
    event = UserChanged(user="max", display_name="Max")
    hall.hub.tell([ToRooms(("lobby", "tea", "nowhere"), event)])
    assert [len(events(client, "user")) for client in (ana, bo, eva)] == [1, 1, 1]
    hall.hub.tell([ToRooms(("tea",), event)])
    hall.hub.send_to_all(Notice(text="hi"))
    assert [len(events(client, "user")) for client in (ana, bo, eva)] == [2, 2, 1]
    assert [len(events(client, "notice")) for client in (ana, bo, eva)] == [1, 1, 1]


def joined(room: str, user: str, mrev: int, members: int = 2) -> MembershipChanged:
    event = MemberChanged(
        room=room, mrev=mrev, members=members, user=user, role=RoomRole.MEMBER, display_name=user
    )
    return MembershipChanged(room, event)


def left(room: str, user: str, mrev: int, members: int = 1) -> MembershipChanged:
    return MembershipChanged(room, MemberChanged(room=room, mrev=mrev, members=members, user=user))


async def test_a_new_member_is_in_the_room_with_every_json_device(hall: Hall) -> None:
    ana = await hall.come("ana")
    phone, line = hall.client("bo"), hall.client("bo", "text")
    hall.hub.tell([joined("lobby", "bo", 1)])
    hall.say(message(1))
    await sees(phone, [1])
    assert lines(line) == [], "a text client is in one room, which it has chosen"
    assert [event["user"] for event in events(ana, "member")] == ["bo"]


async def test_a_new_member_of_a_room_that_nobody_is_in_learns_how_far_it_is(hall: Hall) -> None:
    hall.store(message(1), message(2))
    phone = hall.client("bo")
    hall.hub.tell([joined("lobby", "bo", 1)])
    await until(lambda: bool(events(phone, "behind")))
    assert events(phone, "behind") == [{"on": "behind", "rooms": {"lobby": {"seq": 2, "rev": 2}}}]
    hall.say(message(3))
    await sees(phone, [3])


async def test_who_is_removed_hears_nothing_more(hall: Hall) -> None:
    ana, phone, line = (
        await hall.come("ana"),
        await hall.come("bo"),
        await hall.come("bo", dialect="text"),
    )
    hall.say(message(1))
    await sees(phone, [1])
    hall.hub.tell([left("lobby", "bo", 1)])
    hall.say(message(2, text="among us"))
    await sees(ana, [1, 2])
    await sees(phone, [1])
    assert not any("among us" in text for text in lines(line))
    assert (door(phone).left, door(line).left, door(ana).left) == (["lobby"], ["lobby"], [])
    assert "bo" not in hall.room().people


async def test_a_change_of_membership_that_is_older_is_not_told(hall: Hall) -> None:
    ana = await hall.come("ana")
    hall.hub.tell([joined("lobby", "bo", 5), joined("lobby", "eva", 4)])
    await hall.written()
    assert [event["mrev"] for event in events(ana, "member")] == [5]


async def test_in_a_large_room_members_are_told_as_a_count(hall: Hall) -> None:
    hall.members["lobby"] = 500
    ana = await hall.come("ana")
    hall.hub.tell([joined("lobby", f"user{n}", n, 500 + n) for n in range(1, 51)])
    await until(lambda: bool(events(ana, "member")))
    assert events(ana, "member") == [{"on": "member", "room": "lobby", "mrev": 50, "members": 550}]


async def test_nobody_is_in_a_deleted_room(hall: Hall) -> None:
    ana, bo = await hall.come("ana"), await hall.come("bo", dialect="text")
    hall.hub.tell([RoomGone("lobby"), RoomGone("nowhere")])
    assert (door(ana).left, door(bo).left) == (["lobby"], ["lobby"])
    assert (hall.hub.rooms, ana.rooms) == ({}, {})


async def test_an_ended_session_closes_its_sockets_and_no_others(hall: Hall) -> None:
    ended: list[tuple[str, ...]] = []
    hall.hub.on_sessions_ended = ended.append
    one, two = await hall.come("ana", session="s1"), await hall.come("ana", session="s2")
    bo = await hall.come("bo", session="s3")
    hall.hub.tell([SessionsEnded("ana", ("s1", "s3"))])
    assert [door(client).closed for client in (one, two, bo)] == [[4001], [], []]
    hall.hub.tell([SessionsEnded("", ("s3",))])
    assert [door(client).closed for client in (one, two, bo)] == [[4001], [], [4001]]
    assert ended == [("s1", "s3"), ("s3",)]


async def test_who_has_another_role_comes_back_as_what_they_are(hall: Hall) -> None:
    changed: list[str] = []
    hall.hub.on_account_changed = changed.append
    ana, bo = await hall.come("ana"), await hall.come("bo")
    hall.hub.tell([AccountChanged("ana")])
    assert (door(ana).closed, door(bo).closed, changed) == ([4000], [], ["ana"])


async def test_the_last_word_comes_after_all_that_was_said(hall: Hall) -> None:
    ana, bo = await hall.come("ana"), await hall.come("bo", dialect="text")
    hall.hub.tell([ToRoom("lobby", message(1))])
    hall.hub.say_goodbye(Notice(text="Bye.", retry_after=2.0), "* Bye.")
    assert [event["on"] for event in events(ana)][-2:] == ["message", "notice"]
    assert lines(bo)[-2:] == ["ana: hi", "* Bye."]
