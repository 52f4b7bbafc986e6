"""Private and direct rooms: they look missing to others, and the same people share one."""

from typing import Any

import pytest

from hubbub.model.base import Command
from hubbub.model.bookmarks import Bookmark
from hubbub.model.commands import COMMANDS
from hubbub.model.drafts import Draft
from hubbub.model.errors import Forbidden, HubbubError, Invalid, NotFound
from hubbub.model.marks import Pin, Pins, React, Reactions
from hubbub.model.messages import Delete, Edit, Forward, History, Post, Sync
from hubbub.model.outcome import ToPerson, ToRoom
from hubbub.model.policy import ServerRole
from hubbub.model.reading import Read
from hubbub.model.rooms import (
    CreateRoom,
    DeleteRoom,
    Direct,
    Invite,
    Join,
    Kick,
    Leave,
    Members,
    Prefs,
    SetRole,
    UpdateRoom,
    Watch,
)
from tests.support.world import World, guest

ROOM_COMMANDS: dict[type[Command], Command] = {
    type(command): command
    for command in (
        Post(room="?", text="hi"),
        Edit(room="?", seq=1, text="no"),
        Delete(room="?", seq=1),
        History(room="?"),
        Sync(room="?", after=0),
        Read(room="?", seq=1),
        Join(room="?"),
        Leave(room="?"),
        Invite(room="?", user="bo"),
        Kick(room="?", user="ana"),
        SetRole(room="?", user="bo", role="owner"),
        UpdateRoom(room="?", title="Mine"),
        DeleteRoom(room="?"),
        Prefs(room="?", notify="none"),
        Members(room="?"),
        Watch(room="?"),
        React(room="?", seq=1, emoji="👍"),
        Reactions(room="?", seq=1),
        Pin(room="?", seq=1),
        Pins(room="?"),
        Bookmark(room="?", seq=1),
        Draft(room="?", text="hm"),
        Forward(room="?", seq=1, to="lobby"),
    )
}


def test_every_command_with_a_room_is_tested_on_private_rooms() -> None:
    with_room = {command for command in COMMANDS.values() if "room" in command.__struct_fields__}
    # `create_room` creates one; the hub handles `typing` and `unwatch`.
    not_applicable = {CreateRoom, COMMANDS["typing"], COMMANDS["unwatch"]}
    assert with_room - not_applicable == set(ROOM_COMMANDS)


@pytest.mark.parametrize("kind", ["private", "direct"])
@pytest.mark.parametrize("role", ["member", "admin", "owner", "guest"])
@pytest.mark.parametrize("command", ROOM_COMMANDS.values(), ids=lambda command: command.word())
def test_a_private_room_looks_missing_to_others(
    world: World, command: Command, role: str, kind: str
) -> None:
    ana, _ = world.people("ana eva")
    other = guest("bo") if role == "guest" else world.account("bo", ServerRole(role))
    if kind == "private":
        room = world.do(ana, CreateRoom(title="X", kind="private", members=("eva",))).room.room
    else:
        room = world.do(ana, Direct(users=("eva",))).room.room
    world.post(ana, "secret", room)
    world.post(ana, "more of it", f"{room}.1")
    before = world.rows("SELECT seq, rev FROM rooms ORDER BY pk")

    def refusal(room: str, suffix: str) -> HubbubError:
        changed = type(command)(
            **{field: getattr(command, field) for field in command.__struct_fields__}
            | {"room": room + suffix}
        )
        with pytest.raises(HubbubError) as caught:
            world.take(other, changed)
        return caught.value

    # The room, a thread of it, and a thread that does not exist yet.
    for suffix in ("", ".1", ".2"):
        private, missing = refusal(room, suffix), refusal("no-such-room", suffix)
        assert type(private) is type(missing)
        assert role == "guest" or type(private) is NotFound
        # The text of the refusal does not reveal either whether the room exists.
        assert private.message.replace(room, "?") == missing.message.replace("no-such-room", "?")
    assert world.rows("SELECT seq, rev FROM rooms ORDER BY pk") == before


@pytest.mark.parametrize("size", range(2, 10))
def test_the_same_people_find_the_same_direct_room(world: World, size: int) -> None:
    everyone = world.people(" ".join(f"user{number}" for number in range(size)))
    rooms = set()
    for me in everyone:
        others = tuple(one.name for one in reversed(everyone) if one is not me)
        joined = world.do(me, Direct(users=others))
        assert {person.name for person in joined.room.people} == set(others)
        assert (joined.room.kind, joined.room.members) == ("direct", size)
        rooms.add(joined.room.room)
    assert len(rooms) == 1
    if size > 2:
        fewer = tuple(one.name for one in everyone[1:-1])
        assert world.do(everyone[0], Direct(users=fewer)).room.room not in rooms


def test_a_direct_room_has_two_to_nine_people() -> None:
    for users in ((), tuple(f"user{number}" for number in range(9))):
        with pytest.raises(Invalid):
            Direct(users=users)


def test_a_direct_room_with_oneself_is_allowed(world: World) -> None:
    [ana] = world.people("ana")
    room = world.do(ana, Direct(users=("ana",))).room
    assert (room.members, room.people) == (1, ())
    assert world.do(ana, Direct(users=("ana", "ana"))).room.room == room.room


def test_a_direct_room_is_hidden_from_others_until_its_first_message(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, Direct(users=("bo",))).room.room
    assert (world.mine(ana)[room].hidden, world.mine(bo)[room].hidden) == (False, True)
    world.post(ana, "hi", room)
    assert [type(one) for one in world.effects] == [ToPerson, ToRoom]
    mine = world.mine(bo)[room]
    assert (mine.hidden, mine.seq - mine.read_seq) == (False, 1)


def test_leaving_a_direct_room_hides_it_until_somebody_writes(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, Direct(users=("bo",))).room.room
    world.post(ana, "one", room)
    world.do(bo, Leave(room=room))
    assert world.mine(bo)[room].hidden
    assert world.mine(bo)[room].members == 2
    world.post(ana, "two", room)
    assert not world.mine(bo)[room].hidden
    world.do(bo, Leave(room=room))
    assert not world.do(bo, Direct(users=("ana",))).room.hidden


@pytest.mark.parametrize(
    "command",
    [
        Invite(room="?", user="eva"),
        Kick(room="?", user="bo"),
        SetRole(room="?", user="bo", role="owner"),
        UpdateRoom(room="?", title="Us"),
        DeleteRoom(room="?"),
    ],
    ids=lambda command: command.word(),
)
def test_a_direct_room_cannot_be_changed(world: World, command: Any) -> None:
    ana, *_ = world.people("ana bo eva")
    room = world.do(ana, Direct(users=("bo",))).room.room
    fields = {field: getattr(command, field) for field in command.__struct_fields__}
    with pytest.raises(Forbidden):
        world.do(ana, type(command)(**fields | {"room": room}))
