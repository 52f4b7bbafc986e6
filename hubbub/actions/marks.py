"""What is added to messages: reactions and pins."""

import msgspec

from hubbub.actions.access import (
    RoomAccess,
    author_of,
    deleted_message,
    get_room_for,
    marks_event,
    marks_of,
    message_event,
    no_such_message,
    people_of,
)
from hubbub.actions.quotas import require_below
from hubbub.actions.registry import answers, handles
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
from hubbub.store.statements.marks import MarkedRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx

NAMES_ASKED = 200  # of one emoji, for whoever asks who they are
PINS_TOLD = 200  # of a room and its threads

_encode = msgspec.json.Encoder().encode


def mark(
    tx: Tx, room: RoomRow, marked: MarkedRow, marks: MarkState, parent_mrev: int = 0
) -> ToRoom:
    """Give a message new marks, under a new rev of its room."""
    rev = tx.next_rev(room.pk)
    tx.save_marks(room.pk, marked.seq, rev, _encode(marks).decode())
    return ToRoom(room.id, marks_event(room.id, marked.seq, rev, marks), room.mrev, parent_mrev)


@handles(React)
def react(tx: Tx, actor: Actor, command: React) -> Outcome[Changed]:
    access = get_room_for(tx, actor, command.room, Action.REACT)
    marked = _marked(tx, access, command.seq)
    user_id = author_of(tx, actor, is_new=command.on)
    key = (access.room.pk, command.seq, command.emoji, user_id)
    if tx.has_reacted(*key) == command.on:
        return Outcome(Changed(rev=marked.marks_rev))  # a retry
    marks = marks_of(marked.marks)
    if command.on:
        if all(reaction.emoji != command.emoji for reaction in marks.reactions):
            require_below(tx, "reactions_per_message", len(marks.reactions))
        reactions = _with(marks.reactions, command.emoji, actor.name)
        tx.add_reaction(*key, rev=access.room.rev + 1)
    else:
        tx.remove_reaction(*key)
        names = tx.who_reacted(*key[:3], NAMES_PER_EMOJI)
        reactions = _without(marks.reactions, command.emoji, tuple(names))
    did = "react" if command.on else "unreact"
    last = Change(by=actor.name, did=did, emoji=command.emoji)  # type: ignore[arg-type]
    return _marked_so(
        tx, access, marked, msgspec.structs.replace(marks, reactions=reactions, last=last)
    )


def _marked_so(tx: Tx, access: RoomAccess, marked: MarkedRow, marks: MarkState) -> Outcome[Changed]:
    parent_mrev = access.parent.mrev if access.parent else 0
    effects = mark(tx, access.room, marked, marks, parent_mrev)
    return Outcome(Changed(rev=effects.event.rev), [effects])


def _with(reactions: tuple[Reaction, ...], emoji: str, name: str) -> tuple[Reaction, ...]:
    """One more; a new emoji comes last."""
    found = {reaction.emoji: reaction for reaction in reactions}
    before = found.get(emoji, Reaction(emoji, 0))
    names = before.names
    # Names are the first ones: once some were left out, those who come later are left out too.
    if len(names) == before.count and _have_room(reactions, before, name):
        names = (*names, name)
    found[emoji] = Reaction(emoji, before.count + 1, names)
    return tuple(found.values())


def _have_room(reactions: tuple[Reaction, ...], reaction: Reaction, name: str) -> bool:
    if len(reaction.names) >= NAMES_PER_EMOJI:
        return False
    effects = [one for each in reactions for one in each.names]
    # In JSON each has its quotes and a comma.
    size = sum(len(one.encode()) + 3 for one in [*effects, name])
    return len(effects) < NAMES_MAX and size <= NAMES_BYTES


def _without(
    reactions: tuple[Reaction, ...], emoji: str, names: tuple[str, ...]
) -> tuple[Reaction, ...]:
    """One less; ``names`` are the first of those that are left."""
    found: list[Reaction] = []
    for reaction in reactions:
        if reaction.emoji != emoji:
            found.append(reaction)
        elif reaction.count > 1:
            kept = Reaction(emoji, reaction.count - 1)
            others = tuple(one for one in reactions if one.emoji != emoji)
            for name in names:
                if not _have_room((*others, kept), kept, name):
                    break
                kept = Reaction(emoji, kept.count, (*kept.names, name))
            found.append(kept)
    return tuple(found)


@answers(Reactions)
def reactions(tx: Tx, actor: Actor, query: Reactions) -> ReactionsPage:
    access = get_room_for(tx, actor, query.room, Action.READ)
    marked = _marked(tx, access, query.seq)
    user_id = author_of(tx, actor, is_new=False)
    mine = tx.my_reactions(access.room.pk, query.seq, user_id)
    found = [
        EmojiReactions(
            emoji=reaction.emoji,
            count=reaction.count,
            names=tuple(tx.who_reacted(access.room.pk, query.seq, reaction.emoji, NAMES_ASKED)),
            mine=reaction.emoji in mine,
        )
        for reaction in marks_of(marked.marks).reactions
    ]
    return ReactionsPage(
        reactions=found, people=people_of(tx, {name for one in found for name in one.names})
    )


@handles(Pin)
def pin(tx: Tx, actor: Actor, command: Pin) -> Outcome[Changed]:
    access = get_room_for(tx, actor, command.room, Action.PIN)
    marked = _marked(tx, access, command.seq)
    marks = marks_of(marked.marks)
    if marks.pinned == command.on:
        return Outcome(Changed(rev=marked.marks_rev))  # a retry
    if not command.on:
        tx.remove_pin(access.room.pk, command.seq)
    else:
        require_below(tx, "pins_per_room", tx.pins(access.room.pk))
        tx.add_pin(access.room.pk, command.seq)
    changed = msgspec.structs.replace(
        marks,
        pinned=command.on,
        pinned_by=actor.name if command.on else None,
        last=Change(by=actor.name, did="pin" if command.on else "unpin"),
    )
    return _marked_so(tx, access, marked, changed)


@answers(Pins)
def pins(tx: Tx, actor: Actor, query: Pins) -> PinsPage:
    """Those of its threads as well."""
    room = get_room_for(tx, actor, query.room, Action.READ).room
    messages = [message_event(*found) for found in tx.pinned(room.pk, PINS_TOLD)]
    names = {message.by for message in messages}
    names |= {message.pinned_by for message in messages if message.pinned_by}
    return PinsPage(messages=messages, people=people_of(tx, names))


def cleared(tx: Tx, room: RoomRow, seq: int, stored: str) -> str:
    """What is left of a message's marks when it is deleted: how many answers it has."""
    if not stored:
        return ""
    marks = marks_of(stored)
    if marks.reactions:
        tx.forget_reactions(room.pk, seq)
    if marks.pinned:
        tx.remove_pin(room.pk, seq)
    left = MarkState(replies=marks.replies, replied_at=marks.replied_at, repliers=marks.repliers)
    return _encode(left).decode() if left != MarkState() else ""


def _marked(tx: Tx, access: RoomAccess, seq: int) -> MarkedRow:
    """A message that is still there, without its text. Raises NotFound."""
    marked = tx.marked(access.room.pk, seq)
    if marked is None:
        raise no_such_message(access.room.id, seq)
    if marked.deleted:
        raise deleted_message(access.room.id, seq)
    return marked
