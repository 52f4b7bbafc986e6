"""Bookmarks and drafts: what people keep, and what they may see of it."""

import pytest

from hubbub.model.bookmarks import (
    Bookmark,
    BookmarkChanged,
    Bookmarks,
    Draft,
    DraftChanged,
    Drafts,
    Mentions,
    Threads,
)
from hubbub.model.errors import (
    Conflict,
    Forbidden,
    HubbubError,
    Invalid,
    Malformed,
    NotFound,
)
from hubbub.model.outcome import ToPerson
from hubbub.model.quotas import Quotas
from hubbub.model.rooms import (
    CreateRoom,
    Invite,
    Kick,
    Leave,
)
from tests.support.world import World, guest


def own(world: World) -> BookmarkChanged | DraftChanged:
    """What the person alone was told by the last command."""
    [one] = world.effects
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
    assert world.effects == []
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
    assert world.effects == []


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


def test_bookmarks_are_told_by_pages_and_have_a_bound(world: World) -> None:
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
    world.quotas = Quotas(bookmarks_per_user=5)
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
    assert world.effects == []
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


def test_drafts_are_kept_where_one_may_write_and_have_a_bound(world: World) -> None:
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
    assert world.effects == []
    world.quotas = Quotas(drafts_per_user=2)
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
