"""Blocks, what they prevent, and `added_by`."""

from collections.abc import Callable

import pytest

from hubbub.model.accounts import Actor, MeChanged
from hubbub.model.base import Command
from hubbub.model.blocks import Block, BlockChanged, Blocks
from hubbub.model.errors import Conflict, Forbidden, HubbubError, NotFound
from hubbub.model.marks import Pin, React
from hubbub.model.messages import Edit, Forward, Post
from hubbub.model.outcome import ToPerson
from hubbub.model.policy import ServerRole
from hubbub.model.rooms import CreateRoom, Direct, Invite, Join, Leave, Prefs
from tests.support.world import World, guest


def blocked(world: World, actor: Actor) -> list[str]:
    return [person.name for person in world.ask(actor, Blocks()).people]


def count(world: World, *tables: str) -> list[int]:
    counts = (f"SELECT count(*) FROM {table}" for table in tables)  # noqa: S608 - our own names
    return [world.rows(one)[0][0] for one in counts]


# Blocks themselves


def test_a_block_is_sent_only_to_its_owner_and_can_be_undone(world: World) -> None:
    ana, bo = world.people("ana bo")
    rev = world.do(ana, Block(user="@Bo")).rev
    [effect] = world.effects
    assert effect == ToPerson("ana", BlockChanged(rev=rev, user="bo"))
    assert blocked(world, ana) == ["bo"]
    assert blocked(world, bo) == []
    assert world.do(ana, Block(user="bo")).rev == rev
    assert world.effects == []
    world.do(ana, Block(user="bo", on=False))
    assert world.effects == [ToPerson("ana", BlockChanged(rev=rev + 1, user="bo", gone=True))]
    assert blocked(world, ana) == []


def test_one_cannot_block_oneself_a_guest_or_an_unknown_name(world: World) -> None:
    ana = world.account("ana")
    world.post(guest())
    with pytest.raises(Conflict):
        world.do(ana, Block(user="ana"))
    for name in ("~gus", "nobody"):
        with pytest.raises(NotFound):
            world.do(ana, Block(user=name))
    for command in (Block(user="ana"), Blocks()):
        with pytest.raises(Forbidden, match="Sign up first"):
            world.take(guest(), command)


# What a block prevents

ADDING_COMMANDS: dict[str, Callable[[World, Actor], Command]] = {
    "invite": lambda world, bo: Invite(room="tea", user="ana"),
    "a room with her in it": lambda world, bo: CreateRoom(title="X", members=("cy", "ana")),
    "a private room": lambda world, bo: CreateRoom(title="X", kind="private", members=("ana",)),
    "a direct conversation": lambda world, bo: Direct(users=("ana",)),
    "a direct conversation of three": lambda world, bo: Direct(users=("cy", "ana")),
}

each_command = pytest.mark.parametrize(
    "make_command", ADDING_COMMANDS.values(), ids=ADDING_COMMANDS
)


@each_command
@pytest.mark.parametrize("role", [ServerRole.MEMBER, ServerRole.OWNER])
def test_a_blocked_person_cannot_add_the_blocker_and_changes_nothing(
    world: World, make_command: Callable[[World, Actor], Command], role: ServerRole
) -> None:
    ana, _ = world.people("ana cy")
    bo = world.account("bo", role)
    world.do(bo, CreateRoom(title="Tea"))
    world.do(ana, Block(user="bo"))
    before = count(world, "rooms", "members", "usage")
    with pytest.raises(Conflict, match=r"^ana cannot be added\.$"):
        world.do(bo, make_command(world, bo))
    assert count(world, "rooms", "members", "usage") == before
    assert world.effects == []
    world.do(ana, Block(user="bo", on=False))
    world.do(bo, make_command(world, bo))


@each_command
def test_a_blocker_cannot_add_the_person_they_blocked(
    world: World, make_command: Callable[[World, Actor], Command]
) -> None:
    _, bo, _ = world.people("ana bo cy")
    world.do(bo, CreateRoom(title="Tea"))
    world.do(bo, Block(user="ana"))
    with pytest.raises(Conflict, match=r"You have blocked ana\. Unblock them"):
        world.do(bo, make_command(world, bo))


def test_a_block_affects_neither_third_people_nor_shared_rooms(world: World) -> None:
    ana, bo, cy = world.people("ana bo cy")
    world.do(ana, Block(user="bo"))
    world.do(cy, CreateRoom(title="Tea", members=("ana", "bo")))
    group = world.do(cy, Direct(users=("ana", "bo"))).room.room
    for room in ("lobby", "tea", group):
        seq = world.post(bo, "@ana hi", room).seq
        world.do(bo, React(room=room, seq=seq, emoji="👍"))
        world.post(bo, "and", f"{room}.{seq}")


WRITES: dict[str, Callable[[str], Command]] = {
    "post": lambda room: Post(room=room, text="hi"),
    "reply in a thread": lambda room: Post(room=f"{room}.1", text="hi"),
    "first reply of a thread": lambda room: Post(room=f"{room}.2", text="hi"),
    "edit": lambda room: Edit(room=room, seq=2, text="other words"),
    "edit a reply": lambda room: Edit(room=f"{room}.1", seq=1, text="other words"),
    "react": lambda room: React(room=room, seq=1, emoji="👍"),
    "pin": lambda room: Pin(room=room, seq=1),
    "forward": lambda room: Forward(room="lobby", seq=1, to=room),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_blocked_person_cannot_write_in_a_direct_conversation_of_two(
    world: World, write: Callable[[str], Command]
) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    room = world.do(bo, Direct(users=("ana",))).room.room
    world.post(ana, "one", room)
    world.post(bo, "two", room)
    world.post(bo, "a reply", f"{room}.1")
    world.do(ana, Block(user="bo"))
    before = count(world, "messages", "rooms", "reactions", "pins", "usage")
    with pytest.raises(Conflict, match=r"^Your message cannot be delivered\.$"):
        world.do(bo, write(room))
    assert count(world, "messages", "rooms", "reactions", "pins", "usage") == before
    # Deleting one's own messages is still allowed.
    world.delete(bo, 2, room)
    world.do(ana, Block(user="bo", on=False))
    world.post(bo, "three", room)
    world.do(bo, Block(user="ana"))
    with pytest.raises(Conflict, match=r"You have blocked this person\. Unblock them"):
        world.post(bo, "four", room)


def test_a_retry_is_acknowledged_after_a_block(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(bo, Direct(users=("ana",))).room.room
    first = world.post(bo, "hi", room, nonce="n")
    world.do(ana, Block(user="bo"))
    assert world.post(bo, "hi", room, nonce="n") == first


def test_only_the_blocked_posts_of_a_batch_are_refused(world: World) -> None:
    ana, bo, _ = world.people("ana bo cy")
    blocked_room = world.do(bo, Direct(users=("ana",))).room.room
    other_room = world.do(bo, Direct(users=("cy",))).room.room
    own_room = world.do(bo, Direct(users=("bo",))).room.room
    world.do(ana, Block(user="bo"))
    rooms = [blocked_room, other_room, "lobby", own_room, blocked_room]
    results = world.batch(*((bo, Post(room=room, text="hi")) for room in rooms))
    assert [isinstance(one, HubbubError) for one in results] == [True, False, False, False, True]


def test_an_existing_conversation_is_found_despite_a_block(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(bo, Direct(users=("ana",))).room.room
    world.post(bo, "hi", room)
    world.do(ana, Block(user="bo"))
    found = world.do(bo, Direct(users=("ana",)))
    assert (found.room.room, [one.text for one in found.messages]) == (room, ["hi"])


# added_by


def added_by(world: World, actor: Actor) -> dict[str, str | None]:
    return {room: mine.added_by for room, mine in world.mine(actor).items()}


def test_added_by_is_shown_until_the_person_chooses_to_stay(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea", members=("bo",)))
    [event] = [one.event for one in world.effects if isinstance(one, ToPerson) and one.user == "bo"]
    assert isinstance(event, MeChanged)
    assert event.room
    assert event.room.added_by == "ana"
    world.do(ana, CreateRoom(title="Cake"))
    world.do(ana, Invite(room="cake", user="bo"))
    direct = world.do(ana, Direct(users=("bo",))).room
    world.post(ana, "hi", direct.room)
    assert direct.added_by is None
    assert added_by(world, bo) == {"lobby": None, "tea": "ana", "cake": "ana", direct.room: "ana"}
    assert set(added_by(world, ana).values()) == {None}
    assert world.do(bo, Join(room="tea")).room.added_by == "ana"
    world.do(bo, Prefs(room="tea", notify="mentions"))
    assert added_by(world, bo)["tea"] == "ana"
    world.do(bo, Prefs(room="tea", stay=True))
    [effect] = world.effects
    assert isinstance(effect, ToPerson)
    assert isinstance(effect.event, MeChanged)
    assert effect.event.room
    assert (effect.event.room.added_by, effect.event.room.notify) == (None, "mentions")
    assert added_by(world, bo) == {"lobby": None, "tea": None, "cake": "ana", direct.room: "ana"}


def test_rejoining_clears_added_by(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea", members=("bo",)))
    world.do(bo, Leave(room="tea"))
    world.do(bo, Join(room="tea"))
    assert added_by(world, bo)["tea"] is None


def test_following_a_thread_sets_no_added_by(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    world.post(bo, "@ana hi", "lobby.1")
    assert added_by(world, ana) == {"lobby": None, "lobby.1": None}
