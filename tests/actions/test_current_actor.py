"""Who is out is out: the order of commits decides, also within one batch."""

from typing import Any

import msgspec
import pytest

from hubbub import actions
from hubbub.model.accounts import (
    OPERATOR,
    Actor,
    CreateInvite,
    DisableUser,
    EndSession,
    MyProfile,
    OpenSession,
    SeeSessions,
    SetPassword,
    SignOut,
    UpdateServer,
)
from hubbub.model.base import Command
from hubbub.model.bookmarks import Bookmark, Bookmarks, Draft
from hubbub.model.errors import Forbidden, NotFound, SignInRequired, WrongCredentials
from hubbub.model.marks import React
from hubbub.model.messages import Forward, History, Post, Posted
from hubbub.model.policy import ServerRole
from hubbub.model.reading import Read
from hubbub.model.rooms import CreateRoom, DeleteRoom, Invite, Kick, Leave, SetRole
from tests.support.world import World, guest

COMMANDS: list[Command] = [
    Post(room="lobby", text="late"),
    Post(room="lobby.1", text="late"),
    Read(room="lobby", seq=1),
    React(room="lobby", seq=1, emoji="👍"),
    CreateRoom(title="Late"),
    Leave(room="lobby"),
]


def _in(batch: list[Any], at: int) -> str:
    found = batch[at]
    return str(getattr(found, "code", "done"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.word())
@pytest.mark.parametrize("how", ["sign out", "end session", "lock", "new password"])
def test_what_comes_after_the_end_of_its_session_is_refused(
    world: World, how: str, command: Command
) -> None:
    owner = world.account("olga", ServerRole.OWNER)
    bo = world.account("bo", session="b1")
    world.do(OPERATOR, OpenSession(user_id=bo.user_id, session="b2", label=""))
    other = msgspec.structs.replace(bo, session="b2")
    world.post(owner)
    end: tuple[Actor, Command] = {
        "sign out": (bo, SignOut()),
        "end session": (other, EndSession(session="b1")),
        "lock": (owner, DisableUser(user="bo")),
        "new password": (other, SetPassword(user="bo", password_hash="new", keep="b2")),
    }[how]
    before, _, after = world.batch((bo, Read(room="lobby", seq=1)), end, (bo, command))
    assert getattr(before, "read_seq", None) == 1
    assert after.code in ("sign_in_required", "forbidden" if how == "lock" else "")
    [later] = world.batch((bo, command))
    assert later.code == after.code
    for query in (History(room="lobby"), MyProfile()):
        with pytest.raises(SignInRequired):
            world.ask(bo, query)
    if how in ("end session", "new password"):
        assert isinstance(world.post(other), Posted)


def test_a_role_that_was_taken_away_is_no_longer_there_for_what_comes_after(world: World) -> None:
    owner = world.account("olga", ServerRole.OWNER)
    adam = world.account("adam", ServerRole.ADMIN, session="a1")
    results = world.batch(
        (adam, CreateInvite()),
        (owner, SetRole(user="adam", role="member")),
        (adam, CreateInvite()),
    )
    assert isinstance(results[2], Forbidden)
    assert not isinstance(results[0], Exception)


def test_guests_that_are_let_in_no_longer_say_and_read_nothing(world: World) -> None:
    owner, gus = world.account("olga", ServerRole.OWNER), guest()
    results = world.batch(
        (gus, Post(room="lobby", text="hello")),
        (owner, UpdateServer(guests=False)),
        (gus, Post(room="lobby", text="still here")),
        (owner, Post(room="lobby", text="alone")),
        (gus, React(room="lobby", seq=1, emoji="👍")),
    )
    assert [isinstance(one, Forbidden) for one in results] == [False, False, True, False, True]
    with pytest.raises(Forbidden):
        world.ask(gus, History(room="lobby"))
    # What the operator has set goes before that.
    history = actions.answer(world.tx(), gus, History(room="lobby"), lambda stored: True)
    assert len(history.messages) == 2  # type: ignore[attr-defined]


def test_a_password_that_was_replaced_while_it_was_checked_opens_no_session(world: World) -> None:
    bo = world.account("bo", session="b1")
    world.do(bo, SetPassword(user="bo", password_hash="new", keep="b1", checked="hash"))
    late = OpenSession(user_id=bo.user_id, session="b2", label="", checked="hash")
    with pytest.raises(WrongCredentials):
        world.do(OPERATOR, late)
    with pytest.raises(WrongCredentials):
        world.do(bo, SetPassword(user="bo", password_hash="x", keep="b1", checked="hash"))
    world.do(OPERATOR, msgspec.structs.replace(late, checked="new"))


def test_no_session_ends_before_all_in_use_are_known(world: World) -> None:
    bo = world.account("bo", session="b1")
    world.do(OPERATOR, OpenSession(user_id=bo.user_id, session="b2", label=""))
    world.now += 31 * 24 * 3600 * 1000
    world.do(OPERATOR, SeeSessions(sessions=("b1",), more=True))
    world.do(OPERATOR, SeeSessions(sessions=("b2",)))
    assert world.effects == []


# What somebody keeps who was put out


def _put_out(world: World) -> tuple[Actor, Actor, str]:
    """Ana, bo, and a private room of ana's that bo was put out of and keeps something in."""
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    world.post(ana, "secret", room)
    world.post(bo, "answer", f"{room}.1")
    for place in (room, f"{room}.1"):
        world.do(bo, Bookmark(room=place, seq=1, note=f"of {place}"))
        world.do(bo, Draft(room=place, text="half a thou"))
    world.do(ana, Kick(room=room, user="bo"))
    return ana, bo, room


def _kept(world: World, bo: Actor) -> list[Any]:
    page = world.ask(bo, Bookmarks())
    return [(one.room, one.seq, one.note, one.message) for one in page.bookmarks]


def test_what_is_kept_does_not_tell_that_the_room_was_deleted(world: World) -> None:
    ana, bo, room = _put_out(world)
    before, rev = _kept(world, bo), world.ask(bo, MyProfile()).me.rev
    assert [one[3] for one in before] == [None, None]
    world.do(ana, DeleteRoom(room=room))
    assert (_kept(world, bo), world.ask(bo, MyProfile()).me.rev) == (before, rev)
    for place in (room, f"{room}.1"):
        for command in (
            Bookmark(room=place, seq=1, on=False),
            Draft(room=place, text=""),
        ):
            assert world.do(bo, command).rev == rev + 1
            rev += 1
        with pytest.raises(NotFound, match=f"no room #{room}"):
            world.do(bo, Bookmark(room=place, seq=1))
    # Then nothing is left of it.
    assert world.rows("SELECT id FROM rooms") == [("lobby",)]
    assert _kept(world, bo) == []


def test_of_a_deleted_room_nothing_is_left_but_that_something_was_kept(world: World) -> None:
    ana, _, room = _put_out(world)
    world.do(ana, Bookmark(room=room, seq=1, note="her own"))
    world.do(ana, DeleteRoom(room=room))
    assert _kept(world, ana) == []
    rows = world.rows("SELECT title, topic, members FROM rooms WHERE id <> 'lobby'")
    assert rows == [("", "", 0)] * 2
    for table in ("messages", "members", "mentions", "reactions", "pins"):
        sql = f"SELECT * FROM {table} WHERE room_pk IN (SELECT pk FROM rooms WHERE id <> 'lobby')"  # noqa: S608
        assert world.rows(sql) == []


def test_an_old_nonce_tells_those_outside_nothing(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    world.post(ana, "quote me")
    posts = (
        Post(room=room, text="hi", nonce="n"),
        Post(room=f"{room}.1", text="ho", nonce="n"),
        Forward(room="lobby", seq=1, to=room, nonce="f"),
    )
    first = [world.do(bo, post) for post in posts]
    world.do(ana, Kick(room=room, user="bo"))
    other = (msgspec.structs.replace(posts[0], text="another"), *posts)
    for post in other:
        with pytest.raises(NotFound) as told:
            world.do(bo, post)
        nowhere = {"to": "nowhere"} if isinstance(post, Forward) else {"room": "nowhere"}
        if "." in getattr(post, "room", "") and not isinstance(post, Forward):
            nowhere = {"room": "nowhere.1"}
        with pytest.raises(NotFound) as of_nowhere:
            world.do(bo, msgspec.structs.replace(post, **nowhere))
        assert str(told.value).replace(room, "nowhere") == str(of_nowhere.value)
    world.do(ana, Invite(room=room, user="bo"))
    assert [world.do(bo, post) for post in posts] == first
