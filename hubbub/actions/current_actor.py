"""The check that an actor may still act, in the same snapshot in which the command is executed.

Between authentication and execution a session may end, an account may be locked or get another
role, and guests may be turned off. Caches may not know yet, least of all those of another node; the
order of commits decides.
"""

from collections.abc import Callable, Iterable

import msgspec

from hubbub.model.accounts import Actor
from hubbub.model.errors import Forbidden, HubbubError, SignInRequired
from hubbub.model.policy import ServerRole
from hubbub.store.statements.accounts import SessionRow
from hubbub.store.tx import Tx

AllowsGuests = Callable[[str | None], bool]
"""Whether guests are allowed, given the owner's stored setting (see `Settings.allows_guests`)."""


def allows_guests_unless_disabled(stored: str | None) -> bool:
    """The rule without an operator's setting."""
    return stored != "0"


def session_ended() -> HubbubError:
    return SignInRequired("This session has ended. Sign in again.")


def account_locked() -> HubbubError:
    return Forbidden("Your account is locked. Ask an admin of this server.")


def no_guests() -> HubbubError:
    return Forbidden("This server no longer allows guests. Sign up, or ask its owner.")


def refresh_actor(
    tx: Tx, actor: Actor, allows_guests: AllowsGuests = allows_guests_unless_disabled
) -> Actor:
    """The actor with the role that they have now. Raises SignInRequired or Forbidden.

    An actor with neither a session nor a guest key is the server itself or its operator, and is
    returned unchanged.
    """
    if actor.is_guest:
        if not allows_guests(tx.server_value("guests")):
            raise no_guests()
        return actor
    if actor.session is None:
        return actor
    return _with_current_role(actor, tx.session(actor.session))


def refresh_actors(tx: Tx, actors: Iterable[Actor]) -> dict[str, Actor | HubbubError]:
    """Like `refresh_actor` for several actors, by session; without guests."""
    by_session = {actor.session: actor for actor in actors if actor.session is not None}
    rows = tx.sessions(set(by_session)) if by_session else {}
    refreshed: dict[str, Actor | HubbubError] = {}
    for session, actor in by_session.items():
        try:
            refreshed[session] = _with_current_role(actor, rows.get(session))
        except HubbubError as error:
            refreshed[session] = error.as_value()
    return refreshed


def _with_current_role(actor: Actor, session: SessionRow | None) -> Actor:
    if session is None or session.user_id != actor.user_id:
        raise session_ended()
    if session.disabled:
        raise account_locked()
    return with_role(actor, session.role)


def with_role(actor: Actor, role: str) -> Actor:
    if actor.role == role:
        return actor
    return msgspec.structs.replace(actor, role=ServerRole(role))
