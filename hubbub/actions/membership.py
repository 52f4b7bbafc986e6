"""Coming and going: who is in a room, and as what."""

from hubbub.actions.access import (
    RoomAccess,
    account,
    get_room_for,
    my_room,
    my_room_now,
    myself,
    people_of,
    require_at,
)
from hubbub.actions.history import latest
from hubbub.actions.quotas import require_below, spend
from hubbub.actions.registry import answers, handles
from hubbub.model import policy
from hubbub.model.accounts import Actor, MeChanged
from hubbub.model.errors import Conflict, LastOwner, NotFound, QuotaReached
from hubbub.model.messages import Changed, Message
from hubbub.model.outcome import Effect, MembershipChanged, Outcome, RoomGone, ToPerson
from hubbub.model.policy import Action, RoomKind, RoomRole, ServerRole
from hubbub.model.rooms import (
    Invite,
    Join,
    Joined,
    Kick,
    Leave,
    MemberChanged,
    MembersChanged,
    Removed,
    SetRole,
    Watch,
)
from hubbub.store.statements.accounts import UserRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx

FOLLOW_LESS_MAX = 10  # threads at a time, after the quota was made smaller


def add(
    tx: Tx,
    room: RoomRow,
    user: UserRow,
    role: RoomRole,
    *,
    hidden: bool = False,
    read_seq: int | None = None,
    by: int | None = None,
) -> list[Effect]:
    """Make somebody a member; they learn of it unless the room is hidden from them for now.

    Unless ``read_seq`` is given, what was said before they came is read. ``by`` is the id of
    whoever adds them, if they do not come by themselves.
    """
    read_seq = room.seq if read_seq is None else read_seq
    left = [] if room.parent_pk is None else _follow_less(tx, user)
    mrev, count = tx.add_member(
        room.pk, user.id, role, read_seq=read_seq, hidden=hidden, added_by=by
    )
    event = MemberChanged(
        room=room.id,
        mrev=mrev,
        members=count,
        user=user.name,
        display_name=user.display_name,
        role=role,
    )
    effects: list[Effect] = [] if hidden else [tell_added(tx, room.id, user)]
    return [*left, *effects, MembershipChanged(room.id, event)]


def enter(tx: Tx, room: RoomRow, me: UserRow, role: RoomRole = RoomRole.MEMBER) -> list[Effect]:
    """Become a member oneself. Raises QuotaReached for who is in too many rooms.

    A thread is followed in any case.
    """
    if room.parent_pk is None:
        require_below(tx, "rooms_per_user", tx.count_rooms(me.id))
    return add(tx, room, me, role)


def add_other(
    tx: Tx, actor: Actor, room: RoomRow, user: UserRow, *, hidden: bool = False
) -> list[Effect]:
    """Make somebody else a member. Raises Conflict if they cannot be added, QuotaReached."""
    if tx.has_blocked(actor.user_id, user.id):
        raise Conflict(f"You have blocked {user.name}. Unblock them before you add them.")
    spend(tx, actor, "people_added_per_day", actor.user_id)
    # One sentence for all reasons: nobody is to learn from it that they are blocked.
    cannot_be_added = Conflict(f"{user.name} cannot be added.")
    if tx.has_blocked(user.id, actor.user_id):
        raise cannot_be_added
    try:
        spend(tx, actor, "times_added_per_day", user.id)
        if room.kind != RoomKind.DIRECT:
            require_below(tx, "rooms_per_user", tx.count_rooms(user.id))
    except QuotaReached:
        raise cannot_be_added from None
    return add(tx, room, user, RoomRole.MEMBER, hidden=hidden, by=actor.user_id)


def _follow_less(tx: Tx, user: UserRow) -> list[Effect]:
    """Make place for one more thread: those that began first are no longer followed."""
    effects: list[Effect] = []
    for thread in tx.followed_beyond(user.id, tx.quotas.threads_per_user - 1, FOLLOW_LESS_MAX):
        effects += _remove(tx, thread, user, "left")[1]
    return effects


def tell_added(tx: Tx, room_id: str, user: UserRow) -> ToPerson:
    rev = tx.next_user_rev(user.id)
    return ToPerson(user.name, MeChanged(rev=rev, room=my_room_now(tx, room_id, user.id)))


def _remove(tx: Tx, room: RoomRow, user: UserRow, reason: str) -> tuple[int, list[Effect]]:
    if room.parent_pk is None:
        tx.follow_none(room.pk, user.id)
    mrev, count = tx.remove_member(room.pk, user.id)
    rev = tx.next_user_rev(user.id)
    removed = Removed(room=room.id, rev=rev, reason=reason)  # type: ignore[arg-type]
    event = MemberChanged(room=room.id, mrev=mrev, members=count, user=user.name)
    return mrev, [ToPerson(user.name, removed), MembershipChanged(room.id, event)]


@handles(Join)
def join(tx: Tx, actor: Actor, command: Join) -> Outcome[Joined]:
    """Become a member. A guest only looks in: no row, no trace."""
    access = get_room_for(tx, actor, command.room, Action.READ)
    effects: list[Effect] = []
    if access.member is None:
        require_at(actor, access, Action.JOIN)
        if not actor.is_guest:
            effects = enter(tx, access.room, myself(tx, actor))
    return Outcome(joined(tx, actor, access), effects)


@answers(Watch)
def watch(tx: Tx, actor: Actor, query: Watch) -> Joined:
    return joined(tx, actor, get_room_for(tx, actor, query.room, Action.READ))


def joined(tx: Tx, actor: Actor, access: RoomAccess) -> Joined:
    """A room as whoever has come into it sees it, with its latest messages."""
    page = latest(tx, access.room)
    messages = [event for event in page.events if isinstance(event, Message)]
    return Joined(
        room=my_room(access.room, None)
        if actor.is_guest
        else my_room_now(tx, access.room.id, actor.user_id),
        messages=messages,
        people=people_of(tx, {message.by for message in messages}),
    )


@handles(Leave)
def leave(tx: Tx, actor: Actor, command: Leave) -> Outcome[MembersChanged]:
    """In a thread: follow it no more."""
    access = get_room_for(tx, actor, command.room, Action.LEAVE)
    room, member = access.room, access.member
    assert member  # the policy asks for it
    me = myself(tx, actor)
    if access.parent is not None:
        mrev, effects = _remove(tx, room, me, "left")
        return Outcome(MembersChanged(mrev=mrev), effects)
    if room.kind == RoomKind.DIRECT:
        tx.set_prefs(room.pk, me.id, member.notify, True)
        shown: list[Effect] = [tell_added(tx, room.id, me)]
        return Outcome(MembersChanged(mrev=room.mrev), shown)
    if room.members > 1:
        _keep_an_owner(tx, room, me)
    mrev, effects = _remove(tx, room, me, "left")
    if room.members == 1 and room.kind == RoomKind.PRIVATE:
        # Nobody could ever come back to it.
        tx.delete_room(room)
        effects.append(RoomGone(room.id))
    return Outcome(MembersChanged(mrev=mrev), effects)


def _keep_an_owner(tx: Tx, room: RoomRow, leaving: UserRow) -> None:
    if tx.room_owners(room.pk) == [leaving.id]:
        raise LastOwner(f"You are the last owner of #{room.id}. Make somebody else one first.")


@handles(Invite)
def invite(tx: Tx, actor: Actor, command: Invite) -> Outcome[MembersChanged]:
    room = get_room_for(tx, actor, command.room, Action.INVITE).room
    user = account(tx, command.user)
    if user.disabled:
        raise Conflict(f"{user.name} has no account here any more.")
    if tx.member(room.pk, user.id):
        return Outcome(MembersChanged(mrev=room.mrev))
    effects = add_other(tx, actor, room, user)
    return Outcome(MembersChanged(mrev=room.mrev + 1), effects)


@handles(Kick)
def kick(tx: Tx, actor: Actor, command: Kick) -> Outcome[MembersChanged]:
    room, member, *_ = get_room_for(tx, actor, command.room, Action.KICK)
    user = account(tx, command.user)
    target = tx.member(room.pk, user.id)
    if target is None:
        raise NotFound(f"{user.name} is not a member of #{room.id}.")
    if user.id == actor.user_id:
        raise Conflict("To leave a room yourself, leave it.")
    admin = actor.role in (ServerRole.OWNER, ServerRole.ADMIN)
    role = RoomRole(member.role) if member else None
    policy.require_above(role, RoomRole(target.role), admin=admin)
    _keep_an_owner(tx, room, user)
    mrev, effects = _remove(tx, room, user, "kicked")
    return Outcome(MembersChanged(mrev=mrev), effects)


@handles(SetRole)
def set_role(tx: Tx, actor: Actor, command: SetRole) -> Outcome[MembersChanged] | Outcome[Changed]:
    if command.room is None:
        from hubbub.actions.accounts import set_server_role

        return set_server_role(tx, actor, command)
    room = get_room_for(tx, actor, command.room, Action.SET_ROOM_ROLE).room
    user = account(tx, command.user)
    target = tx.member(room.pk, user.id)
    if target is None:
        raise NotFound(f"{user.name} is not a member of #{room.id}.")
    if target.role == command.role:
        return Outcome(MembersChanged(mrev=room.mrev))
    if target.role == RoomRole.OWNER:
        _keep_an_owner(tx, room, user)
    mrev, count = tx.set_room_role(room.pk, user.id, command.role)
    event = MemberChanged(
        room=room.id,
        mrev=mrev,
        members=count,
        user=user.name,
        display_name=user.display_name,
        role=RoomRole(command.role),
    )
    mine = tell_added(tx, room.id, user)
    return Outcome(MembersChanged(mrev=mrev), [mine, MembershipChanged(room.id, event)])
