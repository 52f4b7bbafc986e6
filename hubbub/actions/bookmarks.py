"""What people keep for themselves: bookmarks, drafts, their mentions and threads."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from hubbub.actions.access import (
    find,
    get_room_for,
    message_at,
    message_event,
    my_room,
    myself,
    no_such_room,
    people_of,
    require_at,
    require_on_server,
)
from hubbub.actions.history import REPLY_MAX
from hubbub.actions.quotas import require_below
from hubbub.actions.registry import answers, handles
from hubbub.model.accounts import Actor
from hubbub.model.bookmarks import (
    Bookmark,
    BookmarkChanged,
    BookmarkEntry,
    Bookmarks,
    BookmarksPage,
    Draft,
    DraftChanged,
    DraftEntry,
    Drafts,
    DraftsPage,
    MentionEntry,
    Mentions,
    MentionsPage,
    ThreadFollow,
    Threads,
    ThreadsPage,
)
from hubbub.model.errors import HubbubError, Malformed
from hubbub.model.messages import Changed, Message
from hubbub.model.names import thread_id, thread_of
from hubbub.model.outcome import Outcome, ToPerson
from hubbub.model.policy import Action
from hubbub.store.statements.accounts import UserRow
from hubbub.store.statements.bookmarks import BookmarkRow, Cursor
from hubbub.store.statements.rooms import MyRoomRow
from hubbub.store.tx import Tx

T = TypeVar("T")
_NEWEST = 2**62  # above all times and numbers


def _keeper(tx: Tx, actor: Actor) -> UserRow:
    """The actor's own account. Raises Forbidden for guests."""
    require_on_server(actor, Action.KEEP)
    return myself(tx, actor)


@handles(Bookmark)
def bookmark(tx: Tx, actor: Actor, command: Bookmark) -> Outcome[Changed]:
    """A message that one may read; to forget one, that one has it is enough."""
    if not command.on:
        return _forget_bookmark(tx, _keeper(tx, actor), command)
    access = get_room_for(tx, actor, command.room, Action.READ)
    me = _keeper(tx, actor)
    message_at(tx, access, command.seq)
    key = (me.id, access.room.pk, command.seq)
    before = tx.bookmark(*key)
    if before and before[0] == command.note:
        return Outcome(Changed(rev=me.rev))
    if before:
        tx.change_bookmark(*key, command.note)
    else:
        require_below(tx, "bookmarks_per_user", tx.count_bookmarks(me.id))
        tx.add_bookmark(*key, command.note)
    event = BookmarkChanged(
        rev=tx.next_user_rev(me.id),
        room=command.room,
        seq=command.seq,
        note=command.note,
        at=before[1] if before else tx.now,
    )
    return Outcome(Changed(rev=event.rev), [ToPerson(me.name, event)])


def _forget_bookmark(tx: Tx, me: UserRow, command: Bookmark) -> Outcome[Changed]:
    room = tx.room(command.room)
    if room is None or not tx.forget_bookmark(me.id, room.pk, command.seq):
        return Outcome(Changed(rev=me.rev))
    tx.delete_empty_room(room)
    rev = tx.next_user_rev(me.id)
    event = BookmarkChanged(rev=rev, room=room.id, seq=command.seq, gone=True)
    return Outcome(Changed(rev=rev), [ToPerson(me.name, event)])


@answers(Bookmarks)
def bookmarks(tx: Tx, actor: Actor, query: Bookmarks) -> BookmarksPage:
    me = _keeper(tx, actor)
    rows = tx.bookmarks(me.id, _after(query.after), query.limit + 1)
    found = _fitting(
        (_bookmarked(tx, actor, row) for row in rows[: query.limit]), lambda one: [one.message]
    )
    page = rows[: len(found)]
    return BookmarksPage(
        bookmarks=found,
        people=people_of(tx, {one.message.by for one in found if one.message}),
        cursor=_cursor(*page[-1][:3]) if len(rows) > len(page) else None,
    )


def _fitting(things: Iterable[T], said: Callable[[T], list[Message | None]]) -> list[T]:
    """The first ones whose messages fit into one reply; always at least one."""
    found: list[T] = []
    total = 0
    for one in things:
        total += sum(len(message.text) for message in said(one) if message)
        if total > REPLY_MAX and found:
            break
        found.append(one)
    return found


def _bookmarked(tx: Tx, actor: Actor, row: BookmarkRow) -> BookmarkEntry:
    message: Message | None = None
    try:
        access = get_room_for(tx, actor, row.room.id, Action.READ)
        message = message_event(row.room.id, message_at(tx, access, row.seq))
    except HubbubError:
        pass  # it may not be read, or is not there, any more
    return BookmarkEntry(room=row.room.id, seq=row.seq, at=row.at, note=row.note, message=message)


@handles(Draft)
def draft(tx: Tx, actor: Actor, command: Draft) -> Outcome[Changed]:
    """In a thread that is still to begin, too."""
    thread = thread_of(command.room)
    place_id, seq = thread or (command.room, 0)
    if not command.text:
        return _forget_draft(tx, _keeper(tx, actor), command, place_id, seq)
    access = find(tx, actor, place_id)
    require_at(actor, access, Action.READ)
    me = _keeper(tx, actor)
    if thread and access.parent:
        raise no_such_room(command.room)  # a thread has no threads
    require_at(actor, access, Action.KEEP_DRAFT)
    before = tx.draft(me.id, access.room.pk, seq)
    if before == (command.text, command.reply_to):
        return Outcome(Changed(rev=me.rev))
    if before is None:
        require_below(tx, "drafts_per_user", tx.count_drafts(me.id))
    tx.set_draft(me.id, access.room.pk, seq, command.text, command.reply_to)
    return _drafted(tx, me, command)


def _forget_draft(tx: Tx, me: UserRow, command: Draft, place_id: str, seq: int) -> Outcome[Changed]:
    """Also where one may no longer write; that there is none tells nothing of the room."""
    room = tx.room(place_id)
    if room is None or tx.draft(me.id, room.pk, seq) is None:
        return Outcome(Changed(rev=me.rev))
    tx.set_draft(me.id, room.pk, seq, "", None)
    tx.delete_empty_room(room)
    return _drafted(tx, me, command)


def _drafted(tx: Tx, me: UserRow, command: Draft) -> Outcome[Changed]:
    event = DraftChanged(
        rev=tx.next_user_rev(me.id),
        room=command.room,
        text=command.text,
        at=tx.now,
        reply_to=command.reply_to,
    )
    return Outcome(Changed(rev=event.rev), [ToPerson(me.name, event)])


@answers(Drafts)
def drafts(tx: Tx, actor: Actor, query: Drafts) -> DraftsPage:
    me = _keeper(tx, actor)
    return DraftsPage(
        drafts=[
            DraftEntry(
                room=thread_id(room, thread) if thread else room,
                text=text,
                at=at,
                reply_to=reply_to,
            )
            for room, thread, text, reply_to, at in tx.drafts(me.id)
        ]
    )


@answers(Mentions)
def mentions(tx: Tx, actor: Actor, query: Mentions) -> MentionsPage:
    me = _keeper(tx, actor)
    rows = tx.mentioned(me.id, _after(query.after), query.limit + 1, unread=query.unread)
    hits = (
        MentionEntry(
            message=message_event(row.room, row.message), unread=row.message.seq > row.read_seq
        )
        for row in rows[: query.limit]
    )
    found = _fitting(hits, lambda one: [one.message])
    page = rows[: len(found)]
    cursor = None
    if len(rows) > len(page):
        last = page[-1]
        cursor = _cursor(last.message.at, last.room_pk, last.message.seq)
    return MentionsPage(
        mentions=found, people=people_of(tx, {one.message.by for one in found}), cursor=cursor
    )


@answers(Threads)
def threads(tx: Tx, actor: Actor, query: Threads) -> ThreadsPage:
    me = _keeper(tx, actor)
    at, pk, _ = _after(query.after)
    rows = tx.followed(me.id, (at, pk), query.limit + 1, unread=query.unread)
    found = _fitting(
        (_followed(tx, row.mine) for row in rows[: query.limit]),
        lambda one: [one.root, one.last],
    )
    page = rows[: len(found)]
    said = [message for one in found for message in (one.root, one.last) if message]
    names = {message.by for message in said} | {name for one in said for name in one.repliers}
    cursor = None
    if len(rows) > len(page):
        cursor = _cursor(page[-1].last_at, page[-1].mine.room.pk, 0)
    return ThreadsPage(threads=found, people=people_of(tx, names), cursor=cursor)


def _followed(tx: Tx, mine: MyRoomRow) -> ThreadFollow:
    room = mine.room
    parent = tx.room_by_pk(room.parent_pk or 0)
    assert parent  # a room is never gone without its threads
    root = tx.message(parent.pk, room.parent_seq or 0)
    assert root
    last = tx.message(room.pk, room.seq)
    return ThreadFollow(
        thread=my_room(room, mine.member, mine.mentions),
        root=message_event(parent.id, root),
        last=message_event(room.id, last) if last else None,
    )


def _cursor(at: int, room_pk: int, seq: int) -> str:
    return f"{at}.{room_pk}.{seq}"


def _after(cursor: str) -> Cursor:
    """Raises Malformed for what is no cursor of ours."""
    if not cursor:
        return _NEWEST, 0, 0
    parts = cursor.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise Malformed("“after” is the cursor of the page before.")
    at, room_pk, seq = (min(int(part), _NEWEST) for part in parts)
    return at, room_pk, seq
