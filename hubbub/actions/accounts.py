"""Accounts and sessions."""

from hubbub.actions.access import account, me_of, my_room, myself, require_on_server
from hubbub.actions.access import direct_people as people_in_directs
from hubbub.actions.current_actor import account_locked
from hubbub.actions.membership import add
from hubbub.actions.registry import answers, handles
from hubbub.actions.server import settings
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
    SeeSessions,
    Session,
    Sessions,
    SessionsPage,
    SetPassword,
    SignOut,
    UpdateMe,
    UserChanged,
)
from hubbub.model.base import Done
from hubbub.model.bookmarks import AWAKE_MS
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
from hubbub.store.statements.accounts import UserRow
from hubbub.store.tx import Tx


@handles(AddAccount)
def add_account(tx: Tx, actor: Actor, command: AddAccount) -> Outcome[AccountAdded]:
    """Make an account in the lobby, if whoever asks may join this server."""
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
        effects = add(tx, lobby, user, RoomRole.MEMBER)
    if role is ServerRole.OWNER:
        effects.append(settings(tx))
    me = tx.user_by_id(user_id) or user
    return Outcome(AccountAdded(user_id=user_id, me=me_of(me)), effects)


def require_may_join(tx: Tx, command: AddAccount) -> ServerRole:
    """The role that the new account will have. Changes nothing, so it can be asked first.

    Raises NameTaken, InviteInvalid, InviteRequired, RegistrationClosed.
    """
    role = command.role or _role_of_newcomer(tx, command)
    if tx.skeleton_taken(command.skeleton):
        raise NameTaken()
    return role


def _role_of_newcomer(tx: Tx, command: AddAccount) -> ServerRole:
    if command.invite:
        role = tx.invite_role(command.invite)
        if role is None:
            raise InviteInvalid()
        return ServerRole(role)
    if command.first_owns and tx.owners() == 0:
        return ServerRole.OWNER
    if command.registration == "open":
        return ServerRole.MEMBER
    raise InviteRequired() if command.registration == "invite" else RegistrationClosed()


@handles(OpenSession)
def open_session(tx: Tx, actor: Actor, command: OpenSession) -> Outcome[AccountAdded]:
    user = tx.user_by_id(command.user_id)
    if user is None or user.disabled:
        raise account_locked()
    _require_unchanged(user, command.checked)
    ended = _make_place(tx, user) if not command.lasting else []
    tx.add_session(command.session, user.id, command.label, lasting=command.lasting)
    effects: list[Effect] = [SessionsEnded(user.name, tuple(ended))] if ended else []
    return Outcome(AccountAdded(user_id=user.id, me=me_of(user)), effects)


def _make_place(tx: Tx, user: UserRow) -> list[str]:
    """For one more session: which ones ended, those unused for longest.

    A refusal would lock out who has signed in too often, and with them whoever could end any.
    """
    sessions = [session for session, *_ in tx.sessions_of(user.id)]
    ended = sessions[tx.quotas.sessions_per_user - 1 :]
    for session in ended:
        tx.end_session(session, user.id)
    return ended


def _require_unchanged(user: UserRow, checked: str | None) -> None:
    """Raises WrongCredentials if the password was replaced since it was found to be right."""
    if checked is not None and checked != user.password_hash:
        raise WrongCredentials()


@handles(SeeSessions)
def see_sessions(tx: Tx, actor: Actor, command: SeeSessions) -> Outcome[Done]:
    tx.seen(command.sessions)
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
    """For oneself after the old password was right, or by the operator."""
    user = account(tx, command.user)
    if user.id != actor.user_id:
        require_on_server(actor, Action.MANAGE_SERVER)
    _require_unchanged(user, command.checked)
    tx.set_password(user.id, command.password_hash)
    ended = tx.end_sessions(user.id, but=command.keep)
    return Outcome(Done(), [SessionsEnded(user.name, tuple(ended))])


@handles(EndSession)
def end_session(tx: Tx, actor: Actor, command: EndSession) -> Outcome[Done]:
    me = myself(tx, actor)
    if not tx.end_session(command.session, me.id):
        raise NotFound("There is no such session of yours. It may have ended already.")
    return Outcome(Done(), [SessionsEnded(me.name, (command.session,))])


@answers(Sessions)
def sessions(tx: Tx, actor: Actor, query: Sessions) -> SessionsPage:
    me = myself(tx, actor)
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
def mine(tx: Tx, actor: Actor, query: MyProfile) -> Mine:
    me = myself(tx, actor)
    rows = tx.my_rooms(me.id, tx.now - AWAKE_MS)
    has_directs = any(row.room.kind == "direct" for row in rows)
    people = people_in_directs(tx, me.id) if has_directs else {}
    return Mine(
        me=me_of(me),
        rooms=[
            my_room(row.room, row.member, row.mentions, people.get(row.room.pk, ())) for row in rows
        ],
    )


@handles(UpdateMe)
def update_me(tx: Tx, actor: Actor, command: UpdateMe) -> Outcome[Changed]:
    me = myself(tx, actor)
    if me.display_name == command.display_name:
        return Outcome(Changed(rev=me.rev))
    tx.set_display_name(me.id, command.display_name)
    rev = tx.next_user_rev(me.id)
    shown = me._replace(display_name=command.display_name)
    event = UserChanged(user=me.name, display_name=command.display_name)
    rooms = tuple(tx.room_ids_of(me.id))
    effects: list[Effect] = [
        ToPerson(me.name, MeChanged(rev=rev, me=me_of(shown, rev))),
        ToRooms(rooms, event),
    ]
    return Outcome(Changed(rev=rev), effects)


@handles(DisableUser)
def disable_user(tx: Tx, actor: Actor, command: DisableUser) -> Outcome[Done]:
    require_on_server(actor, Action.MANAGE_USERS)
    user = account(tx, command.user)
    if command.disabled:
        _require_over(tx, actor, user)
    tx.set_disabled(user.id, command.disabled)
    effects: list[Effect] = []
    if command.disabled:
        # First, as who is out is not told to come back as what they are now.
        ended = tx.end_sessions(user.id)
        effects.append(SessionsEnded(user.name, tuple(ended)))
    return Outcome(Done(), [*effects, AccountChanged(user.name)])


def _require_over(tx: Tx, actor: Actor, user: UserRow) -> None:
    """An admin may not lock out an owner, nor anyone the last owner."""
    if user.role == ServerRole.OWNER:
        require_on_server(actor, Action.MANAGE_SERVER)
        _keep_an_owner(tx, user)


def _keep_an_owner(tx: Tx, user: UserRow) -> None:
    if user.role == ServerRole.OWNER and not user.disabled and tx.owners() < 2:
        raise LastOwner("This is the server's last owner. Make somebody else one first.")


def set_server_role(tx: Tx, actor: Actor, command: SetRole) -> Outcome[Changed]:
    require_on_server(actor, Action.MANAGE_SERVER)
    user = account(tx, command.user)
    if user.disabled:
        raise Conflict(f"{user.name}'s account is locked. Unlock it first.")
    if user.role == command.role:
        return Outcome(Changed(rev=user.rev))
    _keep_an_owner(tx, user)
    tx.set_server_role(user.id, command.role)
    rev = tx.next_user_rev(user.id)
    now = user._replace(role=command.role)
    event = MeChanged(rev=rev, me=me_of(now, rev))
    return Outcome(Changed(rev=rev), [AccountChanged(user.name), ToPerson(user.name, event)])


def visited(tx: Tx, ids: set[str]) -> list[MyRoom]:
    """The rooms of these that a guest may look into."""
    return [
        my_room(room, None) for room in tx.rooms_by_id(ids).values() if room.kind == RoomKind.PUBLIC
    ]
