"""The latest changes of a room, encoded, so that most reconnects cost no database read."""

from collections import OrderedDict
from collections.abc import Iterator

from hubbub.model.events import RoomEvent
from hubbub.model.marks import Marks
from hubbub.model.messages import Message
from hubbub.wire import json
from hubbub.wire.frames import text_frame

ENTRIES_MAX = 256
BYTES_MAX = 512 * 1024


class EncodedChange:
    """The current state of a message, of its marks or of the room, encoded at first use."""

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
    def size_bytes(self) -> int:
        """An estimate of the memory it takes."""
        return 400 + (len(self.event.text) if isinstance(self.event, Message) else 0)


class RecentChanges:
    """The latest states of messages, marks and the room, in order of rev, complete above ``floor``.

    A later state replaces the earlier one, so a deleted text is no longer kept. A message and its
    marks have an entry each until the message itself changes, whose state includes its marks.
    """

    __slots__ = ("_bytes", "_entries", "floor")

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._entries: OrderedDict[int, EncodedChange] = OrderedDict()
        self._bytes = 0

    def add(self, event: RoomEvent) -> EncodedChange:
        """Add this state, whose rev is the highest so far.

        The key of a message is its seq, that of its marks ``-seq``, that of the room 0.
        """
        key = 0
        if isinstance(event, Message):
            key = event.seq
            self._remove(-key)
        elif isinstance(event, Marks):
            key = -event.seq
        self._remove(key)
        entry = self._entries[key] = EncodedChange(event)
        self._bytes += entry.size_bytes
        while len(self._entries) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.size_bytes
            self.floor = oldest.event.rev
        return entry

    def _remove(self, key: int) -> None:
        if removed := self._entries.pop(key, None):
            self._bytes -= removed.size_bytes

    def after(self, rev: int) -> list[EncodedChange] | None:
        """The changes after ``rev``, in order; None if those kept do not reach back so far."""
        if rev < self.floor:
            return None
        found = []
        for entry in reversed(self._entries.values()):
            if entry.event.rev <= rev:
                break
            found.append(entry)
        found.reverse()
        return found

    def latest(self, head_seq: int, limit: int) -> list[EncodedChange] | None:
        """The latest messages by seq, oldest first, each followed by its newer marks.

        None if some of them are no longer kept.
        """
        found: list[EncodedChange] = []
        for seq in range(max(1, head_seq - limit + 1), head_seq + 1):
            message = self._entries.get(seq)
            if message is None:
                return None
            found.append(message)
            if marks := self._entries.get(-seq):
                found.append(marks)
        return found

    def __iter__(self) -> Iterator[EncodedChange]:
        return iter(self._entries.values())
