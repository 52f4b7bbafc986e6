"""Random commands of several people in random order keep a room's counters consistent."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hubbub.model.accounts import OPERATOR, Actor
from hubbub.model.base import Command
from hubbub.model.marks import Marks, Pin, React, marks_of
from hubbub.model.messages import Changes, Delete, Edit, History, Message, Post, Posted
from hubbub.model.names import LOBBY
from hubbub.model.outcome import Effect, MembershipChanged, ToRoom
from hubbub.model.quotas import MAXIMUM_QUOTAS
from hubbub.model.rooms import CreateRoom, DeleteRoom, Invite, Join, Kick, Leave, UpdateRoom
from tests.actions.conftest import empty_database
from tests.support.soak import tries
from tests.support.world import World, guest

ROOM = "tea"
NAMES = ["ana", "bo", "eva"]
GUEST = 3

actor_indexes = st.integers(0, GUEST)
seqs = st.integers(1, 8)
texts = st.sampled_from(["one", "two", "@ana", "@bo @eva", "@room"])
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        Post,
        room=st.just(ROOM),
        text=texts,
        nonce=st.none() | st.sampled_from(["n1", "n2"]),
        reply_to=st.none() | seqs,
    ),
    st.builds(Post, room=st.sampled_from([ROOM, LOBBY]), text=texts),
    st.builds(
        Post,
        room=st.sampled_from([f"{ROOM}.1", f"{ROOM}.2"]),
        text=texts,
        nonce=st.none() | st.sampled_from(["n1", "n2"]),
        also_in_room=st.booleans(),
    ),
    st.builds(Delete, room=st.just(f"{ROOM}.1"), seq=st.integers(1, 3)),
    st.builds(Join, room=st.just(f"{ROOM}.1")),
    st.builds(Leave, room=st.just(f"{ROOM}.1")),
    st.builds(
        React,
        room=st.just(ROOM),
        seq=st.integers(1, 4),
        emoji=st.sampled_from("👍🎉"),
        on=st.booleans(),
    ),
    st.builds(Pin, room=st.just(ROOM), seq=st.integers(1, 4), on=st.booleans()),
    st.builds(Edit, room=st.just(ROOM), seq=seqs, text=texts),
    st.builds(Delete, room=st.just(ROOM), seq=seqs),
    st.builds(Join, room=st.just(ROOM)),
    st.builds(Leave, room=st.just(ROOM)),
    st.builds(Invite, room=st.just(ROOM), user=st.sampled_from(NAMES)),
    st.builds(Kick, room=st.just(ROOM), user=st.sampled_from(NAMES)),
    st.builds(UpdateRoom, room=st.just(ROOM), topic=st.sampled_from(["", "Leaves"])),
)
# Each batch is executed in one transaction.
BATCHES = st.lists(st.lists(st.tuples(actor_indexes, COMMANDS), min_size=1, max_size=6), max_size=8)

# The state of everything in a room that has a rev: messages with their marks by seq, and the
# room's own state under 0.
State = dict[int, object]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def chat(request: pytest.FixtureRequest) -> Iterator[World]:
    """One world for all examples; each example creates the room again."""
    world = World(empty_database(request))
    world.quotas = MAXIMUM_QUOTAS
    yield world
    world.close()


@pytest.fixture(scope="module")
def actors(chat: World) -> list[Actor]:
    return [*chat.people(" ".join(NAMES)), guest()]


def apply_event(state: State, event: object) -> State:
    """The state after this event, by the rule that clients follow (see the protocol)."""
    if isinstance(event, Marks):
        message = state[event.seq]
        assert isinstance(message, Message)
        if event.rev <= max(message.rev, message.marks_rev):
            return state
        return state | {event.seq: replace(message, marks_rev=event.rev, **marks_of(event))}
    return state | {event.seq if isinstance(event, Message) else 0: event}


class EventRecorder:
    """Applies all events of the room, and keeps its state after each change."""

    def __init__(self) -> None:
        self.state: State = {}
        self.history: list[State] = [{}]
        self.mrevs = [1]
        self.events_elsewhere = 0

    def record(self, effect: Effect) -> None:
        if isinstance(effect, ToRoom) and effect.room == ROOM:
            assert effect.event.rev == len(self.history), "each change has the next rev, in order"
            self.state = apply_event(self.state, effect.event)
            self.history.append(self.state)
        elif isinstance(effect, ToRoom):
            self.events_elsewhere += 1
        elif isinstance(effect, MembershipChanged) and effect.room == ROOM:
            self.mrevs.append(effect.event.mrev)


def recreate_room(chat: World, ana: Actor) -> int:
    """Delete and create the room; returns the total number of revs so far."""
    if chat.tx().room(ROOM):
        chat.do(OPERATOR, DeleteRoom(room=ROOM))
    chat.do(ana, CreateRoom(title=ROOM))
    return chat.tx().total_rev()


def assert_sync_is_the_difference(changes: Changes, before: State, now: State) -> None:
    changed = [(type(event), getattr(event, "seq", 0)) for event in changes.events]
    assert len(set(changed)) == len(changed), "a sync sends each message and mark once"
    assert {seq for _, seq in changed} == {key for key in now if before.get(key) != now[key]}
    state = before
    for event in changes.events:
        state = apply_event(state, event)
    assert state == now


def assert_member_counts_match(chat: World) -> None:
    """The member counts of the room and its threads are right, and followers are members."""
    counted = (
        "SELECT id, members, (SELECT COUNT(*) FROM members WHERE room_pk = pk) FROM rooms"
        " WHERE id LIKE 'tea%'"
    )
    for room, stored, actual in chat.rows(counted):
        assert stored == actual, room
    non_members = (
        "SELECT COUNT(*) FROM members JOIN rooms ON pk = room_pk WHERE parent_pk IS NOT NULL AND"
        " NOT EXISTS (SELECT 1 FROM members AS m WHERE m.room_pk = parent_pk"
        " AND m.user_id = members.user_id)"
    )
    assert chat.rows(non_members) == [(0,)]


def assert_marks_match_the_tables(chat: World, messages: list[Message]) -> None:
    reacted = chat.rows(
        "SELECT reactions.seq, emoji FROM reactions JOIN rooms ON pk = room_pk WHERE id = 'tea'"
    )
    reactions = [
        (message.seq, reaction.emoji)
        for message in messages
        for reaction in message.reactions
        for _ in range(reaction.count)
    ]
    assert sorted(reactions) == sorted(reacted)
    assert all(
        len(reaction.names) == reaction.count for one in messages for reaction in one.reactions
    )
    pinned = "SELECT pins.seq FROM pins JOIN rooms ON pk = room_pk WHERE id = 'tea'"
    assert {one.seq for one in messages if one.pinned} == {seq for (seq,) in chat.rows(pinned)}
    replies = (
        "SELECT parent_seq, (SELECT COUNT(*) FROM messages WHERE room_pk = pk AND deleted = 0)"
        " FROM rooms WHERE parent_pk = (SELECT pk FROM rooms WHERE id = 'tea')"
    )
    counted = {seq: count for seq, count in chat.rows(replies) if count}
    assert {one.seq: one.replies for one in messages if one.replies} == counted


@settings(max_examples=tries(40, many=1_000), deadline=None)
@given(batches=BATCHES)
def test_after_any_commands_revs_have_no_gaps_and_every_sync_is_the_difference(
    chat: World, actors: list[Actor], batches: list[list[tuple[int, Command]]]
) -> None:
    revs_before = recreate_room(chat, actors[0])
    recorder = EventRecorder()
    acks: dict[tuple[int, str, str], Posted] = {}
    for batch in batches:
        replies = chat.batch(*((actors[index], command) for index, command in batch))
        for (index, command), reply in zip(batch, replies, strict=True):
            if isinstance(command, Post) and isinstance(reply, Posted) and command.nonce:
                first = acks.setdefault((index, command.room, command.nonce), reply)
                assert reply.seq == first.seq, "a retry gets the first acknowledgement"
        for effect in chat.effects:
            recorder.record(effect)

    room = chat.tx().room(ROOM)
    assert room
    messages: list[Message] = chat.ask(actors[GUEST], History(room=ROOM, limit=200)).messages
    assert [message.seq for message in messages] == list(range(1, room.seq + 1))
    assert messages == [recorder.state[key] for key in sorted(recorder.state) if key]
    assert room.rev == len(recorder.history) - 1
    assert recorder.mrevs == list(range(1, room.mrev + 1))
    assert_member_counts_match(chat)
    assert chat.tx().total_rev() == revs_before + room.rev + recorder.events_elsewhere

    assert_marks_match_the_tables(chat, messages)
    for rev, before in enumerate(recorder.history):
        changes = chat.sync(actors[GUEST], rev, ROOM)
        assert (changes.through, changes.more, changes.reset) == (room.rev, False, False)
        assert_sync_is_the_difference(changes, before, recorder.state)
