"""Making, changing and deleting rooms."""

import re

from hubbub.actions.access import (
    RoomAccess,
    account,
    get_room_for,
    my_room_now,
    myself,
    require_on_server,
    room_event,
)
from hubbub.actions.membership import add, add_other, enter, joined, tell_added
from hubbub.actions.quotas import spend
from hubbub.actions.registry import handles
from hubbub.model.accounts import Actor
from hubbub.model.base import Done
from hubbub.model.errors import Conflict, Forbidden, NameTaken
from hubbub.model.messages import Changed
from hubbub.model.names import LOBBY
from hubbub.model.normalize import normalized
from hubbub.model.outcome import Effect, Outcome, RoomGone, ToPerson, ToRoom
from hubbub.model.policy import Action, RoomKind, RoomRole
from hubbub.model.rooms import (
    TITLE_MAX,
    CreateRoom,
    DeleteRoom,
    Direct,
    Joined,
    Removed,
    UpdateRoom,
)
from hubbub.store.statements.accounts import UserRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx


@handles(CreateRoom)
def create_room(tx: Tx, actor: Actor, command: CreateRoom) -> Outcome[Joined]:
    require_on_server(actor, Action.CREATE_ROOM)
    me = myself(tx, actor)
    others = {other.id: other for other in (account(tx, name) for name in command.members)}
    others.pop(me.id, None)
    spend(tx, actor, "rooms_made_per_day", me.id)
    room = tx.add_room(
        room_id=_room_id(tx, command),
        kind=command.kind,
        title=command.title,
        topic=command.topic,
    )
    effects = enter(tx, room, me, RoomRole.OWNER)
    for other in others.values():
        if not other.disabled:
            effects += add_other(tx, actor, room, other)
    return Outcome(_new(tx, room, me), effects)


def _new(tx: Tx, room: RoomRow, me: UserRow) -> Joined:
    return Joined(room=my_room_now(tx, room.id, me.id), messages=[], people=[])


def _room_id(tx: Tx, command: CreateRoom) -> str:
    """As asked for, or from the title; random if private, as it would give the room away."""
    if command.kind == "private":
        return tx.random_id()
    if command.room is not None:
        if tx.room(command.room):
            raise NameTaken(f"There is a room #{command.room} already. Join it, or choose another.")
        return command.room
    decomposed = normalized(command.title, "NFKD", TITLE_MAX, "This title is too long.")
    plain = decomposed.encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:28].rstrip("-")
    if not slug:
        return tx.random_id()
    number, found = 1, slug
    while tx.room(found):
        number += 1
        found = f"{slug}-{number}"
    return found


@handles(Direct)
def direct(tx: Tx, actor: Actor, command: Direct) -> Outcome[Joined]:
    """The direct room of these people. The others see it once something is said there."""
    require_on_server(actor, Action.DIRECT)
    me = myself(tx, actor)
    people: dict[int, UserRow] = {}
    for name in command.users:
        other = account(tx, name)
        if other.disabled:
            raise Conflict(f"{other.name} has no account here any more.")
        people[other.id] = other
    people[me.id] = me
    key = ",".join(str(user_id) for user_id in sorted(people))
    if found := tx.direct_room(key):
        return _found(tx, actor, found, me)
    spend(tx, actor, "rooms_made_per_day", me.id)
    room = tx.add_room(room_id=tx.random_id(), kind=RoomKind.DIRECT, title="", direct_key=key)
    effects: list[Effect] = []
    del people[me.id]
    for user in people.values():
        effects += add_other(tx, actor, room, user, hidden=True)
    # I come last, as I am told of the room with all who are in it.
    effects += add(tx, room, me, RoomRole.MEMBER)
    return Outcome(_new(tx, room, me), effects)


def _found(tx: Tx, actor: Actor, room: RoomRow, me: UserRow) -> Outcome[Joined]:
    member = tx.member(room.pk, me.id)
    effects: list[Effect] = []
    if member and member.hidden:
        tx.set_prefs(room.pk, me.id, member.notify, False)
        effects = [tell_added(tx, room.id, me)]
    return Outcome(
        joined(tx, actor, RoomAccess(room, member, member.role if member else None)), effects
    )


@handles(UpdateRoom)
def update_room(tx: Tx, actor: Actor, command: UpdateRoom) -> Outcome[Changed]:
    room = get_room_for(tx, actor, command.room, Action.UPDATE_ROOM).room
    changed = room._replace(
        title=command.title if command.title is not None else room.title,
        topic=command.topic if command.topic is not None else room.topic,
        archived=int(command.archived) if command.archived is not None else room.archived,
    )
    if changed == room:
        return Outcome(Changed(rev=room.rev))
    if room.id == LOBBY and changed.archived:
        raise Forbidden("The lobby is where everybody begins; it cannot be archived.")
    rev = tx.next_rev(room.pk)
    changed = changed._replace(rev=rev, meta_rev=rev)
    tx.save_room(changed)
    return Outcome(Changed(rev=rev), [ToRoom(room.id, room_event(changed), room.mrev)])


@handles(DeleteRoom)
def delete_room(tx: Tx, actor: Actor, command: DeleteRoom) -> Outcome[Done]:
    room = get_room_for(tx, actor, command.room, Action.DELETE_ROOM).room
    if room.id == LOBBY:
        raise Forbidden("The lobby is where everybody begins; it cannot be deleted.")
    return Outcome(Done(), delete_with_members(tx, room))


def delete_with_members(tx: Tx, room: RoomRow) -> list[Effect]:
    revs = tx.raise_members_revs(room.pk)
    tx.delete_room(room)
    effects: list[Effect] = [
        ToPerson(name, Removed(room=room.id, rev=rev, reason="deleted"))
        for name, rev in revs.items()
    ]
    return [*effects, RoomGone(room.id)]
