"""Bookmarks, drafts, mentions and forwarding: what people keep, and what they may see of it."""

import pytest

from hubbub.model.accounts import UpdateMe
from hubbub.model.errors import (
    Conflict,
    Forbidden,
    HubbubError,
    Invalid,
    Malformed,
    NotFound,
    TooLarge,
)
from hubbub.model.keeping import (
    Bookmark,
    BookmarkChanged,
    Bookmarks,
    Draft,
    DraftChanged,
    Drafts,
    Mentions,
    Threads,
)
from hubbub.model.messages import Edit, Forward, History, Origin, Post, PostHere
from hubbub.model.outcome import ToPerson
from hubbub.model.policy import ServerRole
from hubbub.model.reading import Read
from hubbub.model.rooms import (
    SMALL_ROOM,
    CreateRoom,
    DeleteRoom,
    Invite,
    Join,
    Kick,
    Leave,
    SetRole,
    UpdateRoom,
)
from tests.support.world import World, guest


def own(world: World) -> BookmarkChanged | DraftChanged:
    """What the person alone was told by the last command."""
    [one] = world.told
    assert isinstance(one, ToPerson)
    assert isinstance(one.event, BookmarkChanged | DraftChanged)
    return one.event


# Bookmarks


def test_a_bookmark_is_told_to_its_owner_alone(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(bo, "the recipe")
    rev = world.do(ana, Bookmark(room="lobby", seq=1, note="  for   Sunday ")).rev
    event = own(world)
    assert (event.rev, event.room) == (rev, "lobby")
    [kept] = world.ask(ana, Bookmarks()).bookmarks
    assert (kept.note, kept.at, kept.message.text) == ("for Sunday", world.now, "the recipe")
    assert world.ask(bo, Bookmarks()).bookmarks == []
    assert [one.name for one in world.ask(ana, Bookmarks()).people] == ["bo"]


def test_the_note_can_change_and_the_bookmark_stays_where_it_is(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    world.do(ana, Bookmark(room="lobby", seq=1, note="one"))
    world.do(ana, Bookmark(room="lobby", seq=1, note="one"))
    assert world.told == []
    then, world.now = world.now, world.now + 1_000
    world.do(ana, Bookmark(room="lobby", seq=1, note="two"))
    event = own(world)
    assert isinstance(event, BookmarkChanged)
    assert (event.note, event.at) == ("two", then)
    world.do(ana, Bookmark(room="lobby", seq=1, on=False))
    event = own(world)
    assert isinstance(event, BookmarkChanged)
    assert event.gone
    world.do(ana, Bookmark(room="lobby", seq=1, on=False))
    assert world.told == []


def test_a_bookmark_of_what_one_may_no_longer_read_keeps_the_note(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    world.post(ana, "secret", room)
    world.do(bo, Bookmark(room=room, seq=1, note="mine"))
    world.do(ana, Kick(room=room, user="bo"))
    [kept] = world.ask(bo, Bookmarks()).bookmarks
    assert (kept.note, kept.message) == ("mine", None)
    with pytest.raises(NotFound):
        world.do(bo, Bookmark(room=room, seq=1, note="changed"))
    world.do(ana, Invite(room=room, user="bo"))
    assert world.ask(bo, Bookmarks()).bookmarks[0].message.text == "secret"
    world.delete(ana, 1, room)
    [kept] = world.ask(bo, Bookmarks()).bookmarks
    assert (kept.note, kept.message) == ("mine", None)
    world.do(bo, Bookmark(room=room, seq=1, on=False))
    assert world.ask(bo, Bookmarks()).bookmarks == []


def test_bookmarks_are_told_by_pages_and_have_a_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hubbub.actions import keeping

    ana = world.account("ana")
    for seq in range(1, 6):
        world.post(ana, f"message {seq}")
        world.now += 1
        world.do(ana, Bookmark(room="lobby", seq=seq))
    page = world.ask(ana, Bookmarks(limit=3))
    assert [one.seq for one in page.bookmarks] == [5, 4, 3]
    rest = world.ask(ana, Bookmarks(limit=3, after=page.cursor))
    assert ([one.seq for one in rest.bookmarks], rest.cursor) == ([2, 1], None)
    for cursor in ("x", "1.2", "1.2.x", "1.2.3.4", "-1.2.3"):
        with pytest.raises(Malformed):
            world.ask(ana, Bookmarks(after=cursor))
    world.post(ana)
    monkeypatch.setattr(keeping, "BOOKMARKS_MAX", 5)
    with pytest.raises(Conflict, match="5 bookmarks"):
        world.do(ana, Bookmark(room="lobby", seq=6))
    world.do(ana, Bookmark(room="lobby", seq=5, note="still"))


def test_what_is_not_there_is_not_kept(world: World) -> None:
    ana = world.account("ana")
    with pytest.raises(NotFound, match="no message 1"):
        world.do(ana, Bookmark(room="lobby", seq=1))
    with pytest.raises(Invalid, match="0 to 500"):
        Bookmark(room="lobby", seq=1, note="x" * 501)


@pytest.mark.parametrize(
    "command",
    [
        Bookmark(room="lobby", seq=1),
        Bookmarks(),
        Draft(room="lobby", text="hm"),
        Drafts(),
        Mentions(),
        Threads(),
    ],
    ids=lambda command: command.word(),
)
def test_guests_keep_nothing(world: World, command: object) -> None:
    world.post(world.account("ana"))
    with pytest.raises(Forbidden, match="Sign up first"):
        world.take(guest(), command)  # type: ignore[arg-type]


# Drafts


def test_a_draft_follows_to_other_devices_and_goes_when_it_is_emptied(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(bo)
    world.do(ana, Draft(room="lobby", text="half a thou", reply_to=1))
    event = own(world)
    assert isinstance(event, DraftChanged)
    assert (event.text, event.reply_to, event.at) == ("half a thou", 1, world.now)
    world.do(ana, Draft(room="lobby", text="half a thought"))
    world.do(ana, Draft(room="lobby", text="half a thought"))
    assert world.told == []
    [kept] = world.ask(ana, Drafts()).drafts
    assert (kept.room, kept.text, kept.reply_to) == ("lobby", "half a thought", None)
    assert world.ask(bo, Drafts()).drafts == []
    world.do(ana, Draft(room="lobby"))
    event = own(world)
    assert isinstance(event, DraftChanged)
    assert event.text == ""
    assert world.ask(ana, Drafts()).drafts == []


def test_a_thread_that_is_still_to_begin_can_have_a_draft(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    for room in ("lobby", "lobby.1"):
        world.now += 1
        world.do(ana, Draft(room=room, text=f"to {room}"))
    assert [one.room for one in world.ask(ana, Drafts()).drafts] == ["lobby.1", "lobby"]
    world.do(ana, Draft(room="lobby.1"))
    assert [one.room for one in world.ask(ana, Drafts()).drafts] == ["lobby"]


def test_drafts_are_kept_where_one_may_write_and_have_a_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hubbub.actions import keeping

    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    world.do(bo, Draft(room=room, text="to say"))
    world.do(bo, Leave(room=room))
    assert world.ask(bo, Drafts()).drafts == []
    with pytest.raises(NotFound):
        world.do(bo, Draft(room=room, text="more"))
    world.do(bo, Draft(room=room))
    assert world.rows("SELECT COUNT(*) FROM drafts") == [(0,)]
    world.do(bo, Draft(room="nowhere"))
    assert world.told == []
    monkeypatch.setattr(keeping, "DRAFTS_MAX", 2)
    world.do(ana, Draft(room="lobby", text="one"))
    world.do(ana, Draft(room=room, text="two"))
    world.do(ana, Draft(room=room, text="two, longer"))
    with pytest.raises(Conflict, match="2 drafts"):
        world.do(ana, Draft(room="lobby.1", text="three"))
    assert [one.text for one in world.ask(ana, Drafts()).drafts] == ["one", "two, longer"]


@pytest.mark.parametrize("text", ["x" * 16_001, "half \ud83d"])
def test_a_draft_is_text(text: str) -> None:
    with pytest.raises(HubbubError):
        Draft(room="lobby", text=text)


# Mentions


def names(world: World, seq: int, room: str = "lobby") -> tuple[str, ...]:
    """Who a message mentions, as everyone is told."""
    [message] = world.ask(guest(), History(room=room, around=seq, limit=1)).messages
    found: tuple[str, ...] = message.mentions
    return found


def test_everybody_is_everybody_in_the_room_however_many(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.post(ana, "tea is ready, @room!")
    assert world.rows("SELECT COUNT(*) FROM mentions") == [(0,)]
    assert world.mine(bo)["lobby"].mentions == 1
    assert names(world, 1) == ("@room",)
    [hit] = world.ask(eva, Mentions()).mentions
    assert (hit.unread, hit.message.text) == (True, "tea is ready, @room!")
    assert world.ask(ana, Mentions()).mentions == [], "one does not call oneself"
    world.do(bo, Read(room="lobby", seq=1))
    assert world.mine(bo)["lobby"].mentions == 0
    assert world.ask(bo, Mentions()).mentions[0].unread is False
    assert world.ask(bo, Mentions(unread=True)).mentions == []


def test_one_does_not_call_oneself(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(bo, "something that ana has not read")
    for text in ("@ana", "@room", "@here"):
        world.do(ana, PostHere(room="lobby", text=text, present=("ana", "bo")))
    assert world.mine(ana)["lobby"].mentions == 0
    assert world.ask(ana, Mentions()).mentions == []
    assert world.mine(bo)["lobby"].mentions == 2


def test_what_was_said_to_everybody_before_one_came_was_not_said_to_one(world: World) -> None:
    ana = world.account("ana")
    world.post(ana, "@room")
    world.now += 1
    bo = world.account("bo")
    assert world.ask(bo, Mentions()).mentions == []
    assert world.mine(bo)["lobby"].mentions == 0


def test_here_are_those_who_were_present(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.do(ana, PostHere(room="lobby", text="@here?", present=("ana", "bo", "~gus", "nobody")))
    assert world.mine(bo)["lobby"].mentions == 1
    assert world.mine(eva)["lobby"].mentions == 0
    assert names(world, 1) == ("@here",)
    # An edit does not call those who are here by then, and lets the others have their mention.
    world.do(ana, Edit(room="lobby", seq=1, text="@here? anybody?"))
    assert (world.mine(bo)["lobby"].mentions, names(world, 1)) == (1, ("@here",))
    world.do(ana, Edit(room="lobby", seq=1, text="nobody?"))
    assert (world.mine(bo)["lobby"].mentions, names(world, 1)) == (0, ())
    world.do(ana, Edit(room="lobby", seq=1, text="@here and @room"))
    assert names(world, 1) == ("@room",)


def test_in_a_crowd_only_moderators_call_everybody(world: World) -> None:
    ana, bo = world.account("ana", ServerRole.OWNER), world.account("bo")
    world.do(ana, CreateRoom(title="Tea"))
    world.do(bo, Join(room="tea"))
    assert SMALL_ROOM == 200
    world.change("UPDATE rooms SET members = 201 WHERE id = 'tea'")
    world.post(bo, "@room @ana", "tea")
    assert names(world, 1, "tea") == ("ana",)
    world.post(ana, "@room", "tea")
    assert names(world, 2, "tea") == ("@room",)
    world.do(ana, SetRole(room="tea", user="bo", role="moderator"))
    world.post(bo, "@room", "tea")
    assert names(world, 3, "tea") == ("@room",)
    world.post(guest(), "@room", "lobby")
    assert names(world, 1) == ()


def test_who_is_named_in_a_quote_is_not_called_again(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "> @bo said\n  > @room\nso @ana > @bo")
    assert names(world, 1) == ("ana", "bo")
    world.post(ana, "> @bo said\n  > @room\nyes")
    assert names(world, 2) == ()
    assert world.mine(bo)["lobby"].mentions == 1


def test_mentions_are_told_by_pages_over_rooms_and_only_of_rooms_one_is_in(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    for nth, (where, text) in enumerate(
        [("lobby", "@bo 1"), (room, "@bo 2"), ("lobby.1", "@bo 3"), (room, "@room 4")]
    ):
        world.now += nth
        world.post(ana, text, where)
    page = world.ask(bo, Mentions(limit=3))
    assert [hit.message.text for hit in page.mentions] == ["@room 4", "@bo 3", "@bo 2"]
    assert [hit.message.room for hit in page.mentions] == [room, "lobby.1", room]
    rest = world.ask(bo, Mentions(limit=3, after=page.cursor))
    assert ([hit.message.text for hit in rest.mentions], rest.cursor) == (["@bo 1"], None)
    world.do(ana, Kick(room=room, user="bo"))
    left = [hit.message.text for hit in world.ask(bo, Mentions()).mentions]
    assert left == ["@bo 3", "@bo 1"]
    world.delete(ana, 1)
    assert [hit.message.text for hit in world.ask(bo, Mentions()).mentions] == ["@bo 3"]


def test_a_display_name_changes_how_somebody_shows_and_not_whom_was_meant(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "@bo")
    world.do(bo, UpdateMe(display_name="ana"))
    assert names(world, 1) == ("bo",)
    assert len(world.ask(bo, Mentions()).mentions) == 1
    assert world.ask(ana, Mentions()).mentions == []


# Forwarding


def test_a_forwarded_message_is_a_quote_with_a_way_back(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private")).room.room
    world.post(ana, "one\ntwo @bo", room)
    world.now += 5
    world.do(ana, Forward(room=room, seq=1, to="lobby", text="Look, @bo:"))
    [message] = world.ask(bo, History(room="lobby")).messages
    assert message.text == "Look, @bo:\n\n> one\n> two @bo"
    assert message.origin == Origin(room=room, seq=1, by="ana", at=world.now - 5)
    assert message.mentions == ("bo",)
    with pytest.raises(NotFound):
        world.ask(bo, History(room=message.origin.room, around=1))
    world.delete(ana, 1)
    assert world.ask(bo, History(room="lobby")).messages[0].origin is None


def test_what_was_forwarded_is_somebody_else_s_only_while_it_stands_as_it_was(
    world: World,
) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "one\ntwo")
    world.do(bo, Forward(room="lobby", seq=1, to="lobby", text="Look:"))

    def edited(text: str) -> bool:
        world.edit(bo, 2, text)
        return world.ask(ana, History(room="lobby")).messages[1].origin is not None

    assert edited("Do look:\n\n> one\n> two")
    assert edited("> one\n> two")
    assert not edited("> one\n> three")
    assert not edited("> one\n> two")


def test_each_message_counts_once_however_it_calls_somebody(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, PostHere(room="lobby", text="@room @here @bo", present=("ana", "bo")))
    assert world.mine(bo)["lobby"].mentions == 1
    world.post(ana, "@here, though nobody is")
    assert names(world, 2) == ()


def test_one_forwards_what_one_may_read_to_where_one_may_write(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private")).room.room
    world.do(ana, CreateRoom(title="Old"))
    world.do(ana, UpdateRoom(room="old", archived=True))
    world.post(ana, "secret", room)
    world.post(bo, "open")
    for command in (
        Forward(room=room, seq=1, to="lobby"),
        Forward(room="lobby", seq=1, to=room),
        Forward(room="lobby", seq=9, to="lobby"),
    ):
        with pytest.raises(NotFound):
            world.do(bo, command)
    with pytest.raises(Conflict, match="archived"):
        world.do(ana, Forward(room="lobby", seq=1, to="old"))
    world.do(guest(), Forward(room="lobby", seq=1, to="lobby"))
    world.delete(bo, 1)
    with pytest.raises(NotFound, match="deleted"):
        world.do(ana, Forward(room="lobby", seq=1, to=room))


def test_a_retry_is_answered_whatever_became_of_the_source(world: World) -> None:
    ana = world.account("ana")
    world.do(ana, CreateRoom(title="Tea"))
    world.post(ana, "words")
    command = Forward(room="lobby", seq=1, to="tea", nonce="n1")
    first = world.do(ana, command)
    assert world.do(ana, command) == first
    world.edit(ana, 1, "other words")
    assert world.do(ana, command) == first
    world.delete(ana, 1)
    assert world.do(ana, command) == first
    world.post(ana, "more words", nonce="n2")
    with pytest.raises(Conflict, match="nonce"):
        world.do(ana, Forward(room="lobby", seq=2, to="lobby", nonce="n2"))
    world.do(ana, DeleteRoom(room="tea"))
    with pytest.raises(NotFound):
        world.do(ana, command)


def test_a_quote_that_is_too_long_is_cut(world: World) -> None:
    ana = world.account("ana")
    world.post(ana, "x\n" * 7_999 + "y")
    world.do(ana, Forward(room="lobby", seq=1, to="lobby", text="c" * 100))
    text = world.ask(ana, History(room="lobby")).messages[1].text
    assert len(text) == 16_000
    assert text.startswith("c" * 100 + "\n\n> x\n> x\n")
    assert text.endswith("…")
    with pytest.raises(TooLarge):
        world.do(ana, Forward(room="lobby", seq=1, to="lobby", text="c" * 16_000))


def test_a_post_cannot_say_for_itself_who_is_here_or_where_it_comes_from(world: World) -> None:
    from hubbub.wire import json

    said = b'{"do":"post","room":"lobby","text":"@here","present":["bo"],"origin":{"room":"x"}}'
    _, command = json.decode(said)
    assert type(command) is Post
    assert command == Post(room="lobby", text="@here")
