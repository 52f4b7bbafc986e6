"""Editing, deleting and forwarding."""

from hubbub.actions import mentions, threads
from hubbub.actions.access import (
    RoomAccess,
    author_of,
    get_room_for,
    message_at,
    message_event,
    no_such_message,
    origin_of,
    require_at,
)
from hubbub.actions.marks import cleared
from hubbub.actions.posting import IncomingPost, say_all
from hubbub.actions.registry import handles
from hubbub.model.accounts import Actor
from hubbub.model.errors import Conflict, HubbubError, NotFound
from hubbub.model.messages import (
    TEXT_MAX,
    Changed,
    Delete,
    Edit,
    Forward,
    Origin,
    Post,
    Posted,
)
from hubbub.model.outcome import Effect, Outcome, ToRoom
from hubbub.model.policy import Action
from hubbub.store.statements.messages import MessageRow
from hubbub.store.tx import Tx


@handles(Forward)
def forward(tx: Tx, actor: Actor, command: Forward) -> Outcome[Posted]:
    """A quote that every door shows as one, and where it comes from."""
    if first := _forwarded(tx, actor, command):
        return Outcome(first)
    access = get_room_for(tx, actor, command.room, Action.READ)
    message = message_at(tx, access, command.seq)
    origin = Origin(room=access.room.id, seq=message.seq, by=message.by, at=message.at)
    text = _quoted(message.text, command.text)
    post = Post(room=command.to, text=text, nonce=command.nonce)
    [result] = say_all(tx, [IncomingPost(actor, post, origin)])
    if isinstance(result, HubbubError):
        raise result
    return result


def _forwarded(tx: Tx, actor: Actor, command: Forward) -> Posted | None:
    """What was acknowledged stays so, whatever became of the message that it quotes.

    Raises Conflict if the nonce was used for something else.
    """
    if not command.nonce:
        return None
    try:
        target = get_room_for(tx, actor, command.to, Action.READ).room
    except NotFound:
        return None  # who may not read it any more is refused like all others who may not
    key = (target.pk, author_of(tx, actor, is_new=False), command.nonce)
    first = tx.posted({key}).get(key)
    if first is None:
        return None
    message = tx.message(target.pk, first.seq)
    origin = origin_of(message.origin) if message else None
    was_changed = bool(first.deleted) or first.edited_at is not None
    source = (origin.room, origin.seq) if origin else None
    if not was_changed and source != (command.room, command.seq):
        raise Conflict("This nonce was used for another text. Use a new one.")
    return Posted(seq=first.seq, rev=first.rev, at=first.at)


def _quoted(text: str, comment: str) -> str:
    """A comment, and below it the text as a quote, cut if both are too long for one message."""
    before = f"{comment}\n\n" if comment else ""
    quote = "\n".join(f"> {line}" for line in text.split("\n"))
    left = TEXT_MAX - len(before)
    if len(quote) > left:
        quote = quote[: max(left - 1, 1)] + "…"
    return before + quote


@handles(Edit)
def edit(tx: Tx, actor: Actor, command: Edit) -> Outcome[Changed]:
    access = get_room_for(tx, actor, command.room, Action.READ)
    message = message_at(tx, access, command.seq)
    _require_for(tx, actor, access, message, Action.EDIT)
    _require_for(tx, actor, access, message, Action.POST)
    if message.text == command.text:
        return Outcome(Changed(rev=message.rev))
    shown, effects = _name_again(tx, actor, access, message, command.text)
    changed = message._replace(
        text=command.text,
        edited_at=tx.now,
        mentions=" ".join(shown),
        origin=message.origin if _still_quotes(message.text, command.text) else "",
        rev=tx.next_rev(access.room.pk),
    )
    outcome = _changed(tx, access, changed)
    outcome.effects[:0] = effects
    return outcome


def _still_quotes(before: str, after: str) -> bool:
    """Whether what was forwarded stands there as it did: else nobody else has said it."""
    lines = before.split("\n")
    own = next((nth for nth, line in enumerate(lines[::-1]) if line[:1] != ">"), len(lines))
    quote = "\n".join(lines[len(lines) - own :])
    return after == quote or after.endswith(f"\n{quote}")


def _name_again(
    tx: Tx, actor: Actor, access: RoomAccess, message: MessageRow, text: str
) -> tuple[tuple[str, ...], list[Effect]]:
    """Count those who are named in the new text, and no longer those in the old.

    ``@here`` was meant for those who were here then: it stays, and does not come by an edit.
    """
    room = access.room
    names = mentions.names_in(text, actor, access.role, message.author_id)
    [named] = mentions.resolve(tx, room, access.home, [names])
    if names and "@here" in names.names and "@here" in message.mentions.split():
        return (*named.shown, "@here"), []
    tx.forget_mentions(room.pk, message.seq)
    mentions.keep(tx, room.pk, [(message.seq, named)])
    if access.parent is None:
        return named.shown, []
    # Whom it names only now follows from there.
    return named.shown, threads.follow(tx, room, dict.fromkeys(named.by_name, message.seq - 1))


@handles(Delete)
def delete(tx: Tx, actor: Actor, command: Delete) -> Outcome[Changed]:
    access = get_room_for(tx, actor, command.room, Action.READ)
    message = tx.message(access.room.pk, command.seq)
    if message is None:
        raise no_such_message(command.room, command.seq)
    _require_for(tx, actor, access, message, Action.DELETE)
    if message.deleted:
        return Outcome(Changed(rev=message.rev))  # a retry
    tx.forget_mentions(access.room.pk, message.seq)
    rev = tx.next_rev(access.room.pk)
    marks = cleared(tx, access.room, message.seq, message.marks)
    if marks != message.marks:
        tx.save_marks(access.room.pk, message.seq, rev, marks)
        message = message._replace(marks_rev=rev, marks=marks)
    gone = message._replace(text="", deleted=1, edited_at=None, mentions="", origin="", rev=rev)
    outcome = _changed(tx, access, gone)
    if access.parent and (
        effects := threads.answer_deleted(tx, access.parent, access.room, actor.name)
    ):
        outcome.effects.append(effects)
    return outcome


def _changed(tx: Tx, access: RoomAccess, message: MessageRow) -> Outcome[Changed]:
    room = access.room
    tx.save_message(room.pk, message)
    event = message_event(room.id, message)
    parent_mrev = access.parent.mrev if access.parent else 0
    effects: list[Effect] = [ToRoom(room.id, event, room.mrev, parent_mrev)]
    return Outcome(Changed(rev=message.rev), effects)


def _require_for(
    tx: Tx, actor: Actor, access: RoomAccess, message: MessageRow, action: Action
) -> None:
    own = actor.user_id or (tx.guest(actor.guest_key) if actor.guest_key else None)
    require_at(actor, access, action, author=message.author_id == own)
