"""Mentions by handle, @room and @here, and the list of one's own mentions."""

from hubbub.model.accounts import UpdateMe
from hubbub.model.mentions import Mentions
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
    """The mentions of a message."""
    [message] = world.ask(guest(), History(room=room, around=seq, limit=1)).messages
    found: tuple[str, ...] = message.mentions
    return found


def test_a_room_mention_counts_for_everyone_with_one_row(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.post(ana, "tea is ready, @room!")
    assert world.rows("SELECT COUNT(*) FROM mentions") == [(0,)]
    assert world.mine(bo)["lobby"].mentions == 1
    assert names(world, 1) == ("@room",)
    [entry] = world.ask(eva, Mentions()).mentions
    assert (entry.unread, entry.message.text) == (True, "tea is ready, @room!")
    assert world.ask(ana, Mentions()).mentions == [], "authors do not mention themselves"
    world.do(bo, Read(room="lobby", seq=1))
    assert world.mine(bo)["lobby"].mentions == 0
    assert world.ask(bo, Mentions()).mentions[0].unread is False
    assert world.ask(bo, Mentions(unread=True)).mentions == []


def test_authors_do_not_mention_themselves(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(bo, "something that ana has not read")
    for text in ("@ana", "@room", "@here"):
        world.do(ana, PostHere(room="lobby", text=text, present=("ana", "bo")))
    assert world.mine(ana)["lobby"].mentions == 0
    assert world.ask(ana, Mentions()).mentions == []
    assert world.mine(bo)["lobby"].mentions == 2


def test_room_mentions_from_before_joining_do_not_count(world: World) -> None:
    ana = world.account("ana")
    world.post(ana, "@room")
    world.now += 1
    bo = world.account("bo")
    assert world.ask(bo, Mentions()).mentions == []
    assert world.mine(bo)["lobby"].mentions == 0


def test_a_here_mention_counts_for_those_present(world: World) -> None:
    ana, bo, eva = world.people("ana bo eva")
    world.do(ana, PostHere(room="lobby", text="@here?", present=("ana", "bo", "~gus", "nobody")))
    assert world.mine(bo)["lobby"].mentions == 1
    assert world.mine(eva)["lobby"].mentions == 0
    assert names(world, 1) == ("@here",)
    # An edit keeps the mentions of those who were present, and adds none for those present now.
    world.do(ana, Edit(room="lobby", seq=1, text="@here? anybody?"))
    assert (world.mine(bo)["lobby"].mentions, names(world, 1)) == (1, ("@here",))
    world.do(ana, Edit(room="lobby", seq=1, text="nobody?"))
    assert (world.mine(bo)["lobby"].mentions, names(world, 1)) == (0, ())
    world.do(ana, Edit(room="lobby", seq=1, text="@here and @room"))
    assert names(world, 1) == ("@room",)


def test_in_a_large_room_only_moderators_can_mention_everybody(world: World) -> None:
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


def test_names_in_a_quote_are_not_mentions(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "> @bo said\n  > @room\nso @ana > @bo")
    assert names(world, 1) == ("ana", "bo")
    world.post(ana, "> @bo said\n  > @room\nyes")
    assert names(world, 2) == ()
    assert world.mine(bo)["lobby"].mentions == 1


def test_mentions_are_listed_in_pages_for_ones_own_rooms_only(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, CreateRoom(title="X", kind="private", members=("bo",))).room.room
    for nth, (room_id, text) in enumerate(
        [("lobby", "@bo 1"), (room, "@bo 2"), ("lobby.1", "@bo 3"), (room, "@room 4")]
    ):
        world.now += nth
        world.post(ana, text, room_id)
    page = world.ask(bo, Mentions(limit=3))
    assert [entry.message.text for entry in page.mentions] == ["@room 4", "@bo 3", "@bo 2"]
    assert [entry.message.room for entry in page.mentions] == [room, "lobby.1", room]
    rest = world.ask(bo, Mentions(limit=3, after=page.cursor))
    assert ([entry.message.text for entry in rest.mentions], rest.cursor) == (["@bo 1"], None)
    world.do(ana, Kick(room=room, user="bo"))
    left = [entry.message.text for entry in world.ask(bo, Mentions()).mentions]
    assert left == ["@bo 3", "@bo 1"]
    world.delete(ana, 1)
    assert [entry.message.text for entry in world.ask(bo, Mentions()).mentions] == ["@bo 3"]


def test_a_display_name_does_not_change_who_is_mentioned(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "@bo")
    world.do(bo, UpdateMe(display_name="ana"))
    assert names(world, 1) == ("bo",)
    assert len(world.ask(bo, Mentions()).mentions) == 1
    assert world.ask(ana, Mentions()).mentions == []


def test_a_message_counts_as_one_mention_however_often_it_mentions(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, PostHere(room="lobby", text="@room @here @bo", present=("ana", "bo")))
    assert world.mine(bo)["lobby"].mentions == 1
    world.post(ana, "@here, though nobody is")
    assert names(world, 2) == ()


def test_clients_cannot_set_present_or_origin_of_a_post(world: World) -> None:
    from hubbub.wire import json

    frame = b'{"do":"post","room":"lobby","text":"@here","present":["bo"],"origin":{"room":"x"}}'
    _, command = json.decode(frame)
    assert type(command) is Post
    assert command == Post(room="lobby", text="@here")
