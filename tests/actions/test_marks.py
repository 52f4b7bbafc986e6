"""Reactions and pins: their events, bounds and permissions."""

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
from hubbub.model.quotas import DEFAULT_QUOTAS, Quotas
from hubbub.model.rooms import CreateRoom, UpdateRoom
from hubbub.wire import json
from tests.support.world import World, guest

# Some of the longest emoji: families, flags, and people with two skin tones.
LONG = ["👩🏻‍❤️‍💋‍👨🏿", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🧑🏽‍🤝‍🧑🏿"]


def marks_event(world: World) -> Marks:
    """The event of the last command."""
    [effect] = world.effects
    assert isinstance(effect, ToRoom)
    assert isinstance(effect.event, Marks)
    return effect.event


def react(world: World, actor: object, emoji: str = "👍", *, on: bool = True, seq: int = 1) -> int:
    return int(world.do(actor, React(room="lobby", seq=seq, emoji=emoji, on=on)).rev)  # type: ignore[arg-type]


def test_a_reaction_event_names_the_people_and_omits_the_text(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "x" * 16_000)
    assert react(world, bo) == 2
    event = marks_event(world)
    assert event.reactions == (Reaction("👍", 1, ("bo",)),)
    assert (event.rev, event.seq) == (2, 1)
    assert event.last
    assert (event.last.by, event.last.did, event.last.emoji) == ("bo", "react", "👍")
    assert len(json.event(event)) < 200


def test_a_repeated_reaction_changes_nothing_and_gets_the_same_reply(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    first = react(world, bo)
    assert react(world, bo) == first
    assert world.effects == []
    react(world, bo, on=False)
    assert marks_event(world).reactions == ()
    assert react(world, bo, on=False) == 3
    assert world.effects == []


def test_variants_of_an_emoji_count_as_one(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    react(world, ana, "❤")
    react(world, bo, "❤️")
    assert marks_event(world).reactions == (Reaction("❤️", 2, ("ana", "bo")),)


@pytest.mark.parametrize(
    "text", ["a", "1", "👍👍", "🏽", "🇦", ":+1:", " 👍", "<b>", "\u200d", "👍" * 30]
)
def test_text_that_is_not_one_emoji_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="a single emoji"):
        React(room="lobby", seq=1, emoji=text)


@pytest.mark.parametrize("text", ["👍", "👍🏽", "🇩🇪", "1️⃣", "🏳️‍🌈", *LONG])
def test_every_emoji_of_unicode_is_accepted(text: str) -> None:
    assert React(room="lobby", seq=1, emoji=text).emoji == text


def test_the_number_of_different_reactions_is_limited(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    limit = DEFAULT_QUOTAS.reactions_per_message
    for code in range(limit):
        react(world, ana, chr(0x1F600 + code))
    with pytest.raises(Conflict, match=f"at most {limit}"):
        react(world, bo, "👍")
    react(world, bo, chr(0x1F600))
    react(world, ana, chr(0x1F601), on=False)
    react(world, bo, "👍")
    assert len(marks_event(world).reactions) == limit


def test_reaction_events_stay_small_and_count_everyone(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    people = [world.account(f"somebody-with-a-long-name-{n}") for n in range(60)]
    for nth, one in enumerate(people):
        react(world, one, "🎉")
        react(world, one, LONG[nth % len(LONG)])
    event = marks_event(world)
    assert [reaction.count for reaction in event.reactions] == [60, 15, 15, 15, 15]
    names = [name for reaction in event.reactions for name in reaction.names]
    assert len(names) <= NAMES_MAX
    assert sum(len(name) + 3 for name in names) <= NAMES_BYTES
    assert len(json.event(event)) < 1_024
    page = world.ask(ana, Reactions(room="lobby", seq=1))
    assert [len(one.names) for one in page.reactions] == [60, 15, 15, 15, 15]
    assert not any(one.mine for one in page.reactions)
    assert len(page.people) == 60


def test_the_first_reactors_are_named_and_replaced_when_they_undo(world: World) -> None:
    people = world.people(" ".join(f"p{n:02}" for n in range(NAMES_PER_EMOJI + 5)))
    world.post(people[0])
    for one in people:
        react(world, one)
    assert marks_event(world).reactions[0].names == tuple(
        one.name for one in people[:NAMES_PER_EMOJI]
    )
    react(world, people[0], on=False)
    [reaction] = marks_event(world).reactions
    assert reaction.count == len(people) - 1
    assert reaction.names == tuple(one.name for one in people[1 : NAMES_PER_EMOJI + 1])
    page = world.ask(people[3], Reactions(room="lobby", seq=1))
    assert (page.reactions[0].mine, page.reactions[0].count) == (True, len(people) - 1)


def test_history_and_sync_include_marks(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    react(world, bo)
    marked = marks_event(world)
    [message] = world.ask(ana, History(room="lobby")).messages
    assert (message.rev, message.marks_rev, message.reactions) == (1, 2, marked.reactions)
    [event] = world.sync(ana, 1).events
    assert event == marked
    world.edit(ana, 1, "edited")
    [event] = world.sync(ana, 1).events
    assert (event.rev, event.marks_rev, event.reactions) == (3, 2, marked.reactions)  # type: ignore[attr-defined]


def test_a_deleted_message_loses_its_reactions_and_accepts_none(world: World) -> None:
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


def test_guests_can_react_in_public_rooms_but_not_pin(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    gus = guest()
    react(world, gus)
    assert marks_event(world).reactions == (Reaction("👍", 1, ("~gus",)),)
    assert world.ask(gus, Reactions(room="lobby", seq=1)).reactions[0].mine
    react(world, gus, on=False)
    assert marks_event(world).reactions == ()
    with pytest.raises(NotMember):
        world.do(gus, Pin(room="lobby", seq=1))
    react(world, gus)
    # Another guest with the same handle has no reaction to undo.
    react(world, guest(key="~another"), on=False)
    assert world.effects == []


def test_reacting_requires_joining_a_public_room_first(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea"))
    world.post(ana, room="tea")
    with pytest.raises(NotMember, match="Join #tea before you react there"):
        world.do(bo, React(room="tea", seq=1, emoji="👍"))
    world.do(ana, UpdateRoom(room="tea", archived=True))
    for command in (React(room="tea", seq=1, emoji="👍"), Pin(room="tea", seq=1)):
        with pytest.raises(Conflict, match="archived"):
            world.do(ana, command)


def test_pins_are_listed_for_everyone_latest_first(world: World) -> None:
    ana, bo = world.people("ana bo")
    for text in ("one", "two", "three"):
        world.post(ana, text)
    for seq in (3, 1):
        world.now += 1
        world.do(bo, Pin(room="lobby", seq=seq))
    event = marks_event(world)
    assert (event.pinned, event.pinned_by) == (True, "bo")
    page = world.ask(ana, Pins(room="lobby"))
    assert [message.seq for message in page.messages] == [1, 3]
    assert [person.name for person in page.people] == ["ana", "bo"]
    rev = world.do(ana, Pin(room="lobby", seq=1)).rev
    assert (rev, world.effects) == (event.rev, [])
    world.do(ana, Pin(room="lobby", seq=1, on=False))
    assert marks_event(world).pinned is False
    assert [message.seq for message in world.ask(ana, Pins(room="lobby")).messages] == [3]


def test_the_number_of_pins_is_limited(world: World) -> None:
    world.quotas = Quotas(pins_per_room=2)
    ana = world.account("ana")
    for _ in range(3):
        world.post(ana)
    for seq in (1, 2):
        world.do(ana, Pin(room="lobby", seq=seq))
    with pytest.raises(Conflict, match="at most 2 pinned"):
        world.do(ana, Pin(room="lobby", seq=3))


def test_reacting_in_an_unreadable_room_is_refused(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private")).room.room
    world.post(ana, room=room)
    with pytest.raises(NotFound):
        world.do(bo, React(room=room, seq=1, emoji="👍"))
    with pytest.raises(Forbidden):
        world.do(guest(), CreateRoom(title="Y"))


def test_marks_are_encoded_as_in_the_protocol(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    react(world, ana)
    assert msgspec.json.decode(json.event(marks_event(world))) == {
        "on": "marks",
        "room": "lobby",
        "seq": 1,
        "rev": 2,
        "reactions": [["👍", 1, ["ana"]]],
        "last": {"by": "ana", "did": "react", "emoji": "👍"},
    }
