"""What is added to a message without touching its text: reactions, a pin, the thread's count."""

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
    restate,
)
from hubbub.model.emoji import canonical_emoji
from hubbub.model.messages import Change, Message, Person, Reaction

FACES_MAX = 5  # of those who answered in a thread, as the message shows them

# What an event tells of those who reacted, so that it stays small however many they are.
NAMES_PER_EMOJI = 20
NAMES_MAX = 50
NAMES_BYTES = 400

Emoji = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="One emoji")]


class MarkState(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The marks of one message, as they are stored."""

    reactions: tuple[Reaction, ...] = ()
    pinned: bool = False
    pinned_by: UserName | None = None
    replies: int = 0
    replied_at: Millis | None = None
    repliers: tuple[UserName, ...] = ()
    last: Change | None = None


class Marks(Event, frozen=True, kw_only=True, omit_defaults=True, tag="marks"):
    """The whole present state of a message's marks, without its text.

    ``reactions`` name at most 50 people in all; ``reactions`` (the query) has the others.
    ``replies`` counts the answers in its thread, ``repliers`` are the latest of those who gave
    them. ``last`` is what made it so.
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


# What a message, its event of marks, and its row have alike.
MARK_FIELDS = ("reactions", "pinned", "pinned_by", "replies", "replied_at", "repliers")


def marks_in(of: Message | Marks | MarkState) -> dict[str, Any]:
    """The marks by their names, to make one of the three from another."""
    return {name: getattr(of, name) for name in MARK_FIELDS}


class React(Command, frozen=True, kw_only=True, omit_defaults=True, tag="react"):
    """Add a reaction to a message, or take one's own back (``on`` false)."""

    room: RoomId
    seq: Seq
    emoji: Emoji
    on: bool = True

    def __post_init__(self) -> None:
        restate(self, "emoji", canonical_emoji(self.emoji))


class Reactions(Query, frozen=True, kw_only=True, omit_defaults=True, tag="reactions"):
    """Who reacted to a message with what, in the order in which they did."""

    room: RoomId
    seq: Seq


class EmojiReactions(Value, frozen=True, kw_only=True):
    """One emoji; ``names`` are at most the first 200, ``mine`` whether I am one of all."""

    emoji: str
    count: int
    names: tuple[UserName, ...]
    mine: bool


class ReactionsPage(Reply, frozen=True, kw_only=True):
    reactions: list[EmojiReactions]
    people: list[Person]


class Pin(Command, frozen=True, kw_only=True, omit_defaults=True, tag="pin"):
    """Pin a message to its room for everyone, or take it off (``on`` false)."""

    room: RoomId
    seq: Seq
    on: bool = True


class Pins(Query, frozen=True, kw_only=True, omit_defaults=True, tag="pins"):
    """The pinned messages of a room, the latest pin first."""

    room: RoomId


class PinsPage(Reply, frozen=True, kw_only=True):
    messages: list[Message]
    people: list[Person]
