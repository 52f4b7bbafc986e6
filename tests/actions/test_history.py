"""Pages of history, and syncing by state."""

import pytest

from hubbub.actions.history import CHANGES_MAX, SNAPSHOT_CHANGES, get_room_snapshot
from hubbub.actions.paging import REPLY_MAX
from hubbub.model.accounts import Actor
from hubbub.model.errors import NotFound
from hubbub.model.messages import PAGE_LATEST, Changes, History, Message, Page, Post, Reset
from hubbub.model.rooms import CreateRoom, RoomChanged, UpdateRoom
from tests.support.world import World, guest


@pytest.fixture
def ana(world: World) -> Actor:
    return world.account("ana")


def fill(world: World, ana: Actor, count: int, text: str = "x") -> None:
    world.batch(*((ana, Post(room="lobby", text=text)) for _ in range(count)))


def page(world: World, **position: int) -> Page:
    found: Page = world.ask(guest(), History(room="lobby", **position))
    return found


def seqs(found: Page | Changes) -> list[int]:
    events = found.messages if isinstance(found, Page) else found.events
    return [one.seq for one in events if isinstance(one, Message)]


@pytest.mark.parametrize(
    ("position", "first", "last", "before", "after"),
    [
        ({"limit": 3}, 8, 10, True, False),
        ({"limit": 10}, 1, 10, False, False),
        ({"limit": 200}, 1, 10, False, False),
        ({"before": 5, "limit": 2}, 3, 4, True, True),
        ({"before": 3, "limit": 5}, 1, 2, False, True),
        ({"before": 99, "limit": 2}, 9, 10, True, False),
        ({"after": 5, "limit": 2}, 6, 7, True, True),
        ({"after": 0, "limit": 2}, 1, 2, False, True),
        ({"after": 8, "limit": 5}, 9, 10, True, False),
        ({"around": 5, "limit": 5}, 3, 7, True, True),
        ({"around": 1, "limit": 4}, 1, 4, False, True),
        ({"around": 10, "limit": 4}, 8, 10, True, False),
        ({"around": 5, "limit": 1}, 5, 5, True, True),
    ],
)
def test_a_page_is_ordered_and_says_whether_there_are_more(
    world: World,
    ana: Actor,
    position: dict[str, int],
    first: int,
    last: int,
    before: bool,
    after: bool,
) -> None:
    fill(world, ana, 10)
    found = page(world, **position)
    assert seqs(found) == list(range(first, last + 1))
    assert (found.more_before, found.more_after) == (before, after)
    assert [one.name for one in found.people] == ["ana"]


@pytest.mark.parametrize("position", [{}, {"before": 1}, {"after": 0}, {"around": 1}])
def test_an_empty_room_has_an_empty_page(world: World, position: dict[str, int]) -> None:
    assert page(world, **position) == Page(
        messages=[], people=[], more_before=False, more_after=False
    )


def test_pages_of_long_messages_are_shorter_but_never_empty(world: World, ana: Actor) -> None:
    fill(world, ana, 80, "x" * 16_000)
    fitting = REPLY_MAX // 16_000
    assert seqs(page(world, limit=200)) == list(range(81 - fitting, 81))
    assert seqs(page(world, after=0, limit=200)) == list(range(1, fitting + 1))


def test_a_sync_sends_each_change_once_in_its_present_state(world: World, ana: Actor) -> None:
    fill(world, ana, 4)
    world.edit(ana, 2, "two")
    world.edit(ana, 2, "two!")
    world.delete(ana, 3)
    changes = world.sync(ana, 3)
    events = [(one.seq, one.rev, one.text, one.deleted) for one in changes.events]  # type: ignore[attr-defined]
    assert events == [(4, 4, "x", False), (2, 6, "two!", False), (3, 7, "", True)]
    assert (changes.through, changes.more, changes.reset) == (7, False, False)
    assert world.sync(ana, 7) == Changes(events=[], through=7)


def test_a_first_sync_sends_few_changes_or_resets_with_the_latest_page(
    world: World, ana: Actor
) -> None:
    fill(world, ana, PAGE_LATEST)
    assert not world.sync(ana, 0).reset
    fill(world, ana, 1)
    changes = world.sync(ana, 0)
    assert changes.reset
    assert changes.events[0] == Reset(room="lobby")
    assert seqs(changes) == list(range(2, PAGE_LATEST + 2))
    assert changes.through == PAGE_LATEST + 1


def test_too_many_changes_or_a_future_rev_reset_the_client(world: World, ana: Actor) -> None:
    fill(world, ana, CHANGES_MAX + 2)
    assert world.sync(ana, 1).reset
    assert seqs(world.sync(ana, 2)) == list(range(3, CHANGES_MAX + 3))
    assert not world.sync(ana, 2).reset
    beyond = world.sync(ana, CHANGES_MAX + 3)
    assert (beyond.reset, beyond.through) == (True, CHANGES_MAX + 2)


def test_a_rev_below_the_floor_resets_the_client(world: World, ana: Actor) -> None:
    fill(world, ana, 9)
    world.change("UPDATE rooms SET floor = 5")
    assert world.sync(ana, 4).reset
    assert not world.sync(ana, 5).reset


def test_a_large_sync_is_split_without_gaps(world: World, ana: Actor) -> None:
    fill(world, ana, 10)
    fill(world, ana, 140, "x" * 16_000)
    world.edit(ana, 1, "last")
    have, parts, found = 10, 0, list[int]()
    while True:
        changes = world.sync(ana, have)
        assert not changes.reset
        assert changes.through > have
        found += seqs(changes)
        have, parts = changes.through, parts + 1
        if not changes.more:
            break
    assert parts == 3
    assert found == [*range(11, 151), 1]
    assert have == 151


def test_changes_of_the_room_are_ordered_among_the_messages(world: World, ana: Actor) -> None:
    world.do(ana, CreateRoom(title="Tea"))
    world.post(ana, "one", "tea")
    world.do(ana, UpdateRoom(room="tea", topic="Leaves"))
    world.post(ana, "two", "tea")
    changes = world.sync(ana, 0, "tea")
    assert [one.rev for one in changes.events] == [1, 2, 3]  # type: ignore[attr-defined]
    assert isinstance(changes.events[1], RoomChanged)


def test_a_room_snapshot_has_the_latest_changes(world: World, ana: Actor) -> None:
    fill(world, ana, SNAPSHOT_CHANGES + 10)
    world.edit(ana, 1, "first")
    state = get_room_snapshot(world.tx(), "lobby", None)
    assert (state.seq, state.rev, state.floor) == (SNAPSHOT_CHANGES + 10, SNAPSHOT_CHANGES + 11, 11)
    revs = [event.rev for event in state.events]
    assert revs == list(range(12, SNAPSHOT_CHANGES + 12))
    assert (
        state.events[-1].rev == get_room_snapshot(world.tx(), "lobby", state.rev - 1).events[0].rev
    )
    assert (state.mrev, state.members, state.is_public) == (1, 1, True)
    with pytest.raises(NotFound):
        get_room_snapshot(world.tx(), "nowhere", None)
