"""Drafts: what a person is writing, synchronized between their devices."""

from hubbub.actions.access import (
    get_own_account,
    get_unchecked_access,
    no_such_room,
    require_allowed,
)
from hubbub.actions.quotas import require_below
from hubbub.actions.registry import answers, handles
from hubbub.model.accounts import Actor
from hubbub.model.drafts import Draft, DraftChanged, DraftEntry, Drafts, DraftsPage
from hubbub.model.messages import Changed
from hubbub.model.names import thread_id, thread_of
from hubbub.model.outcome import Outcome, ToPerson
from hubbub.model.policy import Action
from hubbub.store.statements.accounts import UserRow
from hubbub.store.tx import Tx


@handles(Draft)
def draft(tx: Tx, actor: Actor, command: Draft) -> Outcome[Changed]:
    """Save or remove a draft in a room or thread; the thread need not exist yet."""
    thread = thread_of(command.room)
    home_id, seq = thread or (command.room, 0)
    if not command.text:
        return _remove(
            tx, get_own_account(tx, actor, Action.USE_PERSONAL_LISTS), command, home_id, seq
        )
    access = get_unchecked_access(tx, actor, home_id)
    require_allowed(actor, access, Action.READ)
    me = get_own_account(tx, actor, Action.USE_PERSONAL_LISTS)
    if thread and access.parent:
        raise no_such_room(command.room)  # a thread has no threads
    require_allowed(actor, access, Action.KEEP_DRAFT)
    before = tx.draft(me.id, access.room.pk, seq)
    if before == (command.text, command.reply_to):
        return Outcome(Changed(rev=me.rev))
    if before is None:
        require_below(tx, "drafts_per_user", tx.count_drafts(me.id))
    tx.set_draft(me.id, access.room.pk, seq, command.text, command.reply_to)
    return _changed(tx, me, command)


def _remove(tx: Tx, me: UserRow, command: Draft, home_id: str, seq: int) -> Outcome[Changed]:
    """Remove a draft, also where the actor may no longer write.

    The reply is the same whether there is no draft or no room, so it does not reveal whether the
    room exists.
    """
    room = tx.room(home_id)
    if room is None or tx.draft(me.id, room.pk, seq) is None:
        return Outcome(Changed(rev=me.rev))
    tx.set_draft(me.id, room.pk, seq, "", None)
    tx.delete_room_if_unused(room)
    return _changed(tx, me, command)


def _changed(tx: Tx, me: UserRow, command: Draft) -> Outcome[Changed]:
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
    me = get_own_account(tx, actor, Action.USE_PERSONAL_LISTS)
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
