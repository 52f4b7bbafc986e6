"""Drafts: unsent texts, synced between a person's devices."""

import re

from hubbub.model.base import (
    Command,
    Event,
    Millis,
    Query,
    Reply,
    Rev,
    RoomId,
    Seq,
    Value,
)
from hubbub.model.errors import Invalid, TooLarge
from hubbub.model.messages import TEXT_MAX

_SURROGATE = re.compile("[\ud800-\udfff]")


class Draft(Command, frozen=True, kw_only=True, omit_defaults=True, tag="draft"):
    """Save my unsent text in a room for my other devices; an empty text deletes the draft."""

    room: RoomId
    text: str = ""
    reply_to: Seq | None = None

    def __post_init__(self) -> None:
        if len(self.text) > TEXT_MAX:
            raise TooLarge(f"A draft has at most {TEXT_MAX:,} characters.")
        if _SURROGATE.search(self.text):
            raise Invalid("A draft must be valid Unicode, but this one contains a lone surrogate.")


class Drafts(Query, frozen=True, kw_only=True, omit_defaults=True, tag="drafts"):
    """My drafts in the rooms that I am a member of, newest first."""


class DraftEntry(Value, frozen=True, kw_only=True, omit_defaults=True):
    room: RoomId
    text: str
    at: Millis
    reply_to: int | None = None


class DraftsPage(Reply, frozen=True, kw_only=True):
    drafts: list[DraftEntry]


class DraftChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="draft"):
    """A draft of mine changed; an empty text means it was deleted. ``rev`` is my own."""

    rev: Rev
    room: RoomId
    text: str = ""
    at: Millis = 0
    reply_to: int | None = None
