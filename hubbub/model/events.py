"""All events, as one tagged union."""

from typing import get_args

from hubbub.model import accounts, blocks, bookmarks, marks, messages, reading, rooms
from hubbub.model.base import Event

AnyEvent = (
    messages.Message
    | marks.Marks
    | messages.Reset
    | messages.Synced
    | messages.TypingEvent
    | rooms.RoomChanged
    | rooms.MemberChanged
    | rooms.Removed
    | reading.ReadChanged
    | reading.Presence
    | reading.Behind
    | reading.Notice
    | accounts.UserChanged
    | accounts.MeChanged
    | accounts.ServerChanged
    | bookmarks.BookmarkChanged
    | bookmarks.DraftChanged
    | blocks.BlockChanged
)

EVENTS: dict[str, type[Event]] = {event.word(): event for event in get_args(AnyEvent)}

# What changes a room durably and so has a rev of the room; the hub keeps these in its ring.
RoomEvent = messages.Message | marks.Marks | rooms.RoomChanged

# What changes something of one person's own, and so has that person's rev.
PersonEvent = (
    accounts.MeChanged
    | reading.ReadChanged
    | rooms.Removed
    | bookmarks.BookmarkChanged
    | bookmarks.DraftChanged
    | blocks.BlockChanged
)
