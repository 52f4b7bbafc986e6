"""The latest changes of a room, encoded, so that coming back costs no database read."""

from collections import OrderedDict
from collections.abc import Iterator

from hubbub.model.events import RoomEvent
from hubbub.model.marks import Marks
from hubbub.model.messages import Message
from hubbub.wire import json
from hubbub.wire.frames import text_frame

ENTRIES_MAX = 256
BYTES_MAX = 512 * 1024


class Entry:
    """The present state of one thing in a room, encoded at first use."""

    __slots__ = ("_frame", "event")

    def __init__(self, event: RoomEvent) -> None:
        self.event = event
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        if self._frame is None:
            self._frame = text_frame(json.event(self.event))
        return self._frame

    @property
    def size(self) -> int:
        return 400 + (len(self.event.text) if isinstance(self.event, Message) else 0)


class RecentChanges:
    """Thing → its latest state, in order of rev, complete above ``floor``.

    A later state replaces the earlier one, so a deleted text is gone from it. A message and its
    marks are two things, until the message itself changes again and brings its marks along.
    """

    __slots__ = ("_bytes", "_entries", "floor")

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._bytes = 0

    def add(self, event: RoomEvent) -> Entry:
        """Keep this state; its rev is the highest so far.

        Messages have their seq as key, their marks the same below zero, the room itself 0.
        """
        key = 0
        if isinstance(event, Message):
            key = event.seq
            self._let_go(-key)
        elif isinstance(event, Marks):
            key = -event.seq
        self._let_go(key)
        entry = self._entries[key] = Entry(event)
        self._bytes += entry.size
        while len(self._entries) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            _, gone = self._entries.popitem(last=False)
            self._bytes -= gone.size
            self.floor = gone.event.rev
        return entry

    def _let_go(self, key: int) -> None:
        if old := self._entries.pop(key, None):
            self._bytes -= old.size

    def after(self, rev: int) -> list[Entry] | None:
        """What changed after ``rev``, in order; None if the ring does not reach back so far."""
        if rev < self.floor:
            return None
        found = []
        for entry in reversed(self._entries.values()):
            if entry.event.rev <= rev:
                break
            found.append(entry)
        found.reverse()
        return found

    def latest(self, head_seq: int, limit: int) -> list[Entry] | None:
        """The latest messages by seq, oldest first, each followed by newer marks of it.

        None if some of them are not here.
        """
        found: list[Entry] = []
        for seq in range(max(1, head_seq - limit + 1), head_seq + 1):
            message = self._entries.get(seq)
            if message is None:
                return None
            found.append(message)
            if marks := self._entries.get(-seq):
                found.append(marks)
        return found

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())
