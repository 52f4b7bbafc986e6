"""Drafts, and where they can be saved."""

import pytest

from hubbub.model.drafts import Draft, DraftChanged, Drafts
from hubbub.model.errors import Conflict, HubbubError, NotFound
from hubbub.model.outcome import ToPerson
from hubbub.model.quotas import Quotas
from hubbub.model.rooms import CreateRoom, Leave
from tests.support.world import World


def own_event(world: World) -> DraftChanged:
    """The event of the last command, which only its actor gets."""
    [effect] = world.effects
    assert isinstance(effect, ToPerson)
    assert isinstance(effect.event, DraftChanged)
    return effect.event


def test_a_draft_is_sent_to_other_devices_and_removed_when_empty(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.post(bo)
    world.do(ana, Draft(room="lobby", text="half a thou", reply_to=1))
    event = own_event(world)
    assert (event.text, event.reply_to, event.at) == ("half a thou", 1, world.now)
    world.do(ana, Draft(room="lobby", text="half a thought"))
    world.do(ana, Draft(room="lobby", text="half a thought"))
    assert world.effects == []
    [entry] = world.ask(ana, Drafts()).drafts
    assert (entry.room, entry.text, entry.reply_to) == ("lobby", "half a thought", None)
    assert world.ask(bo, Drafts()).drafts == []
    world.do(ana, Draft(room="lobby"))
    event = own_event(world)
    assert event.text == ""
    assert world.ask(ana, Drafts()).drafts == []


def test_a_thread_that_does_not_exist_yet_can_have_a_draft(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    for room in ("lobby", "lobby.1"):
        world.now += 1
        world.do(ana, Draft(room=room, text=f"to {room}"))
    assert [one.room for one in world.ask(ana, Drafts()).drafts] == ["lobby.1", "lobby"]
    world.do(ana, Draft(room="lobby.1"))
    assert [one.room for one in world.ask(ana, Drafts()).drafts] == ["lobby"]


def test_drafts_require_membership_and_are_limited(world: World) -> None:
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
def test_a_draft_must_be_valid_text(text: str) -> None:
    with pytest.raises(HubbubError):
        Draft(room="lobby", text=text)
