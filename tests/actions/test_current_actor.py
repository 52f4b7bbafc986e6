"""Ended sessions, locks and lost roles apply from their commit on, also within one batch."""

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
    SetPassword,
    SignOut,
    TouchSessions,
    UpdateServer,
)
from hubbub.model.base import Command
from hubbub.model.bookmarks import Bookmark, Bookmarks
from hubbub.model.drafts import Draft
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


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.word())
@pytest.mark.parametrize("how", ["sign out", "end session", "lock", "new password"])
def test_commands_after_the_end_of_their_session_are_refused(
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


def test_a_lost_role_does_not_apply_to_later_commands_of_the_batch(world: World) -> None:
    owner = world.account("olga", ServerRole.OWNER)
    adam = world.account("adam", ServerRole.ADMIN, session="a1")
    results = world.batch(
        (adam, CreateInvite()),
        (owner, SetRole(user="adam", role="member")),
        (adam, CreateInvite()),
    )
    assert isinstance(results[2], Forbidden)
    assert not isinstance(results[0], Exception)


def test_guests_can_neither_post_nor_read_once_guests_are_disabled(world: World) -> None:
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
    # The operator's setting takes precedence over the owner's.
    history = actions.answer(world.tx(), gus, History(room="lobby"), lambda stored: True)
    assert len(history.messages) == 2  # type: ignore[attr-defined]


def test_a_password_changed_during_its_check_opens_no_session(world: World) -> None:
    bo = world.account("bo", session="b1")
    world.do(bo, SetPassword(user="bo", password_hash="new", keep="b1", checked_hash="hash"))
    late = OpenSession(user_id=bo.user_id, session="b2", label="", checked_hash="hash")
    with pytest.raises(WrongCredentials):
        world.do(OPERATOR, late)
    with pytest.raises(WrongCredentials):
        world.do(bo, SetPassword(user="bo", password_hash="x", keep="b1", checked_hash="hash"))
    world.do(OPERATOR, msgspec.structs.replace(late, checked_hash="new"))


def test_idle_sessions_end_only_after_all_used_ones_are_reported(world: World) -> None:
    bo = world.account("bo", session="b1")
    world.do(OPERATOR, OpenSession(user_id=bo.user_id, session="b2", label=""))
    world.now += 31 * 24 * 3600 * 1000
    world.do(OPERATOR, TouchSessions(sessions=("b1",), more=True))
    world.do(OPERATOR, TouchSessions(sessions=("b2",)))
    assert world.effects == []


# Bookmarks and drafts of former members


def _kick_with_bookmarks(world: World) -> tuple[Actor, Actor, str]:
    """Ana, bo, and a private room from which bo was kicked; he has bookmarks and drafts in it."""
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    world.post(ana, "secret", room)
    world.post(bo, "answer", f"{room}.1")
    for room_id in (room, f"{room}.1"):
        world.do(bo, Bookmark(room=room_id, seq=1, note=f"of {room_id}"))
        world.do(bo, Draft(room=room_id, text="half a thou"))
    world.do(ana, Kick(room=room, user="bo"))
    return ana, bo, room


def _bookmarks(world: World, actor: Actor) -> list[Any]:
    page = world.ask(actor, Bookmarks())
    return [(one.room, one.seq, one.note, one.message) for one in page.bookmarks]


def test_bookmarks_and_drafts_do_not_reveal_that_a_room_was_deleted(world: World) -> None:
    ana, bo, room = _kick_with_bookmarks(world)
    before, rev = _bookmarks(world, bo), world.ask(bo, MyProfile()).me.rev
    assert [one[3] for one in before] == [None, None]
    world.do(ana, DeleteRoom(room=room))
    assert (_bookmarks(world, bo), world.ask(bo, MyProfile()).me.rev) == (before, rev)
    for room_id in (room, f"{room}.1"):
        for command in (
            Bookmark(room=room_id, seq=1, on=False),
            Draft(room=room_id, text=""),
        ):
            assert world.do(bo, command).rev == rev + 1
            rev += 1
        with pytest.raises(NotFound, match=f"no room #{room}"):
            world.do(bo, Bookmark(room=room_id, seq=1))
    # The last removal deletes the empty row of the room.
    assert world.rows("SELECT id FROM rooms") == [("lobby",)]
    assert _bookmarks(world, bo) == []


def test_a_deleted_room_leaves_only_an_empty_row_for_bookmarks(world: World) -> None:
    ana, _, room = _kick_with_bookmarks(world)
    world.do(ana, Bookmark(room=room, seq=1, note="her own"))
    world.do(ana, DeleteRoom(room=room))
    assert _bookmarks(world, ana) == []
    rows = world.rows("SELECT title, topic, members FROM rooms WHERE id <> 'lobby'")
    assert rows == [("", "", 0)] * 2
    for table in ("messages", "members", "mentions", "reactions", "pins"):
        sql = f"SELECT * FROM {table} WHERE room_pk IN (SELECT pk FROM rooms WHERE id <> 'lobby')"  # noqa: S608
        assert world.rows(sql) == []


def test_an_old_nonce_reveals_nothing_to_former_members(world: World) -> None:
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
    retries = (msgspec.structs.replace(posts[0], text="another"), *posts)
    for post in retries:
        with pytest.raises(NotFound) as refusal:
            world.do(bo, post)
        missing = {"to": "nowhere"} if isinstance(post, Forward) else {"room": "nowhere"}
        if "." in getattr(post, "room", "") and not isinstance(post, Forward):
            missing = {"room": "nowhere.1"}
        with pytest.raises(NotFound) as refusal_of_missing:
            world.do(bo, msgspec.structs.replace(post, **missing))
        assert str(refusal.value).replace(room, "nowhere") == str(refusal_of_missing.value)
    world.do(ana, Invite(room=room, user="bo"))
    assert [world.do(bo, post) for post in posts] == first
