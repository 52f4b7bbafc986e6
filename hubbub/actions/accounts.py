"""Accounts, sessions, profiles and server roles."""

from hubbub.actions.access import get_account, get_own_account, require_on_server
from hubbub.actions.current_actor import account_locked
from hubbub.actions.membership import add_member
from hubbub.actions.registry import answers, handles
from hubbub.actions.server import settings_changed
from hubbub.actions.views import direct_people, to_me, to_my_room
from hubbub.model.accounts import (
    SESSION_IDLE_S,
    AccountAdded,
    Actor,
    AddAccount,
    DisableUser,
    EndSession,
    MeChanged,
    Mine,
    MyProfile,
    OpenSession,
    Session,
    Sessions,
    SessionsPage,
    SetPassword,
    SignOut,
    TouchSessions,
    UpdateMe,
    UserChanged,
)
from hubbub.model.base import Done
from hubbub.model.errors import (
    Conflict,
    InviteInvalid,
    InviteRequired,
    LastOwner,
    NameTaken,
    NotFound,
    RegistrationClosed,
    WrongCredentials,
)
from hubbub.model.messages import Changed
from hubbub.model.names import LOBBY
from hubbub.model.outcome import (
    AccountChanged,
    Effect,
    Outcome,
    SessionsEnded,
    ToPerson,
    ToRooms,
)
from hubbub.model.policy import Action, RoomKind, RoomRole, ServerRole
from hubbub.model.rooms import MyRoom, SetRole
from hubbub.model.threads import ACTIVE_MS
from hubbub.store.statements.accounts import UserRow
from hubbub.store.tx import Tx


@handles(AddAccount)
def add_account(tx: Tx, actor: Actor, command: AddAccount) -> Outcome[AccountAdded]:
    """Create an account that is a member of the lobby, if registration allows it."""
    role = require_may_join(tx, command)
    if command.invite and not command.role and not tx.use_invite(command.invite):
        raise InviteInvalid()
    user_id = tx.add_user(
        name=command.name,
        skeleton=command.skeleton,
        display_name=command.display_name,
        password_hash=command.password_hash,
        role=role,
    )
    if role is ServerRole.OWNER:
        tx.end_owner_invites()
    if command.session:
        tx.add_session(command.session, user_id, command.label, lasting=command.lasting)
    user = UserRow(user_id, command.name, command.display_name, role, 0, 0, None)
    effects: list[Effect] = []
    lobby = tx.room(LOBBY)
    if lobby:
        effects = add_member(tx, lobby, user, RoomRole.MEMBER)
    if role is ServerRole.OWNER:
        effects.append(settings_changed(tx))
    me = tx.user_by_id(user_id) or user
    return Outcome(AccountAdded(user_id=user_id, me=to_me(me)), effects)


def require_may_join(tx: Tx, command: AddAccount) -> ServerRole:
    """The role that the new account will have; changes nothing, so callers can check first.

    Raises NameTaken, InviteInvalid, InviteRequired, RegistrationClosed.
    """
    role = command.role or _initial_role(tx, command)
    if tx.is_skeleton_taken(command.skeleton):
        raise NameTaken()
    return role


def _initial_role(tx: Tx, command: AddAccount) -> ServerRole:
    if command.invite:
        role = tx.invite_role(command.invite)
        if role is None:
            raise InviteInvalid()
        return ServerRole(role)
    if command.first_owns and tx.count_owners() == 0:
        return ServerRole.OWNER
    if command.registration == "open":
        return ServerRole.MEMBER
    raise InviteRequired() if command.registration == "invite" else RegistrationClosed()


@handles(OpenSession)
def open_session(tx: Tx, actor: Actor, command: OpenSession) -> Outcome[AccountAdded]:
    user = tx.user_by_id(command.user_id)
    if user is None or user.disabled:
        raise account_locked()
    _require_unchanged(user, command.checked_hash)
    ended = _end_oldest_sessions(tx, user) if not command.lasting else []
    tx.add_session(command.session, user.id, command.label, lasting=command.lasting)
    effects: list[Effect] = [SessionsEnded(user.name, tuple(ended))] if ended else []
    return Outcome(AccountAdded(user_id=user.id, me=to_me(user)), effects)


def _end_oldest_sessions(tx: Tx, user: UserRow) -> list[str]:
    """End the sessions unused for longest so that one more fits into the quota. Returns their ids.

    Refusing the new session instead would lock out people who have signed in too often, as
    sessions can only be ended by somebody who is signed in.
    """
    sessions = [session for session, *_ in tx.sessions_of(user.id)]
    ended = sessions[tx.quotas.sessions_per_user - 1 :]
    for session in ended:
        tx.end_session(session, user.id)
    return ended


def _require_unchanged(user: UserRow, checked_hash: str | None) -> None:
    """Raises WrongCredentials if the password was changed since it was checked."""
    if checked_hash is not None and checked_hash != user.password_hash:
        raise WrongCredentials()


@handles(TouchSessions)
def touch_sessions(tx: Tx, actor: Actor, command: TouchSessions) -> Outcome[Done]:
    """Store when sessions were last used. The last of several commands ends idle sessions."""
    tx.touch_sessions(command.sessions)
    if command.more:
        return Outcome(Done())
    ended = tx.end_idle_sessions(tx.now - SESSION_IDLE_S * 1000)
    return Outcome(Done(), [SessionsEnded("", tuple(ended))] if ended else [])


@handles(SignOut)
def sign_out(tx: Tx, actor: Actor, command: SignOut) -> Outcome[Done]:
    if actor.session is None:
        return Outcome(Done())
    tx.end_session(actor.session, actor.user_id)
    return Outcome(Done(), [SessionsEnded(actor.name, (actor.session,))])


@handles(SetPassword)
def set_password(tx: Tx, actor: Actor, command: SetPassword) -> Outcome[Done]:
    """Set one's own password (the gateway has checked the old one), or anybody's as an owner."""
    user = get_account(tx, command.user)
    if user.id != actor.user_id:
        require_on_server(actor, Action.MANAGE_SERVER)
    _require_unchanged(user, command.checked_hash)
    tx.set_password(user.id, command.password_hash)
    ended = tx.end_sessions(user.id, keep=command.keep)
    return Outcome(Done(), [SessionsEnded(user.name, tuple(ended))])


@handles(EndSession)
def end_session(tx: Tx, actor: Actor, command: EndSession) -> Outcome[Done]:
    me = get_own_account(tx, actor)
    if not tx.end_session(command.session, me.id):
        raise NotFound("You have no such session. It may have ended already.")
    return Outcome(Done(), [SessionsEnded(me.name, (command.session,))])


@answers(Sessions)
def sessions(tx: Tx, actor: Actor, query: Sessions) -> SessionsPage:
    me = get_own_account(tx, actor)
    return SessionsPage(
        sessions=[
            Session(
                session=session,
                label=label,
                created_at=created_at,
                seen_at=seen_at,
                current=session == actor.session,
            )
            for session, label, created_at, seen_at in tx.sessions_of(me.id)
        ]
    )


@answers(MyProfile)
def my_profile(tx: Tx, actor: Actor, query: MyProfile) -> Mine:
    me = get_own_account(tx, actor)
    rows = tx.my_rooms(me.id, tx.now - ACTIVE_MS)
    has_directs = any(row.room.kind == "direct" for row in rows)
    people = direct_people(tx, me.id) if has_directs else {}
    return Mine(
        me=to_me(me),
        rooms=[
            to_my_room(row.room, row.member, row.mentions, people.get(row.room.pk, ()))
            for row in rows
        ],
    )


@handles(UpdateMe)
def update_me(tx: Tx, actor: Actor, command: UpdateMe) -> Outcome[Changed]:
    me = get_own_account(tx, actor)
    if me.display_name == command.display_name:
        return Outcome(Changed(rev=me.rev))
    tx.set_display_name(me.id, command.display_name)
    rev = tx.next_user_rev(me.id)
    updated = me._replace(display_name=command.display_name)
    event = UserChanged(user=me.name, display_name=command.display_name)
    rooms = tuple(tx.room_ids_of(me.id))
    effects: list[Effect] = [
        ToPerson(me.name, MeChanged(rev=rev, me=to_me(updated, rev))),
        ToRooms(rooms, event),
    ]
    return Outcome(Changed(rev=rev), effects)


@handles(DisableUser)
def disable_user(tx: Tx, actor: Actor, command: DisableUser) -> Outcome[Done]:
    require_on_server(actor, Action.MANAGE_USERS)
    user = get_account(tx, command.user)
    if command.disabled:
        _require_may_lock(tx, actor, user)
    tx.set_disabled(user.id, command.disabled)
    effects: list[Effect] = []
    if command.disabled:
        # Before AccountChanged, so that their connections close and do not reload the account.
        ended = tx.end_sessions(user.id)
        effects.append(SessionsEnded(user.name, tuple(ended)))
    return Outcome(Done(), [*effects, AccountChanged(user.name)])


def _require_may_lock(tx: Tx, actor: Actor, user: UserRow) -> None:
    """Raises Forbidden if an admin would lock an owner, LastOwner for the last owner."""
    if user.role == ServerRole.OWNER:
        require_on_server(actor, Action.MANAGE_SERVER)
        _require_another_owner(tx, user)


def _require_another_owner(tx: Tx, user: UserRow) -> None:
    """Raises LastOwner if this is the server's only owner."""
    if user.role == ServerRole.OWNER and not user.disabled and tx.count_owners() < 2:
        raise LastOwner("This is the server's last owner. Make somebody else an owner first.")


def set_server_role(tx: Tx, actor: Actor, command: SetRole) -> Outcome[Changed]:
    require_on_server(actor, Action.MANAGE_SERVER)
    user = get_account(tx, command.user)
    if user.disabled:
        raise Conflict(f"{user.name}'s account is locked. Unlock it first.")
    if user.role == command.role:
        return Outcome(Changed(rev=user.rev))
    _require_another_owner(tx, user)
    tx.set_server_role(user.id, command.role)
    rev = tx.next_user_rev(user.id)
    updated = user._replace(role=command.role)
    event = MeChanged(rev=rev, me=to_me(updated, rev))
    return Outcome(Changed(rev=rev), [AccountChanged(user.name), ToPerson(user.name, event)])


def list_guest_rooms(tx: Tx, ids: set[str]) -> list[MyRoom]:
    """Those of these rooms that guests may read."""
    return [
        to_my_room(room, None)
        for room in tx.rooms_by_id(ids).values()
        if room.kind == RoomKind.PUBLIC
    ]
