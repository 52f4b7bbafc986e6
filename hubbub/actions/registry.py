"""The table of actions, and how a batch of commands goes through it."""

from collections.abc import Callable
from itertools import groupby
from typing import Any, TypeVar

from hubbub.actions.current_actor import LetsGuestsIn, current, no_guests, unless_shut_out
from hubbub.model.accounts import Actor
from hubbub.model.base import Command, Query, Reply
from hubbub.model.errors import HubbubError, UnknownCommand
from hubbub.model.messages import Post
from hubbub.model.outcome import Outcome
from hubbub.store.tx import Tx

Result = Outcome[Any] | HubbubError
C = TypeVar("C", bound=Command)
Q = TypeVar("Q", bound=Query)

HANDLERS: dict[type[Command], Callable[[Tx, Actor, Any], Outcome[Any]]] = {}
ANSWERS: dict[type[Query], Callable[[Tx, Actor, Any], Reply]] = {}

# What comes in crowds is carried out a run at a time: one result each, and no refusal may leave
# anything behind. A run checks by itself whether its actors' sessions are still good, with what it
# reads anyway.
Run = Callable[[Tx, list[tuple[Actor, Any]]], list[Result]]
RUNS: dict[type[Command], Run] = {}


def handles(
    command: type[C],
) -> Callable[[Callable[[Tx, Actor, C], Outcome[Any]]], Callable[[Tx, Actor, C], Outcome[Any]]]:
    """This function carries out this command, in the writer's transaction."""

    def register(
        function: Callable[[Tx, Actor, C], Outcome[Any]],
    ) -> Callable[[Tx, Actor, C], Outcome[Any]]:
        HANDLERS[command] = function
        return function

    return register


def answers(
    query: type[Q],
) -> Callable[[Callable[[Tx, Actor, Q], Reply]], Callable[[Tx, Actor, Q], Reply]]:
    """This function answers this query, from a reader's snapshot."""

    def register(function: Callable[[Tx, Actor, Q], Reply]) -> Callable[[Tx, Actor, Q], Reply]:
        ANSWERS[query] = function
        return function

    return register


def handles_runs(command: type[Command]) -> Callable[[Run], Run]:
    """This function carries out runs of this command, set-wise."""

    def register(function: Run) -> Run:
        RUNS[command] = function
        return function

    return register


def may_share(batch: list[tuple[Actor, Command]]) -> bool:
    """Whether other nodes may write while this batch is carried out.

    Posts may: all that they decide by lies under the locks of their rooms, or cannot change
    while a batch that shares is under way. A guest's first one adds a person, who is looked for
    before, and an answer in a thread changes memberships: these must be alone.
    """
    return all(
        type(command) is Post and not actor.is_guest and "." not in command.room
        for actor, command in batch
    )


def execute(
    tx: Tx,
    batch: list[tuple[Actor, Command]],
    lets_guests_in: LetsGuestsIn = unless_shut_out,
) -> list[Result]:
    """Carry out a batch in order; one result each. Raises only for bugs and failures of disk.

    Whose session has ended by then, in this batch or before, is refused.
    """
    results: list[Result] = []
    for kind, run in groupby(batch, key=lambda work: type(work[1])):
        if carry_run := RUNS.get(kind):
            results.extend(_run(tx, carry_run, list(run), lets_guests_in))
        else:
            results.extend(_one(tx, actor, command, lets_guests_in) for actor, command in run)
    return results


def _run(
    tx: Tx, carry_run: Run, run: list[tuple[Actor, Command]], lets_guests_in: LetsGuestsIn
) -> list[Result]:
    """A run, without its guests if there may be none any more."""
    has_guests = any(actor.is_guest for actor, _ in run)
    if not has_guests or lets_guests_in(tx.server_value("guests")):
        return carry_run(tx, run)
    others = iter(carry_run(tx, [work for work in run if not work[0].is_guest]))
    return [no_guests() if actor.is_guest else next(others) for actor, _ in run]


def _one(tx: Tx, actor: Actor, command: Command, lets_guests_in: LetsGuestsIn) -> Result:
    """One command in a savepoint: a refusal undoes only itself."""
    raised = tx.raised
    try:
        with tx.db.savepoint():
            return _handler(command)(tx, current(tx, actor, lets_guests_in), command)
    except HubbubError as error:
        tx.raised = raised
        return error.as_value()


def _handler(command: Command) -> Callable[[Tx, Actor, Any], Outcome[Any]]:
    handler = HANDLERS.get(type(command))
    if handler is None:
        raise UnknownCommand(f"“{command.word()}” is not for this door.")
    return handler


def answer(
    tx: Tx, actor: Actor, query: Query, lets_guests_in: LetsGuestsIn = unless_shut_out
) -> Reply:
    """Answer a query. Raises HubbubError, if only because the session has ended."""
    function = ANSWERS.get(type(query))
    if function is None:
        raise UnknownCommand(f"“{query.word()}” is not for this door.")
    return function(tx, current(tx, actor, lets_guests_in), query)
