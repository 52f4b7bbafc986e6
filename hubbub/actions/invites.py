"""Invites to the server, for members and for its first owner."""

from hubbub.actions.access import require_on_server
from hubbub.actions.quotas import require_below
from hubbub.actions.registry import answers, handles
from hubbub.model.accounts import (
    OPERATOR,
    Actor,
    CreateInvite,
    EndInvite,
    InviteMade,
    Invites,
    InvitesPage,
    OwnerInvite,
    ServerInvite,
)
from hubbub.model.base import Done
from hubbub.model.errors import NotFound
from hubbub.model.outcome import Outcome
from hubbub.model.policy import Action
from hubbub.model.quotas import DAY_MS
from hubbub.store.tx import Tx

OWNER_DAYS = 7


@handles(CreateInvite)
def create_invite(tx: Tx, actor: Actor, command: CreateInvite) -> Outcome[InviteMade]:
    require_on_server(actor, Action.CREATE_INVITE)
    tx.delete_expired_invites()
    if actor is not OPERATOR:
        require_below(tx, "invites_per_user", tx.count_invites(actor.user_id))
    return Outcome(_create(tx, actor, "member", command.days, command.uses))


@handles(OwnerInvite)
def owner_invite(tx: Tx, actor: Actor, command: OwnerInvite) -> Outcome[InviteMade]:
    """Create a new owner invite and end the previous one, which somebody may have seen."""
    require_on_server(actor, Action.MANAGE_SERVER)
    tx.end_owner_invites()
    return Outcome(_create(tx, actor, "owner", OWNER_DAYS, 1))


def _create(tx: Tx, actor: Actor, role: str, days: int, uses: int) -> InviteMade:
    code = tx.random_id()
    by = actor.user_id if actor.user_id > 0 else None
    expires_at = tx.now + days * DAY_MS
    tx.add_invite(code, role, by, expires_at, uses)
    invite = ServerInvite(
        invite=code,
        url=join_path(code),
        by=actor.name if actor is not OPERATOR else None,
        created_at=tx.now,
        expires_at=expires_at,
        uses=uses,
    )
    return InviteMade(invite=invite)


def join_path(code: str) -> str:
    """The path of an invite's link; the gateway puts the public URL before it."""
    return f"/join/{code}"


@answers(Invites)
def invites(tx: Tx, actor: Actor, query: Invites) -> InvitesPage:
    require_on_server(actor, Action.MANAGE_INVITES)
    return InvitesPage(
        invites=[
            ServerInvite(
                invite=code,
                url=join_path(code),
                by=by,
                created_at=created_at,
                expires_at=expires_at,
                uses=uses,
            )
            for code, by, created_at, expires_at, uses in tx.invites()
        ]
    )


@handles(EndInvite)
def end_invite(tx: Tx, actor: Actor, command: EndInvite) -> Outcome[Done]:
    require_on_server(actor, Action.MANAGE_INVITES)
    if not tx.end_invite(command.invite):
        raise NotFound("There is no such invite. It may have been ended already.")
    return Outcome(Done())
