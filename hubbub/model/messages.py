"""Messages: what they are, what may be said, and the commands and events about them."""

import contextlib
import re
from itertools import islice
from typing import Annotated, Literal

import msgspec

from hubbub.model.base import (
    Command,
    Event,
    Millis,
    Nonce,
    Query,
    Reply,
    Rev,
    RoomId,
    Seq,
    UserName,
    Value,
    restate,
)
from hubbub.model.errors import Invalid, TooLarge
from hubbub.model.names import user_name

TEXT_MAX = 16_000  # code points
FRAME_MAX_BYTES = 256 * 1024  # inbound; escaped CJK is six bytes a character
PAGE_MAX = 200
PAGE_LATEST = 50  # messages of a room's first page
MENTIONS_MAX = 100
MENTIONS_TRIED_MAX = 4 * MENTIONS_MAX  # of texts after an ``@``, some of which are no names

# C0 and C1 controls but for tab and line feed, lone surrogates, and what no font may show.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_QUOTED = re.compile(r"^ {0,3}>.*$", re.MULTILINE)
_MENTION = re.compile(r"(?<![\w@/.])@([^\W_](?:[\w.\-]{0,30}[^\W_])?)")

# Everybody in the room, and those of them who are there just now.
EVERYBODY = ("@room", "@here")

MessageKind = Literal["text", "me"]


def canonical_text(text: str) -> str:
    """The text as it is kept: line breaks are LF. Raises Invalid or TooLarge."""
    if len(text) > 2 * TEXT_MAX:  # even if each line break is two characters
        raise _too_large(len(text))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > TEXT_MAX:
        raise _too_large(len(text))
    if not text or text.isspace():
        raise Invalid("A message has at least one visible character.")
    if found := _FORBIDDEN.search(text):
        raise Invalid(
            f"A message has no control characters or half characters; there is one at position"
            f" {found.start()} (U+{ord(found.group()):04X})."
        )
    return text


def _too_large(length: int) -> TooLarge:
    return TooLarge(f"A message has at most {TEXT_MAX:,} characters; this one has {length:,}.")


def mentioned_names(text: str) -> list[str]:
    """The handles after ``@`` in a text, each once, in order; whether they exist is not known.

    ``@room`` and ``@here`` are among them with their sign, which no handle has. Who is named in
    a quoted line was meant by somebody else, at another time.
    """
    if "@" not in text:
        return []
    if ">" in text:
        text = _QUOTED.sub("", text)
    found: dict[str, None] = {}
    # Each text once, as it was typed, and not without end if they are none.
    for typed in islice(dict.fromkeys(_MENTION.findall(text)), MENTIONS_TRIED_MAX):
        if typed.isascii():
            # What the pattern lets through is a name already, but for its case.
            name = typed.lower()
            found[f"@{name}" if f"@{name}" in EVERYBODY else name] = None
        else:
            with contextlib.suppress(Invalid):
                found[user_name(typed)] = None
        if len(found) == MENTIONS_MAX:
            break
    return list(found)


class Reaction(msgspec.Struct, frozen=True, array_like=True):
    """On the wire ``["👍", 2, ["ana", "bo"]]``: the names are the first of those who reacted."""

    emoji: str
    count: int
    names: tuple[UserName, ...] = ()


class Change(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What made a message's marks what they are: who did what last."""

    by: UserName
    did: Literal["react", "unreact", "pin", "unpin", "reply", "delete_reply"]
    emoji: str | None = None


class Origin(Value, frozen=True, kw_only=True):
    """Where a forwarded message was said. Only who may read that room can go there."""

    room: RoomId
    seq: Seq
    by: UserName
    at: Millis


class Message(Event, frozen=True, kw_only=True, omit_defaults=True, tag="message"):
    """The whole present state of one message. Applying it twice, or late, does no harm.

    A deleted one is a tombstone: no text, ``deleted`` true. What follows ``marks_rev`` are its
    marks, as in the event of that name: they apply if ``marks_rev`` is newer than what is known.
    """

    room: RoomId
    seq: Seq
    rev: Rev
    by: UserName
    at: Millis
    text: str = ""
    kind: MessageKind = "text"
    nonce: str | None = None
    reply_to: int | None = None
    edited_at: Millis | None = None
    deleted: bool = False
    mentions: tuple[str, ...] = ()
    origin: Origin | None = None
    marks_rev: Rev = 0
    reactions: tuple[Reaction, ...] = ()
    pinned: bool = False
    pinned_by: UserName | None = None
    replies: int = 0
    replied_at: Millis | None = None
    repliers: tuple[UserName, ...] = ()


class Post(Command, frozen=True, kw_only=True, omit_defaults=True, tag="post"):
    """Say something in a room. With a nonce, a retry is answered and not said twice.

    A text has at most 16,000 characters. To answer message 41 of `general` in its thread, post
    to the room `general.41`, which the first answer makes; ``also_in_room`` says the same to
    `general` as well.
    """

    room: RoomId
    text: str
    nonce: Nonce | None = None
    reply_to: Seq | None = None
    kind: MessageKind = "text"
    also_in_room: bool = False

    def __post_init__(self) -> None:
        restate(self, "text", canonical_text(self.text))


class PostHere(Post, frozen=True, kw_only=True, omit_defaults=True, tag="post_here"):
    """A post with ``@here`` in it, and who that is: those present. Not on the wire."""

    present: tuple[str, ...] = ()


class Posted(Reply, frozen=True, kw_only=True):
    seq: Seq
    rev: Rev
    at: Millis


class Edit(Command, frozen=True, kw_only=True, omit_defaults=True, tag="edit"):
    """Change the text of one's own message."""

    room: RoomId
    seq: Seq
    text: str

    def __post_init__(self) -> None:
        restate(self, "text", canonical_text(self.text))


class Delete(Command, frozen=True, kw_only=True, omit_defaults=True, tag="delete"):
    """Delete one's own message, or as a moderator anyone's. Its text is gone for good."""

    room: RoomId
    seq: Seq


class Changed(Reply, frozen=True, kw_only=True):
    rev: Rev


class Forward(Command, frozen=True, kw_only=True, omit_defaults=True, tag="forward"):
    """Quote a message in another room that one may read and write, with a word of one's own.

    Long ones are cut. The new message's ``origin`` leads back, for those who may read there.
    """

    room: RoomId
    seq: Seq
    to: RoomId
    text: str = ""
    nonce: Nonce | None = None

    def __post_init__(self) -> None:
        if self.text:
            restate(self, "text", canonical_text(self.text))


class Person(Value, frozen=True, kw_only=True, omit_defaults=True):
    """How somebody is shown. ``role`` is the role on the server."""

    name: UserName
    display_name: str
    role: str = "member"
    disabled: bool = False


class History(Query, frozen=True, kw_only=True, omit_defaults=True, tag="history"):
    """A page of messages, oldest first: the latest, or before, after or around a seq."""

    room: RoomId
    before: Seq | None = None
    after: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] | None = None
    around: Seq | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = PAGE_LATEST

    def __post_init__(self) -> None:
        if sum(place is not None for place in (self.before, self.after, self.around)) > 1:
            raise Invalid("Ask for messages before, after or around a number, not several.")


class Page(Reply, frozen=True, kw_only=True):
    """``more_before`` and ``more_after`` say whether the room has messages beyond the page."""

    messages: list[Message]
    people: list[Person]
    more_before: bool
    more_after: bool


class Sync(Query, frozen=True, kw_only=True, omit_defaults=True, tag="sync"):
    """What changed in a room after a rev, each thing once, in its present form."""

    room: RoomId
    after: Rev


class Changes(Reply, frozen=True, kw_only=True):
    """What a `sync` answers. Over a socket the events come before it, as ordinary frames.

    ``through`` is the rev up to which the events go. With ``more``, sync again from there; with
    ``reset``, drop what is cached of the room first: the events are its latest page.
    """

    events: list[Event]
    through: Rev
    more: bool = False
    reset: bool = False


class Reset(Event, frozen=True, kw_only=True, omit_defaults=True, tag="reset"):
    """Drop what is cached of this room (not the outbox): what follows is its latest page."""

    room: RoomId


class Synced(Event, frozen=True, kw_only=True, omit_defaults=True, tag="synced"):
    """After a `hello`: all changes of this room up to ``through`` have been sent."""

    room: RoomId
    through: Rev
    more: bool = False


class Typing(Command, frozen=True, kw_only=True, omit_defaults=True, tag="typing"):
    """I am writing in this room. Not stored, not answered; say it again every 3 seconds."""

    room: RoomId


class TypingEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="typing"):
    """Somebody is writing. It holds for 6 seconds, or until a message of theirs comes."""

    room: RoomId
    user: UserName
