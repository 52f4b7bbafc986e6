"""Messages close to each other share their writes, and nobody sees anything out of order."""

import json
from collections.abc import Awaitable, Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.live.client import Client
from hubbub.live.delivery_queue import SHARE_S, WAITING_BYTES_MAX, WAITING_FRAMES_MAX
from hubbub.model.outcome import RoomGone, SessionsEnded, ToPerson
from hubbub.model.reading import Notice
from hubbub.model.rooms import Removed
from tests.live.test_hub import joined, left
from tests.support.hub import (
    HIGH_WATER,
    Hall,
    door,
    events,
    forget,
    message,
    received,
    transport,
    turn,
)
from tests.support.virtual_clock import Clockwork, play

MS = 0.001
REPLY = b'{"re":1,"ok":{}}'


def scene(test: Callable[[Clockwork, Hall], Awaitable[None]]) -> Callable[[], None]:
    """A test on a loop with its own clock, in a hall of its own."""

    def run() -> None:
        async def body(loop: Clockwork) -> None:
            hall = Hall()
            await test(loop, hall)
            await hall.hub.stop()

        play(body)

    run.__doc__ = test.__doc__
    return run


def seen(client: Client) -> list[int]:
    """The seq of each message that was written to this client."""
    return [event["seq"] for event in events(client, "message")]


def writes(client: Client) -> int:
    return len(transport(client).writes)


@scene
async def test_a_lone_message_is_written_at_the_end_of_the_turn_and_meets_no_timer(
    loop: Clockwork, hall: Hall
) -> None:
    ana = await hall.come("ana")
    await turn()
    forget(ana)
    before = loop.timers
    for seq in (1, 2, 3):
        hall.say(message(seq))
        assert writes(ana) == seq - 1
        await turn()
        assert writes(ana) == seq
        await loop.passes(SHARE_S)
    assert loop.timers == before


@scene
async def test_messages_close_to_each_other_share_their_writes_and_one_timer(
    loop: Clockwork, hall: Hall
) -> None:
    hall.stored["tea"] = []
    ana, bo = await hall.come("ana", "lobby", "tea"), await hall.come("bo", "tea")
    await turn()
    forget(ana, bo)
    before = loop.timers
    hall.say(message(1))
    await loop.passes(1 * MS)
    hall.say(message(1, room="tea"))
    await loop.passes(1 * MS)
    assert (writes(ana), writes(bo)) == (2, 1)
    for seq in (2, 3, 4):
        hall.say(message(seq), message(seq, room="tea"))
        await loop.passes(0.5 * MS)
    assert (writes(ana), writes(bo)) == (2, 1)
    await loop.passes(0.5 * MS)  # since the first was written: 4 ms
    assert (writes(ana), writes(bo)) == (4, 2)
    assert seen(bo) == [1, 2, 3, 4]
    assert loop.timers == before + 1
    # Both rooms are due together now.
    await loop.passes(1 * MS)
    hall.say(message(5), message(5, room="tea"))
    await loop.passes(SHARE_S - 1 * MS)
    assert (writes(ana), writes(bo)) == (6, 3)
    assert loop.timers == before + 2
    assert hall.hub.queue.deliveries == 15


@scene
async def test_who_has_waited_least_is_not_waited_for(loop: Clockwork, hall: Hall) -> None:
    hall.stored["tea"] = []
    ana = await hall.come("ana", "lobby", "tea")
    await turn()
    forget(ana)
    hall.say(message(1))
    await loop.passes(3 * MS)
    hall.say(message(1, room="tea"))
    await turn()
    hall.say(message(2, room="tea"))
    await turn()
    hall.say(message(2))
    await turn()
    assert writes(ana) == 2
    await loop.passes(1 * MS)
    assert writes(ana) == 4, "the lobby is due, long before the other room"


@pytest.mark.parametrize("size", [1, WAITING_BYTES_MAX // 10])
def test_what_waits_in_a_room_is_bounded(size: int) -> None:
    async def body(loop: Clockwork) -> None:
        hall = Hall()
        ana = await hall.come("ana")
        await turn()
        hall.say(message(1))
        await turn()
        forget(ana)
        seq = 1
        while not writes(ana):
            seq += 1
            hall.say(message(seq, text="x" * size))
            await turn()
            assert len(hall.room().pending_json) <= WAITING_FRAMES_MAX
            assert sum(map(len, hall.room().pending_json)) <= WAITING_BYTES_MAX
        assert loop.now == 0
        assert seen(ana) == list(range(2, seq + 1))
        assert seq > 5, "they waited for each other before that"
        await hall.hub.stop()

    play(body)


@scene
async def test_a_reply_comes_after_what_was_shown_before_and_the_others_go_on_waiting(
    loop: Clockwork, hall: Hall
) -> None:
    ana, bo = await hall.come("ana"), await hall.come("bo")
    await turn()
    hall.say(message(1))
    await turn()
    hall.say(message(2))
    await turn()
    forget(ana, bo)
    ana.send(REPLY)
    assert writes(ana) == 1, "with one write"
    assert (seen(ana), received(ana)[-1]) == ([2], REPLY)
    hall.say(message(3))
    await turn()
    ana.send(REPLY)
    ana.send(REPLY)
    assert seen(ana) == [2, 3]
    assert received(ana)[-2:] == [REPLY, REPLY]
    hall.say(message(4))
    assert writes(bo) == 0
    await loop.passes(SHARE_S)
    assert seen(ana) == seen(bo) == ([2, 3, 4])
    assert (writes(ana), writes(bo)) == (4, 1)
    assert hall.hub.queue.deliveries == 8


@scene
async def test_removed_comes_after_what_was_said_before_and_nothing_after_it(
    loop: Clockwork, hall: Hall
) -> None:
    ana, bo = await hall.come("ana"), await hall.come("bo")
    line = await hall.come("bo", dialect="text")
    await hall.written()
    await loop.passes(SHARE_S)
    for seq in (1, 2):
        hall.say(message(seq))
        await turn()
    removed = Removed(room="lobby", rev=7, reason="kicked")
    hall.hub.tell([ToPerson("bo", removed), left("lobby", "bo", 1)])
    hall.say(message(3))
    await loop.passes(SHARE_S)
    told = [event["on"] for event in events(bo) if event["on"] != "presence"]
    assert told == ["message", "message", "removed"]
    assert [text for text in received(line) if text.startswith(b"ana: ")] == [b"ana: hi"] * 2
    assert seen(ana) == [1, 2, 3]


@scene
async def test_whoever_is_closed_has_been_given_what_was_said_before(
    loop: Clockwork, hall: Hall
) -> None:
    ana, bo = await hall.come("ana", session="s1"), await hall.come("bo", session="s2")
    await turn()
    for seq in (1, 2):
        hall.say(message(seq))
        await turn()
    # As the gateway does.
    door(ana).close = lambda code, reason: hall.hub.disconnect(ana)  # type: ignore[method-assign]
    hall.hub.tell([SessionsEnded("ana", ("s1",))])
    assert seen(ana) == [1, 2]
    hall.hub.say_goodbye(Notice(text="Bye.", retry_after=2.0), "* Bye.")
    assert [event["on"] for event in events(bo)][-2:] == ["message", "notice"]
    hall.say(message(3))
    await hall.written()
    assert seen(ana) == [1, 2]
    assert seen(bo) == [1, 2, 3]


@scene
async def test_nothing_is_left_of_a_room_that_is_gone_or_of_a_hub_that_stops(
    loop: Clockwork, hall: Hall
) -> None:
    hall.stored["tea"] = []
    ana = await hall.come("ana", "lobby", "tea")
    await turn()
    for room in ("lobby", "tea"):
        for seq in (1, 2):
            hall.say(message(seq, room=room))
            await turn()
    gone = hall.room("tea")
    hall.hub.tell([RoomGone("tea")])
    assert [event["seq"] for event in events(ana, "message") if event["room"] == "tea"] == [1, 2]
    assert list(hall.hub.queue.waiting) == [hall.room()]
    assert gone.pending_json == []
    hall.say(message(3))
    await hall.hub.stop()
    forget(ana)
    await loop.passes(SHARE_S)
    assert (writes(ana), hall.hub.queue.waiting) == (0, {})


@scene
async def test_whoever_falls_behind_missed_just_what_it_was_not_given(
    loop: Clockwork, hall: Hall
) -> None:
    plain, replied = await hall.come("ana", dialect="text"), await hall.come("bo", dialect="text")
    done = await hall.come("eva", dialect="text")
    await hall.written()  # that they are here
    await loop.passes(SHARE_S)
    for seq in (1, 2):
        hall.say(message(seq))
        await turn()
    replied.send(REPLY)
    hall.say(message(3))
    await turn()
    done.send(REPLY)
    for client in (plain, replied, done):
        hall.waits(client, HIGH_WATER + 1)
    replied.send(REPLY)
    await loop.passes(SHARE_S)
    said = [b"ana: hi"] * 3
    assert [text for text in received(plain) if text.startswith(b"ana: ")] == said[:1]
    assert [text for text in received(replied) if text.startswith(b"ana: ")] == said[:2]
    assert [text for text in received(done) if text.startswith(b"ana: ")] == said
    assert (plain.missed, replied.missed, done.missed) == ({"lobby": 1}, {"lobby": 2}, {})


@scene
async def test_whoever_comes_in_hears_nothing_of_what_waits(loop: Clockwork, hall: Hall) -> None:
    ana = await hall.come("ana")
    await turn()
    for seq in (1, 2):
        hall.say(message(seq))
        await turn()
    bo = hall.client("bo")
    hall.hub.tell([joined("lobby", "bo", 1)])
    hall.say(message(3))
    await hall.written()
    assert (seen(ana), seen(bo)) == ([1, 2, 3], [3])


ROOMS = ("lobby", "tea", "den")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["say", "say", "turn", "reply", "come", "leave", "close", "fill", "drain"]),
        st.integers(0, 3),  # whose turn it is
        st.sampled_from(ROOMS),
        st.sampled_from([0, 1 * MS, 2.5 * MS, SHARE_S]),
    ),
    min_size=20,  # or most would be short, and nothing would wait
    max_size=60,
)


class Watched:
    """A client, and what it is owed: room and seq → the number of the turn, and the time."""

    def __init__(self, hall: Hall, client: Client) -> None:
        self.hall = hall
        self.client = client
        self.owed: dict[tuple[str, int], tuple[int, float]] = {}
        self.shown: set[tuple[str, int]] = set()
        self.replies: list[set[tuple[str, int]]] = []

    def heard(self) -> list[tuple[str, int] | None]:
        """The frames that it was given, in order; None stands for a reply."""
        found = [json.loads(payload) for payload in received(self.client)]
        return [
            None if "re" in one else (one["room"], one["seq"])
            for one in found
            if "re" in one or one["on"] == "message"
        ]

    def must_have(self, rooms: Iterable[str], *, before: int) -> None:
        """Whatever was shown there before this turn has been written; the rest is not owed."""
        heard = set(self.heard())
        for (room, seq), (turn_, _) in list(self.owed.items()):
            if room in rooms:
                assert turn_ >= before or (room, seq) in heard
                del self.owed[room, seq]

    def reply(self, now: int) -> None:
        self.client.send(REPLY)
        if not self.client.behind:
            self.replies.append({one for one, (turn_, _) in self.owed.items() if turn_ < now})
        else:
            self.replies.append(set())

    def drain(self) -> None:
        """It has read on: what it did not get is what it is said to have missed."""
        self.hall.hub.queue.settle_rooms_of(self.client)
        heard = set(self.heard())
        for room, seq in list(self.owed):
            missed = self.client.missed.get(room)
            assert ((room, seq) in heard) == (missed is None or seq <= missed)
            del self.owed[room, seq]
        self.hall.waits(self.client, 0)
        self.hall.hub.backpressure.caught_up(self.client)

    def judge(self) -> None:
        heard = self.heard()
        messages = [one for one in heard if one is not None]
        assert set(messages) <= self.shown
        for room in ROOMS:
            seqs = [seq for where, seq in messages if where == room]
            assert seqs == sorted(set(seqs)), "in order, and each once"
        places = [at for at, one in enumerate(heard) if one is None]
        for at, earlier in zip(places, self.replies, strict=True):
            assert earlier <= set(heard[:at]), "a reply overtook what was shown turns ago"


class Play:
    """Steps that come in any order."""

    def __init__(self, loop: Clockwork, hall: Hall) -> None:
        self.loop = loop
        self.hall = hall
        self.turn = 0
        self.said = dict.fromkeys(ROOMS, 0)
        self.all: list[Watched] = []

    async def begin(self) -> None:
        for room in ROOMS:
            self.hall.stored[room] = []
        for number in range(4):
            client = await self.hall.come(f"user{number}", *ROOMS[: number + 1])
            self.all.append(Watched(self.hall, client))

    async def step(self, what: str, one: Watched, room: str, pause_s: float) -> None:
        client, hub = one.client, self.hall.hub
        is_in = room in client.rooms
        if what == "say":
            self.say(room)
        elif what == "turn":
            await self.passes(pause_s)
        elif what == "reply" and not client.closing:
            one.reply(self.turn)
        elif what == "come" and not is_in and not client.closing:
            hub.attach(client, await hub.room(room))
        elif what == "leave" and is_in and not client.behind:
            hub.detach(client, self.hall.room(room))
            one.must_have([room], before=self.turn)
        elif what == "close" and not client.closing and not client.behind:
            hub.disconnect(client)
            one.must_have(ROOMS, before=self.turn)
        elif what == "fill" and not client.closing:
            self.hall.waits(client, HIGH_WATER + 1)
        elif what == "drain" and client.behind:
            one.drain()

    def say(self, room: str) -> None:
        self.said[room] += 1
        seq = self.said[room]
        for one in self.all:
            if room in one.client.rooms:
                one.shown.add((room, seq))
                one.owed[room, seq] = (self.turn, self.loop.now)
        self.hall.say(message(seq, room=room))

    async def passes(self, seconds: float) -> None:
        await self.loop.passes(seconds)
        self.turn += 1
        for one in self.all:
            heard = set(one.heard())
            late = {what for what, (_, at) in one.owed.items() if self.loop.now - at >= SHARE_S}
            assert one.client.behind or late <= heard, "nothing waits longer than that"

    async def end(self) -> None:
        await self.passes(SHARE_S)
        for one in self.all:
            if one.client.behind:
                one.drain()
            one.judge()
        assert not self.hall.hub.queue.waiting


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_all_get_what_was_shown_to_them_once_in_order_and_in_time(
    steps: list[tuple[str, int, str, float]],
) -> None:
    async def body(loop: Clockwork) -> None:
        playing = Play(loop, Hall())
        await playing.begin()
        await turn()
        for what, number, room, pause_s in steps:
            await playing.step(what, playing.all[number], room, pause_s)
        await playing.end()
        await playing.hall.hub.stop()

    play(body)
