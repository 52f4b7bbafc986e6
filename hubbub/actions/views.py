"""Rows as the structs that go over the wire."""

import msgspec

from hubbub.actions.access import no_such_room
from hubbub.model.accounts import Me
from hubbub.model.marks import Marks, MarkState, marks_of
from hubbub.model.messages import Message, Origin, Person
from hubbub.model.names import thread_of
from hubbub.model.policy import RoomKind, RoomRole, ServerRole
from hubbub.model.rooms import MyRoom, RoomChanged
from hubbub.store.statements.accounts import UserRow
from hubbub.store.statements.members import MemberRow
from hubbub.store.statements.messages import MessageRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx

_NO_MARKS = MarkState()
_marks = msgspec.json.Decoder(MarkState)
_origins = msgspec.json.Decoder(Origin)


def message_event(room_id: str, row: MessageRow) -> Message:
    return Message(
        room=room_id,
        seq=row.seq,
        rev=row.rev,
        by=row.by,
        at=row.at,
        text=row.text,
        kind=row.kind,  # type: ignore[arg-type] # it was checked before it was stored
        nonce=row.nonce,
        reply_to=row.reply_to,
        edited_at=row.edited_at,
        deleted=bool(row.deleted),
        mentions=tuple(row.mentions.split()),
        origin=decode_origin(row.origin),
        marks_rev=row.marks_rev,
        **(marks_of(decode_marks(row.marks)) if row.marks else {}),
    )


def decode_origin(stored: str) -> Origin | None:
    """Decode the origin of a forwarded message from the column `messages.origin`."""
    return _origins.decode(stored) if stored else None


def decode_marks(stored: str) -> MarkState:
    """The marks of a message, from the column `messages.marks`."""
    return _marks.decode(stored) if stored else _NO_MARKS


def marks_event(room_id: str, seq: int, rev: int, marks: MarkState) -> Marks:
    return Marks(room=room_id, seq=seq, rev=rev, last=marks.last, **marks_of(marks))


def room_event(room: RoomRow) -> RoomChanged:
    return RoomChanged(
        room=room.id,
        rev=room.meta_rev,
        title=room.title,
        topic=room.topic,
        archived=bool(room.archived),
    )


def to_person(user: UserRow) -> Person:
    return Person(
        name=user.name,
        display_name=user.display_name,
        role=user.role,
        disabled=bool(user.disabled),
    )


def list_people(tx: Tx, names: set[str]) -> list[Person]:
    """The people with these handles, by handle; one for each, though guests may share a handle."""
    found = {user.name: to_person(user) for user in tx.people(names)}
    return [found[name] for name in sorted(found)]


def to_me(user: UserRow, rev: int | None = None) -> Me:
    return Me(
        name=user.name,
        display_name=user.display_name,
        role=ServerRole(user.role),
        rev=user.rev if rev is None else rev,
    )


def to_my_room(
    room: RoomRow,
    member: MemberRow | None,
    mentions: int = 0,
    people: tuple[Person, ...] = (),
) -> MyRoom:
    """A room as one person sees it; ``member`` is None for people who are not members."""
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


def get_my_room(tx: Tx, room_id: str, user_id: int) -> MyRoom:
    """One of a person's rooms in its present state. Raises NotFound."""
    room = tx.room(room_id)
    if room is None:
        raise no_such_room(room_id)
    people: tuple[Person, ...] = ()
    if room.kind == RoomKind.DIRECT and room.parent_pk is None:
        people = direct_people(tx, user_id).get(room.pk, ())
    member = tx.member(room.pk, user_id)
    pair = (room.pk, user_id)
    return to_my_room(room, member, tx.unread_mentions({pair}).get(pair, 0), people)


def direct_people(tx: Tx, user_id: int) -> dict[int, tuple[Person, ...]]:
    """The other people in each of a person's direct rooms, by room pk."""
    found: dict[int, tuple[Person, ...]] = {}
    for room_pk, name, display_name, role, disabled in tx.direct_people(user_id):
        person = Person(name=name, display_name=display_name, role=role, disabled=bool(disabled))
        found[room_pk] = (*found.get(room_pk, ()), person)
    return found
