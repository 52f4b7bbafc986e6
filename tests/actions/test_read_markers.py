"""Read markers, unread and mention counts, and preferences for a room."""

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


def test_a_read_marker_moves_back_only_with_back_set(world: World, ana: Actor, bo: Actor) -> None:
    for text in ("one", "@bo two", "@bo three"):
        world.post(ana, text)
    assert world.do(bo, Read(room="lobby", seq=2)) == ReadMarker(read_seq=2, mentions=1)
    [effect] = world.effects
    rev = world.ask(bo, MyProfile()).me.rev
    assert effect == ToPerson("bo", ReadChanged(room="lobby", read_seq=2, mentions=1, rev=rev))
    assert world.do(bo, Read(room="lobby", seq=1)) == ReadMarker(read_seq=2, mentions=1)
    assert world.effects == []
    back = world.do(bo, Read(room="lobby", seq=0, back=True))
    assert back == ReadMarker(read_seq=0, mentions=2)
    assert (unread(world, bo), world.mine(bo)["lobby"].mentions) == (3, 2)
    with pytest.raises(Invalid):
        world.do(bo, Read(room="lobby", seq=4))


def test_only_members_have_read_markers(world: World, ana: Actor, bo: Actor) -> None:
    world.do(ana, CreateRoom(title="Tea"))
    for actor in (bo, guest()):
        with pytest.raises(NotMember):
            world.do(actor, Read(room="tea", seq=0))


def test_messages_from_before_joining_count_as_read(world: World, ana: Actor) -> None:
    world.post(ana, "one")
    late = world.account("late")
    assert unread(world, late) == 0
    world.post(ana, "two")
    assert unread(world, late) == 1


def test_rejoining_marks_everything_as_read(world: World, ana: Actor, bo: Actor) -> None:
    world.do(bo, Leave(room="lobby"))
    world.post(ana, "@bo")
    world.do(bo, Join(room="lobby"))
    assert (unread(world, bo), world.mine(bo)["lobby"].mentions) == (0, 0)


def test_posting_moves_the_marker_if_everything_was_read(
    world: World, ana: Actor, bo: Actor
) -> None:
    world.post(ana, "one")
    world.post(ana, "two")
    assert (unread(world, ana), unread(world, bo)) == (0, 2)
    world.post(bo, "three")
    assert (unread(world, ana), unread(world, bo)) == (1, 3)


def test_in_a_batch_a_marker_stops_at_the_first_post_of_another(
    world: World, ana: Actor, bo: Actor
) -> None:
    post = Post(room="lobby", text="x")
    world.batch((ana, post), (ana, post), (bo, post), (ana, post))
    assert (unread(world, ana), unread(world, bo)) == (2, 4)


def test_a_marker_set_back_is_not_moved_by_posting(world: World, ana: Actor) -> None:
    world.post(ana, "one")
    world.do(ana, Read(room="lobby", seq=0, back=True))
    world.post(ana, "two")
    assert unread(world, ana) == 2


def test_preferences_belong_to_one_person(world: World, ana: Actor, bo: Actor) -> None:
    before = world.ask(ana, MyProfile()).me.rev
    assert world.do(ana, Prefs(room="lobby", notify="mentions")).rev == before + 1
    world.do(ana, Prefs(room="lobby", hidden=True))
    mine, theirs = world.mine(ana)["lobby"], world.mine(bo)["lobby"]
    assert (mine.notify, mine.hidden, theirs.notify, theirs.hidden) == (
        *("mentions", True),
        *("all", False),
    )


def test_each_change_for_a_person_is_sent_with_their_next_rev(
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
        events = [one.event for one in world.effects if isinstance(one, ToPerson)]
        assert [event.rev for event in events] == [have]
    assert world.ask(ana, MyProfile()).me.rev == have


def test_a_batch_of_markers_gets_the_same_replies_as_single_ones(world: World) -> None:
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
    markers = [one.read_seq if isinstance(one, ReadMarker) else type(one) for one in results]
    assert markers == [2, NotFound, Invalid, NotMember, 4, 4, 5, 1]
    # Only markers that moved have an event, each with its own rev.
    events = [one.event for one in world.effects if isinstance(one, ToPerson) and one.user == "bo"]
    assert [one.read_seq for one in events if isinstance(one, ReadChanged)] == [2, 4, 1]
    revs = [one.rev or 0 for one in events]
    assert revs == [*range(revs[0], revs[0] + 3)]
    assert len(world.effects) == 3, "ana had already read her own posts"
    assert world.mine(bo)["lobby"].read_seq == 1
    assert world.mine(bo)["lobby"].mentions == 4
