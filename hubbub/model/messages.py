"""Messages: which texts are valid, and the commands and events about messages."""

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
    set_canonical,
)
from hubbub.model.errors import Invalid, TooLarge
from hubbub.model.names import user_name

TEXT_MAX = 16_000  # code points
FRAME_MAX_BYTES = 256 * 1024  # inbound; escaped CJK takes six bytes per character
PAGE_MAX = 200
PAGE_LATEST = 50  # messages in a room's first page
MENTIONS_MAX = 100
MENTION_CANDIDATES_MAX = 4 * MENTIONS_MAX  # texts after ``@``, of which some are not handles

# C0 and C1 controls except tab and line feed, lone surrogates, and noncharacters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_QUOTED = re.compile(r"^ {0,3}>.*$", re.MULTILINE)
_MENTION = re.compile(r"(?<![\w@/.])@([^\W_](?:[\w.\-]{0,30}[^\W_])?)")

# All members of the room, and those of them who are online.
EVERYBODY = ("@room", "@here")

MessageKind = Literal["text", "me"]


def canonical_text(text: str) -> str:
    """The text as it is stored, with LF as line breaks. Raises Invalid or TooLarge."""
    if len(text) > 2 * TEXT_MAX:  # even if each line break is two characters
        raise _too_large(len(text))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > TEXT_MAX:
        raise _too_large(len(text))
    if not text or text.isspace():
        raise Invalid("A message needs at least one visible character.")
    if found := _FORBIDDEN.search(text):
        raise Invalid(
            f"A message cannot contain control characters or lone surrogates: see position"
            f" {found.start()} (U+{ord(found.group()):04X})."
        )
    return text


def _too_large(length: int) -> TooLarge:
    return TooLarge(f"A message has at most {TEXT_MAX:,} characters; this one has {length:,}.")


def mentioned_names(text: str) -> list[str]:
    """The handles after ``@`` in a text, each once, in order; accounts may not exist for them.

    ``@room`` and ``@here`` keep their ``@``, which tells them from handles. Quoted lines are
    ignored, as somebody else wrote them.
    """
    if "@" not in text:
        return []
    if ">" in text:
        text = _QUOTED.sub("", text)
    found: dict[str, None] = {}
    # Bounded, as most of the candidates may turn out not to be handles.
    for typed in islice(dict.fromkeys(_MENTION.findall(text)), MENTION_CANDIDATES_MAX):
        if typed.isascii():
            # The pattern matches only valid ASCII handles, apart from upper case.
            name = typed.lower()
            found[f"@{name}" if f"@{name}" in EVERYBODY else name] = None
        else:
            with contextlib.suppress(Invalid):
                found[user_name(typed)] = None
        if len(found) == MENTIONS_MAX:
            break
    return list(found)


class Reaction(msgspec.Struct, frozen=True, array_like=True):
    """On the wire ``["👍", 2, ["ana", "bo"]]``, with the first people who reacted."""

    emoji: str
    count: int
    names: tuple[UserName, ...] = ()


class Change(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The latest change of a message's marks, and its author."""

    by: UserName
    did: Literal["react", "unreact", "pin", "unpin", "reply", "delete_reply"]
    emoji: str | None = None


class Origin(Value, frozen=True, kw_only=True):
    """The original of a forwarded message. Only people who may read its room can open it."""

    room: RoomId
    seq: Seq
    by: UserName
    at: Millis


class Message(Event, frozen=True, kw_only=True, omit_defaults=True, tag="message"):
    """The complete present state of one message. It is safe to apply it twice, or late.

    A deleted message is a tombstone: no text, ``deleted`` true. The fields after ``marks_rev``
    are its marks, as in the event `marks`: apply them if ``marks_rev`` is newer than yours.
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
    """Post a message to a room. With a nonce, a retry does not post it twice.

    A text has at most 16,000 characters. To reply to message 41 of `general` in its thread, post
    to the room `general.41`, which the first reply creates; ``also_in_room`` posts the text to
    `general` as well.
    """

    room: RoomId
    text: str
    nonce: Nonce | None = None
    reply_to: Seq | None = None
    kind: MessageKind = "text"
    also_in_room: bool = False

    def __post_init__(self) -> None:
        set_canonical(self, "text", canonical_text(self.text))


class PostHere(Post, frozen=True, kw_only=True, omit_defaults=True, tag="post_here"):
    """A post that contains ``@here``, with the people who are present. Not on the wire."""

    present: tuple[str, ...] = ()


class Posted(Reply, frozen=True, kw_only=True):
    seq: Seq
    rev: Rev
    at: Millis


class Edit(Command, frozen=True, kw_only=True, omit_defaults=True, tag="edit"):
    """Change the text of my own message."""

    room: RoomId
    seq: Seq
    text: str

    def __post_init__(self) -> None:
        set_canonical(self, "text", canonical_text(self.text))


class Delete(Command, frozen=True, kw_only=True, omit_defaults=True, tag="delete"):
    """Delete my own message, or as a moderator anybody's. The text cannot be restored."""

    room: RoomId
    seq: Seq


class Changed(Reply, frozen=True, kw_only=True):
    rev: Rev


class Forward(Command, frozen=True, kw_only=True, omit_defaults=True, tag="forward"):
    """Quote a message in another room, with a text of my own.

    I must be allowed to read the message and to post in the other room. Long messages are cut.
    The new message's ``origin`` refers to the original.
    """

    room: RoomId
    seq: Seq
    to: RoomId
    text: str = ""
    nonce: Nonce | None = None

    def __post_init__(self) -> None:
        if self.text:
            set_canonical(self, "text", canonical_text(self.text))


class Person(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A person as others see them. ``role`` is the role on the server."""

    name: UserName
    display_name: str
    role: str = "member"
    disabled: bool = False


class History(Query, frozen=True, kw_only=True, omit_defaults=True, tag="history"):
    """A page of messages, oldest first: the latest, or those before, after or around a seq."""

    room: RoomId
    before: Seq | None = None
    after: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] | None = None
    around: Seq | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = PAGE_LATEST

    def __post_init__(self) -> None:
        if sum(seq is not None for seq in (self.before, self.after, self.around)) > 1:
            raise Invalid("Give only one of before, after and around.")


class Page(Reply, frozen=True, kw_only=True):
    """``more_before`` and ``more_after``: whether the room has messages beyond the page."""

    messages: list[Message]
    people: list[Person]
    more_before: bool
    more_after: bool


class Sync(Query, frozen=True, kw_only=True, omit_defaults=True, tag="sync"):
    """The changes of a room after a rev: each changed thing once, in its present state."""

    room: RoomId
    after: Rev


class Changes(Reply, frozen=True, kw_only=True):
    """The reply to `sync`. On WebSockets the events precede it, as ordinary frames.

    The events are complete up to the rev ``through``. With ``more``, sync again from there; with
    ``reset``, drop the cached messages of the room first: the events are its latest page.
    """

    events: list[Event]
    through: Rev
    more: bool = False
    reset: bool = False


class Reset(Event, frozen=True, kw_only=True, omit_defaults=True, tag="reset"):
    """Drop the cached messages of this room (not the outbox); its latest page follows."""

    room: RoomId


class Synced(Event, frozen=True, kw_only=True, omit_defaults=True, tag="synced"):
    """After a `hello`: all changes of this room up to ``through`` have been sent."""

    room: RoomId
    through: Rev
    more: bool = False


class Typing(Command, frozen=True, kw_only=True, omit_defaults=True, tag="typing"):
    """I am typing in this room. Not stored and not answered; repeat it every 3 seconds."""

    room: RoomId


class TypingEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="typing"):
    """Somebody is typing. Show it for 6 seconds, or until a message of theirs arrives."""

    room: RoomId
    user: UserName
