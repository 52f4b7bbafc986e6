"""Membership of rooms: joining, leaving, inviting, removing, and roles."""

from hubbub.actions.access import (
    RoomAccess,
    get_access,
    get_account,
    get_own_account,
    require_allowed,
)
from hubbub.actions.history import latest_page
from hubbub.actions.quotas import require_below, spend
from hubbub.actions.registry import answers, handles
from hubbub.actions.views import get_my_room, list_people, to_my_room
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

UNFOLLOW_MAX = 10  # threads per call; more can be over the quota after it was lowered


def add_member(
    tx: Tx,
    room: RoomRow,
    user: UserRow,
    role: RoomRole,
    *,
    hidden: bool = False,
    read_seq: int | None = None,
    by: int | None = None,
) -> list[Effect]:
    """Make somebody a member, and notify them unless the room is ``hidden`` from them at first.

    Without ``read_seq``, all earlier messages count as read. ``by`` is the id of the person who
    adds them, None if they join by themselves.
    """
    read_seq = room.seq if read_seq is None else read_seq
    unfollowed = [] if room.parent_pk is None else _unfollow_oldest(tx, user)
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
    effects: list[Effect] = [] if hidden else [notify_member(tx, room.id, user)]
    return [*unfollowed, *effects, MembershipChanged(room.id, event)]


def add_self(tx: Tx, room: RoomRow, me: UserRow, role: RoomRole = RoomRole.MEMBER) -> list[Effect]:
    """Make the actor, whose account is ``me``, a member.

    Raises QuotaReached if they are in too many rooms; threads do not count towards that quota.
    """
    if room.parent_pk is None:
        require_below(tx, "rooms_per_user", tx.count_rooms(me.id))
    return add_member(tx, room, me, role)


def add_other(
    tx: Tx, actor: Actor, room: RoomRow, user: UserRow, *, hidden: bool = False
) -> list[Effect]:
    """Make somebody else a member. Raises Conflict if they cannot be added, and QuotaReached."""
    if tx.has_blocked(actor.user_id, user.id):
        raise Conflict(f"You have blocked {user.name}. Unblock them before you add them.")
    spend(tx, actor, "people_added_per_day", actor.user_id)
    # The same sentence for all reasons, so that it does not disclose a block.
    cannot_be_added = Conflict(f"{user.name} cannot be added.")
    if tx.has_blocked(user.id, actor.user_id):
        raise cannot_be_added
    try:
        spend(tx, actor, "times_added_per_day", user.id)
        if room.kind != RoomKind.DIRECT:
            require_below(tx, "rooms_per_user", tx.count_rooms(user.id))
    except QuotaReached:
        raise cannot_be_added from None
    return add_member(tx, room, user, RoomRole.MEMBER, hidden=hidden, by=actor.user_id)


def _unfollow_oldest(tx: Tx, user: UserRow) -> list[Effect]:
    """Unfollow the oldest threads so that one more fits into the quota."""
    effects: list[Effect] = []
    for thread in tx.list_oldest_followed(user.id, tx.quotas.threads_per_user - 1, UNFOLLOW_MAX):
        effects += _remove_member(tx, thread, user, "left")[1]
    return effects


def notify_member(tx: Tx, room_id: str, user: UserRow) -> ToPerson:
    """Raise a person's rev, and send them their present view of the room."""
    rev = tx.next_user_rev(user.id)
    return ToPerson(user.name, MeChanged(rev=rev, room=get_my_room(tx, room_id, user.id)))


def _remove_member(tx: Tx, room: RoomRow, user: UserRow, reason: str) -> tuple[int, list[Effect]]:
    """Remove a member from a room and its threads. Returns the new mrev and the effects."""
    if room.parent_pk is None:
        tx.unfollow_all(room.pk, user.id)
    mrev, count = tx.remove_member(room.pk, user.id)
    rev = tx.next_user_rev(user.id)
    removed = Removed(room=room.id, rev=rev, reason=reason)  # type: ignore[arg-type]
    event = MemberChanged(room=room.id, mrev=mrev, members=count, user=user.name)
    return mrev, [ToPerson(user.name, removed), MembershipChanged(room.id, event)]


@handles(Join)
def join(tx: Tx, actor: Actor, command: Join) -> Outcome[Joined]:
    """Become a member. A guest gets the room but is not added to it, so nothing is stored."""
    access = get_access(tx, actor, command.room, Action.READ)
    effects: list[Effect] = []
    if access.member is None:
        require_allowed(actor, access, Action.JOIN)
        if not actor.is_guest:
            effects = add_self(tx, access.room, get_own_account(tx, actor))
    return Outcome(joined_reply(tx, actor, access), effects)


@answers(Watch)
def watch(tx: Tx, actor: Actor, query: Watch) -> Joined:
    return joined_reply(tx, actor, get_access(tx, actor, query.room, Action.READ))


def joined_reply(tx: Tx, actor: Actor, access: RoomAccess) -> Joined:
    """The room as the actor sees it, with its latest page of messages."""
    page = latest_page(tx, access.room)
    messages = [event for event in page.events if isinstance(event, Message)]
    return Joined(
        room=to_my_room(access.room, None)
        if actor.is_guest
        else get_my_room(tx, access.room.id, actor.user_id),
        messages=messages,
        people=list_people(tx, {message.by for message in messages}),
    )


@handles(Leave)
def leave(tx: Tx, actor: Actor, command: Leave) -> Outcome[MembersChanged]:
    """Leave a room, hide a direct room, or unfollow a thread."""
    access = get_access(tx, actor, command.room, Action.LEAVE)
    room, member = access.room, access.member
    assert member  # the policy requires membership
    me = get_own_account(tx, actor)
    if access.parent is not None:
        mrev, effects = _remove_member(tx, room, me, "left")
        return Outcome(MembersChanged(mrev=mrev), effects)
    if room.kind == RoomKind.DIRECT:
        tx.set_prefs(room.pk, me.id, member.notify, True)
        hidden: list[Effect] = [notify_member(tx, room.id, me)]
        return Outcome(MembersChanged(mrev=room.mrev), hidden)
    if room.members > 1:
        _require_another_owner(tx, room, me)
    mrev, effects = _remove_member(tx, room, me, "left")
    if room.members == 1 and room.kind == RoomKind.PRIVATE:
        # A private room without members could never be entered again.
        tx.delete_room(room)
        effects.append(RoomGone(room.id))
    return Outcome(MembersChanged(mrev=mrev), effects)


def _require_another_owner(tx: Tx, room: RoomRow, user: UserRow) -> None:
    """Raises LastOwner if this person is the only owner of the room."""
    if tx.room_owners(room.pk) == [user.id]:
        raise LastOwner(f"#{room.id} must keep an owner. Make somebody else an owner first.")


@handles(Invite)
def invite(tx: Tx, actor: Actor, command: Invite) -> Outcome[MembersChanged]:
    room = get_access(tx, actor, command.room, Action.INVITE).room
    user = get_account(tx, command.user)
    if user.disabled:
        raise Conflict(f"{user.name} no longer has an account here.")
    if tx.member(room.pk, user.id):
        return Outcome(MembersChanged(mrev=room.mrev))
    effects = add_other(tx, actor, room, user)
    return Outcome(MembersChanged(mrev=room.mrev + 1), effects)


@handles(Kick)
def kick(tx: Tx, actor: Actor, command: Kick) -> Outcome[MembersChanged]:
    room, member, *_ = get_access(tx, actor, command.room, Action.KICK)
    user = get_account(tx, command.user)
    target = tx.member(room.pk, user.id)
    if target is None:
        raise NotFound(f"{user.name} is not a member of #{room.id}.")
    if user.id == actor.user_id:
        raise Conflict("You cannot remove yourself. Leave the room instead.")
    admin = actor.role in (ServerRole.OWNER, ServerRole.ADMIN)
    role = RoomRole(member.role) if member else None
    policy.require_outranks(role, RoomRole(target.role), admin=admin)
    _require_another_owner(tx, room, user)
    mrev, effects = _remove_member(tx, room, user, "kicked")
    return Outcome(MembersChanged(mrev=mrev), effects)


@handles(SetRole)
def set_role(tx: Tx, actor: Actor, command: SetRole) -> Outcome[MembersChanged] | Outcome[Changed]:
    if command.room is None:
        from hubbub.actions.accounts import set_server_role

        return set_server_role(tx, actor, command)
    room = get_access(tx, actor, command.room, Action.SET_ROOM_ROLE).room
    user = get_account(tx, command.user)
    target = tx.member(room.pk, user.id)
    if target is None:
        raise NotFound(f"{user.name} is not a member of #{room.id}.")
    if target.role == command.role:
        return Outcome(MembersChanged(mrev=room.mrev))
    if target.role == RoomRole.OWNER:
        _require_another_owner(tx, room, user)
    mrev, count = tx.set_room_role(room.pk, user.id, command.role)
    event = MemberChanged(
        room=room.id,
        mrev=mrev,
        members=count,
        user=user.name,
        display_name=user.display_name,
        role=RoomRole(command.role),
    )
    notification = notify_member(tx, room.id, user)
    return Outcome(MembersChanged(mrev=mrev), [notification, MembershipChanged(room.id, event)])
