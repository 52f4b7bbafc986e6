"""The table of actions is complete, and a batch goes through it command by command."""

import pytest

from hubbub.actions import ANSWERS, HANDLERS, RUNS, execute
from hubbub.model import accounts, messages, reading, rooms
from hubbub.model.accounts import AddAccount, OpenSession, OwnerInvite, Prepare
from hubbub.model.base import Command, Query
from hubbub.model.commands import COMMANDS
from hubbub.model.errors import Invalid, NotFound, UnknownCommand
from hubbub.model.messages import Post
from hubbub.model.reading import Active
from hubbub.model.rooms import CreateRoom, UpdateRoom
from tests.support.world import World

# The gateway does these itself: they are about the connection, or about passwords and tokens.
DONE_BY_THE_GATEWAY: set[type[Command]] = {
    accounts.About,
    accounts.Auth,
    accounts.ChangePassword,
    accounts.Hello,
    accounts.SignIn,
    accounts.SignInAsGuest,
    accounts.SignUp,
    messages.Typing,
    reading.Active,
    rooms.Unwatch,
}

# What the server's own parts ask for; they have no word on the wire.
INWARD: set[type[Command]] = {
    AddAccount,
    accounts.KeepKey,
    OpenSession,
    OwnerInvite,
    Prepare,
    accounts.SeeSessions,
    accounts.SetPassword,
    messages.PostHere,
}


def test_every_command_is_done_by_exactly_one() -> None:
    by_actions = {*HANDLERS, *RUNS, *ANSWERS}
    assert len(by_actions) == len(HANDLERS) + len(RUNS) + len(ANSWERS)
    assert by_actions - INWARD | DONE_BY_THE_GATEWAY == set(COMMANDS.values())
    assert by_actions.isdisjoint(DONE_BY_THE_GATEWAY)
    assert {*HANDLERS, *RUNS} >= INWARD


def test_what_only_reads_is_answered_and_what_changes_is_handled() -> None:
    assert all(issubclass(query, Query) for query in ANSWERS)
    assert not any(issubclass(command, Query) for command in HANDLERS)


def test_what_has_no_action_is_unknown_here(world: World) -> None:
    ana = world.account("ana")
    with pytest.raises(UnknownCommand):
        world.do(ana, Active(active=True))
    with pytest.raises(UnknownCommand):
        world.ask(ana, accounts.About())


def test_a_refusal_in_a_batch_undoes_only_itself(world: World) -> None:
    ana = world.account("ana")
    made, missing, changed, posted = world.batch(
        (ana, CreateRoom(title="Tea")),
        (ana, CreateRoom(title="Cake", members=("nobody",))),
        (ana, UpdateRoom(room="tea", topic="Leaves")),
        (ana, Post(room="tea", text="hi")),
    )
    assert made.room.room == "tea"
    assert isinstance(missing, NotFound)
    assert (changed.rev, posted.rev) == (1, 2)
    assert world.rows("SELECT id, topic FROM rooms WHERE id != 'lobby'") == [("tea", "Leaves")]


def test_what_a_refused_command_has_counted_is_not_counted(world: World) -> None:
    ana = world.account("ana")
    tx = world.tx()
    world.db.begin()
    results = execute(tx, [(ana, Post(room="lobby", text="hi", reply_to=5))])
    assert isinstance(results[0], Invalid)
    execute(tx, [(ana, Post(room="lobby", text="hi"))])
    world.db.commit()
    assert tx.raised == 1 == tx.total_rev()
