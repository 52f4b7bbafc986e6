"""What a person has read, and what they want to be told."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from hubbub.actions.access import (
    find,
    get_room_for,
    my_room_now,
    myself,
    no_such_room,
    require,
    require_at,
)
from hubbub.actions.current_actor import current_all
from hubbub.actions.registry import Result, handles, handles_runs
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


class Step(NamedTuple):
    """A marker that was asked for; ``nth`` is its place in the run."""

    nth: int
    actor: Actor
    room: RoomRow
    to: int
    moves: bool

    @property
    def pair(self) -> tuple[int, int]:
        return self.room.pk, self.actor.user_id


@handles_runs(Read)
def read_all(tx: Tx, reads: list[tuple[Actor, Read]]) -> list[Result]:
    """Markers, set-wise: all are checked, then written and counted together."""
    results: list[Result | None] = [None] * len(reads)
    rooms = tx.rooms_by_id({command.room for _, command in reads})
    members = tx.memberships(
        {
            (rooms[command.room].pk, actor.user_id)
            for actor, command in reads
            if command.room in rooms and not actor.is_guest
        }
    )
    now = {pair: member.read_seq for pair, member in members.items()}
    standing = current_all(tx, (actor for actor, _ in reads))
    steps: list[Step] = []
    for nth, (actor, command) in enumerate(reads):
        try:
            if isinstance(refused := standing.get(actor.session or ""), HubbubError):
                raise refused
            room = _readable(tx, rooms.get(command.room), members, actor, command)
        except HubbubError as error:
            results[nth] = error.as_value()
            continue
        pair = (room.pk, actor.user_id)
        to = command.seq if command.back else max(now[pair], command.seq)
        steps.append(Step(nth, actor, room, to, to != now[pair]))
        now[pair] = to
    for step, outcome in _moved(tx, steps, now):
        results[step.nth] = outcome
    return [result or HubbubError() for result in results]


def _readable(
    tx: Tx,
    room: RoomRow | None,
    members: dict[tuple[int, int], MembershipRow],
    actor: Actor,
    command: Read,
) -> RoomRow:
    if room is None:
        raise no_such_room(command.room)
    if room.parent_pk is not None:
        # Only the room that the thread belongs to can say.
        require_at(actor, find(tx, actor, room.id), Action.MARK_READ)
    else:
        member = members.get((room.pk, actor.user_id))
        require(actor, room, member.role if member else None, Action.MARK_READ)
    if command.seq > room.seq:
        raise Invalid(f"#{room.id} has only {room.seq} messages.")
    return room


def _moved(
    tx: Tx, steps: list[Step], now: dict[tuple[int, int], int]
) -> Iterator[tuple[Step, Outcome[ReadMarker]]]:
    """Write the markers; what each step comes to."""
    moving = [step for step in steps if step.moves]
    if moving:
        tx.set_all_read({step.pair: now[step.pair] for step in moving})
    mentions = tx.unread_mentions({step.pair for step in steps}) if steps else {}
    revs = _revs(tx, [step.actor.user_id for step in moving])
    for step in steps:
        unread = mentions.get(step.pair, 0)
        effects: list[Effect] = []
        if step.moves:
            rev = next(revs[step.actor.user_id])
            event = ReadChanged(room=step.room.id, read_seq=step.to, mentions=unread, rev=rev)
            effects = [ToPerson(step.actor.name, event)]
        yield step, Outcome(ReadMarker(read_seq=step.to, mentions=unread), effects)


def _revs(tx: Tx, user_ids: list[int]) -> dict[int, Iterator[int]]:
    """A rev for each time that a person is named, in order."""
    found: dict[int, list[int]] = {}
    left = Counter(user_ids)
    while left:
        for user_id, rev in tx.next_user_revs(set(left)).items():
            found.setdefault(user_id, []).append(rev)
        left -= Counter(set(left))
    return {user_id: iter(revs) for user_id, revs in found.items()}


@handles(Prefs)
def prefs(tx: Tx, actor: Actor, command: Prefs) -> Outcome[Changed]:
    room, member, *_ = get_room_for(tx, actor, command.room, Action.SET_PREFS)
    me = myself(tx, actor)
    assert member
    notify = command.notify or member.notify
    hidden = bool(member.hidden) if command.hidden is None else command.hidden
    tx.set_prefs(room.pk, me.id, notify, hidden)
    if command.stay:
        tx.stay(room.pk, me.id)
    rev = tx.next_user_rev(me.id)
    event = MeChanged(rev=rev, room=my_room_now(tx, room.id, me.id))
    return Outcome(Changed(rev=rev), [ToPerson(me.name, event)])
