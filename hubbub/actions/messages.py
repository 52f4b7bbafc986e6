"""Editing and deleting messages."""

from hubbub.actions import mentions, threads
from hubbub.actions.access import (
    RoomAccess,
    get_access,
    get_message,
    no_such_message,
    require_allowed,
)
from hubbub.actions.forwarding import keeps_quote
from hubbub.actions.marks import clear_marks
from hubbub.actions.registry import handles
from hubbub.actions.views import message_event
from hubbub.model.accounts import Actor
from hubbub.model.messages import Changed, Delete, Edit
from hubbub.model.outcome import Effect, Outcome, ToRoom
from hubbub.model.policy import Action
from hubbub.store.statements.messages import MessageRow
from hubbub.store.tx import Tx


@handles(Edit)
def edit(tx: Tx, actor: Actor, command: Edit) -> Outcome[Changed]:
    access = get_access(tx, actor, command.room, Action.READ)
    message = get_message(tx, access, command.seq)
    _require_allowed(tx, actor, access, message, Action.EDIT)
    _require_allowed(tx, actor, access, message, Action.POST)
    if message.text == command.text:
        return Outcome(Changed(rev=message.rev))
    names, effects = _update_mentions(tx, actor, access, message, command.text)
    changed = message._replace(
        text=command.text,
        edited_at=tx.now,
        mentions=" ".join(names),
        origin=message.origin if keeps_quote(message.text, command.text) else "",
        rev=tx.next_rev(access.room.pk),
    )
    outcome = _save(tx, access, changed)
    outcome.effects[:0] = effects
    return outcome


def _update_mentions(
    tx: Tx, actor: Actor, access: RoomAccess, message: MessageRow, text: str
) -> tuple[tuple[str, ...], list[Effect]]:
    """Replace the stored mentions of a message with those of its new text.

    An existing ``@here`` keeps its mentions, as it meant those who were online then; a new one in
    an edit mentions nobody.
    """
    room = access.room
    candidates = mentions.find_candidates(text, actor, access.role, message.author_id)
    [found] = mentions.resolve(tx, room, access.home, [candidates])
    if candidates and "@here" in candidates.names and "@here" in message.mentions.split():
        return (*found.names, "@here"), []
    tx.delete_mentions(room.pk, message.seq)
    mentions.save(tx, room.pk, [(message.seq, found)])
    if access.parent is None:
        return found.names, []
    # People whom the edit mentions follow the thread from this message on.
    return found.names, threads.follow(tx, room, dict.fromkeys(found.by_name, message.seq - 1))


@handles(Delete)
def delete(tx: Tx, actor: Actor, command: Delete) -> Outcome[Changed]:
    access = get_access(tx, actor, command.room, Action.READ)
    message = tx.message(access.room.pk, command.seq)
    if message is None:
        raise no_such_message(command.room, command.seq)
    _require_allowed(tx, actor, access, message, Action.DELETE)
    if message.deleted:
        return Outcome(Changed(rev=message.rev))  # a retry
    tx.delete_mentions(access.room.pk, message.seq)
    rev = tx.next_rev(access.room.pk)
    marks = clear_marks(tx, access.room, message.seq, message.marks)
    if marks != message.marks:
        tx.save_marks(access.room.pk, message.seq, rev, marks)
        message = message._replace(marks_rev=rev, marks=marks)
    deleted = message._replace(text="", deleted=1, edited_at=None, mentions="", origin="", rev=rev)
    outcome = _save(tx, access, deleted)
    if access.parent and (
        effects := threads.on_reply_deleted(tx, access.parent, access.room, actor.name)
    ):
        outcome.effects.append(effects)
    return outcome


def _save(tx: Tx, access: RoomAccess, message: MessageRow) -> Outcome[Changed]:
    room = access.room
    tx.save_message(room.pk, message)
    event = message_event(room.id, message)
    parent_mrev = access.parent.mrev if access.parent else 0
    effects: list[Effect] = [ToRoom(room.id, event, room.mrev, parent_mrev)]
    return Outcome(Changed(rev=message.rev), effects)


def _require_allowed(
    tx: Tx, actor: Actor, access: RoomAccess, message: MessageRow, action: Action
) -> None:
    actor_id = actor.user_id or (tx.guest(actor.guest_key) if actor.guest_key else None)
    require_allowed(actor, access, action, author=message.author_id == actor_id)
