"""Forwarding: a quote with its origin, and edits of it."""

import pytest

from hubbub.model.errors import (
    Conflict,
    NotFound,
    TooLarge,
)
from hubbub.model.messages import Forward, History, Origin
from hubbub.model.rooms import (
    CreateRoom,
    DeleteRoom,
    UpdateRoom,
)
from tests.support.world import World, guest


def test_a_forwarded_message_is_a_quote_with_its_origin(world: World) -> None:
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


def test_editing_the_quote_removes_the_origin(
    world: World,
) -> None:
    ana, bo = world.people("ana bo")
    world.post(ana, "one\ntwo")
    world.do(bo, Forward(room="lobby", seq=1, to="lobby", text="Look:"))

    def has_origin_after_edit(text: str) -> bool:
        world.edit(bo, 2, text)
        return world.ask(ana, History(room="lobby")).messages[1].origin is not None

    assert has_origin_after_edit("Do look:\n\n> one\n> two")
    assert has_origin_after_edit("> one\n> two")
    assert not has_origin_after_edit("> one\n> three")
    assert not has_origin_after_edit("> one\n> two")


def test_forwarding_requires_reading_the_source_and_posting_in_the_target(world: World) -> None:
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


def test_a_retry_is_acknowledged_whatever_happened_to_the_source(world: World) -> None:
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


def test_a_long_quote_is_truncated(world: World) -> None:
    ana = world.account("ana")
    world.post(ana, "x\n" * 7_999 + "y")
    world.do(ana, Forward(room="lobby", seq=1, to="lobby", text="c" * 100))
    text = world.ask(ana, History(room="lobby")).messages[1].text
    assert len(text) == 16_000
    assert text.startswith("c" * 100 + "\n\n> x\n> x\n")
    assert text.endswith("…")
    with pytest.raises(TooLarge):
        world.do(ana, Forward(room="lobby", seq=1, to="lobby", text="c" * 16_000))
