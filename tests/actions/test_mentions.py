"""Mentions: by name, of everybody, of those who are here; and where one finds them."""

from hubbub.model.accounts import UpdateMe
from hubbub.model.bookmarks import (
    Mentions,
)
from hubbub.model.messages import Edit, History, Post, PostHere
from hubbub.model.policy import ServerRole
from hubbub.model.reading import Read
from hubbub.model.rooms import (
    SMALL_ROOM,
    CreateRoom,
    Join,
    Kick,
    SetRole,
)
from tests.support.world import World, guest


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


def test_each_message_counts_once_however_it_calls_somebody(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, PostHere(room="lobby", text="@room @here @bo", present=("ana", "bo")))
    assert world.mine(bo)["lobby"].mentions == 1
    world.post(ana, "@here, though nobody is")
    assert names(world, 2) == ()


def test_a_post_cannot_say_for_itself_who_is_here_or_where_it_comes_from(world: World) -> None:
    from hubbub.wire import json

    said = b'{"do":"post","room":"lobby","text":"@here","present":["bo"],"origin":{"room":"x"}}'
    _, command = json.decode(said)
    assert type(command) is Post
    assert command == Post(room="lobby", text="@here")
