"""Whether those who ask are still let in, in the very snapshot in which they are answered.

Between an identification and its command a session may end, an account be locked or given another
role, and guests be shut out. Memory may not have heard of it yet, least of all that of another
node; the order of commits decides.
"""

from collections.abc import Callable, Iterable

import msgspec

from hubbub.model.accounts import Actor
from hubbub.model.errors import Forbidden, HubbubError, SignInRequired
from hubbub.model.policy import ServerRole
from hubbub.store.statements.accounts import SessionRow
from hubbub.store.tx import Tx

LetsGuestsIn = Callable[[str | None], bool]
"""Whether guests are let in, given what the owner has stored (see `Settings.lets_guests_in`)."""


def unless_shut_out(stored: str | None) -> bool:
    """For those who know of no operator's setting."""
    return stored != "0"


def session_ended() -> HubbubError:
    return SignInRequired("This session has ended. Sign in again.")


def account_locked() -> HubbubError:
    return Forbidden("Your account is locked. Ask an admin of this server.")


def no_guests() -> HubbubError:
    return Forbidden("This server lets no guests in any more. Sign up, or ask its owner.")


def current(tx: Tx, actor: Actor, lets_guests_in: LetsGuestsIn = unless_shut_out) -> Actor:
    """The actor as this snapshot has them. Raises SignInRequired or Forbidden.

    Whoever has neither a session nor a guest's key is one of the server's own.
    """
    if actor.is_guest:
        if not lets_guests_in(tx.server_value("guests")):
            raise no_guests()
        return actor
    if actor.session is None:
        return actor
    return _with_role(actor, tx.session(actor.session))


def current_all(tx: Tx, actors: Iterable[Actor]) -> dict[str, Actor | HubbubError]:
    """The same for several with sessions, by session."""
    asking = {actor.session: actor for actor in actors if actor.session is not None}
    found = tx.sessions(set(asking)) if asking else {}
    known: dict[str, Actor | HubbubError] = {}
    for session, actor in asking.items():
        try:
            known[session] = _with_role(actor, found.get(session))
        except HubbubError as error:
            known[session] = error.as_value()
    return known


def _with_role(actor: Actor, session: SessionRow | None) -> Actor:
    if session is None or session.user_id != actor.user_id:
        raise session_ended()
    if session.disabled:
        raise account_locked()
    return with_role(actor, session.role)


def with_role(actor: Actor, role: str) -> Actor:
    if actor.role == role:
        return actor
    return msgspec.structs.replace(actor, role=ServerRole(role))
