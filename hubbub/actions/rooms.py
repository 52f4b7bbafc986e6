"""Creating, changing and deleting rooms."""

import re

from hubbub.actions.access import (
    RoomAccess,
    get_access,
    get_account,
    get_own_account,
    require_on_server,
)
from hubbub.actions.membership import add_member, add_other, add_self, joined_reply, notify_member
from hubbub.actions.quotas import spend
from hubbub.actions.registry import handles
from hubbub.actions.views import get_my_room, room_event
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
    me = get_own_account(tx, actor)
    others = {other.id: other for other in (get_account(tx, name) for name in command.members)}
    others.pop(me.id, None)
    spend(tx, actor, "rooms_made_per_day", me.id)
    room = tx.add_room(
        room_id=_room_id(tx, command),
        kind=command.kind,
        title=command.title,
        topic=command.topic,
    )
    effects = add_self(tx, room, me, RoomRole.OWNER)
    for other in others.values():
        if not other.disabled:
            effects += add_other(tx, actor, room, other)
    return Outcome(_created(tx, room, me), effects)


def _created(tx: Tx, room: RoomRow, me: UserRow) -> Joined:
    return Joined(room=get_my_room(tx, room.id, me.id), messages=[], people=[])


def _room_id(tx: Tx, command: CreateRoom) -> str:
    """The requested id, or one made from the title; for private rooms a random one."""
    if command.kind == "private":
        return tx.random_id()
    if command.room is not None:
        if tx.room(command.room):
            raise NameTaken(f"There is a room #{command.room} already. Join it, or choose another.")
        return command.room
    decomposed = normalized(command.title, "NFKD", TITLE_MAX, "This title is too long.")
    ascii_title = decomposed.encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")[:28].rstrip("-")
    if not slug:
        return tx.random_id()
    number, candidate = 1, slug
    while tx.room(candidate):
        number += 1
        candidate = f"{slug}-{number}"
    return candidate


@handles(Direct)
def direct(tx: Tx, actor: Actor, command: Direct) -> Outcome[Joined]:
    """Get or create the direct room of these people; the others see it with its first message."""
    require_on_server(actor, Action.DIRECT)
    me = get_own_account(tx, actor)
    people: dict[int, UserRow] = {}
    for name in command.users:
        other = get_account(tx, name)
        if other.disabled:
            raise Conflict(f"{other.name} no longer has an account here.")
        people[other.id] = other
    people[me.id] = me
    key = ",".join(str(user_id) for user_id in sorted(people))
    if found := tx.direct_room(key):
        return _reopen(tx, actor, found, me)
    spend(tx, actor, "rooms_made_per_day", me.id)
    room = tx.add_room(room_id=tx.random_id(), kind=RoomKind.DIRECT, title="", direct_key=key)
    effects: list[Effect] = []
    del people[me.id]
    for user in people.values():
        effects += add_other(tx, actor, room, user, hidden=True)
    # The actor is added last, so that their notification lists all members.
    effects += add_member(tx, room, me, RoomRole.MEMBER)
    return Outcome(_created(tx, room, me), effects)


def _reopen(tx: Tx, actor: Actor, room: RoomRow, me: UserRow) -> Outcome[Joined]:
    """An existing direct room, unhidden for the actor."""
    member = tx.member(room.pk, me.id)
    effects: list[Effect] = []
    if member and member.hidden:
        tx.set_prefs(room.pk, me.id, member.notify, False)
        effects = [notify_member(tx, room.id, me)]
    return Outcome(
        joined_reply(tx, actor, RoomAccess(room, member, member.role if member else None)), effects
    )


@handles(UpdateRoom)
def update_room(tx: Tx, actor: Actor, command: UpdateRoom) -> Outcome[Changed]:
    room = get_access(tx, actor, command.room, Action.UPDATE_ROOM).room
    changed = room._replace(
        title=command.title if command.title is not None else room.title,
        topic=command.topic if command.topic is not None else room.topic,
        archived=int(command.archived) if command.archived is not None else room.archived,
    )
    if changed == room:
        return Outcome(Changed(rev=room.rev))
    if room.id == LOBBY and changed.archived:
        raise Forbidden("The lobby is where everybody starts; it cannot be archived.")
    rev = tx.next_rev(room.pk)
    changed = changed._replace(rev=rev, meta_rev=rev)
    tx.save_room(changed)
    return Outcome(Changed(rev=rev), [ToRoom(room.id, room_event(changed), room.mrev)])


@handles(DeleteRoom)
def delete_room(tx: Tx, actor: Actor, command: DeleteRoom) -> Outcome[Done]:
    room = get_access(tx, actor, command.room, Action.DELETE_ROOM).room
    if room.id == LOBBY:
        raise Forbidden("The lobby is where everybody starts; it cannot be deleted.")
    return Outcome(Done(), delete_with_members(tx, room))


def delete_with_members(tx: Tx, room: RoomRow) -> list[Effect]:
    """Delete a room; its members get `Removed`."""
    revs = tx.next_member_revs(room.pk)
    tx.delete_room(room)
    effects: list[Effect] = [
        ToPerson(name, Removed(room=room.id, rev=rev, reason="deleted"))
        for name, rev in revs.items()
    ]
    return [*effects, RoomGone(room.id)]
