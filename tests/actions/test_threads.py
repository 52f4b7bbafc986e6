"""Threads: rooms under a root message, their followers, and the root's reply count."""

import pytest

from hubbub.model.accounts import Actor, MeChanged
from hubbub.model.errors import Conflict, Forbidden, Invalid, NotFound, NotMember
from hubbub.model.marks import Marks
from hubbub.model.mentions import Mentions
from hubbub.model.messages import Forward, History, Message, Post
from hubbub.model.outcome import MembershipChanged, RoomGone, ToPerson, ToRoom
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
    Rooms,
    UpdateRoom,
    Watch,
)
from hubbub.model.threads import ACTIVE_MS, Threads
from tests.support.world import DAY_MS, World, guest

THREAD = "lobby.1"


def marks(world: World) -> Marks:
    """The last event about the root message's marks."""
    return [
        one.event
        for one in world.effects
        if isinstance(one, ToRoom) and isinstance(one.event, Marks)
    ][-1]


def followers(world: World, actor: Actor, thread: str = THREAD) -> list[str]:
    return [one.name for one in world.ask(actor, Members(room=thread)).members]


def test_the_first_reply_creates_the_thread_and_is_counted_on_its_root(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "what is for tea?")
    posted = world.post(bo, "cake", THREAD)
    assert (posted.seq, posted.rev) == (1, 1)
    event = marks(world)
    assert (event.room, event.seq, event.rev) == ("lobby", 1, 2)
    assert (event.replies, event.replied_at, event.repliers) == (1, world.now, ("bo",))
    [reply] = world.ask(ana, History(room=THREAD)).messages
    assert (reply.room, reply.by, reply.text) == (THREAD, "bo", "cake")
    thread = world.mine(ana)[THREAD]
    assert (thread.parent, thread.parent_seq, thread.kind, thread.title) == (
        "lobby",
        1,
        "public",
        "",
    )


def test_replies_add_no_messages_to_the_parent_room(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.post(ana)
    for n in range(5):
        world.post(bo, f"reply {n}", THREAD)
    lobby, thread = world.mine(eva)["lobby"], world.mine(ana)[THREAD]
    assert (lobby.seq, lobby.rev) == (1, 6)
    assert THREAD not in world.mine(eva)
    assert (thread.seq, thread.read_seq) == (5, 0)


def test_the_author_repliers_and_mentioned_people_follow_a_thread(world: World) -> None:
    ana, bo, eva, _ = world.people("ana bo eva kim")
    world.post(ana)
    world.post(bo, "@eva what do you say?", THREAD)
    joined = [one for one in world.effects if isinstance(one, MembershipChanged)]
    assert sorted(one.event.user or "" for one in joined) == ["ana", "bo", "eva"]
    assert followers(world, ana) == ["ana", "bo", "eva"]
    mine = world.mine(eva)[THREAD]
    assert (mine.read_seq, mine.mentions) == (0, 1)
    assert world.mine(bo)[THREAD].read_seq == 1
    me = [one.event for one in world.effects if isinstance(one, ToPerson) and one.user == "eva"]
    assert isinstance(me[0], MeChanged)
    assert me[0].room
    assert (me[0].room.room, me[0].room.seq, me[0].room.mentions) == (THREAD, 1, 1)


def test_unfollowing_lasts_until_the_next_own_reply(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    world.post(bo, "one", THREAD)
    world.do(ana, Leave(room=THREAD))
    world.post(bo, "two", THREAD)
    assert followers(world, bo) == ["bo"]
    assert THREAD not in world.mine(ana)
    with pytest.raises(Forbidden, match="do not follow"):
        world.do(ana, Leave(room=THREAD))
    with pytest.raises(Forbidden, match="do not follow"):
        world.do(ana, Read(room=THREAD, seq=2))
    with pytest.raises(Forbidden, match="do not follow"):
        world.do(ana, Prefs(room=THREAD, notify="none"))
    world.post(ana, "three", THREAD)
    assert followers(world, bo) == ["ana", "bo"]


def test_members_of_the_room_can_follow_and_others_can_read(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.do(ana, CreateRoom(title="Tea", members=("bo",)))
    world.post(ana, room="tea")
    world.post(ana, "more", "tea.1")
    assert world.do(bo, Join(room="tea.1")).room.read_seq == 1
    assert followers(world, ana, "tea.1") == ["ana", "bo"]
    for command in (Join(room="tea.1"), Post(room="tea.1", text="hi")):
        with pytest.raises(NotMember, match="Join #tea before"):
            world.do(eva, command)
    assert world.ask(eva, Watch(room="tea.1")).messages[0].text == "more"
    assert world.do(guest(), Join(room="tea.1")).room.role is None


def test_a_thread_has_neither_settings_nor_threads(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    world.post(ana, "more", THREAD)
    for command in (
        UpdateRoom(room=THREAD, title="x"),
        DeleteRoom(room=THREAD),
        Invite(room=THREAD, user="bo"),
        Kick(room=THREAD, user="ana"),
    ):
        with pytest.raises(Forbidden, match="from its room"):
            world.do(ana, command)
    with pytest.raises(Invalid, match="no threads of its own"):
        world.post(bo, "deeper", f"{THREAD}.1")
    assert [room.room for room in world.ask(ana, Rooms()).rooms] == ["lobby"]


@pytest.mark.parametrize("seq", [2, 99])
def test_a_thread_needs_an_existing_message(world: World, seq: int) -> None:
    ana = world.account("ana")
    world.post(ana)
    world.post(ana)
    world.delete(ana, 2)
    with pytest.raises(NotFound, match="deleted" if seq == 2 else "no message 99"):
        world.post(ana, "hello?", f"lobby.{seq}")
    assert world.rows("SELECT COUNT(*) FROM rooms") == [(1,)]


@pytest.mark.parametrize(
    "name", ["lobby.0", "lobby.01", "lobby.x", "lobby.", ".1", "x.1", "lobby.-1"]
)
def test_an_invalid_thread_id_is_no_room(world: World, name: str) -> None:
    ana = world.account("ana")
    world.post(ana)
    with pytest.raises(NotFound):
        world.post(ana, "hi", name)


def test_a_thread_survives_the_deletion_of_its_root(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    world.post(bo, "a reply", THREAD)
    world.delete(ana, 1)
    [tombstone] = world.ask(bo, History(room="lobby")).messages
    assert (tombstone.deleted, tombstone.replies) == (True, 1)
    world.post(bo, "another", THREAD)
    assert marks(world).replies == 2


def test_a_deleted_reply_is_not_counted(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    world.post(bo, "one", THREAD)
    world.post(bo, "two", THREAD)
    world.delete(bo, 1, THREAD)
    assert marks(world).replies == 1
    world.delete(bo, 1, THREAD)
    assert world.effects == []
    [message] = world.ask(ana, History(room="lobby")).messages
    assert message.replies == 1
    world.delete(bo, 2, THREAD)
    event = marks(world)
    assert (event.replies, event.replied_at, event.repliers) == (0, None, ())


def test_people_mentioned_by_an_edit_follow_from_that_message(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.post(ana)
    world.post(bo, "one", THREAD)
    world.post(bo, "two", THREAD)
    world.edit(bo, 2, "two, @eva", THREAD)
    assert [one.event.user for one in world.effects if isinstance(one, MembershipChanged)] == [
        "eva"
    ]
    mine = world.mine(eva)[THREAD]
    assert (mine.read_seq, mine.mentions) == (1, 1)


def test_a_follower_without_membership_sees_nothing_of_the_thread(
    world: World,
) -> None:
    """A node of the previous release, which has no threads, may remove the member."""
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    world.post(ana, room=room)
    world.post(ana, "secret @bo", f"{room}.1")
    world.change(
        "DELETE FROM members WHERE user_id = (SELECT id FROM users WHERE name = 'bo')"
        " AND room_pk = (SELECT pk FROM rooms WHERE kind = 'private' AND parent_pk IS NULL)"
    )
    assert f"{room}.1" not in world.mine(bo)
    assert world.ask(bo, Threads()).threads == []
    assert world.ask(bo, Mentions()).mentions == []
    with pytest.raises(NotFound):
        world.do(bo, Read(room=f"{room}.1", seq=1))


def test_a_reply_can_also_be_posted_to_the_room(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "question")
    world.post(bo, "for all: @ana", THREAD, also_in_room=True, nonce="n1")
    events = [one.event for one in world.effects if isinstance(one, ToRoom)]
    assert [(event.room, event.rev) for event in events] == [
        (THREAD, 1),
        ("lobby", 2),
        ("lobby", 3),
    ]
    copy = world.ask(ana, History(room="lobby")).messages[1]
    assert (copy.text, copy.by, copy.reply_to, copy.nonce) == ("for all: @ana", "bo", 1, None)
    # The mention counts once, though there are two messages.
    assert (world.mine(ana)[THREAD].mentions, world.mine(ana)["lobby"].mentions) == (1, 0)
    again = world.post(bo, "for all: @ana", THREAD, also_in_room=True, nonce="n1")
    assert (again.seq, world.effects) == (1, [])
    assert world.mine(ana)["lobby"].seq == 2
    world.post(bo, "waves", THREAD, also_in_room=True, kind="me")
    assert world.ask(ana, History(room="lobby")).messages[2].kind == "me"
    with pytest.raises(Invalid, match="Only a reply"):
        world.post(bo, "hm", also_in_room=True)


def test_replies_in_one_batch_are_written_together(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.post(ana)
    first, second, in_room, retry, nested = world.batch(
        (bo, Post(room=THREAD, text="one", nonce="a")),
        (eva, Post(room=THREAD, text="two", also_in_room=True)),
        (ana, Post(room="lobby", text="between")),
        (bo, Post(room=THREAD, text="one", nonce="a")),
        (ana, Post(room=f"{THREAD}.1", text="no")),
    )
    assert (first.seq, second.seq, in_room.seq, retry.seq) == (1, 2, 3, 1)
    assert isinstance(nested, Invalid)
    assert (marks(world).replies, marks(world).repliers) == (2, ("eva", "bo"))
    revs = [
        one.event.rev for one in world.effects if isinstance(one, ToRoom) and one.room == "lobby"
    ]
    assert revs == [2, 3, 4]
    assert followers(world, ana) == ["ana", "bo", "eva"]


def test_repliers_are_the_latest_five(world: World) -> None:
    people = world.people("ana bo eva kim lee mia ned")
    world.post(people[0])
    for one in (*people, people[1]):
        world.post(one, "hm", THREAD)
    assert marks(world).repliers == ("bo", "ned", "mia", "lee", "kim")
    assert marks(world).replies == 8


def test_guests_can_reply_but_do_not_follow(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    world.post(guest(), "hi", THREAD)
    assert followers(world, ana) == ["ana"]
    assert marks(world).repliers == ("~gus",)


def test_leaving_a_room_unfollows_its_threads(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    world.post(ana, room=room)
    world.post(bo, "one", f"{room}.1")
    world.do(ana, Kick(room=room, user="bo"))
    for query in (History(room=f"{room}.1"), Watch(room=f"{room}.1")):
        with pytest.raises(NotFound):
            world.ask(bo, query)
    assert world.ask(bo, Threads()).threads == []
    assert followers(world, ana, f"{room}.1") == ["ana"]
    world.do(ana, Invite(room=room, user="bo"))
    assert f"{room}.1" not in world.mine(bo)


def test_mentioning_a_non_member_does_not_add_them_to_the_thread(world: World) -> None:
    ana, _ = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private")).room.room
    world.post(ana, room=room)
    world.post(ana, "psst @bo", f"{room}.1")
    assert followers(world, ana, f"{room}.1") == ["ana"]
    assert world.ask(ana, History(room=f"{room}.1")).messages[0].mentions == ()


def test_deleting_a_room_deletes_its_threads(world: World) -> None:
    ana, bo = world.people("ana bo")
    total = world.tx().total_rev()
    world.do(ana, CreateRoom(title="Tea", members=("bo",)))
    world.post(ana, room="tea")
    world.post(bo, "more @ana", "tea.1")
    world.do(ana, DeleteRoom(room="tea"))
    assert [one for one in world.effects if isinstance(one, RoomGone)] == [RoomGone("tea")]
    assert world.rows("SELECT id FROM rooms") == [("lobby",)]
    assert world.rows("SELECT COUNT(*) FROM members") == [(2,)]
    assert world.rows("SELECT seq FROM messages UNION SELECT seq FROM mentions") == []
    assert world.tx().total_rev() == total + 3
    with pytest.raises(NotFound):
        world.ask(bo, History(room="tea.1"))


def test_direct_rooms_have_threads(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    room = world.do(ana, Direct(users=("bo",))).room.room
    world.post(ana, "hi", room)
    world.post(bo, "hello", f"{room}.1")
    assert followers(world, ana, f"{room}.1") == ["ana", "bo"]
    assert world.mine(ana)[f"{room}.1"].people == ()
    assert [one.name for one in world.mine(ana)[room].people] == ["bo"]
    with pytest.raises(NotFound):
        world.post(eva, "me too", f"{room}.1")
    again = world.do(ana, Direct(users=("bo",)))
    assert again.room.room == room


def test_the_list_of_threads_has_pages_and_a_filter(world: World) -> None:
    ana, bo = world.people("ana bo")
    for n in range(1, 5):
        world.post(ana, f"question {n}")
        world.now += 1
        world.post(bo, f"reply {n}", f"lobby.{n}")
    page = world.ask(ana, Threads(limit=3))
    assert [one.thread.room for one in page.threads] == ["lobby.4", "lobby.3", "lobby.2"]
    first = page.threads[0]
    assert first.last
    assert (first.root.text, first.last.text) == ("question 4", "reply 4")
    rest = world.ask(ana, Threads(limit=3, after=page.cursor or ""))
    assert ([one.thread.room for one in rest.threads], rest.cursor) == (["lobby.1"], None)
    world.do(ana, Read(room="lobby.3", seq=1))
    unread = world.ask(ana, Threads(unread=True))
    assert [one.thread.room for one in unread.threads] == ["lobby.4", "lobby.2", "lobby.1"]
    assert world.ask(bo, Threads(unread=True)).threads == []


def test_a_reply_reactivates_an_inactive_thread(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana)
    world.post(bo, "one", THREAD)
    world.now += ACTIVE_MS + DAY_MS
    assert THREAD not in world.mine(ana)
    assert [one.thread.room for one in world.ask(ana, Threads()).threads] == [THREAD]
    world.post(bo, "two", THREAD)
    sent = {one.user: one.event for one in world.effects if isinstance(one, ToPerson)}
    assert isinstance(sent["ana"], MeChanged)
    assert sent["ana"].room == world.mine(ana)[THREAD]
    joined = [one.event for one in world.effects if isinstance(one, MembershipChanged)]
    assert {one.user for one in joined} == {"ana", "bo"}
    assert {one.mrev for one in joined} == {2}, "no follower was added"


def test_a_message_can_be_forwarded_into_a_thread(world: World) -> None:
    ana = world.account("ana")
    world.post(ana, "the words")
    world.do(ana, Forward(room="lobby", seq=1, to=THREAD))
    [reply] = world.ask(ana, History(room=THREAD)).messages
    assert isinstance(reply, Message)
    assert reply.text == "> the words"


def test_replies_in_an_archived_room_are_refused(world: World) -> None:
    ana = world.account("ana")
    world.do(ana, CreateRoom(title="Tea"))
    world.post(ana, room="tea")
    world.post(ana, "more", "tea.1")
    world.do(ana, UpdateRoom(room="tea", archived=True))
    with pytest.raises(Conflict, match="archived"):
        world.post(ana, "and more", "tea.1")
    assert world.ask(ana, History(room="tea.1")).messages
