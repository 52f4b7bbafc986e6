"""Marks of a message, which change without its text: reactions, the pin, the reply count."""

from typing import Annotated, Any

import msgspec

from hubbub.model.base import (
    Command,
    Event,
    Millis,
    Query,
    Reply,
    Rev,
    RoomId,
    Seq,
    UserName,
    Value,
    set_canonical,
)
from hubbub.model.emoji import canonical_emoji
from hubbub.model.messages import Change, Message, Person, Reaction

REPLIERS_MAX = 5  # people that a message shows as authors of replies in its thread

# Limits on the names of people who reacted, so that events stay small.
NAMES_PER_EMOJI = 20
NAMES_MAX = 50
NAMES_BYTES = 400

Emoji = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="One emoji")]


class MarkState(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The marks of one message, as stored in the database."""

    reactions: tuple[Reaction, ...] = ()
    pinned: bool = False
    pinned_by: UserName | None = None
    replies: int = 0
    replied_at: Millis | None = None
    repliers: tuple[UserName, ...] = ()
    last: Change | None = None


class Marks(Event, frozen=True, kw_only=True, omit_defaults=True, tag="marks"):
    """The complete present state of a message's marks, without its text.

    ``reactions`` name at most 50 people in all; the query `reactions` returns the others.
    ``replies`` counts the replies in the message's thread, and ``repliers`` are the latest
    authors. ``last`` is the latest change.
    """

    room: RoomId
    seq: Seq
    rev: Rev
    reactions: tuple[Reaction, ...] = ()
    pinned: bool = False
    pinned_by: UserName | None = None
    replies: int = 0
    replied_at: Millis | None = None
    repliers: tuple[UserName, ...] = ()
    last: Change | None = None


# The fields that `Message`, `Marks` and `MarkState` have in common.
MARK_FIELDS = ("reactions", "pinned", "pinned_by", "replies", "replied_at", "repliers")


def marks_of(source: Message | Marks | MarkState) -> dict[str, Any]:
    """The marks by field name, to create one of the three types from another."""
    return {name: getattr(source, name) for name in MARK_FIELDS}


class React(Command, frozen=True, kw_only=True, omit_defaults=True, tag="react"):
    """Add a reaction to a message, or remove my own (``on`` false)."""

    room: RoomId
    seq: Seq
    emoji: Emoji
    on: bool = True

    def __post_init__(self) -> None:
        set_canonical(self, "emoji", canonical_emoji(self.emoji))


class Reactions(Query, frozen=True, kw_only=True, omit_defaults=True, tag="reactions"):
    """Everybody who reacted to a message, by emoji, in the order of their reactions."""

    room: RoomId
    seq: Seq


class EmojiReactions(Value, frozen=True, kw_only=True):
    """An emoji with at most the first 200 names; ``mine``: whether I reacted with it."""

    emoji: str
    count: int
    names: tuple[UserName, ...]
    mine: bool


class ReactionsPage(Reply, frozen=True, kw_only=True):
    reactions: list[EmojiReactions]
    people: list[Person]


class Pin(Command, frozen=True, kw_only=True, omit_defaults=True, tag="pin"):
    """Pin a message in its room for everybody, or unpin it (``on`` false)."""

    room: RoomId
    seq: Seq
    on: bool = True


class Pins(Query, frozen=True, kw_only=True, omit_defaults=True, tag="pins"):
    """The pinned messages of a room, the latest pin first."""

    room: RoomId


class PinsPage(Reply, frozen=True, kw_only=True):
    messages: list[Message]
    people: list[Person]
