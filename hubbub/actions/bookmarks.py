"""Bookmarks: messages that a person keeps, with notes that nobody else sees."""

from hubbub.actions.access import get_access, get_message, get_own_account
from hubbub.actions.paging import fit_into_reply, format_cursor, parse_cursor
from hubbub.actions.quotas import require_below
from hubbub.actions.registry import answers, handles
from hubbub.actions.views import list_people, message_event
from hubbub.model.accounts import Actor
from hubbub.model.bookmarks import (
    Bookmark,
    BookmarkChanged,
    BookmarkEntry,
    Bookmarks,
    BookmarksPage,
)
from hubbub.model.errors import HubbubError
from hubbub.model.messages import Changed, Message
from hubbub.model.outcome import Outcome, ToPerson
from hubbub.model.policy import Action
from hubbub.store.statements.accounts import UserRow
from hubbub.store.statements.bookmarks import BookmarkRow
from hubbub.store.tx import Tx


@handles(Bookmark)
def bookmark(tx: Tx, actor: Actor, command: Bookmark) -> Outcome[Changed]:
    """Add, change or remove a bookmark. Removing one needs no right to read the room any more."""
    if not command.on:
        return _remove(tx, get_own_account(tx, actor, Action.USE_PERSONAL_LISTS), command)
    access = get_access(tx, actor, command.room, Action.READ)
    me = get_own_account(tx, actor, Action.USE_PERSONAL_LISTS)
    get_message(tx, access, command.seq)
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


def _remove(tx: Tx, me: UserRow, command: Bookmark) -> Outcome[Changed]:
    room = tx.room(command.room)
    if room is None or not tx.delete_bookmark(me.id, room.pk, command.seq):
        return Outcome(Changed(rev=me.rev))
    tx.delete_room_if_unused(room)
    rev = tx.next_user_rev(me.id)
    event = BookmarkChanged(rev=rev, room=room.id, seq=command.seq, gone=True)
    return Outcome(Changed(rev=rev), [ToPerson(me.name, event)])


@answers(Bookmarks)
def bookmarks(tx: Tx, actor: Actor, query: Bookmarks) -> BookmarksPage:
    me = get_own_account(tx, actor, Action.USE_PERSONAL_LISTS)
    rows = tx.bookmarks(me.id, parse_cursor(query.after), query.limit + 1)
    entries = fit_into_reply(
        (_to_entry(tx, actor, row) for row in rows[: query.limit]),
        lambda entry: len(entry.message.text) if entry.message else 0,
    )
    page = rows[: len(entries)]
    return BookmarksPage(
        bookmarks=entries,
        people=list_people(tx, {entry.message.by for entry in entries if entry.message}),
        cursor=format_cursor(*page[-1][:3]) if len(rows) > len(page) else None,
    )


def _to_entry(tx: Tx, actor: Actor, row: BookmarkRow) -> BookmarkEntry:
    message: Message | None = None
    try:
        access = get_access(tx, actor, row.room.id, Action.READ)
        message = message_event(row.room.id, get_message(tx, access, row.seq))
    except HubbubError:
        pass  # the message was deleted, or the actor may no longer read it
    return BookmarkEntry(room=row.room.id, seq=row.seq, at=row.at, note=row.note, message=message)
