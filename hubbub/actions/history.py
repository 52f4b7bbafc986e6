"""Reading back: pages of messages, and what changed since a rev."""

from hubbub.actions.access import (
    get_room_for,
    marks_event,
    marks_of,
    message_event,
    no_such_room,
    people_of,
    room_event,
)
from hubbub.actions.registry import answers
from hubbub.model.accounts import Actor
from hubbub.model.base import Event
from hubbub.model.events import RoomEvent
from hubbub.model.messages import PAGE_LATEST, Changes, History, Page, Reset, Sync
from hubbub.model.outcome import RoomSnapshot
from hubbub.model.policy import Action, RoomKind
from hubbub.store.statements.marks import MarkedRow
from hubbub.store.statements.messages import MessageRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx

CHANGES_MAX = 1_000  # above it, starting over costs less than catching up
RING_CHANGES = 200  # what the hub begins a room's ring with
REPLY_MAX = 1_000_000  # code points of text in one reply


@answers(History)
def history(tx: Tx, actor: Actor, query: History) -> Page:
    room = get_room_for(tx, actor, query.room, Action.READ).room
    if query.after is not None:
        rows = _within(tx.messages_after(room.pk, query.after, query.limit))
    elif query.around is not None:
        rows = _around(tx, room, query.around, query.limit)
    else:
        before = query.before or room.seq + 1
        rows = _latest_within(tx.messages_before(room.pk, before, query.limit))
    return Page(
        messages=[message_event(room.id, row) for row in rows],
        people=people_of(tx, {row.by for row in rows}),
        more_before=bool(rows) and rows[0].seq > 1,
        more_after=bool(rows) and rows[-1].seq < room.seq,
    )


def _around(tx: Tx, room: RoomRow, seq: int, limit: int) -> list[MessageRow]:
    """The message in the middle, as far as there are others on both sides."""
    before = _latest_within(tx.messages_before(room.pk, seq, limit // 2))
    return before + _within(tx.messages_after(room.pk, seq - 1, limit - len(before)))


def _within(rows: list[MessageRow]) -> list[MessageRow]:
    """The first rows that fit into one reply; always at least one."""
    total = 0
    for index, row in enumerate(rows):
        total += len(row.text)
        if total > REPLY_MAX and index:
            return rows[:index]
    return rows


def _latest_within(rows: list[MessageRow]) -> list[MessageRow]:
    return _within(rows[::-1])[::-1]


@answers(Sync)
def sync(tx: Tx, actor: Actor, query: Sync) -> Changes:
    room = get_room_for(tx, actor, query.room, Action.READ).room
    return changes_since(tx, room, query.after)


def changes_since(tx: Tx, room: RoomRow, after: int) -> Changes:
    """What changed in a room after a rev, or its latest page if that cannot be told by state."""
    knows_nothing = after == 0 and room.rev > PAGE_LATEST
    if knows_nothing or after > room.rev or after < room.floor:
        return latest(tx, room)
    rows = tx.changes(room.pk, after, CHANGES_MAX + 1)
    marked = tx.marks_changes(room.pk, after, CHANGES_MAX + 1)
    if len(rows) + len(marked) > CHANGES_MAX:
        return latest(tx, room)
    sent = _within(rows)
    through = room.rev if len(sent) == len(rows) else sent[-1].rev
    events: list[Event] = [*_in_order(room, after, through, sent, marked)]
    return Changes(events=events, through=through, more=through < room.rev)


def _in_order(
    room: RoomRow, after: int, through: int, rows: list[MessageRow], marked: list[MarkedRow]
) -> list[RoomEvent]:
    """What changed in a room after one rev up to another."""
    events: list[RoomEvent] = [message_event(room.id, row) for row in rows]
    events.extend(
        marks_event(room.id, row.seq, row.marks_rev, marks_of(row.marks))
        for row in marked
        if row.marks_rev <= through
    )
    if after < room.meta_rev <= through:
        events.append(room_event(room))
    events.sort(key=lambda event: event.rev)
    return events


def latest(tx: Tx, room: RoomRow, limit: int = PAGE_LATEST) -> Changes:
    """The latest page of a room, for those who start with it or start over."""
    rows = _latest_within(tx.messages_before(room.pk, room.seq + 1, limit))
    events: list[Event] = [Reset(room=room.id)]
    if room.meta_rev:
        events.append(room_event(room))
    events.extend(message_event(room.id, row) for row in rows)
    return Changes(events=events, through=room.rev, reset=True)


def room_state(tx: Tx, room_id: str, after: int | None) -> RoomSnapshot:
    """A room and its changes after a rev (None: the last ones), for the hub. Raises NotFound."""
    room = tx.room(room_id)
    if room is None:
        raise no_such_room(room_id)
    floor = max(room.floor, room.rev - RING_CHANGES) if after is None else after
    rows = tx.changes(room.pk, floor, CHANGES_MAX)
    marked = tx.marks_changes(room.pk, floor, CHANGES_MAX)
    through = room.rev
    if len(rows) == CHANGES_MAX:
        through = rows[-1].rev
    if len(marked) == CHANGES_MAX:
        through = min(through, marked[-1].marks_rev)
    rows = [row for row in rows if row.rev <= through]
    return RoomSnapshot(
        events=_in_order(room, floor, through, rows, marked),
        floor=floor,
        through=through,
        seq=room.seq,
        rev=room.rev,
        mrev=room.mrev,
        members=room.members,
        is_public=room.kind == RoomKind.PUBLIC,
    )
