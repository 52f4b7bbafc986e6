"""Load the rooms, messages and accounts that the actor may know of, and check permissions.

Anything that the actor may not read is reported as not found.
"""

from collections.abc import Collection
from typing import NamedTuple

from hubbub.model import policy
from hubbub.model.accounts import Actor
from hubbub.model.base import ID_MAX
from hubbub.model.errors import Conflict, HubbubError, NotFound, NotMember
from hubbub.model.policy import Action, RoomKind, RoomRole
from hubbub.store.statements.accounts import UserRow
from hubbub.store.statements.members import MemberRow
from hubbub.store.statements.messages import MessageRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx


class RoomAccess(NamedTuple):
    """A room, and the actor's membership and role in it.

    For a thread, ``parent`` is the room that it belongs to, ``role`` is the actor's role in the
    parent, and ``member`` is set if the actor follows the thread. In a direct conversation of two,
    ``blockers`` are the ids of those who have blocked the other person.
    """

    room: RoomRow
    member: MemberRow | None
    role: str | None
    parent: RoomRow | None = None
    blockers: Collection[int] = ()

    @property
    def home(self) -> RoomRow:
        """The room itself, or the room that the thread belongs to."""
        return self.parent or self.room


def no_such_room(room_id: str) -> NotFound:
    return NotFound(f"There is no room #{room_id} here.")


def get_access(tx: Tx, actor: Actor, room_id: str, action: Action) -> RoomAccess:
    """The room, if the actor may do ``action`` in it.

    Raises NotFound if the room does not exist or the actor may not read it, and whatever
    `require_allowed` raises.
    """
    access = get_unchecked_access(tx, actor, room_id)
    require_allowed(actor, access, action)
    return access


def get_unchecked_access(tx: Tx, actor: Actor, room_id: str) -> RoomAccess:
    """The room, without a permission check, which is left to the caller. Raises NotFound."""
    room = tx.room(room_id)
    if room is None:
        raise no_such_room(room_id)
    member = tx.member(room.pk, actor.user_id) if actor.user_id > 0 else None
    if room.parent_pk is None:
        role = member.role if member else None
        return RoomAccess(room, member, role, None, _blockers(tx, actor, room))
    parent = tx.room_by_pk(room.parent_pk)
    if parent is None:
        raise no_such_room(room_id)
    parent_member = tx.member(parent.pk, actor.user_id) if actor.user_id > 0 else None
    role = parent_member.role if parent_member else None
    return RoomAccess(room, member, role, parent, _blockers(tx, actor, parent))


def is_between_two(room: RoomRow) -> bool:
    """Whether this is a direct conversation of two people, where blocks apply."""
    return room.kind == RoomKind.DIRECT and room.members == 2


def _blockers(tx: Tx, actor: Actor, home: RoomRow) -> Collection[int]:
    if not is_between_two(home):
        return ()
    pair = (home.pk, actor.user_id)
    return tx.blockers({pair}).get(pair, ())


def require_unblocked(actor: Actor, blockers: Collection[int]) -> None:
    """Raises Conflict if one of two has blocked the other.

    The one who is blocked gets a sentence that does not mention the block.
    """
    if actor.user_id in blockers:
        raise Conflict("You have blocked this person. Unblock them before you write to them.")
    if blockers:
        raise Conflict("Your message cannot be delivered.")


def require_allowed(
    actor: Actor, access: RoomAccess, action: Action, *, author: bool = False
) -> None:
    """Raises NotFound, NotMember, Forbidden or Conflict unless the actor may do this there."""
    thread = access.room.id if access.parent else None
    follows = thread is not None and access.member is not None
    require_role_allows(
        actor, access.home, access.role, action, author=author, thread=thread, follows=follows
    )
    if action in _WRITES:
        require_unblocked(actor, access.blockers)


def require_role_allows(
    actor: Actor,
    room: RoomRow,
    role: str | None,
    action: Action,
    *,
    author: bool = False,
    thread: str | None = None,
    follows: bool = False,
) -> None:
    """Raises unless an actor with this role in the room may do this there.

    With the id of a ``thread``, check the action in that thread of the room, which also depends on
    whether the actor follows it.
    """
    standings = policy.room_standings(
        actor.role,
        RoomKind(room.kind),
        RoomRole(role) if role else None,
        author=author,
        thread=thread is not None,
        follows=follows,
    )
    if not policy.allows(Action.READ, standings):
        raise no_such_room(thread or room.id)
    if room.archived and action in _WRITES:
        raise Conflict(f"#{room.id} is archived: it can be read, but nothing new is added.")
    try:
        policy.require(action, standings)
    except NotMember as error:
        raise _join_first(room, action) from error


def _join_first(room: RoomRow, action: Action) -> HubbubError:
    return NotMember(f"Join #{room.id} before you {_PHRASES.get(action, 'do this there')}.")


_WRITES = frozenset({Action.POST, Action.EDIT, Action.TYPE, Action.REACT, Action.PIN})
_PHRASES = {
    Action.POST: "post there",
    Action.INVITE: "invite people there",
    Action.REACT: "react there",
    Action.PIN: "pin there",
}


def require_on_server(actor: Actor, action: Action) -> None:
    """Raises Forbidden unless the actor's server role allows this."""
    policy.require(action, policy.server_standings(actor.role))


def no_such_message(room_id: str, seq: int) -> NotFound:
    return NotFound(f"There is no message {seq} in #{room_id}.")


def deleted_message(room_id: str, seq: int) -> NotFound:
    return NotFound(f"Message {seq} in #{room_id} has been deleted.")


def get_message(tx: Tx, access: RoomAccess, seq: int) -> MessageRow:
    """A message that has not been deleted. Raises NotFound."""
    message = tx.message(access.room.pk, seq)
    if message is None:
        raise no_such_message(access.room.id, seq)
    if message.deleted:
        raise deleted_message(access.room.id, seq)
    return message


def get_account(tx: Tx, name: str) -> UserRow:
    """The account with this handle, written with or without ``@``. Raises NotFound."""
    user = tx.user(name.removeprefix("@").casefold()) if len(name) <= ID_MAX else None
    if user is None:
        raise NotFound(f"There is no account named {name[:ID_MAX]}.")
    return user


def get_own_account(tx: Tx, actor: Actor, action: Action = Action.MANAGE_SELF) -> UserRow:
    """The actor's own account, if the actor may do ``action``.

    Raises Forbidden for guests, NotFound if the account has been deleted.
    """
    require_on_server(actor, action)
    user = tx.user_by_id(actor.user_id)
    if user is None:
        raise NotFound("Your account no longer exists.")
    return user


def known_author_id(tx: Tx, actor: Actor) -> int:
    """The id of the actor's row in `users`; 0 for a guest who has none yet."""
    if not actor.is_guest:
        return actor.user_id
    return tx.guest(actor.guest_key or "") or 0


def get_or_add_author(tx: Tx, actor: Actor) -> int:
    """The id of the actor's row in `users`; a guest without one gets it now."""
    found = known_author_id(tx, actor)
    if found or not actor.is_guest:
        return found
    return tx.add_user(
        name=actor.name,
        skeleton=None,
        display_name=actor.name,
        password_hash=None,
        role=actor.role,
        guest_key=actor.guest_key,
    )
