"""Marks of messages: reactions and pins. The reply counts of threads are set in `threads`."""

import msgspec

from hubbub.actions.access import (
    RoomAccess,
    deleted_message,
    get_access,
    get_or_add_author,
    known_author_id,
    no_such_message,
)
from hubbub.actions.quotas import require_below
from hubbub.actions.registry import answers, handles
from hubbub.actions.views import decode_marks, list_people, marks_event, message_event
from hubbub.model.accounts import Actor
from hubbub.model.marks import (
    NAMES_BYTES,
    NAMES_MAX,
    NAMES_PER_EMOJI,
    EmojiReactions,
    MarkState,
    Pin,
    Pins,
    PinsPage,
    React,
    Reactions,
    ReactionsPage,
)
from hubbub.model.messages import Change, Changed, Reaction
from hubbub.model.outcome import Outcome, ToRoom
from hubbub.model.policy import Action
from hubbub.store.statements.marks import MarksRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx

REACTORS_MAX = 200  # names listed for each emoji
PINS_MAX = 200  # pins listed of a room and its threads

_encode = msgspec.json.Encoder().encode


def set_marks(
    tx: Tx, room: RoomRow, row: MarksRow, marks: MarkState, parent_mrev: int = 0
) -> ToRoom:
    """Store a message's new marks with a new rev of its room, and return the effect for it."""
    rev = tx.next_rev(room.pk)
    tx.save_marks(room.pk, row.seq, rev, _encode(marks).decode())
    return ToRoom(room.id, marks_event(room.id, row.seq, rev, marks), room.mrev, parent_mrev)


@handles(React)
def react(tx: Tx, actor: Actor, command: React) -> Outcome[Changed]:
    access = get_access(tx, actor, command.room, Action.REACT)
    row = _get_marks(tx, access, command.seq)
    user_id = get_or_add_author(tx, actor) if command.on else known_author_id(tx, actor)
    key = (access.room.pk, command.seq, command.emoji, user_id)
    if tx.has_reacted(*key) == command.on:
        return Outcome(Changed(rev=row.marks_rev))  # a retry
    marks = decode_marks(row.marks)
    if command.on:
        if all(reaction.emoji != command.emoji for reaction in marks.reactions):
            require_below(tx, "reactions_per_message", len(marks.reactions))
        reactions = _add_reaction(marks.reactions, command.emoji, actor.name)
        tx.add_reaction(*key, rev=access.room.rev + 1)
    else:
        tx.remove_reaction(*key)
        names = tx.list_reactors(*key[:3], NAMES_PER_EMOJI)
        reactions = _remove_reaction(marks.reactions, command.emoji, tuple(names))
    did = "react" if command.on else "unreact"
    last = Change(by=actor.name, did=did, emoji=command.emoji)  # type: ignore[arg-type]
    return _save(tx, access, row, msgspec.structs.replace(marks, reactions=reactions, last=last))


def _save(tx: Tx, access: RoomAccess, row: MarksRow, marks: MarkState) -> Outcome[Changed]:
    parent_mrev = access.parent.mrev if access.parent else 0
    effect = set_marks(tx, access.room, row, marks, parent_mrev)
    return Outcome(Changed(rev=effect.event.rev), [effect])


def _add_reaction(reactions: tuple[Reaction, ...], emoji: str, name: str) -> tuple[Reaction, ...]:
    """Count one more reaction; a new emoji is added at the end."""
    by_emoji = {reaction.emoji: reaction for reaction in reactions}
    before = by_emoji.get(emoji, Reaction(emoji, 0))
    names = before.names
    # `names` are the first people who reacted: once one is left out, no later one is added.
    if len(names) == before.count and _has_space(reactions, before, name):
        names = (*names, name)
    by_emoji[emoji] = Reaction(emoji, before.count + 1, names)
    return tuple(by_emoji.values())


def _has_space(reactions: tuple[Reaction, ...], reaction: Reaction, name: str) -> bool:
    """Whether an event can name one more person for a reaction."""
    if len(reaction.names) >= NAMES_PER_EMOJI:
        return False
    names = [listed for each in reactions for listed in each.names]
    # In JSON each name has two quotes and a comma.
    size = sum(len(listed.encode()) + 3 for listed in [*names, name])
    return len(names) < NAMES_MAX and size <= NAMES_BYTES


def _remove_reaction(
    reactions: tuple[Reaction, ...], emoji: str, names: tuple[str, ...]
) -> tuple[Reaction, ...]:
    """Subtract one reaction; ``names`` are the first people who still have this reaction."""
    remaining: list[Reaction] = []
    for reaction in reactions:
        if reaction.emoji != emoji:
            remaining.append(reaction)
        elif reaction.count > 1:
            kept = Reaction(emoji, reaction.count - 1)
            others = tuple(other for other in reactions if other.emoji != emoji)
            for name in names:
                if not _has_space((*others, kept), kept, name):
                    break
                kept = Reaction(emoji, kept.count, (*kept.names, name))
            remaining.append(kept)
    return tuple(remaining)


@answers(Reactions)
def reactions(tx: Tx, actor: Actor, query: Reactions) -> ReactionsPage:
    access = get_access(tx, actor, query.room, Action.READ)
    row = _get_marks(tx, access, query.seq)
    user_id = known_author_id(tx, actor)
    mine = tx.list_emoji_of(access.room.pk, query.seq, user_id)
    found = [
        EmojiReactions(
            emoji=reaction.emoji,
            count=reaction.count,
            names=tuple(tx.list_reactors(access.room.pk, query.seq, reaction.emoji, REACTORS_MAX)),
            mine=reaction.emoji in mine,
        )
        for reaction in decode_marks(row.marks).reactions
    ]
    return ReactionsPage(
        reactions=found, people=list_people(tx, {name for one in found for name in one.names})
    )


@handles(Pin)
def pin(tx: Tx, actor: Actor, command: Pin) -> Outcome[Changed]:
    access = get_access(tx, actor, command.room, Action.PIN)
    row = _get_marks(tx, access, command.seq)
    marks = decode_marks(row.marks)
    if marks.pinned == command.on:
        return Outcome(Changed(rev=row.marks_rev))  # a retry
    if not command.on:
        tx.remove_pin(access.room.pk, command.seq)
    else:
        require_below(tx, "pins_per_room", tx.count_pins(access.room.pk))
        tx.add_pin(access.room.pk, command.seq)
    changed = msgspec.structs.replace(
        marks,
        pinned=command.on,
        pinned_by=actor.name if command.on else None,
        last=Change(by=actor.name, did="pin" if command.on else "unpin"),
    )
    return _save(tx, access, row, changed)


@answers(Pins)
def pins(tx: Tx, actor: Actor, query: Pins) -> PinsPage:
    """The pinned messages of a room and its threads."""
    room = get_access(tx, actor, query.room, Action.READ).room
    messages = [message_event(*found) for found in tx.list_pinned(room.pk, PINS_MAX)]
    names = {message.by for message in messages}
    names |= {message.pinned_by for message in messages if message.pinned_by}
    return PinsPage(messages=messages, people=list_people(tx, names))


def clear_marks(tx: Tx, room: RoomRow, seq: int, stored: str) -> str:
    """Remove a deleted message's reactions and pin. Returns what to store: its reply count."""
    if not stored:
        return ""
    marks = decode_marks(stored)
    if marks.reactions:
        tx.delete_reactions(room.pk, seq)
    if marks.pinned:
        tx.remove_pin(room.pk, seq)
    kept = MarkState(replies=marks.replies, replied_at=marks.replied_at, repliers=marks.repliers)
    return _encode(kept).decode() if kept != MarkState() else ""


def _get_marks(tx: Tx, access: RoomAccess, seq: int) -> MarksRow:
    """The marks of a message that has not been deleted. Raises NotFound."""
    row = tx.find_marks(access.room.pk, seq)
    if row is None:
        raise no_such_message(access.room.id, seq)
    if row.deleted:
        raise deleted_message(access.room.id, seq)
    return row
