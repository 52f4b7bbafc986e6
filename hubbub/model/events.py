"""All events: a tagged union, and a dict by tag."""

from typing import get_args

from hubbub.model import accounts, blocks, bookmarks, drafts, marks, messages, reading, rooms
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
    | drafts.DraftChanged
    | blocks.BlockChanged
)

EVENTS: dict[str, type[Event]] = {event.word(): event for event in get_args(AnyEvent)}

# Events about stored changes of a room, with a rev of the room; the hub keeps recent ones.
RoomEvent = messages.Message | marks.Marks | rooms.RoomChanged

# Events about stored changes that concern one person, with a rev of that person.
PersonEvent = (
    accounts.MeChanged
    | reading.ReadChanged
    | rooms.Removed
    | bookmarks.BookmarkChanged
    | drafts.DraftChanged
    | blocks.BlockChanged
)
