"""Threads: creating and following them, and the reply count of the message that they are about."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from hubbub.actions.access import deleted_message, get_own_account, no_such_message, no_such_room
from hubbub.actions.marks import set_marks
from hubbub.actions.membership import add_member, notify_member
from hubbub.actions.paging import fit_into_reply, format_cursor, parse_cursor
from hubbub.actions.quotas import spend
from hubbub.actions.registry import answers
from hubbub.actions.views import decode_marks, list_people, message_event, to_my_room
from hubbub.model.accounts import Actor
from hubbub.model.errors import Invalid
from hubbub.model.marks import REPLIERS_MAX
from hubbub.model.messages import Change, Message
from hubbub.model.names import thread_of
from hubbub.model.outcome import Effect, MembershipChanged, ToRoom
from hubbub.model.policy import Action, RoomRole
from hubbub.model.rooms import MemberChanged
from hubbub.model.threads import ACTIVE_MS, ThreadFollow, Threads, ThreadsPage
from hubbub.store.statements.rooms import MyRoomRow, RoomRow
from hubbub.store.tx import Tx


class ThreadReplies(NamedTuple):
    """New replies in one thread, as far as they concern its followers and its root message.

    ``by`` are the authors' handles, in order. ``read`` maps those authors who have accounts to the
    seq that they have read up to. ``mentioned`` are the ids of those who are mentioned by handle.
    """

    by: list[str]
    read: dict[int, int]
    mentioned: set[int]


def find_parent(rooms: dict[str, RoomRow], room_id: str) -> RoomRow | None:
    """The room that a thread belongs to; None if the id is not a thread's.

    Raises NotFound if the parent does not exist, Invalid for a thread of a thread.
    """
    found = thread_of(room_id)
    if found is None:
        return None
    parent_id, _ = found
    if thread_of(parent_id):
        raise Invalid("A thread has no threads of its own. Reply in the thread itself.")
    if parent_id not in rooms:
        raise no_such_room(room_id)
    return rooms[parent_id]


def create(
    tx: Tx, parent: RoomRow, thread_id: str, actor: Actor, author_id: Callable[[], int]
) -> RoomRow:
    """Create the thread of a message that has none yet.

    ``author_id`` adds the author's row if there is none; the thread counts towards their quota.
    Raises NotFound if there is no such message, and QuotaReached; neither changes anything.
    """
    found = thread_of(thread_id)
    assert found
    _, seq = found
    root = tx.find_marks(parent.pk, seq)
    if root is None:
        raise no_such_message(parent.id, seq)
    if root.deleted:
        raise deleted_message(parent.id, seq)
    spend(tx, actor, "threads_begun_per_day", author_id())
    return tx.add_room(room_id=thread_id, kind=parent.kind, title="", parent=(parent.pk, seq))


def on_replies(
    tx: Tx, parent: RoomRow, thread: RoomRow, replies: ThreadReplies
) -> tuple[list[Effect], ToRoom]:
    """Update a thread's followers and its root message for new replies.

    ``thread`` is its row from before these replies. Returns the effects for followers and the
    one for the root message.
    """
    effects = _reactivate(tx, thread) if thread.seq else []
    effects += follow(tx, thread, _new_followers(tx, parent, thread, replies))
    return effects, _count_replies(tx, parent, thread, replies.by)


def _new_followers(
    tx: Tx, parent: RoomRow, thread: RoomRow, replies: ThreadReplies
) -> dict[int, int]:
    """Those who replied or were mentioned, and at first the root's author: id → seq read up to."""
    wanted = dict.fromkeys(replies.mentioned, thread.seq) | replies.read
    if thread.seq == 0:
        root = tx.message(parent.pk, thread.parent_seq or 0)
        if root and tx.member(parent.pk, root.author_id):
            wanted.setdefault(root.author_id, 0)
    return wanted


def follow(tx: Tx, thread: RoomRow, wanted: dict[int, int]) -> list[Effect]:
    """Make people follow a thread who do not yet. ``wanted`` maps ids to the seq read up to."""
    following = tx.memberships({(thread.pk, user_id) for user_id in wanted})
    effects: list[Effect] = []
    for user_id, read_seq in sorted(wanted.items()):
        user = tx.user_by_id(user_id) if (thread.pk, user_id) not in following else None
        if user is not None:
            effects += add_member(tx, thread, user, RoomRole.MEMBER, read_seq=read_seq)
    return effects


def _reactivate(tx: Tx, thread: RoomRow) -> list[Effect]:
    """Put a thread back into its followers' lists of rooms if it was inactive for `ACTIVE_MS`."""
    latest = tx.message(thread.pk, thread.seq)
    if latest is None or latest.at > tx.now - ACTIVE_MS:
        return []
    effects: list[Effect] = []
    for user_id, name, display_name in tx.followers(thread.pk):
        event = MemberChanged(
            room=thread.id,
            mrev=thread.mrev,
            members=thread.members,
            user=name,
            display_name=display_name,
            role=RoomRole.MEMBER,
        )
        if user := tx.user_by_id(user_id):
            effects += [notify_member(tx, thread.id, user), MembershipChanged(thread.id, event)]
    return effects


def _count_replies(tx: Tx, parent: RoomRow, thread: RoomRow, by: list[str]) -> ToRoom:
    row = tx.find_marks(parent.pk, thread.parent_seq or 0)
    assert row
    marks = decode_marks(row.marks)
    repliers = dict.fromkeys([*reversed(by), *marks.repliers])
    changed = msgspec.structs.replace(
        marks,
        replies=marks.replies + len(by),
        replied_at=tx.now,
        repliers=tuple(repliers)[:REPLIERS_MAX],
        last=Change(by=by[-1], did="reply"),
    )
    return set_marks(tx, parent, row, changed)


def on_reply_deleted(tx: Tx, parent: RoomRow, thread: RoomRow, by: str) -> ToRoom | None:
    """Subtract one from the reply count of the thread's root message; None if it was 0 already."""
    row = tx.find_marks(parent.pk, thread.parent_seq or 0)
    marks = decode_marks(row.marks) if row else None
    if row is None or marks is None or not marks.replies:
        return None
    changed = msgspec.structs.replace(
        marks, replies=marks.replies - 1, last=Change(by=by, did="delete_reply")
    )
    if not changed.replies:
        changed = msgspec.structs.replace(changed, replied_at=None, repliers=())
    return set_marks(tx, parent, row, changed)


@answers(Threads)
def threads(tx: Tx, actor: Actor, query: Threads) -> ThreadsPage:
    me = get_own_account(tx, actor, Action.USE_PERSONAL_LISTS)
    at, pk, _ = parse_cursor(query.after)
    rows = tx.list_followed(me.id, (at, pk), query.limit + 1, unread=query.unread)
    entries = fit_into_reply(
        (_to_entry(tx, row.mine) for row in rows[: query.limit]),
        lambda entry: sum(len(message.text) for message in _messages(entry)),
    )
    page = rows[: len(entries)]
    messages = [message for entry in entries for message in _messages(entry)]
    names = {message.by for message in messages}
    names |= {name for message in messages for name in message.repliers}
    cursor = None
    if len(rows) > len(page):
        cursor = format_cursor(page[-1].last_at, page[-1].mine.room.pk, 0)
    return ThreadsPage(threads=entries, people=list_people(tx, names), cursor=cursor)


def _to_entry(tx: Tx, mine: MyRoomRow) -> ThreadFollow:
    room = mine.room
    parent = tx.room_by_pk(room.parent_pk or 0)
    assert parent  # a room is deleted together with its threads
    root = tx.message(parent.pk, room.parent_seq or 0)
    assert root
    last = tx.message(room.pk, room.seq)
    return ThreadFollow(
        thread=to_my_room(room, mine.member, mine.mentions),
        root=message_event(parent.id, root),
        last=message_event(room.id, last) if last else None,
    )


def _messages(entry: ThreadFollow) -> list[Message]:
    return [entry.root] if entry.last is None else [entry.root, entry.last]
