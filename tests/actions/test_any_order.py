"""Whatever several people do to a room in whatever order, its numbers add up."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hubbub.model.accounts import OPERATOR, Actor
from hubbub.model.base import Command
from hubbub.model.marks import Marks, Pin, React, marks_in
from hubbub.model.messages import Changes, Delete, Edit, History, Message, Post, Posted
from hubbub.model.names import LOBBY
from hubbub.model.outcome import Effect, MembershipChanged, ToRoom
from hubbub.model.quotas import UNBOUND
from hubbub.model.rooms import CreateRoom, DeleteRoom, Invite, Join, Kick, Leave, UpdateRoom
from tests.actions.conftest import fresh
from tests.support.soak import tries
from tests.support.world import World, guest

ROOM = "tea"
NAMES = ["ana", "bo", "eva"]
GUEST = 3

who = st.integers(0, GUEST)
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
# What one transaction holds; a batch is what happened to wait at the same time.
BATCHES = st.lists(st.lists(st.tuples(who, COMMANDS), min_size=1, max_size=6), max_size=8)

# The state of everything in a room that has a rev: a message with its marks by its seq, the room
# itself as 0.
State = dict[int, object]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def chat(request: pytest.FixtureRequest) -> Iterator[World]:
    """One world for all examples; each begins with the room made anew."""
    world = World(fresh(request))
    world.quotas = UNBOUND
    yield world
    world.close()


@pytest.fixture(scope="module")
def actors(chat: World) -> list[Actor]:
    return [*chat.people(" ".join(NAMES)), guest()]


def applied(state: State, event: object) -> State:
    """The state after this event, by the rule that clients follow."""
    if isinstance(event, Marks):
        message = state[event.seq]
        assert isinstance(message, Message)
        if event.rev <= max(message.rev, message.marks_rev):
            return state
        return state | {event.seq: replace(message, marks_rev=event.rev, **marks_in(event))}
    return state | {event.seq if isinstance(event, Message) else 0: event}


class Onlooker:
    """Somebody who sees all that is told, and remembers how the room was after each change."""

    def __init__(self) -> None:
        self.now: State = {}
        self.after: list[State] = [{}]
        self.mrevs = [1]
        self.remote = 0

    def hear(self, effects: Effect) -> None:
        if isinstance(effects, ToRoom) and effects.room == ROOM:
            assert effects.event.rev == len(self.after), (
                "each change has the next rev, told in order"
            )
            self.now = applied(self.now, effects.event)
            self.after.append(self.now)
        elif isinstance(effects, ToRoom):
            self.remote += 1
        elif isinstance(effects, MembershipChanged) and effects.room == ROOM:
            self.mrevs.append(effects.event.mrev)


def begin(chat: World, ana: Actor) -> int:
    """The room made anew; how many revs there have been before."""
    if chat.tx().room(ROOM):
        chat.do(OPERATOR, DeleteRoom(room=ROOM))
    chat.do(ana, CreateRoom(title=ROOM))
    return chat.tx().total_rev()


def assert_sync_is_the_difference(changes: Changes, before: State, now: State) -> None:
    effects = [(type(event), getattr(event, "seq", 0)) for event in changes.events]
    assert len(set(effects)) == len(effects), "a sync tells each thing once"
    assert {seq for _, seq in effects} == {key for key in now if before.get(key) != now[key]}
    found = before
    for event in changes.events:
        found = applied(found, event)
    assert found == now


def assert_all_is_counted(chat: World) -> None:
    """Members of the room and of its threads, who are all members of the room."""
    counted = (
        "SELECT id, members, (SELECT COUNT(*) FROM members WHERE room_pk = pk) FROM rooms"
        " WHERE id LIKE 'tea%'"
    )
    for name, said, real in chat.rows(counted):
        assert said == real, name
    strangers = (
        "SELECT COUNT(*) FROM members JOIN rooms ON pk = room_pk WHERE parent_pk IS NOT NULL AND"
        " NOT EXISTS (SELECT 1 FROM members AS m WHERE m.room_pk = parent_pk"
        " AND m.user_id = members.user_id)"
    )
    assert chat.rows(strangers) == [(0,)]


def assert_marks_tell_what_the_tables_have(chat: World, messages: list[Message]) -> None:
    reacted = chat.rows(
        "SELECT reactions.seq, emoji FROM reactions JOIN rooms ON pk = room_pk WHERE id = 'tea'"
    )
    effects = [
        (one.seq, reaction.emoji)
        for one in messages
        for reaction in one.reactions
        for _ in range(reaction.count)
    ]
    assert sorted(effects) == sorted(reacted)
    assert all(
        len(reaction.names) == reaction.count for one in messages for reaction in one.reactions
    )
    pinned = "SELECT pins.seq FROM pins JOIN rooms ON pk = room_pk WHERE id = 'tea'"
    assert {one.seq for one in messages if one.pinned} == {seq for (seq,) in chat.rows(pinned)}
    answers = (
        "SELECT parent_seq, (SELECT COUNT(*) FROM messages WHERE room_pk = pk AND deleted = 0)"
        " FROM rooms WHERE parent_pk = (SELECT pk FROM rooms WHERE id = 'tea')"
    )
    counted = {seq: count for seq, count in chat.rows(answers) if count}
    assert {one.seq: one.replies for one in messages if one.replies} == counted


@settings(max_examples=tries(40, many=1_000), deadline=None)
@given(batches=BATCHES)
def test_after_any_commands_numbers_have_no_holes_and_every_sync_is_the_difference(
    chat: World, actors: list[Actor], batches: list[list[tuple[int, Command]]]
) -> None:
    revs_before = begin(chat, actors[0])
    seen = Onlooker()
    acks: dict[tuple[int, str, str], Posted] = {}
    for batch in batches:
        replies = chat.batch(*((actors[index], command) for index, command in batch))
        for (index, command), reply in zip(batch, replies, strict=True):
            if isinstance(command, Post) and isinstance(reply, Posted) and command.nonce:
                first = acks.setdefault((index, command.room, command.nonce), reply)
                assert reply.seq == first.seq, "a retry is answered by the first post"
        for effects in chat.effects:
            seen.hear(effects)

    room = chat.tx().room(ROOM)
    assert room
    messages: list[Message] = chat.ask(actors[GUEST], History(room=ROOM, limit=200)).messages
    assert [message.seq for message in messages] == list(range(1, room.seq + 1))
    assert messages == [seen.now[key] for key in sorted(seen.now) if key]
    assert room.rev == len(seen.after) - 1
    assert seen.mrevs == list(range(1, room.mrev + 1))
    assert_all_is_counted(chat)
    assert chat.tx().total_rev() == revs_before + room.rev + seen.remote

    assert_marks_tell_what_the_tables_have(chat, messages)
    for rev, before in enumerate(seen.after):
        changes = chat.sync(actors[GUEST], rev, ROOM)
        assert (changes.through, changes.more, changes.reset) == (room.rev, False, False)
        assert_sync_is_the_difference(changes, before, seen.now)
