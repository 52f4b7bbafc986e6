"""History: pages of messages, and the changes of a room since a rev."""

from hubbub.actions.access import get_access, no_such_room
from hubbub.actions.paging import fit_into_reply
from hubbub.actions.registry import answers
from hubbub.actions.views import decode_marks, list_people, marks_event, message_event, room_event
from hubbub.model.accounts import Actor
from hubbub.model.base import Event
from hubbub.model.events import RoomEvent
from hubbub.model.messages import PAGE_LATEST, Changes, History, Page, Reset, Sync
from hubbub.model.outcome import RoomSnapshot
from hubbub.model.policy import Action, RoomKind
from hubbub.store.statements.marks import MarksRow
from hubbub.store.statements.messages import MessageRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx

CHANGES_MAX = 1_000  # for more changes, `reset` and the latest page cost less
SNAPSHOT_CHANGES = 200  # how many of the latest changes a room's `RecentChanges` start with


@answers(History)
def history(tx: Tx, actor: Actor, query: History) -> Page:
    room = get_access(tx, actor, query.room, Action.READ).room
    if query.after is not None:
        rows = _first_fitting(tx.messages_after(room.pk, query.after, query.limit))
    elif query.around is not None:
        rows = _around(tx, room, query.around, query.limit)
    else:
        before = query.before or room.seq + 1
        rows = _last_fitting(tx.messages_before(room.pk, before, query.limit))
    return Page(
        messages=[message_event(room.id, row) for row in rows],
        people=list_people(tx, {row.by for row in rows}),
        more_before=bool(rows) and rows[0].seq > 1,
        more_after=bool(rows) and rows[-1].seq < room.seq,
    )


def _around(tx: Tx, room: RoomRow, seq: int, limit: int) -> list[MessageRow]:
    """A page with this message in the middle, if there are enough others on both sides."""
    before = _last_fitting(tx.messages_before(room.pk, seq, limit // 2))
    return before + _first_fitting(tx.messages_after(room.pk, seq - 1, limit - len(before)))


def _first_fitting(rows: list[MessageRow]) -> list[MessageRow]:
    return fit_into_reply(rows, lambda row: len(row.text))


def _last_fitting(rows: list[MessageRow]) -> list[MessageRow]:
    return _first_fitting(rows[::-1])[::-1]


@answers(Sync)
def sync(tx: Tx, actor: Actor, query: Sync) -> Changes:
    room = get_access(tx, actor, query.room, Action.READ).room
    return changes_since(tx, room, query.after)


def changes_since(tx: Tx, room: RoomRow, after: int) -> Changes:
    """The changes of a room after a rev, or a reset if they are too many or unknown."""
    is_long_first_sync = after == 0 and room.rev > PAGE_LATEST
    if is_long_first_sync or after > room.rev or after < room.floor:
        return latest_page(tx, room)
    rows = tx.changes(room.pk, after, CHANGES_MAX + 1)
    marks_rows = tx.marks_changes(room.pk, after, CHANGES_MAX + 1)
    if len(rows) + len(marks_rows) > CHANGES_MAX:
        return latest_page(tx, room)
    sent = _first_fitting(rows)
    through = room.rev if len(sent) == len(rows) else sent[-1].rev
    events: list[Event] = [*_events_between(room, after, through, sent, marks_rows)]
    return Changes(events=events, through=through, more=through < room.rev)


def _events_between(
    room: RoomRow, after: int, through: int, rows: list[MessageRow], marks_rows: list[MarksRow]
) -> list[RoomEvent]:
    """The changes of a room with revs above ``after`` up to ``through``, in order of rev."""
    events: list[RoomEvent] = [message_event(room.id, row) for row in rows]
    events.extend(
        marks_event(room.id, row.seq, row.marks_rev, decode_marks(row.marks))
        for row in marks_rows
        if row.marks_rev <= through
    )
    if after < room.meta_rev <= through:
        events.append(room_event(room))
    events.sort(key=lambda event: event.rev)
    return events


def latest_page(tx: Tx, room: RoomRow, limit: int = PAGE_LATEST) -> Changes:
    """A reset with the latest page of a room, for clients that have nothing or start over."""
    rows = _last_fitting(tx.messages_before(room.pk, room.seq + 1, limit))
    events: list[Event] = [Reset(room=room.id)]
    if room.meta_rev:
        events.append(room_event(room))
    events.extend(message_event(room.id, row) for row in rows)
    return Changes(events=events, through=room.rev, reset=True)


def get_room_snapshot(tx: Tx, room_id: str, after: int | None) -> RoomSnapshot:
    """A room and its changes after a rev, for the hub. Raises NotFound.

    With ``after`` None, these are its latest `SNAPSHOT_CHANGES` changes.
    """
    room = tx.room(room_id)
    if room is None:
        raise no_such_room(room_id)
    floor = max(room.floor, room.rev - SNAPSHOT_CHANGES) if after is None else after
    rows = tx.changes(room.pk, floor, CHANGES_MAX)
    marks_rows = tx.marks_changes(room.pk, floor, CHANGES_MAX)
    through = room.rev
    if len(rows) == CHANGES_MAX:
        through = rows[-1].rev
    if len(marks_rows) == CHANGES_MAX:
        through = min(through, marks_rows[-1].marks_rev)
    rows = [row for row in rows if row.rev <= through]
    return RoomSnapshot(
        events=_events_between(room, floor, through, rows, marks_rows),
        floor=floor,
        through=through,
        seq=room.seq,
        rev=room.rev,
        mrev=room.mrev,
        members=room.members,
        is_public=room.kind == RoomKind.PUBLIC,
    )
