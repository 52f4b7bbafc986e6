"""Read markers, and a person's preferences for a room."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from hubbub.actions.access import (
    get_access,
    get_own_account,
    get_unchecked_access,
    no_such_room,
    require_allowed,
    require_role_allows,
)
from hubbub.actions.current_actor import refresh_actors
from hubbub.actions.registry import Result, handles, handles_runs
from hubbub.actions.views import get_my_room
from hubbub.model.accounts import Actor, MeChanged
from hubbub.model.errors import HubbubError, Invalid
from hubbub.model.messages import Changed
from hubbub.model.outcome import Effect, Outcome, ToPerson
from hubbub.model.policy import Action
from hubbub.model.reading import Read, ReadChanged, ReadMarker
from hubbub.model.rooms import Prefs
from hubbub.store.statements.members import MembershipRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx


class MarkerUpdate(NamedTuple):
    """An accepted `Read` command; ``position`` is its index in the run.

    ``read_seq`` is the marker after it, ``is_change`` whether that differs from before.
    """

    position: int
    actor: Actor
    room: RoomRow
    read_seq: int
    is_change: bool

    @property
    def key(self) -> tuple[int, int]:
        return self.room.pk, self.actor.user_id


@handles_runs(Read)
def read_batch(tx: Tx, reads: list[tuple[Actor, Read]]) -> list[Result]:
    """Check all markers of a run, then write them and count unread mentions together."""
    results: list[Result | None] = [None] * len(reads)
    rooms = tx.rooms_by_id({command.room for _, command in reads})
    members = tx.memberships(
        {
            (rooms[command.room].pk, actor.user_id)
            for actor, command in reads
            if command.room in rooms and not actor.is_guest
        }
    )
    markers = {key: member.read_seq for key, member in members.items()}
    refreshed = refresh_actors(tx, (actor for actor, _ in reads))
    updates: list[MarkerUpdate] = []
    for position, (actor, command) in enumerate(reads):
        try:
            if isinstance(error := refreshed.get(actor.session or ""), HubbubError):
                raise error
            room = _get_readable_room(tx, rooms.get(command.room), members, actor, command)
        except HubbubError as error:
            results[position] = error.as_value()
            continue
        key = (room.pk, actor.user_id)
        read_seq = command.seq if command.back else max(markers[key], command.seq)
        changes = read_seq != markers[key]
        updates.append(MarkerUpdate(position, actor, room, read_seq, changes))
        markers[key] = read_seq
    for update, outcome in _write(tx, updates, markers):
        results[update.position] = outcome
    return [result or HubbubError() for result in results]


def _get_readable_room(
    tx: Tx,
    room: RoomRow | None,
    members: dict[tuple[int, int], MembershipRow],
    actor: Actor,
    command: Read,
) -> RoomRow:
    if room is None:
        raise no_such_room(command.room)
    if room.parent_pk is not None:
        # The rights in a thread depend on the role in its parent room.
        require_allowed(actor, get_unchecked_access(tx, actor, room.id), Action.MARK_READ)
    else:
        member = members.get((room.pk, actor.user_id))
        require_role_allows(actor, room, member.role if member else None, Action.MARK_READ)
    if command.seq > room.seq:
        raise Invalid(f"#{room.id} has only {room.seq} messages.")
    return room


def _write(
    tx: Tx, updates: list[MarkerUpdate], markers: dict[tuple[int, int], int]
) -> Iterator[tuple[MarkerUpdate, Outcome[ReadMarker]]]:
    """Write the markers; the outcome of each update."""
    changes = [update for update in updates if update.is_change]
    if changes:
        tx.set_all_read({update.key: markers[update.key] for update in changes})
    mentions = tx.unread_mentions({update.key for update in updates}) if updates else {}
    revs = _next_revs(tx, [update.actor.user_id for update in changes])
    for update in updates:
        unread, read_seq = mentions.get(update.key, 0), update.read_seq
        effects: list[Effect] = []
        if update.is_change:
            rev = next(revs[update.actor.user_id])
            event = ReadChanged(room=update.room.id, read_seq=read_seq, mentions=unread, rev=rev)
            effects = [ToPerson(update.actor.name, event)]
        yield update, Outcome(ReadMarker(read_seq=read_seq, mentions=unread), effects)


def _next_revs(tx: Tx, user_ids: list[int]) -> dict[int, Iterator[int]]:
    """New revs for people, as many for each as ``user_ids`` contains them, in order."""
    found: dict[int, list[int]] = {}
    left = Counter(user_ids)
    while left:
        for user_id, rev in tx.next_user_revs(set(left)).items():
            found.setdefault(user_id, []).append(rev)
        left -= Counter(set(left))
    return {user_id: iter(revs) for user_id, revs in found.items()}


@handles(Prefs)
def prefs(tx: Tx, actor: Actor, command: Prefs) -> Outcome[Changed]:
    room, member, *_ = get_access(tx, actor, command.room, Action.SET_PREFS)
    me = get_own_account(tx, actor)
    assert member
    notify = command.notify or member.notify
    hidden = bool(member.hidden) if command.hidden is None else command.hidden
    tx.set_prefs(room.pk, me.id, notify, hidden)
    if command.stay:
        tx.clear_added_by(room.pk, me.id)
    rev = tx.next_user_rev(me.id)
    event = MeChanged(rev=rev, room=get_my_room(tx, room.id, me.id))
    return Outcome(Changed(rev=rev), [ToPerson(me.name, event)])
