"""What a client knows of one room, by the rule that every consumer follows. No I/O."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from hubbub.client.frames import SyncReply
from hubbub.model.marks import Marks, marks_in
from hubbub.model.messages import Message, Sync
from hubbub.model.reading import ReadChanged, ReadMarker
from hubbub.model.rooms import Joined, MemberChanged, MyRoom, RoomChanged

AHEAD_MAX = 1_000  # revs noted above a gap; further ones come again with the sync

CatchUp = Literal["none", "hello", "sync"]


class ClientRoomState:
    """One room: its messages from ``start`` to the latest, without a hole once it `is_settled`.

    The rule: ``have`` is contiguous, and each object has a rev of its own. An object applies if
    its rev is newer. ``have`` moves only on ``have + 1``, or to a reply's ``through``. A gap
    needs a sync; at most one is under way. In any order, and any repetition, of live events and
    sync replies this ends in the same state.
    """

    def __init__(self, mine: MyRoom, keep: int, my_rev: int = 0) -> None:
        self.room = mine.room
        self.info = mine
        """Title, topic, role, markers and the like; its numbers are as of when it came."""
        self.have: int | None = 0 if mine.rev == 0 else None
        """All changes up to this rev are here; None: nothing is kept."""
        self.rev = mine.rev
        """The highest rev that was heard of."""
        self.seq = mine.seq
        """The highest number of a message that was heard of."""
        self.start = 0
        """No message before this one is kept."""
        self.catch_up: CatchUp = "none"
        self.my_rev = my_rev
        self.seq_at_welcome = mine.seq
        self.acked = 0
        """The latest post of mine that was acknowledged; its event may still be on its way."""
        self._keep = keep
        self._messages: dict[int, Message] = {}
        self._ahead: set[int] = set()
        # Marks of messages that may still come: seq → the newest.
        self._early_marks: dict[int, Marks] = {}
        self._title_rev = mine.rev
        self._asked: Sync | None = None
        # The highest rev told since the sync under way was sent.
        self._heard = 0

    @property
    def messages(self) -> list[Message]:
        """The kept messages in their present state, by rising seq; deleted ones as tombstones."""
        return [self._messages[seq] for seq in sorted(self._messages)]

    @property
    def is_settled(self) -> bool:
        """Whether all that was heard of is here."""
        return self.catch_up == "none" and self.have is not None and self.have >= self.rev

    @property
    def needs_sync(self) -> bool:
        """Whether changes are missing that nobody has asked for."""
        return self.catch_up == "none" and (self.have is None or self.have < self.rev)

    def after(self, seq: int, limit: int) -> list[Message]:
        """The kept messages right after ``seq`` without a hole, at most ``limit``."""
        found: list[Message] = []
        while len(found) < limit and (message := self._messages.get(seq + 1)):
            found.append(message)
            seq += 1
        return found

    # Events; each tells whether it was news.

    def on_message(self, message: Message) -> bool:
        self._heads(message.seq, message.rev)
        is_news = self._place(message)
        self._reach(message.rev)
        return is_news

    def on_marks(self, event: Marks) -> bool:
        self._heads(0, event.rev)
        is_news = self._mark(event)
        self._reach(event.rev)
        return is_news

    def _mark(self, marks: Marks) -> bool:
        known = self._messages.get(marks.seq)
        if known is None:
            self._wait_for_message(marks)
            return False
        # A message brings along all that was added to it before its own last change.
        if marks.rev <= max(known.rev, known.marks_rev):
            return False
        self._messages[marks.seq] = _marked(known, marks)
        return True

    def _wait_for_message(self, marks: Marks) -> None:
        """Below a hole the message may still come, as it was before; else it is not kept here."""
        waiting = self._early_marks.get(marks.seq)
        is_newer = waiting is None or waiting.rev < marks.rev
        is_early = self.have is None or marks.rev > self.have + 1
        if is_early and is_newer and len(self._early_marks) < AHEAD_MAX:
            self._early_marks[marks.seq] = marks

    def on_room(self, event: RoomChanged) -> bool:
        self._heads(0, event.rev)
        is_news = event.rev > self._title_rev
        if is_news:
            self._title_rev = event.rev
            self.info = msgspec.structs.replace(
                self.info, title=event.title, topic=event.topic, archived=event.archived
            )
        self._reach(event.rev)
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
        """The room has come so far, wherever we are."""
        is_news = rev > self.rev
        self._heads(seq, rev)
        return is_news

    def reset(self) -> None:
        """Nothing that is kept of the room is true any more."""
        self._messages.clear()
        self._ahead.clear()
        self._early_marks.clear()
        self.have = None
        self.start = 0

    # Replies

    def welcomed(self, mine: MyRoom, my_rev: int) -> None:
        """A connection stands. Heads are the server's, whatever was heard before."""
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

    def mine(self, mine: MyRoom, my_rev: int) -> None:
        """My side of the room, whole, as of my rev."""
        self._heads(mine.seq, mine.rev)
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

    def joined(self, reply: Joined) -> None:
        """The room with its latest messages, as of one moment."""
        # An empty page of a room that has messages (one found, not joined) says nothing of them.
        is_page = bool(reply.messages) or reply.room.seq == 0
        if self.have is None and self.catch_up == "none" and is_page:
            for message in reply.messages:
                self._place(message)
            self._reach_through(reply.room.rev)

    def sync_sent(self) -> Sync:
        """The sync to ask for now; what becomes of it is told by `synced` or `sync_failed`."""
        self.catch_up = "sync"
        self._heard = 0
        self._asked = Sync(room=self.room, after=self.have or 0)
        return self._asked

    def sync_failed(self) -> None:
        if self.catch_up == "sync":
            self.catch_up = "none"

    def synced(self, asked: Sync, reply: SyncReply) -> None:
        """All events that a sync brings have come before its reply."""
        if reply.more:
            # Also when nobody has told us of it: an edited message may be the hole in between.
            self._heads(0, reply.through + 1)
        if reply.reset or asked.after <= (self.have or 0):
            self._reach_through(reply.through)
        if asked is not self._asked or self.catch_up != "sync":
            return
        self.catch_up = "none"
        self._asked = None
        if not reply.more:
            # It answers for all that was told before it was sent, even if that was more than
            # there is; else we would ask forever.
            self._lower_head(max(reply.through, self._heard))

    def caught_up(self, through: int) -> None:
        """After a welcome: all changes of the room up to ``through`` have come."""
        self.catch_up = "none"
        self._reach_through(through)

    # The rule

    def _heads(self, seq: int, rev: int) -> None:
        self.seq = max(self.seq, seq)
        self.rev = max(self.rev, rev)
        self._heard = max(self._heard, rev)

    def _place(self, message: Message) -> bool:
        if message.seq < self.start:
            is_known = self.have is not None and message.rev <= self.have
            return not is_known and message.rev not in self._ahead
        known = self._messages.get(message.seq)
        if known and known.rev >= message.rev:
            if message.marks_rev > known.marks_rev:
                self._messages[message.seq] = _marked(known, message)
            return False
        if known and known.marks_rev > message.marks_rev:
            message = _marked(message, known)
        self._messages[message.seq] = message
        if early := self._early_marks.pop(message.seq, None):
            self._mark(early)
        if len(self._messages) > self._keep + self._keep // 8:
            self._keep_only(sorted(self._messages)[-self._keep :])
        return True

    def _keep_only(self, seqs: Iterable[int]) -> None:
        """Let go of all messages but these; ``seqs`` rise and reach up to the latest."""
        self._messages = {seq: self._messages[seq] for seq in seqs}
        self.start = next(iter(self._messages), self.start)

    def _reach(self, rev: int) -> None:
        """The change with this rev has been applied."""
        if self.have is not None and rev <= self.have:
            return
        if self.have is not None and rev == self.have + 1:
            self._advance(rev)
        elif len(self._ahead) < AHEAD_MAX:
            self._ahead.add(rev)

    def _advance(self, rev: int) -> None:
        """``have`` moves to ``rev``, and on over everything above that was applied already."""
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

    def _reach_through(self, through: int) -> None:
        """Everything up to ``through`` has been sent."""
        self._advance(max(through, self.have or 0))
        self.rev = max(self.rev, through)
        if self.have is not None and self.have >= self.rev:
            self._settle()

    def _settle(self) -> None:
        """All is here: what stands below a hole is from before a page that began anew."""
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
            self._settle()


def _marked(message: Message, marks: Marks | Message) -> Message:
    """The message with these marks."""
    marks_rev = marks.rev if isinstance(marks, Marks) else marks.marks_rev
    return msgspec.structs.replace(message, marks_rev=marks_rev, **marks_in(marks))
