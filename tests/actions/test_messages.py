"""Posting exactly once, editing, deleting, and mentions in them."""

from typing import Any

import pytest

from hubbub.model.accounts import MeChanged
from hubbub.model.errors import Conflict, Forbidden, Invalid, NotFound, NotMember
from hubbub.model.messages import Delete, Edit, History, Message, Post, Posted
from hubbub.model.outcome import ToPerson, ToRoom
from hubbub.model.policy import ServerRole
from hubbub.model.rooms import (
    CreateRoom,
    Direct,
    Invite,
    Join,
    Kick,
    Leave,
    SetRole,
    UpdateRoom,
)
from tests.support.world import START, World, guest


def messages(world: World, room: str = "lobby") -> list[Message]:
    found = world.ask(guest(), History(room=room, limit=200)).messages
    assert all(isinstance(one, Message) for one in found)
    return list(found)


# Posting


def test_a_post_gets_a_seq_a_time_and_an_event(world: World) -> None:
    [ana] = world.people("ana")
    world.now += 5
    assert world.post(ana, "hi", nonce="n") == Posted(seq=1, rev=1, at=START + 5)
    event = Message(room="lobby", seq=1, rev=1, by="ana", at=START + 5, text="hi", nonce="n")
    assert world.effects == [ToRoom("lobby", event, mrev=1)]
    assert messages(world) == [event]


def test_a_batch_is_numbered_in_order_for_each_room(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea", members=("bo",)))
    posts = [(actor, Post(room=room, text="x")) for room in ("lobby", "tea") for actor in (ana, bo)]
    posts = [posts[0], posts[2], posts[1], posts[3], posts[0]]
    assert [reply.seq for reply in world.batch(*posts)] == [1, 1, 2, 2, 3]
    events = [effect.event for effect in world.effects if isinstance(effect, ToRoom)]
    assert [event.seq for event in events if isinstance(event, Message)] == [1, 1, 2, 2, 3]


def test_a_batch_larger_than_one_statement_leaves_no_gap(world: World) -> None:
    [ana] = world.people("ana")
    replies = world.batch(*((ana, Post(room="lobby", text=f"{i}")) for i in range(301)))
    assert [reply.seq for reply in replies] == list(range(1, 302))
    newest = messages(world)
    assert [one.text for one in newest] == [str(i) for i in range(101, 301)]


def test_a_refused_post_uses_no_seq(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea"))
    replies = world.batch(
        (ana, Post(room="tea", text="one")),
        (bo, Post(room="tea", text="not in it")),
        (bo, Post(room="nowhere", text="what room?")),
        (ana, Post(room="tea", text="two", reply_to=9)),
        (ana, Post(room="tea", text="three")),
    )
    assert [getattr(reply, "seq", type(reply)) for reply in replies] == [
        *(1, NotMember, NotFound, Invalid),
        2,
    ]


def test_a_retry_gets_the_first_acknowledgement(world: World) -> None:
    [ana] = world.people("ana")
    first = world.post(ana, "hi", nonce="n")
    world.post(ana, "between")
    world.now += 1000
    assert world.post(ana, "hi", nonce="n") == first
    assert world.effects == []
    assert [one.text for one in messages(world)] == ["hi", "between"]


def test_a_retry_inside_one_batch_gets_the_first_acknowledgement(world: World) -> None:
    [ana] = world.people("ana")
    post = Post(room="lobby", text="hi", nonce="n")
    other = Post(room="lobby", text="another", nonce="n")
    first, again, conflict, last = world.batch(
        (ana, post), (ana, post), (ana, other), (ana, Post(room="lobby", text="last"))
    )
    assert first == again
    assert isinstance(conflict, Conflict)
    assert last.seq == 2
    assert len(world.effects) == 2


def test_a_retry_is_acknowledged_after_archiving_but_not_without_access(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="Tea", kind="private", members=("bo",))).room.room
    first = world.post(bo, "hi", room, nonce="n")
    world.do(ana, Kick(room=room, user="bo"))
    # An acknowledgement would reveal that the room still exists.
    for nonce in ("n", "another"):
        with pytest.raises(NotFound):
            world.post(bo, "hi", room, nonce=nonce)
    world.do(ana, Invite(room=room, user="bo"))
    assert world.post(bo, "hi", room, nonce="n") == first
    last = world.post(ana, "bye", room, nonce="n")
    world.do(ana, UpdateRoom(room=room, archived=True))
    assert world.post(ana, "bye", room, nonce="n") == last


def test_the_same_nonce_for_another_text_is_a_conflict(world: World) -> None:
    [ana] = world.people("ana")
    world.post(ana, "hi", nonce="n")
    with pytest.raises(Conflict):
        world.post(ana, "ho", nonce="n")


def test_a_retry_is_acknowledged_after_the_message_changed(world: World) -> None:
    [ana] = world.people("ana")
    first, second = world.post(ana, "hi", nonce="1"), world.post(ana, "ho", nonce="2")
    world.edit(ana, 1, "hello")
    world.delete(ana, 2)
    assert world.post(ana, "hi", nonce="1") == Posted(seq=1, rev=3, at=first.at)
    assert world.post(ana, "ho", nonce="2").seq == second.seq
    assert len(messages(world)) == 2


def test_nonces_are_separate_for_each_room_and_author(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea"))
    replies = world.batch(
        (ana, Post(room="lobby", text="a", nonce="n")),
        (bo, Post(room="lobby", text="b", nonce="n")),
        (ana, Post(room="tea", text="c", nonce="n")),
        (guest(), Post(room="lobby", text="d", nonce="n")),
        (guest("eva"), Post(room="lobby", text="e", nonce="n")),
    )
    assert [reply.seq for reply in replies] == [1, 2, 1, 3, 4]


def test_guests_with_one_name_and_different_keys_are_different_authors(
    world: World,
) -> None:
    first, second = guest("gus", "key-1"), guest("gus", "key-2")
    post = Post(room="lobby", text="hi", nonce="n")
    replies = world.batch((first, post), (first, post), (second, post))
    assert [reply.seq for reply in replies] == [1, 1, 2]
    assert world.post(first, "hi", nonce="n").seq == 1
    assert [message.by for message in messages(world)] == ["~gus", "~gus"]
    assert world.rows("SELECT COUNT(*) FROM users WHERE skeleton IS NULL") == [(2,)]
    with pytest.raises(Forbidden):
        world.edit(second, 1, "mine")
    assert world.edit(first, 1, "hello") == 3


def test_a_reply_must_refer_to_an_existing_message(world: World) -> None:
    [ana] = world.people("ana")
    world.post(ana, "one")
    world.post(ana, "two", reply_to=1)
    assert messages(world)[1].reply_to == 1
    with pytest.raises(Invalid):
        world.post(ana, "three", reply_to=3)


def test_former_members_cannot_post(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(bo, Leave(room="lobby"))
    with pytest.raises(NotMember):
        world.post(bo)
    world.do(bo, Join(room="lobby"))
    assert world.post(bo).seq == 1
    assert world.post(ana).seq == 2


# Editing and deleting


def test_an_edit_sends_the_whole_message_again(world: World) -> None:
    [ana] = world.people("ana")
    world.post(ana, "one", nonce="n")
    world.post(ana, "two")
    world.now += 60
    assert world.edit(ana, 1, "one!") == 3
    [effect] = world.effects
    assert isinstance(effect, ToRoom)
    assert messages(world)[0] == effect.event
    assert effect.event == Message(
        room="lobby",
        seq=1,
        rev=3,
        by="ana",
        at=START,
        text="one!",
        nonce="n",
        edited_at=START + 60,
    )
    assert world.edit(ana, 1, "one!") == 3
    assert world.effects == []


def test_a_deleted_message_is_a_tombstone_without_its_text(world: World) -> None:
    [ana] = world.people("ana")
    world.post(ana, "secret @ana")
    world.edit(ana, 1, "secret too @ana")
    assert world.delete(ana, 1) == 3
    [tombstone] = messages(world)
    assert (tombstone.deleted, tombstone.text, tombstone.mentions, tombstone.edited_at) == (
        True,
        "",
        (),
        None,
    )
    assert world.rows("SELECT text, mentions FROM messages") == [("", "")]
    assert world.delete(ana, 1) == 3
    assert world.effects == []
    with pytest.raises(NotFound):
        world.edit(ana, 1, "back")
    assert world.post(ana).seq == 2


def test_only_authors_can_edit_and_only_moderators_delete_for_others(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    admin = world.account("adam", ServerRole.ADMIN)
    world.do(ana, CreateRoom(title="Tea", members=("bo", "eva")))
    world.do(ana, SetRole(room="tea", user="bo", role="moderator"))
    for text in "abc":
        world.post(eva, text, "tea")
    for other in (ana, bo, admin, guest()):
        with pytest.raises((Forbidden, NotMember)):
            world.do(other, Edit(room="tea", seq=1, text="no"))
    world.delete(bo, 1, "tea")
    world.delete(admin, 2, "tea")
    world.post(bo, "mine", "tea")
    for other in (eva, guest()):
        with pytest.raises(Forbidden):
            world.delete(other, 4, "tea")


def test_former_members_can_delete_but_not_edit_their_messages(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea", members=("bo",)))
    world.post(bo, "one", "tea")
    world.do(bo, Leave(room="tea"))
    with pytest.raises(NotMember):
        world.edit(bo, 1, "two", "tea")
    assert world.delete(bo, 1, "tea") == 2


def test_messages_in_an_archived_room_can_be_deleted(world: World) -> None:
    [ana] = world.people("ana")
    world.do(ana, CreateRoom(title="Tea"))
    world.post(ana, "one", "tea")
    world.do(ana, UpdateRoom(room="tea", archived=True))
    assert world.delete(ana, 1, "tea") == 3


@pytest.mark.parametrize(
    "command", [Edit(room="lobby", seq=7, text="x"), Delete(room="lobby", seq=7)]
)
def test_editing_or_deleting_a_missing_message_is_refused(world: World, command: Any) -> None:
    [ana] = world.people("ana")
    world.post(ana)
    with pytest.raises(NotFound, match="no message 7"):
        world.do(ana, command)


# Mentions


def test_only_members_are_mentioned_and_counted(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.do(ana, CreateRoom(title="Tea", members=("bo",)))
    world.post(ana, "@Bo, @bo and @eva, @nobody", "tea")
    [message] = messages(world, "tea")
    assert message.mentions == ("bo",)
    assert (world.mine(bo)["tea"].mentions, world.mine(ana)["tea"].mentions) == (1, 0)
    assert world.rows("SELECT COUNT(*) FROM mentions") == [(1,)]
    world.do(ana, Invite(room="tea", user="eva"))
    assert world.mine(eva)["tea"].mentions == 0


def test_an_edit_replaces_the_mentions(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")

    def counts() -> tuple[int, int]:
        return world.mine(bo)["lobby"].mentions, world.mine(eva)["lobby"].mentions

    world.post(ana, "@bo")
    assert counts() == (1, 0)
    world.edit(ana, 1, "@eva")
    assert counts() == (0, 1)
    world.delete(ana, 1)
    assert counts() == (0, 0)


def test_a_hidden_direct_room_is_shown_again_with_its_mention_count(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, Direct(users=("bo",))).room.room
    world.post(ana, "@bo, look", room)
    [effect] = [one for one in world.effects if isinstance(one, ToPerson)]
    assert effect.user == "bo"
    assert isinstance(effect.event, MeChanged)
    assert effect.event.room == world.mine(bo)[room]
