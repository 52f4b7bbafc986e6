"""The tables of handlers are complete, and a refusal affects only its own command."""

import pytest

from hubbub.actions import COMMAND_HANDLERS, QUERY_HANDLERS, RUN_HANDLERS, execute
from hubbub.model import accounts, messages, reading, rooms
from hubbub.model.accounts import AddAccount, OpenSession, OwnerInvite, Prepare
from hubbub.model.base import Command, Query
from hubbub.model.commands import COMMANDS
from hubbub.model.errors import Invalid, NotFound, UnknownCommand
from hubbub.model.messages import Post
from hubbub.model.reading import Active
from hubbub.model.rooms import CreateRoom, UpdateRoom
from tests.support.world import World

# Handled by the gateway: they concern the connection, or passwords and tokens.
GATEWAY_COMMANDS: set[type[Command]] = {
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

# Used only inside the server; clients cannot send them.
INTERNAL_COMMANDS: set[type[Command]] = {
    AddAccount,
    accounts.StoreSigningKey,
    OpenSession,
    OwnerInvite,
    Prepare,
    accounts.TouchSessions,
    accounts.SetPassword,
    messages.PostHere,
}


def test_every_command_has_exactly_one_handler() -> None:
    handled = {*COMMAND_HANDLERS, *RUN_HANDLERS, *QUERY_HANDLERS}
    assert len(handled) == len(COMMAND_HANDLERS) + len(RUN_HANDLERS) + len(QUERY_HANDLERS)
    assert handled - INTERNAL_COMMANDS | GATEWAY_COMMANDS == set(COMMANDS.values())
    assert handled.isdisjoint(GATEWAY_COMMANDS)
    assert {*COMMAND_HANDLERS, *RUN_HANDLERS} >= INTERNAL_COMMANDS


def test_queries_and_commands_are_registered_in_their_tables() -> None:
    assert all(issubclass(query, Query) for query in QUERY_HANDLERS)
    assert not any(issubclass(command, Query) for command in COMMAND_HANDLERS)


def test_a_command_without_a_handler_is_unknown(world: World) -> None:
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


def test_a_refused_command_does_not_raise_the_rev_count(world: World) -> None:
    ana = world.account("ana")
    tx = world.tx()
    world.db.begin()
    results = execute(tx, [(ana, Post(room="lobby", text="hi", reply_to=5))])
    assert isinstance(results[0], Invalid)
    execute(tx, [(ana, Post(room="lobby", text="hi"))])
    world.db.commit()
    assert tx.revs_issued == 1 == tx.total_rev()
