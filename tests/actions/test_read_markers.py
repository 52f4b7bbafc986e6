"""Read markers, unread and mention counts, and what one wants to be told."""

import pytest

from hubbub.model.accounts import Actor, MyProfile
from hubbub.model.errors import Invalid, NotFound, NotMember
from hubbub.model.messages import Post
from hubbub.model.outcome import ToPerson
from hubbub.model.reading import Read, ReadChanged, ReadMarker
from hubbub.model.rooms import CreateRoom, Join, Leave, Prefs
from tests.support.world import World, guest


@pytest.fixture
def ana(world: World) -> Actor:
    return world.account("ana")


@pytest.fixture
def bo(world: World) -> Actor:
    return world.account("bo")


def unread(world: World, actor: Actor) -> int:
    room = world.mine(actor)["lobby"]
    return room.seq - room.read_seq


def test_a_marker_moves_forward_and_back_only_on_purpose(
    world: World, ana: Actor, bo: Actor
) -> None:
    for text in ("one", "@bo two", "@bo three"):
        world.post(ana, text)
    assert world.do(bo, Read(room="lobby", seq=2)) == ReadMarker(read_seq=2, mentions=1)
    [told] = world.effects
    rev = world.ask(bo, MyProfile()).me.rev
    assert told == ToPerson("bo", ReadChanged(room="lobby", read_seq=2, mentions=1, rev=rev))
    assert world.do(bo, Read(room="lobby", seq=1)) == ReadMarker(read_seq=2, mentions=1)
    assert world.effects == []
    back = world.do(bo, Read(room="lobby", seq=0, back=True))
    assert back == ReadMarker(read_seq=0, mentions=2)
    assert (unread(world, bo), world.mine(bo)["lobby"].mentions) == (3, 2)
    with pytest.raises(Invalid):
        world.do(bo, Read(room="lobby", seq=4))


def test_guests_and_strangers_have_no_markers(world: World, ana: Actor, bo: Actor) -> None:
    world.do(ana, CreateRoom(title="Tea"))
    for actor in (bo, guest()):
        with pytest.raises(NotMember):
            world.do(actor, Read(room="tea", seq=0))


def test_who_joins_has_read_what_was_said_before(world: World, ana: Actor) -> None:
    world.post(ana, "one")
    late = world.account("late")
    assert unread(world, late) == 0
    world.post(ana, "two")
    assert unread(world, late) == 1


def test_who_comes_back_starts_at_the_head(world: World, ana: Actor, bo: Actor) -> None:
    world.do(bo, Leave(room="lobby"))
    world.post(ana, "@bo")
    world.do(bo, Join(room="lobby"))
    assert (unread(world, bo), world.mine(bo)["lobby"].mentions) == (0, 0)


def test_posting_reads_what_one_wrote_if_one_was_caught_up(
    world: World, ana: Actor, bo: Actor
) -> None:
    world.post(ana, "one")
    world.post(ana, "two")
    assert (unread(world, ana), unread(world, bo)) == (0, 2)
    world.post(bo, "three")
    assert (unread(world, ana), unread(world, bo)) == (1, 3)


def test_in_a_batch_everyones_marker_stops_at_the_first_of_another(
    world: World, ana: Actor, bo: Actor
) -> None:
    post = Post(room="lobby", text="x")
    world.batch((ana, post), (ana, post), (bo, post), (ana, post))
    assert (unread(world, ana), unread(world, bo)) == (2, 4)


def test_a_marker_set_back_stays_while_one_posts(world: World, ana: Actor) -> None:
    world.post(ana, "one")
    world.do(ana, Read(room="lobby", seq=0, back=True))
    world.post(ana, "two")
    assert unread(world, ana) == 2


def test_preferences_are_ones_own(world: World, ana: Actor, bo: Actor) -> None:
    before = world.ask(ana, MyProfile()).me.rev
    assert world.do(ana, Prefs(room="lobby", notify="mentions")).rev == before + 1
    world.do(ana, Prefs(room="lobby", hidden=True))
    mine, theirs = world.mine(ana)["lobby"], world.mine(bo)["lobby"]
    assert (mine.notify, mine.hidden, theirs.notify, theirs.hidden) == (
        *("mentions", True),
        *("all", False),
    )


def test_what_changes_for_me_counts_up_by_one_and_is_told_with_its_rev(
    world: World, ana: Actor, bo: Actor
) -> None:
    world.post(bo, "one")
    have = world.ask(ana, MyProfile()).me.rev
    for command in (
        CreateRoom(title="Tea"),
        Read(room="lobby", seq=1),
        Prefs(room="tea", notify="none"),
        Read(room="lobby", seq=0, back=True),
    ):
        world.do(ana, command)
        have += 1
        told = [one.event for one in world.effects if isinstance(one, ToPerson)]
        assert [one.rev for one in told] == [have]
    assert world.ask(ana, MyProfile()).me.rev == have


def test_markers_that_come_together_are_each_answered_as_if_they_came_alone(world: World) -> None:
    ana, bo = world.people("ana bo")
    for number in range(5):
        world.post(ana, f"@bo {number}")
    world.do(ana, CreateRoom(title="Tea", kind="private"))
    results = world.batch(
        (bo, Read(room="lobby", seq=2)),
        (bo, Read(room="nowhere", seq=1)),
        (bo, Read(room="lobby", seq=9)),
        (guest(), Read(room="lobby", seq=1)),
        (bo, Read(room="lobby", seq=4)),
        (bo, Read(room="lobby", seq=3)),
        (ana, Read(room="lobby", seq=5)),
        (bo, Read(room="lobby", seq=1, back=True)),
    )
    marks = [one.read_seq if isinstance(one, ReadMarker) else type(one) for one in results]
    assert marks == [2, NotFound, Invalid, NotMember, 4, 4, 5, 1]
    # What moved is told, each with a rev of its own; what did not is only answered.
    told = [one.event for one in world.effects if isinstance(one, ToPerson) and one.user == "bo"]
    assert [one.read_seq for one in told if isinstance(one, ReadChanged)] == [2, 4, 1]
    revs = [one.rev or 0 for one in told]
    assert revs == [*range(revs[0], revs[0] + 3)]
    assert len(world.effects) == 3, "ana had read what she wrote"
    assert world.mine(bo)["lobby"].read_seq == 1
    assert world.mine(bo)["lobby"].mentions == 4
