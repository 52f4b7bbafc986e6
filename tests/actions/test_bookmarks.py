"""Bookmarks, and the access of guests to all personal lists."""

import pytest

from hubbub.model.bookmarks import Bookmark, BookmarkChanged, Bookmarks
from hubbub.model.drafts import Draft, Drafts
from hubbub.model.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
)
from hubbub.model.mentions import Mentions
from hubbub.model.outcome import ToPerson
from hubbub.model.quotas import Quotas
from hubbub.model.rooms import (
    CreateRoom,
    Invite,
    Kick,
)
from hubbub.model.threads import Threads
from tests.support.world import World, guest


def own_event(world: World) -> BookmarkChanged:
    """The event of the last command, which only its actor gets."""
    [effect] = world.effects
    assert isinstance(effect, ToPerson)
    assert isinstance(effect.event, BookmarkChanged)
    return effect.event


def test_a_bookmark_is_sent_only_to_its_owner(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(bo, "the recipe")
    rev = world.do(ana, Bookmark(room="lobby", seq=1, note="  for   Sunday ")).rev
    event = own_event(world)
    assert (event.rev, event.room) == (rev, "lobby")
    [entry] = world.ask(ana, Bookmarks()).bookmarks
    assert (entry.note, entry.at, entry.message.text) == ("for Sunday", world.now, "the recipe")
    assert world.ask(bo, Bookmarks()).bookmarks == []
    assert [one.name for one in world.ask(ana, Bookmarks()).people] == ["bo"]


def test_changing_a_note_keeps_the_bookmarks_time(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    world.do(ana, Bookmark(room="lobby", seq=1, note="one"))
    world.do(ana, Bookmark(room="lobby", seq=1, note="one"))
    assert world.effects == []
    added_at, world.now = world.now, world.now + 1_000
    world.do(ana, Bookmark(room="lobby", seq=1, note="two"))
    event = own_event(world)
    assert (event.note, event.at) == ("two", added_at)
    world.do(ana, Bookmark(room="lobby", seq=1, on=False))
    event = own_event(world)
    assert event.gone
    world.do(ana, Bookmark(room="lobby", seq=1, on=False))
    assert world.effects == []


def test_a_bookmark_of_an_unreadable_message_keeps_its_note(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    world.post(ana, "secret", room)
    world.do(bo, Bookmark(room=room, seq=1, note="mine"))
    world.do(ana, Kick(room=room, user="bo"))
    [entry] = world.ask(bo, Bookmarks()).bookmarks
    assert (entry.note, entry.message) == ("mine", None)
    with pytest.raises(NotFound):
        world.do(bo, Bookmark(room=room, seq=1, note="changed"))
    world.do(ana, Invite(room=room, user="bo"))
    assert world.ask(bo, Bookmarks()).bookmarks[0].message.text == "secret"
    world.delete(ana, 1, room)
    [entry] = world.ask(bo, Bookmarks()).bookmarks
    assert (entry.note, entry.message) == ("mine", None)
    world.do(bo, Bookmark(room=room, seq=1, on=False))
    assert world.ask(bo, Bookmarks()).bookmarks == []


def test_bookmarks_are_listed_in_pages_and_limited(world: World) -> None:
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


def test_a_missing_message_cannot_be_bookmarked(world: World) -> None:
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
def test_guests_have_no_personal_lists(world: World, command: object) -> None:
    world.post(world.account("ana"))
    with pytest.raises(Forbidden, match="Sign up first"):
        world.take(guest(), command)  # type: ignore[arg-type]
