"""A minimal model of the server for tests of the sync rule: rooms, snapshots and syncs.

It answers like the real one, but uses `reset` and `more` for fewer changes.
"""

from dataclasses import dataclass, field

import msgspec

from hubbub.client import SyncReply
from hubbub.model.accounts import Hello, Limits, Me, ServerInfo, Welcome
from hubbub.model.base import Event
from hubbub.model.events import RoomEvent
from hubbub.model.marks import Marks, marks_of
from hubbub.model.messages import Message, Reaction, Reset, Sync, Synced
from hubbub.model.policy import RoomKind, RoomRole, ServerRole
from hubbub.model.reading import Behind, RoomHead
from hubbub.model.rooms import MyRoom, RoomChanged

PAGE = 2
CHANGES_MAX = 5
REPLY_MAX = 2  # changes in one reply, then `more`

INFO = ServerInfo(
    name="Hubbub",
    version="0",
    registration="open",
    guests=True,
    needs_owner=False,
    limits=Limits(text=16_000, frame_bytes=262_144, page=200),
)


@dataclass
class Room:
    room: str
    seq: int = 0
    rev: int = 0
    title: str = "A room"
    title_rev: int = 0
    messages: dict[int, Message] = field(default_factory=dict)

    def mine(self) -> MyRoom:
        return MyRoom(
            room=self.room,
            kind=RoomKind.PUBLIC,
            title=self.title,
            seq=self.seq,
            rev=self.rev,
            role=RoomRole.MEMBER,
        )

    def events(self) -> list[RoomEvent]:
        """All objects in their current state, by rising rev."""
        found: list[RoomEvent] = list(self.messages.values())
        found += [marks_event(one) for one in self.messages.values() if one.marks_rev > one.rev]
        if self.title_rev:
            found.append(RoomChanged(room=self.room, rev=self.title_rev, title=self.title))
        return sorted(found, key=lambda event: event.rev)

    def latest(self) -> list[Event]:
        page = [self.messages[seq] for seq in range(max(1, self.seq - PAGE + 1), self.seq + 1)]
        return [Reset(room=self.room), *page]


def marks_event(message: Message) -> Marks:
    return Marks(
        room=message.room,
        seq=message.seq,
        rev=message.marks_rev,
        **marks_of(message),
    )


@dataclass
class ModelServer:
    rooms: dict[str, Room]
    epoch: str = "1"

    def change(self, name: str, seq: int, **fields: object) -> Message:
        """Change a message, and return its new state."""
        room = self.rooms[name]
        room.rev += 1
        message = msgspec.structs.replace(room.messages[seq], rev=room.rev, **fields)
        room.messages[seq] = message
        return message

    def mark(self, name: str, seq: int, *names: str) -> Marks:
        """Set a message's only reaction, by these people, and as many replies in its thread."""
        room = self.rooms[name]
        room.rev += 1
        reactions = (Reaction("👍", len(names), names),) if names else ()
        marked = msgspec.structs.replace(
            room.messages[seq], marks_rev=room.rev, reactions=reactions, replies=len(names)
        )
        room.messages[seq] = marked
        return marks_event(marked)

    def delete(self, name: str, seq: int) -> Message:
        """Delete a message; its tombstone keeps the number of replies and no other marks."""
        gone = self.change(name, seq, text="", deleted=True)
        if not gone.reactions:
            return gone
        bare = msgspec.structs.replace(gone, reactions=(), marks_rev=gone.rev)
        self.rooms[name].messages[seq] = bare
        return bare

    def post(self, name: str, by: str, text: str, nonce: str) -> tuple[Message, bool]:
        """Post a message; return it and whether it is new, as a retry finds the first one."""
        room = self.rooms[name]
        for known in room.messages.values():
            if known.by == by and known.nonce == nonce:
                return known, False
        room.seq += 1
        room.rev += 1
        message = Message(
            room=name, seq=room.seq, rev=room.rev, by=by, at=0, text=text, nonce=nonce
        )
        room.messages[room.seq] = message
        return message, True

    def rename(self, name: str, title: str) -> RoomChanged:
        room = self.rooms[name]
        room.rev += 1
        room.title, room.title_rev = title, room.rev
        return RoomChanged(room=name, rev=room.rev, title=title)

    def sync(self, asked: Sync) -> tuple[list[Event], SyncReply]:
        """The events and the reply of a sync at this moment."""
        room = self.rooms[asked.room]
        changes = [event for event in room.events() if event.rev > asked.after]
        knows_nothing = asked.after == 0 and room.rev > PAGE
        if knows_nothing or asked.after > room.rev or len(changes) > CHANGES_MAX:
            titled = [event for event in room.events() if isinstance(event, RoomChanged)]
            return [*room.latest(), *titled], SyncReply(through=room.rev, reset=True)
        sent: list[Event] = list(changes[:REPLY_MAX])
        more = len(changes) > REPLY_MAX
        through = changes[REPLY_MAX - 1].rev if more else room.rev
        return sent, SyncReply(through=through, more=more)

    def hello(self, hello: Hello, caught_up: set[str]) -> tuple[Welcome, list[Event]]:
        """The welcome, and the changes of the rooms in ``caught_up``; the others get only heads."""
        known = hello.rooms if hello.epoch == self.epoch else {}
        events: list[Event] = []
        for room in self.rooms.values():
            have = known.get(room.room)
            if room.room not in caught_up or have == room.rev:
                continue
            changes = [event for event in room.events() if event.rev > (have or 0)]
            is_known = have is not None and have <= room.rev and len(changes) <= CHANGES_MAX
            events += changes if is_known else room.latest()
            events.append(Synced(room=room.room, through=room.rev))
        welcome = Welcome(
            epoch=self.epoch,
            me=Me(name="ana", display_name="Ana", role=ServerRole.MEMBER),
            server=INFO,
            rooms=[room.mine() for room in self.rooms.values()],
            gone=[],
            presence={},
        )
        return welcome, events

    def behind(self) -> Behind:
        return Behind(
            rooms={room.room: RoomHead(seq=room.seq, rev=room.rev) for room in self.rooms.values()}
        )
