"""Whatever several people do to a room in whatever order, its numbers add up."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.model.accounts import OPERATOR, Actor
from hubbub.model.base import Command
from hubbub.model.messages import Changes, Delete, Edit, History, Message, Post, Posted
from hubbub.model.names import LOBBY
from hubbub.model.outcome import MembershipChanged, Told, ToRoom
from hubbub.model.rooms import CreateRoom, DeleteRoom, Invite, Join, Kick, Leave, UpdateRoom
from tests.actions.conftest import fresh
from tests.support.world import World, guest

ROOM = "tea"
NAMES = ["ana", "bo", "eva"]
GUEST = 3

who = st.integers(0, GUEST)
seqs = st.integers(1, 8)
texts = st.sampled_from(["one", "two", "@ana", "@bo @eva"])
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        Post,
        room=st.just(ROOM),
        text=texts,
        nonce=st.none() | st.sampled_from(["n1", "n2"]),
        reply_to=st.none() | seqs,
    ),
    st.builds(Post, room=st.sampled_from([ROOM, LOBBY]), text=texts),
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

# The state of everything in a room that has a rev: a message by its seq, the room itself as 0.
State = dict[int, object]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def chat(request: pytest.FixtureRequest) -> Iterator[World]:
    """One world for all examples; each begins with the room made anew."""
    world = World(fresh(request))
    yield world
    world.close()


@pytest.fixture(scope="module")
def actors(chat: World) -> list[Actor]:
    return [*chat.people(" ".join(NAMES)), guest()]


def key_of(event: object) -> int:
    return event.seq if isinstance(event, Message) else 0


class Onlooker:
    """Somebody who sees all that is told, and remembers how the room was after each change."""

    def __init__(self) -> None:
        self.now: State = {}
        self.after: list[State] = [{}]
        self.mrevs = [1]
        self.elsewhere = 0

    def hear(self, told: Told) -> None:
        if isinstance(told, ToRoom) and told.room == ROOM:
            assert told.event.rev == len(self.after), "each change has the next rev, told in order"
            self.now[key_of(told.event)] = told.event
            self.after.append(dict(self.now))
        elif isinstance(told, ToRoom):
            self.elsewhere += 1
        elif isinstance(told, MembershipChanged) and told.room == ROOM:
            self.mrevs.append(told.event.mrev)


def begin(chat: World, ana: Actor) -> int:
    """The room made anew; how many revs there have been before."""
    if chat.tx().room(ROOM):
        chat.do(OPERATOR, DeleteRoom(room=ROOM))
    chat.do(ana, CreateRoom(title=ROOM))
    return chat.tx().total_rev()


def assert_sync_is_the_difference(changes: Changes, before: State, now: State) -> None:
    news = {key_of(event): event for event in changes.events}
    assert len(news) == len(changes.events), "a sync tells each thing once"
    assert news == {key: event for key, event in now.items() if before.get(key) != event}
    assert before | news == now


@settings(max_examples=120, deadline=None)
@given(batches=BATCHES)
def test_after_any_commands_numbers_have_no_holes_and_every_sync_is_the_difference(
    chat: World, actors: list[Actor], batches: list[list[tuple[int, Command]]]
) -> None:
    revs_before = begin(chat, actors[0])
    seen = Onlooker()
    acks: dict[tuple[int, str], Posted] = {}
    for batch in batches:
        replies = chat.batch(*((actors[index], command) for index, command in batch))
        for (index, command), reply in zip(batch, replies, strict=True):
            if isinstance(command, Post) and isinstance(reply, Posted) and command.nonce:
                first = acks.setdefault((index, command.nonce), reply)
                assert reply.seq == first.seq, "a retry is answered by the first post"
        for told in chat.told:
            seen.hear(told)

    room = chat.tx().room(ROOM)
    assert room
    messages: list[Message] = chat.ask(actors[GUEST], History(room=ROOM, limit=200)).messages
    assert [message.seq for message in messages] == list(range(1, room.seq + 1))
    assert messages == [seen.now[key] for key in sorted(seen.now) if key]
    assert room.rev == len(seen.after) - 1
    assert seen.mrevs == list(range(1, room.mrev + 1))
    counted = "SELECT COUNT(*) FROM members JOIN rooms ON pk = room_pk WHERE id = 'tea'"
    assert chat.rows(counted) == [(room.members,)]
    assert chat.tx().total_rev() == revs_before + room.rev + seen.elsewhere

    for rev, before in enumerate(seen.after):
        changes = chat.sync(actors[GUEST], rev, ROOM)
        assert (changes.through, changes.more, changes.reset) == (room.rev, False, False)
        assert_sync_is_the_difference(changes, before, seen.now)
