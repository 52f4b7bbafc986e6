"""Finding a room, a person or a message, as far as somebody may know of it."""

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from hubbub.model import policy
from hubbub.model.accounts import Actor, Me
from hubbub.model.base import ID_MAX
from hubbub.model.errors import Conflict, HubbubError, NotFound, NotMember
from hubbub.model.marks import Marks, MarkState, marks_in
from hubbub.model.messages import Message, Origin, Person
from hubbub.model.names import thread_of
from hubbub.model.policy import Action, RoomKind, RoomRole, ServerRole
from hubbub.model.rooms import MyRoom, Room, RoomChanged
from hubbub.store.statements.accounts import UserRow
from hubbub.store.statements.members import MemberRow
from hubbub.store.statements.messages import MessageRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx

_NO_MARKS = MarkState()
_marks = msgspec.json.Decoder(MarkState)
_origins = msgspec.json.Decoder(Origin)


class RoomAccess(NamedTuple):
    """A room, and what the one who asks is in it.

    ``parent`` is the room that a thread belongs to, and ``role`` the one in that; ``member`` is
    then whoever follows the thread. ``blockers`` are those of the two in a direct conversation
    who have blocked the other.
    """

    room: RoomRow
    member: MemberRow | None
    role: str | None
    parent: RoomRow | None = None
    blockers: Collection[int] = ()

    @property
    def home(self) -> RoomRow:
        """The room itself, or the one that the thread belongs to."""
        return self.parent or self.room


def no_such_room(room_id: str) -> NotFound:
    return NotFound(f"There is no room #{room_id} here.")


def get_room_for(tx: Tx, actor: Actor, room_id: str, action: Action) -> RoomAccess:
    """The room, if the actor may do this in it.

    Raises NotFound for rooms that do not exist or that the actor may not know of.
    """
    access = find(tx, actor, room_id)
    require_at(actor, access, action)
    return access


def find(tx: Tx, actor: Actor, room_id: str) -> RoomAccess:
    """The room, before it is known what the actor may do there. Raises NotFound."""
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
    of_parent = tx.member(parent.pk, actor.user_id) if actor.user_id > 0 else None
    role = of_parent.role if of_parent else None
    return RoomAccess(room, member, role, parent, _blockers(tx, actor, parent))


def is_between_two(room: RoomRow) -> bool:
    """Whether it is the direct conversation of two people, where one may have blocked the other."""
    return room.kind == RoomKind.DIRECT and room.members == 2


def _blockers(tx: Tx, actor: Actor, home: RoomRow) -> Collection[int]:
    if not is_between_two(home):
        return ()
    pair = (home.pk, actor.user_id)
    return tx.blockers({pair}).get(pair, ())


def require_unblocked(actor: Actor, blockers: Collection[int]) -> None:
    """Raises Conflict where one of two has blocked the other, who is told no more than needed."""
    if actor.user_id in blockers:
        raise Conflict("You have blocked this person. Unblock them before you write to them.")
    if blockers:
        raise Conflict("Your message cannot be delivered.")


def require_at(actor: Actor, access: RoomAccess, action: Action, *, author: bool = False) -> None:
    """Raises unless this actor may do this at this place."""
    thread = access.room.id if access.parent else None
    follows = thread is not None and access.member is not None
    require(actor, access.home, access.role, action, author=author, thread=thread, follows=follows)
    if action in _WRITES:
        require_unblocked(actor, access.blockers)


def require(
    actor: Actor,
    room: RoomRow,
    role: str | None,
    action: Action,
    *,
    author: bool = False,
    thread: str | None = None,
    follows: bool = False,
) -> None:
    """Raises unless this actor, with this role in the room, may do this there.

    In a ``thread`` of the room (its id): by that role, and by whether the actor follows it.
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
    return NotMember(f"Join #{room.id} before you {_DOING.get(action, 'do this there')}.")


_WRITES = frozenset({Action.POST, Action.EDIT, Action.TYPE, Action.REACT, Action.PIN})
_DOING = {
    Action.POST: "post there",
    Action.INVITE: "invite people there",
    Action.REACT: "react there",
    Action.PIN: "pin there",
}


def no_such_message(room_id: str, seq: int) -> NotFound:
    return NotFound(f"There is no message {seq} in #{room_id}.")


def deleted_message(room_id: str, seq: int) -> NotFound:
    return NotFound(f"Message {seq} in #{room_id} has been deleted.")


def message_at(tx: Tx, access: RoomAccess, seq: int) -> MessageRow:
    """A message that is still there. Raises NotFound."""
    message = tx.message(access.room.pk, seq)
    if message is None:
        raise no_such_message(access.room.id, seq)
    if message.deleted:
        raise deleted_message(access.room.id, seq)
    return message


def account(tx: Tx, name: str) -> UserRow:
    """The account of this handle. Raises NotFound."""
    user = tx.user(name.removeprefix("@").casefold()) if len(name) <= ID_MAX else None
    if user is None:
        raise NotFound(f"There is nobody here by the name of {name[:ID_MAX]}.")
    return user


def myself(tx: Tx, actor: Actor) -> UserRow:
    """The actor's own account. Raises Forbidden for guests, NotFound if it is gone."""
    policy.require(Action.MANAGE_SELF, policy.server_standings(actor.role))
    user = tx.user_by_id(actor.user_id)
    if user is None:
        raise NotFound("Your account is gone.")
    return user


def author_of(tx: Tx, actor: Actor, *, is_new: bool = True) -> int:
    """The row of one who says something; a guest gets one with the first thing (``is_new``)."""
    if not actor.is_guest:
        return actor.user_id
    known = tx.guest(actor.guest_key or "") or 0
    if known or not is_new:
        return known
    return tx.add_user(
        name=actor.name,
        skeleton=None,
        display_name=actor.name,
        password_hash=None,
        role=actor.role,
        guest_key=actor.guest_key,
    )


def require_on_server(actor: Actor, action: Action) -> None:
    policy.require(action, policy.server_standings(actor.role))


def message_event(room_id: str, row: MessageRow) -> Message:
    return Message(
        room=room_id,
        seq=row.seq,
        rev=row.rev,
        by=row.by,
        at=row.at,
        text=row.text,
        kind=row.kind,  # type: ignore[arg-type] # what was stored was checked
        nonce=row.nonce,
        reply_to=row.reply_to,
        edited_at=row.edited_at,
        deleted=bool(row.deleted),
        mentions=tuple(row.mentions.split()),
        origin=origin_of(row.origin),
        marks_rev=row.marks_rev,
        **(marks_in(marks_of(row.marks)) if row.marks else {}),
    )


def origin_of(stored: str) -> Origin | None:
    """Where a message was forwarded from, as its row has it."""
    return _origins.decode(stored) if stored else None


def marks_of(stored: str) -> MarkState:
    """What was added to a message, as its row has it."""
    return _marks.decode(stored) if stored else _NO_MARKS


def marks_event(room_id: str, seq: int, rev: int, marks: MarkState) -> Marks:
    return Marks(room=room_id, seq=seq, rev=rev, last=marks.last, **marks_in(marks))


def room_event(room: RoomRow) -> RoomChanged:
    return RoomChanged(
        room=room.id,
        rev=room.meta_rev,
        title=room.title,
        topic=room.topic,
        archived=bool(room.archived),
    )


def person(user: UserRow) -> Person:
    return Person(
        name=user.name,
        display_name=user.display_name,
        role=user.role,
        disabled=bool(user.disabled),
    )


def people_of(tx: Tx, names: set[str]) -> list[Person]:
    """How these handles are shown; each once, though several guests may have had one."""
    found = {user.name: person(user) for user in tx.people(names)}
    return [found[name] for name in sorted(found)]


def me_of(user: UserRow, rev: int | None = None) -> Me:
    return Me(
        name=user.name,
        display_name=user.display_name,
        role=ServerRole(user.role),
        rev=user.rev if rev is None else rev,
    )


def my_room(
    room: RoomRow,
    member: MemberRow | None,
    mentions: int = 0,
    people: tuple[Person, ...] = (),
) -> MyRoom:
    """A room as it is to somebody; without a membership as to one who looks in."""
    thread = thread_of(room.id) if room.parent_pk is not None else None
    parent, parent_seq = thread or (None, None)
    return MyRoom(
        room=room.id,
        kind=RoomKind(room.kind),
        title=room.title,
        topic=room.topic,
        seq=room.seq,
        rev=room.rev,
        mrev=room.mrev,
        members=room.members,
        created_at=room.created_at,
        archived=bool(room.archived),
        parent=parent,
        parent_seq=parent_seq,
        role=RoomRole(member.role) if member else None,
        read_seq=member.read_seq if member else 0,
        mentions=mentions,
        notify=member.notify if member else "all",  # type: ignore[arg-type]
        hidden=bool(member.hidden) if member else False,
        people=people,
        added_by=member.added_by if member else None,
    )


def public_room(room: RoomRow) -> Room:
    return my_room(room, None)


def my_room_now(tx: Tx, room_id: str, user_id: int) -> MyRoom:
    """One of my rooms in its present form. Raises NotFound."""
    room = tx.room(room_id)
    if room is None:
        raise no_such_room(room_id)
    people: tuple[Person, ...] = ()
    if room.kind == RoomKind.DIRECT and room.parent_pk is None:
        people = direct_people(tx, user_id).get(room.pk, ())
    member = tx.member(room.pk, user_id)
    pair = (room.pk, user_id)
    return my_room(room, member, tx.unread_mentions({pair}).get(pair, 0), people)


def direct_people(tx: Tx, user_id: int) -> dict[int, tuple[Person, ...]]:
    """Room pk → the others in it, for all my direct rooms."""
    found: dict[int, tuple[Person, ...]] = {}
    for room_pk, name, display_name, role, disabled in tx.direct_people(user_id):
        one = Person(name=name, display_name=display_name, role=role, disabled=bool(disabled))
        found[room_pk] = (*found.get(room_pk, ()), one)
    return found
