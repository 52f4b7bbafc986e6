"""Reactions and pins: what they tell, how much of it, and what they may not do."""

import msgspec
import pytest

from hubbub.model.errors import Conflict, Forbidden, Invalid, NotFound, NotMember
from hubbub.model.marks import (
    NAMES_BYTES,
    NAMES_MAX,
    NAMES_PER_EMOJI,
    Marks,
    Pin,
    Pins,
    React,
    Reactions,
)
from hubbub.model.messages import History, Reaction
from hubbub.model.outcome import ToRoom
from hubbub.model.quotas import USUAL, Quotas
from hubbub.model.rooms import CreateRoom, UpdateRoom
from hubbub.wire import json
from tests.support.world import World, guest

# Some that are as long as emoji get: families, flags and people with two skin tones.
LONG = ["👩🏻‍❤️‍💋‍👨🏿", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🧑🏽‍🤝‍🧑🏿"]


def told(world: World) -> Marks:
    """What everyone was told by the last command."""
    [one] = world.effects
    assert isinstance(one, ToRoom)
    assert isinstance(one.event, Marks)
    return one.event


def react(world: World, who: object, emoji: str = "👍", *, on: bool = True, seq: int = 1) -> int:
    return int(world.do(who, React(room="lobby", seq=seq, emoji=emoji, on=on)).rev)  # type: ignore[arg-type]


def test_a_reaction_is_told_with_who_and_without_the_text(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "x" * 16_000)
    assert react(world, bo) == 2
    event = told(world)
    assert event.reactions == (Reaction("👍", 1, ("bo",)),)
    assert (event.rev, event.seq) == (2, 1)
    assert event.last
    assert (event.last.by, event.last.did, event.last.emoji) == ("bo", "react", "👍")
    assert len(json.event(event)) < 200


def test_the_same_again_changes_nothing_and_is_answered_alike(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    first = react(world, bo)
    assert react(world, bo) == first
    assert world.effects == []
    react(world, bo, on=False)
    assert told(world).reactions == ()
    assert react(world, bo, on=False) == 3
    assert world.effects == []


def test_one_emoji_is_one_however_it_was_typed(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    react(world, ana, "❤")
    react(world, bo, "❤️")
    assert told(world).reactions == (Reaction("❤️", 2, ("ana", "bo")),)


@pytest.mark.parametrize(
    "text", ["a", "1", "👍👍", "🏽", "🇦", ":+1:", " 👍", "<b>", "\u200d", "👍" * 30]
)
def test_what_is_no_emoji_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="one emoji"):
        React(room="lobby", seq=1, emoji=text)


@pytest.mark.parametrize("text", ["👍", "👍🏽", "🇩🇪", "1️⃣", "🏳️‍🌈", *LONG])
def test_what_unicode_lists_is_an_emoji(text: str) -> None:
    assert React(room="lobby", seq=1, emoji=text).emoji == text


def test_different_reactions_have_a_bound_and_those_that_are_there_go_on(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    most = USUAL.reactions_per_message
    for code in range(most):
        react(world, ana, chr(0x1F600 + code))
    with pytest.raises(Conflict, match=f"at most {most}"):
        react(world, bo, "👍")
    react(world, bo, chr(0x1F600))
    react(world, ana, chr(0x1F601), on=False)
    react(world, bo, "👍")
    assert len(told(world).reactions) == most


def test_however_many_react_the_event_stays_small_and_counts_all(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    people = [world.account(f"somebody-with-a-long-name-{n}") for n in range(60)]
    for nth, one in enumerate(people):
        react(world, one, "🎉")
        react(world, one, LONG[nth % len(LONG)])
    event = told(world)
    assert [reaction.count for reaction in event.reactions] == [60, 15, 15, 15, 15]
    names = [name for reaction in event.reactions for name in reaction.names]
    assert len(names) <= NAMES_MAX
    assert sum(len(name) + 3 for name in names) <= NAMES_BYTES
    assert len(json.event(event)) < 1_024
    page = world.ask(ana, Reactions(room="lobby", seq=1))
    assert [len(one.names) for one in page.reactions] == [60, 15, 15, 15, 15]
    assert not any(one.mine for one in page.reactions)
    assert len(page.people) == 60


def test_the_first_are_named_and_others_move_up_when_they_go(world: World) -> None:
    people = world.people(" ".join(f"p{n:02}" for n in range(NAMES_PER_EMOJI + 5)))
    world.post(people[0])
    for one in people:
        react(world, one)
    assert told(world).reactions[0].names == tuple(one.name for one in people[:NAMES_PER_EMOJI])
    react(world, people[0], on=False)
    [reaction] = told(world).reactions
    assert reaction.count == len(people) - 1
    assert reaction.names == tuple(one.name for one in people[1 : NAMES_PER_EMOJI + 1])
    page = world.ask(people[3], Reactions(room="lobby", seq=1))
    assert (page.reactions[0].mine, page.reactions[0].count) == (True, len(people) - 1)


def test_history_and_sync_bring_marks_along(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    react(world, bo)
    marked = told(world)
    [message] = world.ask(ana, History(room="lobby")).messages
    assert (message.rev, message.marks_rev, message.reactions) == (1, 2, marked.reactions)
    [event] = world.sync(ana, 1).events
    assert event == marked
    world.edit(ana, 1, "edited")
    [event] = world.sync(ana, 1).events
    assert (event.rev, event.marks_rev, event.reactions) == (3, 2, marked.reactions)  # type: ignore[attr-defined]


def test_a_deleted_message_has_no_reactions_and_takes_none(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    react(world, bo)
    world.do(bo, Pin(room="lobby", seq=1))
    world.delete(ana, 1)
    [message] = world.ask(ana, History(room="lobby")).messages
    assert (message.reactions, message.pinned, message.marks_rev) == ((), False, message.rev)
    assert world.rows("SELECT COUNT(*) FROM reactions") == [(0,)]
    assert world.ask(ana, Pins(room="lobby")).messages == []
    for command in (
        React(room="lobby", seq=1, emoji="👍"),
        React(room="lobby", seq=1, emoji="👍", on=False),
        Pin(room="lobby", seq=1),
    ):
        with pytest.raises(NotFound, match="has been deleted"):
            world.do(bo, command)
    with pytest.raises(NotFound, match="no message 7"):
        react(world, bo, seq=7)


def test_guests_react_in_public_rooms_and_do_not_pin(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    gus = guest()
    react(world, gus)
    assert told(world).reactions == (Reaction("👍", 1, ("~gus",)),)
    assert world.ask(gus, Reactions(room="lobby", seq=1)).reactions[0].mine
    react(world, gus, on=False)
    assert told(world).reactions == ()
    with pytest.raises(NotMember):
        world.do(gus, Pin(room="lobby", seq=1))
    react(world, gus)
    # A guest of the same handle is somebody else, with nothing to take back.
    react(world, guest(key="~another"), on=False)
    assert world.effects == []


def test_in_a_room_that_one_only_looks_into_one_joins_first(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea"))
    world.post(ana, room="tea")
    with pytest.raises(NotMember, match="Join #tea before you react there"):
        world.do(bo, React(room="tea", seq=1, emoji="👍"))
    world.do(ana, UpdateRoom(room="tea", archived=True))
    for command in (React(room="tea", seq=1, emoji="👍"), Pin(room="tea", seq=1)):
        with pytest.raises(Conflict, match="archived"):
            world.do(ana, command)


def test_pins_are_for_all_in_the_order_in_which_they_came(world: World) -> None:
    ana, bo = world.people("ana bo")
    for text in ("one", "two", "three"):
        world.post(ana, text)
    for seq in (3, 1):
        world.now += 1
        world.do(bo, Pin(room="lobby", seq=seq))
    event = told(world)
    assert (event.pinned, event.pinned_by) == (True, "bo")
    page = world.ask(ana, Pins(room="lobby"))
    assert [message.seq for message in page.messages] == [1, 3]
    assert [person.name for person in page.people] == ["ana", "bo"]
    rev = world.do(ana, Pin(room="lobby", seq=1)).rev
    assert (rev, world.effects) == (event.rev, [])
    world.do(ana, Pin(room="lobby", seq=1, on=False))
    assert told(world).pinned is False
    assert [message.seq for message in world.ask(ana, Pins(room="lobby")).messages] == [3]


def test_pins_have_a_bound(world: World) -> None:
    world.quotas = Quotas(pins_per_room=2)
    ana = world.account("ana")
    for _ in range(3):
        world.post(ana)
    for seq in (1, 2):
        world.do(ana, Pin(room="lobby", seq=seq))
    with pytest.raises(Conflict, match="at most 2 pinned"):
        world.do(ana, Pin(room="lobby", seq=3))


def test_whoever_is_locked_out_of_a_room_marks_nothing_there(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private")).room.room
    world.post(ana, room=room)
    with pytest.raises(NotFound):
        world.do(bo, React(room=room, seq=1, emoji="👍"))
    with pytest.raises(Forbidden):
        world.do(guest(), CreateRoom(title="Y"))


def test_marks_come_over_the_wire_as_the_protocol_says(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    react(world, ana)
    assert msgspec.json.decode(json.event(told(world))) == {
        "on": "marks",
        "room": "lobby",
        "seq": 1,
        "rev": 2,
        "reactions": [["👍", 1, ["ana"]]],
        "last": {"by": "ana", "did": "react", "emoji": "👍"},
    }
