"""The tables of command and query handlers, and the execution of a batch of commands."""

from collections.abc import Callable
from itertools import groupby
from typing import Any, TypeVar

from hubbub.actions.current_actor import (
    AllowsGuests,
    allows_guests_unless_disabled,
    no_guests,
    refresh_actor,
)
from hubbub.model.accounts import Actor
from hubbub.model.base import Command, Query, Reply
from hubbub.model.errors import HubbubError, UnknownCommand
from hubbub.model.messages import Post
from hubbub.model.outcome import Outcome
from hubbub.store.tx import Tx

Result = Outcome[Any] | HubbubError
C = TypeVar("C", bound=Command)
Q = TypeVar("Q", bound=Query)

COMMAND_HANDLERS: dict[type[Command], Callable[[Tx, Actor, Any], Outcome[Any]]] = {}
QUERY_HANDLERS: dict[type[Query], Callable[[Tx, Actor, Any], Reply]] = {}

# Consecutive commands of one type, a run, are executed together by a handler of this kind. It
# returns one result for each command, and a refused command must leave no changes. It checks the
# actors' sessions itself, with rows that it reads anyway.
RunHandler = Callable[[Tx, list[tuple[Actor, Any]]], list[Result]]
RUN_HANDLERS: dict[type[Command], RunHandler] = {}


def handles(
    command: type[C],
) -> Callable[[Callable[[Tx, Actor, C], Outcome[Any]]], Callable[[Tx, Actor, C], Outcome[Any]]]:
    """Register the handler of a command; it runs in the writer's transaction."""

    def register(
        function: Callable[[Tx, Actor, C], Outcome[Any]],
    ) -> Callable[[Tx, Actor, C], Outcome[Any]]:
        COMMAND_HANDLERS[command] = function
        return function

    return register


def answers(
    query: type[Q],
) -> Callable[[Callable[[Tx, Actor, Q], Reply]], Callable[[Tx, Actor, Q], Reply]]:
    """Register the handler of a query; it runs in a reader's snapshot."""

    def register(function: Callable[[Tx, Actor, Q], Reply]) -> Callable[[Tx, Actor, Q], Reply]:
        QUERY_HANDLERS[query] = function
        return function

    return register


def handles_runs(command: type[Command]) -> Callable[[RunHandler], RunHandler]:
    """Register the handler for runs of a command, which executes them with set-wise statements."""

    def register(function: RunHandler) -> RunHandler:
        RUN_HANDLERS[command] = function
        return function

    return register


def can_run_concurrently(batch: list[tuple[Actor, Command]]) -> bool:
    """Whether other nodes may write while this batch is executed.

    They may if all commands are posts: everything that a post depends on is protected by the lock
    of its room, or is changed only by batches that exclude others. There are two exceptions: a
    guest's first post adds a user after checking that there is none, and a reply in a thread
    changes memberships.
    """
    return all(
        type(command) is Post and not actor.is_guest and "." not in command.room
        for actor, command in batch
    )


def execute(
    tx: Tx,
    batch: list[tuple[Actor, Command]],
    allows_guests: AllowsGuests = allows_guests_unless_disabled,
) -> list[Result]:
    """Execute a batch in order; one result for each command.

    Commands whose session has ended, in this batch or before, are refused. Raises only for bugs
    and disk errors.
    """
    results: list[Result] = []
    for kind, run in groupby(batch, key=lambda pair: type(pair[1])):
        if handler := RUN_HANDLERS.get(kind):
            results.extend(_execute_run(tx, handler, list(run), allows_guests))
        else:
            results.extend(
                _execute_one(tx, actor, command, allows_guests) for actor, command in run
            )
    return results


def _execute_run(
    tx: Tx, handler: RunHandler, run: list[tuple[Actor, Command]], allows_guests: AllowsGuests
) -> list[Result]:
    """Execute a run; guests' commands are refused if the server no longer allows guests."""
    has_guests = any(actor.is_guest for actor, _ in run)
    if not has_guests or allows_guests(tx.server_value("guests")):
        return handler(tx, run)
    results = iter(handler(tx, [pair for pair in run if not pair[0].is_guest]))
    return [no_guests() if actor.is_guest else next(results) for actor, _ in run]


def _execute_one(tx: Tx, actor: Actor, command: Command, allows_guests: AllowsGuests) -> Result:
    """Execute one command in a savepoint, so that a refusal undoes only its own changes."""
    revs_issued = tx.revs_issued
    try:
        with tx.db.savepoint():
            return _get_handler(command)(tx, refresh_actor(tx, actor, allows_guests), command)
    except HubbubError as error:
        tx.revs_issued = revs_issued
        return error.as_value()


def _get_handler(command: Command) -> Callable[[Tx, Actor, Any], Outcome[Any]]:
    handler = COMMAND_HANDLERS.get(type(command))
    if handler is None:
        raise UnknownCommand(f"“{command.word()}” is not available through this interface.")
    return handler


def answer(
    tx: Tx, actor: Actor, query: Query, allows_guests: AllowsGuests = allows_guests_unless_disabled
) -> Reply:
    """Execute a query. Raises HubbubError; SignInRequired if the session has ended."""
    handler = QUERY_HANDLERS.get(type(query))
    if handler is None:
        raise UnknownCommand(f"“{query.word()}” is not available through this interface.")
    return handler(tx, refresh_actor(tx, actor, allows_guests), query)
