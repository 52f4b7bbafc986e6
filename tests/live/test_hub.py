"""The hub sends events in order of rev to every connected client."""

import asyncio
import random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.live import hub, sequencer
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
    HubHarness,
    clear,
    end_turn,
    events,
    handler,
    lines,
    message,
    received,
    transport,
    wait_for_revs,
)
from tests.support.waiting import until

# Events of rooms


async def test_an_event_reaches_everyone_in_the_room_in_their_dialect_and_nobody_else(
    harness: HubHarness,
) -> None:
    harness.stored["tea"] = []
    ana, bo = await harness.enter("ana"), await harness.enter("bo", dialect="text")
    eva = await harness.enter("eva", "tea")
    await harness.drain()
    clear(ana, bo, eva)
    harness.publish(message(1, text="hello"))
    harness.publish(RoomChanged(room="lobby", rev=2, title="Lobby", topic="t"))
    harness.publish(message(1, 3, "hello!"))
    await harness.drain()
    assert [event["rev"] for event in events(ana)] == [1, 2, 3]
    assert lines(bo) == [
        "ana: hello",
        "* #lobby is now “Lobby”: t",
        "* ana edited 1: hello!",
    ]
    assert received(eva) == []


async def test_events_of_one_turn_of_the_loop_are_one_write(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    await end_turn()
    clear(ana)
    harness.publish(*(message(seq) for seq in range(1, 101)))
    await end_turn()
    assert len(transport(ana).writes) == 1
    assert [event["seq"] for event in events(ana)] == list(range(1, 101))
    assert harness.hub.queue.deliveries == 100


async def test_a_client_that_enters_gets_no_earlier_events(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    harness.publish(message(1))
    bo = harness.connect("bo")
    harness.hub.attach(bo, harness.room())
    harness.publish(message(2))
    await wait_for_revs(ana, [1, 2])
    await wait_for_revs(bo, [2])


async def test_an_early_event_is_held_until_its_turn(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    first, second, third = message(1), message(2), message(3)
    harness.store(first, second, third)
    harness.hub.sequencer.publish(third)
    harness.hub.sequencer.publish(second)
    await harness.drain()
    assert events(ana, "message") == []
    harness.hub.sequencer.publish(first)
    await harness.drain()
    await wait_for_revs(ana, [1, 2, 3])
    await until(lambda: harness.room().gap_timer is None)
    assert harness.reads == [("lobby", None)], "nothing was read again"


async def test_a_gap_that_stays_is_read_from_the_database(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    harness.store(message(1), message(2), message(1, 3, "edited"), message(3, 4))
    harness.hub.sequencer.publish(message(3, 4))
    await wait_for_revs(ana, [2, 3, 4])  # the state of rev 1 has been replaced
    assert harness.reads[1:] == [("lobby", 0)]
    harness.publish(message(4, 5))
    await wait_for_revs(ana, [2, 3, 4, 5])


async def test_a_repeated_or_late_event_is_sent_once(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    harness.publish(message(1), message(2))
    harness.hub.sequencer.publish(message(1))
    harness.hub.sequencer.publish(message(2))
    harness.publish(message(3))
    await wait_for_revs(ana, [1, 2, 3])


@pytest.mark.parametrize("read_includes_it", [False, True])
async def test_events_published_while_a_room_is_loaded_are_sent_once_afterwards(
    harness: HubHarness, read_includes_it: bool
) -> None:
    harness.store(message(1))
    harness.reads_allowed.clear()
    entering = [asyncio.ensure_future(harness.enter(name)) for name in ("ana", "bo")]
    await until(lambda: harness.reads == [("lobby", None)])
    if read_includes_it:
        harness.publish(message(2))
    else:
        harness.hub.sequencer.publish(message(2))
    harness.reads_allowed.set()
    ana, bo = await asyncio.gather(*entering)
    assert (harness.room().rev, harness.room().seq) == (2, 2)
    harness.hub.sequencer.publish(message(3))
    await wait_for_revs(ana, [3])
    await wait_for_revs(bo, [3])
    assert harness.reads == [("lobby", None)], "one read, however many clients wait for it"
    recent_changes = harness.room().recent_changes
    assert recent_changes
    assert [entry.event.rev for entry in recent_changes.after(0) or []] == [1, 2, 3]


async def test_a_deleted_room_is_not_found_and_not_kept(harness: HubHarness) -> None:
    with pytest.raises(NotFound):
        await harness.hub.load_room("nowhere")
    assert "nowhere" not in harness.hub.rooms
    harness.hub.sequencer.publish(message(1, room="nowhere"))


async def test_an_empty_room_is_kept_until_there_are_too_many(
    harness: HubHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "EMPTY_ROOMS_MAX", 1)
    harness.stored["tea"] = []
    for room in ("lobby", "tea"):
        harness.hub.disconnect(await harness.enter("ana", room))
    assert set(harness.hub.rooms) == {"tea"}
    await harness.enter("ana", "tea")
    assert harness.reads == [("lobby", None), ("tea", None)]
    await harness.enter("ana", "lobby")
    assert len(harness.reads) == 3


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(1, 9)),
    lost=st.sets(st.integers(1, 7)),
    repeated=st.lists(st.integers(1, 8), max_size=4),
    random_=st.randoms(use_true_random=False),
)
def test_events_arriving_in_any_order_are_sent_in_order_of_rev(
    order: list[int], lost: set[int], repeated: list[int], random_: random.Random
) -> None:
    async def run() -> None:
        harness = HubHarness()
        harness.hub.start()
        ana, bo = await harness.enter("ana"), await harness.enter("bo")
        harness.store(*(message(seq) for seq in range(1, 9)))
        for seq in [*(seq for seq in order if seq not in lost), *repeated]:
            harness.hub.sequencer.publish(message(seq))
            if random_.random() < 0.3:
                await asyncio.sleep(0)
        await wait_for_revs(ana, list(range(1, 9)))
        await wait_for_revs(bo, list(range(1, 9)))
        await harness.hub.stop()

    with patch.object(sequencer, "GAP_WAIT_S", 0.001):
        asyncio.run(run())


# Other effects


async def test_an_event_for_a_person_reaches_all_their_devices(harness: HubHarness) -> None:
    phone, laptop = await harness.enter("ana"), await harness.enter("ana")
    line, other = await harness.enter("ana", dialect="text"), await harness.enter("bo")
    with (
        harness.hub.resume_guard.track("ana") as pending,
        harness.hub.resume_guard.track("bo") as others,
    ):
        harness.hub.publish([ToPerson("ana", MeChanged(rev=4))])
        assert (pending.is_stale, others.is_stale) == (True, False)
    assert [len(events(client, "me")) for client in (phone, laptop, other)] == [1, 1, 0]
    assert not any("rev" in text for text in lines(line))


async def test_an_event_for_several_rooms_is_sent_once_to_each_client(harness: HubHarness) -> None:
    harness.stored["tea"] = []
    ana, bo = await harness.enter("ana", "lobby", "tea"), await harness.enter("bo", "tea")
    eva = await harness.enter("eva")
    event = UserChanged(user="max", display_name="Max")
    harness.hub.publish([ToRooms(("lobby", "tea", "nowhere"), event)])
    assert [len(events(client, "user")) for client in (ana, bo, eva)] == [1, 1, 1]
    harness.hub.publish([ToRooms(("tea",), event)])
    harness.hub.send_to_all(Notice(text="hi"))
    assert [len(events(client, "user")) for client in (ana, bo, eva)] == [2, 2, 1]
    assert [len(events(client, "notice")) for client in (ana, bo, eva)] == [1, 1, 1]


def member_joined(room: str, user: str, mrev: int, members: int = 2) -> MembershipChanged:
    event = MemberChanged(
        room=room, mrev=mrev, members=members, user=user, role=RoomRole.MEMBER, display_name=user
    )
    return MembershipChanged(room, event)


def member_left(room: str, user: str, mrev: int, members: int = 1) -> MembershipChanged:
    return MembershipChanged(room, MemberChanged(room=room, mrev=mrev, members=members, user=user))


async def test_every_json_device_of_a_new_member_is_attached(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    phone, line = harness.connect("bo"), harness.connect("bo", "text")
    harness.hub.publish([member_joined("lobby", "bo", 1)])
    harness.publish(message(1))
    await wait_for_revs(phone, [1])
    assert lines(line) == [], "a text client is only in the room it has chosen"
    assert [event["user"] for event in events(ana, "member")] == ["bo"]


async def test_a_new_member_of_a_room_without_clients_is_sent_its_head(
    harness: HubHarness,
) -> None:
    harness.store(message(1), message(2))
    phone = harness.connect("bo")
    harness.hub.publish([member_joined("lobby", "bo", 1)])
    await until(lambda: bool(events(phone, "behind")))
    assert events(phone, "behind") == [{"on": "behind", "rooms": {"lobby": {"seq": 2, "rev": 2}}}]
    harness.publish(message(3))
    await wait_for_revs(phone, [3])


async def test_a_removed_member_gets_no_more_events(harness: HubHarness) -> None:
    ana, phone, line = (
        await harness.enter("ana"),
        await harness.enter("bo"),
        await harness.enter("bo", dialect="text"),
    )
    harness.publish(message(1))
    await wait_for_revs(phone, [1])
    harness.hub.publish([member_left("lobby", "bo", 1)])
    harness.publish(message(2, text="among us"))
    await wait_for_revs(ana, [1, 2])
    await wait_for_revs(phone, [1])
    assert not any("among us" in text for text in lines(line))
    assert (handler(phone).removed_from, handler(line).removed_from, handler(ana).removed_from) == (
        ["lobby"],
        ["lobby"],
        [],
    )
    assert "bo" not in harness.room().people


async def test_an_outdated_membership_change_is_not_sent(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    harness.hub.publish([member_joined("lobby", "bo", 5), member_joined("lobby", "eva", 4)])
    await harness.drain()
    assert [event["mrev"] for event in events(ana, "member")] == [5]


async def test_in_a_large_room_the_number_of_members_is_sent(harness: HubHarness) -> None:
    harness.members["lobby"] = 500
    ana = await harness.enter("ana")
    harness.hub.publish([member_joined("lobby", f"user{n}", n, 500 + n) for n in range(1, 51)])
    await until(lambda: bool(events(ana, "member")))
    assert events(ana, "member") == [{"on": "member", "room": "lobby", "mrev": 50, "members": 550}]


async def test_clients_are_detached_from_a_deleted_room(harness: HubHarness) -> None:
    ana, bo = await harness.enter("ana"), await harness.enter("bo", dialect="text")
    harness.hub.publish([RoomGone("lobby"), RoomGone("nowhere")])
    assert (handler(ana).removed_from, handler(bo).removed_from) == (["lobby"], ["lobby"])
    assert (harness.hub.rooms, ana.rooms) == ({}, {})


async def test_an_ended_session_closes_its_sockets_and_no_others(harness: HubHarness) -> None:
    ended: list[tuple[str, ...]] = []
    harness.hub.on_sessions_ended = ended.append
    one, two = await harness.enter("ana", session="s1"), await harness.enter("ana", session="s2")
    bo = await harness.enter("bo", session="s3")
    harness.hub.publish([SessionsEnded("ana", ("s1", "s3"))])
    assert [handler(client).close_codes for client in (one, two, bo)] == [[4001], [], []]
    harness.hub.publish([SessionsEnded("", ("s3",))])
    assert [handler(client).close_codes for client in (one, two, bo)] == [[4001], [], [4001]]
    assert ended == [("s1", "s3"), ("s3",)]


async def test_a_person_whose_account_changes_is_disconnected(harness: HubHarness) -> None:
    changed: list[str] = []
    harness.hub.on_account_changed = changed.append
    ana, bo = await harness.enter("ana"), await harness.enter("bo")
    harness.hub.publish([AccountChanged("ana")])
    assert (handler(ana).close_codes, handler(bo).close_codes, changed) == ([4000], [], ["ana"])


async def test_the_goodbye_notice_follows_all_messages(harness: HubHarness) -> None:
    ana, bo = await harness.enter("ana"), await harness.enter("bo", dialect="text")
    harness.hub.publish([ToRoom("lobby", message(1))])
    harness.hub.say_goodbye(Notice(text="Bye.", retry_after=2.0), "* Bye.")
    assert [event["on"] for event in events(ana)][-2:] == ["message", "notice"]
    assert lines(bo)[-2:] == ["ana: hi", "* Bye."]
