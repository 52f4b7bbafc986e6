"""Threads: how one begins, who follows it, and what its message tells of it."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from hubbub.actions.access import deleted_message, marks_of, no_such_message, no_such_room
from hubbub.actions.marks import mark
from hubbub.actions.membership import add, tell_added
from hubbub.actions.quotas import spend
from hubbub.model.accounts import Actor
from hubbub.model.bookmarks import AWAKE_MS
from hubbub.model.errors import Invalid
from hubbub.model.marks import FACES_MAX
from hubbub.model.messages import Change
from hubbub.model.names import thread_of
from hubbub.model.outcome import Effect, MembershipChanged, ToRoom
from hubbub.model.policy import RoomRole
from hubbub.model.rooms import MemberChanged
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx


class Answers(NamedTuple):
    """Answers that were given in a thread, in order: their authors' handles.

    ``read`` are those of the authors who have accounts, with the seq that they have read up to;
    ``named`` are the ids of those who are mentioned.
    """

    by: list[str]
    read: dict[int, int]
    named: set[int]


def parent_of(rooms: dict[str, RoomRow], room_id: str) -> RoomRow | None:
    """The room that a thread belongs to; None for any other room. Raises NotFound, Invalid."""
    found = thread_of(room_id)
    if found is None:
        return None
    if thread_of(found[0]):
        raise Invalid("A thread has no threads of its own. Answer in the thread itself.")
    if found[0] not in rooms:
        raise no_such_room(room_id)
    return rooms[found[0]]


def begin(
    tx: Tx, parent: RoomRow, thread_id: str, actor: Actor, author: Callable[[], int]
) -> RoomRow:
    """The thread of a message, which has none yet. Raises NotFound if there is no message.

    It counts for the ``author``, whose row may be made for it. Raises QuotaReached; with either
    nothing was changed.
    """
    found = thread_of(thread_id)
    assert found
    marked = tx.marked(parent.pk, found[1])
    if marked is None:
        raise no_such_message(parent.id, found[1])
    if marked.deleted:
        raise deleted_message(parent.id, found[1])
    spend(tx, actor, "threads_begun_per_day", author())
    return tx.add_room(room_id=thread_id, kind=parent.kind, title="", parent=(parent.pk, found[1]))


def answered(
    tx: Tx, parent: RoomRow, thread: RoomRow, answers: Answers
) -> tuple[list[Effect], ToRoom]:
    """What answers mean: for those who follow the thread from now on, and for its message.

    ``thread`` is as it was before them.
    """
    effects = _woken(tx, thread) if thread.seq else []
    effects += follow(tx, thread, _followers_to_be(tx, parent, thread, answers))
    return effects, _counted(tx, parent, thread, answers.by)


def _followers_to_be(tx: Tx, parent: RoomRow, thread: RoomRow, answers: Answers) -> dict[int, int]:
    """Who is to follow from now on, unless they do, and up to where they have read."""
    wanted = dict.fromkeys(answers.named, thread.seq) | answers.read
    if thread.seq == 0:
        root = tx.message(parent.pk, thread.parent_seq or 0)
        if root and tx.member(parent.pk, root.author_id):
            wanted.setdefault(root.author_id, 0)
    return wanted


def follow(tx: Tx, thread: RoomRow, wanted: dict[int, int]) -> list[Effect]:
    """Have people follow a thread who do not yet: id → the seq up to which they have read."""
    there = tx.memberships({(thread.pk, user_id) for user_id in wanted})
    effects: list[Effect] = []
    for user_id, read_seq in sorted(wanted.items()):
        user = tx.user_by_id(user_id) if (thread.pk, user_id) not in there else None
        if user is not None:
            effects += add(tx, thread, user, RoomRole.MEMBER, read_seq=read_seq)
    return effects


def _woken(tx: Tx, thread: RoomRow) -> list[Effect]:
    """A thread that was quiet for long is among its followers' rooms again."""
    latest = tx.message(thread.pk, thread.seq)
    if latest is None or latest.at > tx.now - AWAKE_MS:
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
            effects += [tell_added(tx, thread.id, user), MembershipChanged(thread.id, event)]
    return effects


def _counted(tx: Tx, parent: RoomRow, thread: RoomRow, by: list[str]) -> ToRoom:
    marked = tx.marked(parent.pk, thread.parent_seq or 0)
    assert marked
    marks = marks_of(marked.marks)
    faces = dict.fromkeys([*reversed(by), *marks.repliers])
    changed = msgspec.structs.replace(
        marks,
        replies=marks.replies + len(by),
        replied_at=tx.now,
        repliers=tuple(faces)[:FACES_MAX],
        last=Change(by=by[-1], did="reply"),
    )
    return mark(tx, parent, marked, changed)


def answer_deleted(tx: Tx, parent: RoomRow, thread: RoomRow, by: str) -> ToRoom | None:
    """One answer less under the thread's message."""
    marked = tx.marked(parent.pk, thread.parent_seq or 0)
    marks = marks_of(marked.marks) if marked else None
    if marked is None or marks is None or not marks.replies:
        return None
    changed = msgspec.structs.replace(
        marks, replies=marks.replies - 1, last=Change(by=by, did="delete_reply")
    )
    if not changed.replies:
        changed = msgspec.structs.replace(changed, replied_at=None, repliers=())
    return mark(tx, parent, marked, changed)
