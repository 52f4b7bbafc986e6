"""The client's state of one room, by the sync rule that every client follows. No I/O."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from hubbub.client.frames import SyncReply
from hubbub.model.marks import Marks, marks_of
from hubbub.model.messages import Message, Sync
from hubbub.model.reading import ReadChanged, ReadMarker
from hubbub.model.rooms import Joined, MemberChanged, MyRoom, RoomChanged

AHEAD_MAX = 1_000  # revs remembered above a gap; the sync brings further ones again

CatchUp = Literal["none", "hello", "sync"]


class ClientRoomState:
    """One room: its messages from ``start`` to the latest, without a gap once it `is_settled`.

    The rule: ``have`` is contiguous, and each object has its own rev. An object is applied if
    its rev is newer. ``have`` advances only to ``have + 1``, or to a reply's ``through``. A gap
    needs a sync; at most one is pending. Live events and sync replies, in any order and repeated
    any number of times, lead to the same state.
    """

    def __init__(self, mine: MyRoom, keep: int, my_rev: int = 0) -> None:
        self.room = mine.room
        self.info = mine
        """Title, topic, role, markers and so on; its numbers are of the moment it was received."""
        self.have: int | None = 0 if mine.rev == 0 else None
        """All changes up to this rev are applied; None: nothing is kept."""
        self.rev = mine.rev
        """The highest known rev."""
        self.seq = mine.seq
        """The highest known seq of a message."""
        self.start = 0
        """The seq of the first kept message."""
        self.catch_up: CatchUp = "none"
        self.my_rev = my_rev
        self.seq_at_welcome = mine.seq
        self.acked = 0
        """The seq of my latest acknowledged post, whose event may still be on its way."""
        self._keep = keep
        self._messages: dict[int, Message] = {}
        self._ahead: set[int] = set()
        # The newest marks, by seq, of messages that may still come.
        self._early_marks: dict[int, Marks] = {}
        self._title_rev = mine.rev
        self._asked: Sync | None = None
        # The highest rev announced since the pending sync was sent.
        self._highest_since_sync = 0

    @property
    def messages(self) -> list[Message]:
        """The kept messages in their current state, in order of seq; deleted ones as tombstones."""
        return [self._messages[seq] for seq in sorted(self._messages)]

    @property
    def is_settled(self) -> bool:
        """Whether no known change is missing."""
        return self.catch_up == "none" and self.have is not None and self.have >= self.rev

    @property
    def needs_sync(self) -> bool:
        """Whether changes are missing and have not been requested."""
        return self.catch_up == "none" and (self.have is None or self.have < self.rev)

    def after(self, seq: int, limit: int) -> list[Message]:
        """The kept messages right after ``seq`` up to the first gap, at most ``limit``."""
        found: list[Message] = []
        while len(found) < limit and (message := self._messages.get(seq + 1)):
            found.append(message)
            seq += 1
        return found

    # Events; each method returns whether the event was news.

    def on_message(self, message: Message) -> bool:
        self._raise_heads(message.seq, message.rev)
        is_news = self._apply_message(message)
        self._on_applied(message.rev)
        return is_news

    def on_marks(self, event: Marks) -> bool:
        self._raise_heads(0, event.rev)
        is_news = self._apply_marks(event)
        self._on_applied(event.rev)
        return is_news

    def _apply_marks(self, marks: Marks) -> bool:
        known = self._messages.get(marks.seq)
        if known is None:
            self._keep_early_marks(marks)
            return False
        # A message includes all marks from before its own last change.
        if marks.rev <= max(known.rev, known.marks_rev):
            return False
        self._messages[marks.seq] = _with_marks(known, marks)
        return True

    def _keep_early_marks(self, marks: Marks) -> None:
        """Keep marks above a gap, as an older state of their message may still come."""
        waiting = self._early_marks.get(marks.seq)
        is_newer = waiting is None or waiting.rev < marks.rev
        is_early = self.have is None or marks.rev > self.have + 1
        if is_early and is_newer and len(self._early_marks) < AHEAD_MAX:
            self._early_marks[marks.seq] = marks

    def on_room(self, event: RoomChanged) -> bool:
        self._raise_heads(0, event.rev)
        is_news = event.rev > self._title_rev
        if is_news:
            self._title_rev = event.rev
            self.info = msgspec.structs.replace(
                self.info, title=event.title, topic=event.topic, archived=event.archived
            )
        self._on_applied(event.rev)
        return is_news

    def on_member(self, event: MemberChanged) -> bool:
        if event.mrev <= self.info.mrev:
            return False
        self.info = msgspec.structs.replace(self.info, mrev=event.mrev, members=event.members)
        return True

    def on_read(self, event: ReadChanged | ReadMarker, my_rev: int) -> bool:
        if my_rev < self.my_rev:
            return False
        self.my_rev = my_rev
        self.info = msgspec.structs.replace(
            self.info, read_seq=event.read_seq, mentions=event.mentions
        )
        return True

    def on_head(self, seq: int, rev: int) -> bool:
        """The server announced these heads of the room."""
        is_news = rev > self.rev
        self._raise_heads(seq, rev)
        return is_news

    def reset(self) -> None:
        """Drop everything that is kept of the room."""
        self._messages.clear()
        self._ahead.clear()
        self._early_marks.clear()
        self.have = None
        self.start = 0

    # Replies

    def on_welcome(self, mine: MyRoom, my_rev: int) -> None:
        """A connection has begun. Its heads replace those that were known before."""
        self.info = mine
        self.my_rev = my_rev
        self._title_rev = mine.rev
        self.seq = self.seq_at_welcome = mine.seq
        self.acked = 0
        self.rev = mine.rev
        self._ahead.clear()
        self._early_marks.clear()
        if self.have is not None and self.have > mine.rev:
            self.reset()
        if mine.rev == 0:
            self.have = 0
        self.catch_up = "none" if self.have == mine.rev else "hello"

    def on_my_room(self, mine: MyRoom, my_rev: int) -> None:
        """Apply my complete view of the room, as of my rev."""
        self._raise_heads(mine.seq, mine.rev)
        if my_rev < self.my_rev:
            return
        known, self.my_rev = self.info, my_rev
        self.info = mine
        if mine.rev < self._title_rev:
            self.info = msgspec.structs.replace(
                self.info, title=known.title, topic=known.topic, archived=known.archived
            )
        else:
            self._title_rev = mine.rev
        if mine.mrev < known.mrev:
            self.info = msgspec.structs.replace(self.info, mrev=known.mrev, members=known.members)

    def on_joined(self, reply: Joined) -> None:
        """Apply the room and its latest messages, which are from the same snapshot."""
        # A room that is not joined may come with an empty page, which is not its latest one.
        is_page = bool(reply.messages) or reply.room.seq == 0
        if self.have is None and self.catch_up == "none" and is_page:
            for message in reply.messages:
                self._apply_message(message)
            self._advance_through(reply.room.rev)

    def start_sync(self) -> Sync:
        """Begin a sync, and return its request; `on_synced` or `on_sync_failed` ends it."""
        self.catch_up = "sync"
        self._highest_since_sync = 0
        self._asked = Sync(room=self.room, after=self.have or 0)
        return self._asked

    def on_sync_failed(self) -> None:
        if self.catch_up == "sync":
            self.catch_up = "none"

    def on_synced(self, asked: Sync, reply: SyncReply) -> None:
        """A sync's reply has come, after all its events."""
        if reply.more:
            # There is more even if no event announced it: an edited message may fill the gap.
            self._raise_heads(0, reply.through + 1)
        if reply.reset or asked.after <= (self.have or 0):
            self._advance_through(reply.through)
        if asked is not self._asked or self.catch_up != "sync":
            return
        self.catch_up = "none"
        self._asked = None
        if not reply.more:
            # The reply covers all revs announced before the request, even if some do not exist;
            # otherwise they would be requested forever.
            self._lower_head(max(reply.through, self._highest_since_sync))

    def on_caught_up(self, through: int) -> None:
        """After a welcome, all changes of the room up to ``through`` have come."""
        self.catch_up = "none"
        self._advance_through(through)

    # The rule

    def _raise_heads(self, seq: int, rev: int) -> None:
        self.seq = max(self.seq, seq)
        self.rev = max(self.rev, rev)
        self._highest_since_sync = max(self._highest_since_sync, rev)

    def _apply_message(self, message: Message) -> bool:
        if message.seq < self.start:
            is_known = self.have is not None and message.rev <= self.have
            return not is_known and message.rev not in self._ahead
        known = self._messages.get(message.seq)
        if known and known.rev >= message.rev:
            if message.marks_rev > known.marks_rev:
                self._messages[message.seq] = _with_marks(known, message)
            return False
        if known and known.marks_rev > message.marks_rev:
            message = _with_marks(message, known)
        self._messages[message.seq] = message
        if early := self._early_marks.pop(message.seq, None):
            self._apply_marks(early)
        if len(self._messages) > self._keep + self._keep // 8:
            self._keep_only(sorted(self._messages)[-self._keep :])
        return True

    def _keep_only(self, seqs: Iterable[int]) -> None:
        """Drop all messages but these; ``seqs`` are in ascending order and include the latest."""
        self._messages = {seq: self._messages[seq] for seq in seqs}
        self.start = next(iter(self._messages), self.start)

    def _on_applied(self, rev: int) -> None:
        """The change with this rev has been applied."""
        if self.have is not None and rev <= self.have:
            return
        if self.have is not None and rev == self.have + 1:
            self._advance(rev)
        elif len(self._ahead) < AHEAD_MAX:
            self._ahead.add(rev)

    def _advance(self, rev: int) -> None:
        """Advance ``have`` to ``rev`` and over revs above it that are already applied."""
        have = rev
        while have + 1 in self._ahead:
            have += 1
        if self._ahead:
            self._ahead = {ahead for ahead in self._ahead if ahead > have}
        if self._early_marks:
            self._early_marks = {
                seq: marks for seq, marks in self._early_marks.items() if marks.rev > have
            }
        self.have = have

    def _advance_through(self, through: int) -> None:
        """All changes up to ``through`` have come."""
        self._advance(max(through, self.have or 0))
        self.rev = max(self.rev, through)
        if self.have is not None and self.have >= self.rev:
            self._drop_below_gap()

    def _drop_below_gap(self) -> None:
        """Drop messages below a gap: as no change is missing, they precede the latest page."""
        first = self.seq + 1
        while first - 1 in self._messages:
            first -= 1
        self._keep_only(range(first, self.seq + 1))
        self.start = max(self.start, first)

    def _lower_head(self, rev: int) -> None:
        if rev >= self.rev:
            return
        self.rev = rev
        self.seq = max(self._messages, default=0)
        if self.have is not None and self.have >= rev:
            self._drop_below_gap()


def _with_marks(message: Message, marks: Marks | Message) -> Message:
    """The message with these marks."""
    marks_rev = marks.rev if isinstance(marks, Marks) else marks.marks_rev
    return msgspec.structs.replace(message, marks_rev=marks_rev, **marks_of(marks))
