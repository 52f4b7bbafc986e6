"""Messages in quick succession share their writes, and are never written out of order."""

import json
from collections.abc import Awaitable, Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.live.client import Client
from hubbub.live.delivery_queue import COALESCE_S, WAITING_BYTES_MAX, WAITING_FRAMES_MAX
from hubbub.model.outcome import RoomGone, SessionsEnded, ToPerson
from hubbub.model.reading import Notice
from hubbub.model.rooms import Removed
from tests.live.test_hub import member_joined, member_left
from tests.support.hub import (
    HIGH_WATER,
    HubHarness,
    clear,
    end_turn,
    events,
    handler,
    message,
    received,
    transport,
)
from tests.support.virtual_clock import VirtualClockLoop, run_on_virtual_clock

MS = 0.001
REPLY = b'{"re":1,"ok":{}}'


def on_virtual_clock(
    test: Callable[[VirtualClockLoop, HubHarness], Awaitable[None]],
) -> Callable[[], None]:
    """Run a test on a loop with a virtual clock, with a harness of its own."""

    def run() -> None:
        async def body(loop: VirtualClockLoop) -> None:
            harness = HubHarness()
            await test(loop, harness)
            await harness.hub.stop()

        run_on_virtual_clock(body)

    run.__doc__ = test.__doc__
    return run


def written_seqs(client: Client) -> list[int]:
    """The seq of each message that was written to this client."""
    return [event["seq"] for event in events(client, "message")]


def write_count(client: Client) -> int:
    return len(transport(client).writes)


@on_virtual_clock
async def test_a_lone_message_is_written_at_the_end_of_the_turn_without_a_timer(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    ana = await harness.enter("ana")
    await end_turn()
    clear(ana)
    before = loop.timers
    for seq in (1, 2, 3):
        harness.publish(message(seq))
        assert write_count(ana) == seq - 1
        await end_turn()
        assert write_count(ana) == seq
        await loop.advance(COALESCE_S)
    assert loop.timers == before


@on_virtual_clock
async def test_messages_in_quick_succession_share_their_writes_and_one_timer(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    harness.stored["tea"] = []
    ana, bo = await harness.enter("ana", "lobby", "tea"), await harness.enter("bo", "tea")
    await end_turn()
    clear(ana, bo)
    before = loop.timers
    harness.publish(message(1))
    await loop.advance(1 * MS)
    harness.publish(message(1, room="tea"))
    await loop.advance(1 * MS)
    assert (write_count(ana), write_count(bo)) == (2, 1)
    for seq in (2, 3, 4):
        harness.publish(message(seq), message(seq, room="tea"))
        await loop.advance(0.5 * MS)
    assert (write_count(ana), write_count(bo)) == (2, 1)
    await loop.advance(0.5 * MS)  # 4 ms after the first write
    assert (write_count(ana), write_count(bo)) == (4, 2)
    assert written_seqs(bo) == [1, 2, 3, 4]
    assert loop.timers == before + 1
    # From now on both rooms are due together.
    await loop.advance(1 * MS)
    harness.publish(message(5), message(5, room="tea"))
    await loop.advance(COALESCE_S - 1 * MS)
    assert (write_count(ana), write_count(bo)) == (6, 3)
    assert loop.timers == before + 2
    assert harness.hub.queue.deliveries == 15


@on_virtual_clock
async def test_a_room_that_is_due_does_not_wait_for_other_rooms(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    harness.stored["tea"] = []
    ana = await harness.enter("ana", "lobby", "tea")
    await end_turn()
    clear(ana)
    harness.publish(message(1))
    await loop.advance(3 * MS)
    harness.publish(message(1, room="tea"))
    await end_turn()
    harness.publish(message(2, room="tea"))
    await end_turn()
    harness.publish(message(2))
    await end_turn()
    assert write_count(ana) == 2
    await loop.advance(1 * MS)
    assert write_count(ana) == 4, "the lobby is due long before the other room"


@pytest.mark.parametrize("size", [1, WAITING_BYTES_MAX // 10])
def test_what_waits_in_a_room_is_bounded(size: int) -> None:
    async def body(loop: VirtualClockLoop) -> None:
        harness = HubHarness()
        ana = await harness.enter("ana")
        await end_turn()
        harness.publish(message(1))
        await end_turn()
        clear(ana)
        seq = 1
        while not write_count(ana):
            seq += 1
            harness.publish(message(seq, text="x" * size))
            await end_turn()
            assert len(harness.room().pending_json) <= WAITING_FRAMES_MAX
            assert sum(map(len, harness.room().pending_json)) <= WAITING_BYTES_MAX
        assert loop.now == 0
        assert written_seqs(ana) == list(range(2, seq + 1))
        assert seq > 5, "the messages before shared a write"
        await harness.hub.stop()

    run_on_virtual_clock(body)


@on_virtual_clock
async def test_a_reply_follows_earlier_messages_and_other_clients_keep_waiting(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    ana, bo = await harness.enter("ana"), await harness.enter("bo")
    await end_turn()
    harness.publish(message(1))
    await end_turn()
    harness.publish(message(2))
    await end_turn()
    clear(ana, bo)
    ana.send(REPLY)
    assert write_count(ana) == 1, "the reply shares a write with the message"
    assert (written_seqs(ana), received(ana)[-1]) == ([2], REPLY)
    harness.publish(message(3))
    await end_turn()
    ana.send(REPLY)
    ana.send(REPLY)
    assert written_seqs(ana) == [2, 3]
    assert received(ana)[-2:] == [REPLY, REPLY]
    harness.publish(message(4))
    assert write_count(bo) == 0
    await loop.advance(COALESCE_S)
    assert written_seqs(ana) == written_seqs(bo) == ([2, 3, 4])
    assert (write_count(ana), write_count(bo)) == (4, 1)
    assert harness.hub.queue.deliveries == 8


@on_virtual_clock
async def test_removed_follows_earlier_messages_and_no_later_ones_are_written(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    ana, bo = await harness.enter("ana"), await harness.enter("bo")
    line = await harness.enter("bo", dialect="text")
    await harness.drain()
    await loop.advance(COALESCE_S)
    for seq in (1, 2):
        harness.publish(message(seq))
        await end_turn()
    removed = Removed(room="lobby", rev=7, reason="kicked")
    harness.hub.publish([ToPerson("bo", removed), member_left("lobby", "bo", 1)])
    harness.publish(message(3))
    await loop.advance(COALESCE_S)
    kinds = [event["on"] for event in events(bo) if event["on"] != "presence"]
    assert kinds == ["message", "message", "removed"]
    assert [text for text in received(line) if text.startswith(b"ana: ")] == [b"ana: hi"] * 2
    assert written_seqs(ana) == [1, 2, 3]


@on_virtual_clock
async def test_a_client_that_is_closed_has_been_written_all_earlier_messages(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    ana, bo = await harness.enter("ana", session="s1"), await harness.enter("bo", session="s2")
    await end_turn()
    for seq in (1, 2):
        harness.publish(message(seq))
        await end_turn()
    # As the gateway does on close.
    handler(ana).close = lambda code, reason: harness.hub.disconnect(ana)  # type: ignore[method-assign]
    harness.hub.publish([SessionsEnded("ana", ("s1",))])
    assert written_seqs(ana) == [1, 2]
    harness.hub.say_goodbye(Notice(text="Bye.", retry_after=2.0), "* Bye.")
    assert [event["on"] for event in events(bo)][-2:] == ["message", "notice"]
    harness.publish(message(3))
    await harness.drain()
    assert written_seqs(ana) == [1, 2]
    assert written_seqs(bo) == [1, 2, 3]


@on_virtual_clock
async def test_nothing_waits_for_a_deleted_room_or_after_the_hub_has_stopped(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    harness.stored["tea"] = []
    ana = await harness.enter("ana", "lobby", "tea")
    await end_turn()
    for room in ("lobby", "tea"):
        for seq in (1, 2):
            harness.publish(message(seq, room=room))
            await end_turn()
    deleted = harness.room("tea")
    harness.hub.publish([RoomGone("tea")])
    assert [event["seq"] for event in events(ana, "message") if event["room"] == "tea"] == [1, 2]
    assert list(harness.hub.queue.waiting) == [harness.room()]
    assert deleted.pending_json == []
    harness.publish(message(3))
    await harness.hub.stop()
    clear(ana)
    await loop.advance(COALESCE_S)
    assert (write_count(ana), harness.hub.queue.waiting) == (0, {})


@on_virtual_clock
async def test_a_lagging_client_has_missed_exactly_what_it_was_not_written(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    plain, replied = (
        await harness.enter("ana", dialect="text"),
        await harness.enter("bo", dialect="text"),
    )
    done = await harness.enter("eva", dialect="text")
    await harness.drain()  # the presence lines
    await loop.advance(COALESCE_S)
    for seq in (1, 2):
        harness.publish(message(seq))
        await end_turn()
    replied.send(REPLY)
    harness.publish(message(3))
    await end_turn()
    done.send(REPLY)
    for client in (plain, replied, done):
        harness.set_buffered(client, HIGH_WATER + 1)
    replied.send(REPLY)
    await loop.advance(COALESCE_S)
    lines = [b"ana: hi"] * 3
    assert [text for text in received(plain) if text.startswith(b"ana: ")] == lines[:1]
    assert [text for text in received(replied) if text.startswith(b"ana: ")] == lines[:2]
    assert [text for text in received(done) if text.startswith(b"ana: ")] == lines
    assert (plain.missed, replied.missed, done.missed) == ({"lobby": 1}, {"lobby": 2}, {})


@on_virtual_clock
async def test_a_client_that_enters_gets_no_waiting_messages(
    loop: VirtualClockLoop, harness: HubHarness
) -> None:
    ana = await harness.enter("ana")
    await end_turn()
    for seq in (1, 2):
        harness.publish(message(seq))
        await end_turn()
    bo = harness.connect("bo")
    harness.hub.publish([member_joined("lobby", "bo", 1)])
    harness.publish(message(3))
    await harness.drain()
    assert (written_seqs(ana), written_seqs(bo)) == ([1, 2, 3], [3])


ROOMS = ("lobby", "tea", "den")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["post", "post", "wait", "reply", "enter", "leave", "close", "fill", "drain"]
        ),
        st.integers(0, 3),  # the client
        st.sampled_from(ROOMS),
        st.sampled_from([0, 1 * MS, 2.5 * MS, COALESCE_S]),
    ),
    min_size=20,  # or most would be short, and nothing would wait
    max_size=60,
)


class TrackedClient:
    """A client, and the messages that must still be written to it.

    ``due`` is room and seq → the number of the turn in which it was published, and the time.
    """

    def __init__(self, harness: HubHarness, client: Client) -> None:
        self.harness = harness
        self.client = client
        self.due: dict[tuple[str, int], tuple[int, float]] = {}
        self.published: set[tuple[str, int]] = set()
        self.replies: list[set[tuple[str, int]]] = []

    def written(self) -> list[tuple[str, int] | None]:
        """The messages that were written to it, in order; None stands for a reply."""
        frames = [json.loads(payload) for payload in received(self.client)]
        return [
            None if "re" in frame else (frame["room"], frame["seq"])
            for frame in frames
            if "re" in frame or frame["on"] == "message"
        ]

    def check_written(self, rooms: Iterable[str], *, before: int) -> None:
        """All messages published there before this turn are written; later ones need not be."""
        written = set(self.written())
        for (room, seq), (turn, _) in list(self.due.items()):
            if room in rooms:
                assert turn >= before or (room, seq) in written
                del self.due[room, seq]

    def reply(self, now: int) -> None:
        self.client.send(REPLY)
        if not self.client.is_lagging:
            self.replies.append({key for key, (turn, _) in self.due.items() if turn < now})
        else:
            self.replies.append(set())

    def drain(self) -> None:
        """Resume a lagging client; ``missed`` tells exactly which messages were left out."""
        self.harness.hub.queue.flush_rooms_of(self.client)
        written = set(self.written())
        for room, seq in list(self.due):
            missed = self.client.missed.get(room)
            assert ((room, seq) in written) == (missed is None or seq <= missed)
            del self.due[room, seq]
        self.harness.set_buffered(self.client, 0)
        self.harness.hub.backpressure.resume(self.client)

    def check(self) -> None:
        written = self.written()
        messages = [entry for entry in written if entry is not None]
        assert set(messages) <= self.published
        for room in ROOMS:
            seqs = [seq for message_room, seq in messages if message_room == room]
            assert seqs == sorted(set(seqs)), "in order, and each once"
        reply_indexes = [index for index, entry in enumerate(written) if entry is None]
        for index, earlier in zip(reply_indexes, self.replies, strict=True):
            assert earlier <= set(written[:index]), "a reply overtook messages of earlier turns"


class Simulation:
    """Takes steps in any order, and checks what is written."""

    def __init__(self, loop: VirtualClockLoop, harness: HubHarness) -> None:
        self.loop = loop
        self.harness = harness
        self.turn_number = 0
        self.last_seqs = dict.fromkeys(ROOMS, 0)
        self.tracked: list[TrackedClient] = []

    async def start(self) -> None:
        for room in ROOMS:
            self.harness.stored[room] = []
        for number in range(4):
            client = await self.harness.enter(f"user{number}", *ROOMS[: number + 1])
            self.tracked.append(TrackedClient(self.harness, client))

    async def step(self, step: str, tracked: TrackedClient, room: str, pause_s: float) -> None:
        client, hub = tracked.client, self.harness.hub
        is_attached = room in client.rooms
        if step == "post":
            self.publish_next(room)
        elif step == "wait":
            await self.advance(pause_s)
        elif step == "reply" and not client.closing:
            tracked.reply(self.turn_number)
        elif step == "enter" and not is_attached and not client.closing:
            hub.attach(client, await hub.load_room(room))
        elif step == "leave" and is_attached and not client.is_lagging:
            hub.detach(client, self.harness.room(room))
            tracked.check_written([room], before=self.turn_number)
        elif step == "close" and not client.closing and not client.is_lagging:
            hub.disconnect(client)
            tracked.check_written(ROOMS, before=self.turn_number)
        elif step == "fill" and not client.closing:
            self.harness.set_buffered(client, HIGH_WATER + 1)
        elif step == "drain" and client.is_lagging:
            tracked.drain()

    def publish_next(self, room: str) -> None:
        self.last_seqs[room] += 1
        seq = self.last_seqs[room]
        for tracked in self.tracked:
            if room in tracked.client.rooms:
                tracked.published.add((room, seq))
                tracked.due[room, seq] = (self.turn_number, self.loop.now)
        self.harness.publish(message(seq, room=room))

    async def advance(self, seconds: float) -> None:
        await self.loop.advance(seconds)
        self.turn_number += 1
        for tracked in self.tracked:
            written = set(tracked.written())
            late = {
                message_id
                for message_id, (_, at) in tracked.due.items()
                if self.loop.now - at >= COALESCE_S
            }
            assert tracked.client.is_lagging or late <= written, (
                "nothing waits longer than COALESCE_S"
            )

    async def end(self) -> None:
        await self.advance(COALESCE_S)
        for tracked in self.tracked:
            if tracked.client.is_lagging:
                tracked.drain()
            tracked.check()
        assert not self.harness.hub.queue.waiting


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_in_any_order_of_steps_each_message_is_delivered_once_in_order_and_in_time(
    steps: list[tuple[str, int, str, float]],
) -> None:
    async def body(loop: VirtualClockLoop) -> None:
        simulation = Simulation(loop, HubHarness())
        await simulation.start()
        await end_turn()
        for step, number, room, pause_s in steps:
            await simulation.step(step, simulation.tracked[number], room, pause_s)
        await simulation.end()
        await simulation.harness.hub.stop()

    run_on_virtual_clock(body)
