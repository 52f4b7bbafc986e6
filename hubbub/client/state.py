"""Replica: what a client knows of its rooms. Pure and synchronous; the socket is elsewhere.

Events, the welcome and replies go in, in whatever order they come; what must be asked for comes
out of `ClientState.next_query`. The web client's twin is ``web/src/data``: `reducer.ts`, `sync.ts`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from hubbub.client.frames import SyncReply
from hubbub.client.room import ClientRoomState
from hubbub.model.accounts import (
    Hello,
    Me,
    MeChanged,
    Mine,
    MyProfile,
    ServerChanged,
    ServerInfo,
    UserChanged,
    Welcome,
)
from hubbub.model.base import Command, Event
from hubbub.model.blocks import BlockChanged
from hubbub.model.bookmarks import BookmarkChanged, DraftChanged
from hubbub.model.marks import Marks
from hubbub.model.messages import Message, Post, Posted, Reset, Sync, Synced
from hubbub.model.reading import Behind, Read, ReadChanged, ReadMarker
from hubbub.model.rooms import (
    Joined,
    Leave,
    MemberChanged,
    MyRoom,
    Removed,
    RoomChanged,
)

KEEP = 500  # messages of each room


class ClientState:
    """My rooms with their latest ``keep`` messages each, and what is mine.

    Of another epoch (a database restored from a copy) nothing is kept.
    """

    def __init__(self, keep: int = KEEP) -> None:
        self.epoch: str | None = None
        self.me: Me | None = None
        self.server: ServerInfo | None = None
        self.rooms: dict[str, ClientRoomState] = {}
        self.my_rev = 0
        self._keep = keep
        self._my_head = 0
        self._asked_mine = False

    def apply(self, event: Event) -> bool:
        """What happened. Whether it is news: what was known already, or is of a room that is not
        ours, changes nothing."""
        how = _ON.get(type(event))
        return True if how is None else how(self, event)

    # What to send

    def hello(self) -> Hello:
        """Begin or resume: what we have."""
        rooms = {room.room: room.have or 0 for room in self.rooms.values()}
        return Hello(epoch=self.epoch, rooms=rooms)

    def next_query(self) -> Sync | MyProfile | None:
        """What to ask for now, None if nothing is missing.

        Its reply goes to `replied`, its refusal to `refused`; until then it is not asked again.
        """
        if self._my_head > self.my_rev and not self._asked_mine:
            self._asked_mine = True
            return MyProfile()
        for room in self.rooms.values():
            if room.needs_sync:
                return room.sync_sent()
        return None

    @property
    def is_settled(self) -> bool:
        """Whether all that was heard of is here."""
        return self._my_head <= self.my_rev and all(room.is_settled for room in self.rooms.values())

    # The connection

    def welcome(self, welcome: Welcome) -> None:
        """A connection stands. What is owed of the rooms follows as events."""
        known = self.rooms if self.epoch == welcome.epoch else {}
        self.epoch, self.me, self.server = welcome.epoch, welcome.me, welcome.server
        self.my_rev = self._my_head = welcome.me.rev
        self._asked_mine = False
        self.rooms = {}
        for mine in welcome.rooms:
            room = known.get(mine.room) or ClientRoomState(mine, self._keep)
            room.welcomed(mine, welcome.me.rev)
            self.rooms[mine.room] = room

    def welcome_over(self) -> None:
        """What a welcome brings has all come: rooms that it left out are synced one by one."""
        for room in self.rooms.values():
            if room.catch_up == "hello":
                room.catch_up = "none"

    def disconnected(self) -> None:
        """The connection is gone, and so is whatever was on its way."""
        self._asked_mine = False
        for room in self.rooms.values():
            room.catch_up = "none"

    # Replies

    def replied(self, command: Command, reply: Any) -> None:
        """The reply to a command of ours, in its order among the events."""
        match reply:
            case SyncReply() if isinstance(command, Sync):
                if room := self.rooms.get(command.room):
                    room.synced(command, reply)
            case Posted() if isinstance(command, Post):
                if room := self.rooms.get(command.room):
                    room.acked = max(room.acked, reply.seq)
            case Joined():
                self._mine(reply.room, self.my_rev)
                self.rooms[reply.room.room].joined(reply)
            case Mine():
                self._all_mine(reply)
            case ReadMarker() if isinstance(command, Read):
                if room := self.rooms.get(command.room):
                    room.on_read(reply, room.my_rev)
            case _ if isinstance(command, Leave) and self._only_looks_in(command.room):
                self.forget(command.room)

    def refused(self, command: Command, *, gone: bool) -> None:
        """A query of `next_query` was refused; ``gone``: there is no such room (for us)."""
        if isinstance(command, MyProfile):
            self._asked_mine = False
        elif isinstance(command, Sync):
            if gone:
                self.forget(command.room)
            elif room := self.rooms.get(command.room):
                room.sync_failed()

    def forget(self, room: str) -> None:
        """We are not in this room any more, nor in its threads."""
        self.rooms.pop(room, None)
        for thread in [one.room for one in self.rooms.values() if one.info.parent == room]:
            self.rooms.pop(thread, None)

    def _only_looks_in(self, room: str) -> bool:
        known = self.rooms.get(room)
        return known is not None and known.info.role is None

    def _all_mine(self, reply: Mine) -> None:
        rev = reply.me.rev
        self.me = reply.me
        listed = {mine.room for mine in reply.rooms}
        for room in list(self.rooms.values()):
            if room.room not in listed and room.info.role is not None and room.my_rev <= rev:
                self.forget(room.room)
        for mine in reply.rooms:
            self._mine(mine, rev)
        self.my_rev = max(self.my_rev, rev)
        self._my_head = max(self._my_head, rev)
        self._asked_mine = False

    def _mine(self, mine: MyRoom, my_rev: int) -> None:
        room = self.rooms.get(mine.room)
        if room is None:
            self.rooms[mine.room] = ClientRoomState(mine, self._keep, my_rev)
        else:
            room.mine(mine, my_rev)

    # Events

    def _in_room(self, event: Any, how: Callable[[ClientRoomState, Any], bool]) -> bool:
        room = self.rooms.get(event.room)
        return room is not None and how(room, event)

    def on_message(self, event: Message) -> bool:
        return self._in_room(event, ClientRoomState.on_message)

    def on_marks(self, event: Marks) -> bool:
        return self._in_room(event, ClientRoomState.on_marks)

    def on_room(self, event: RoomChanged) -> bool:
        return self._in_room(event, ClientRoomState.on_room)

    def on_member(self, event: MemberChanged) -> bool:
        return self._in_room(event, ClientRoomState.on_member)

    def on_reset(self, event: Reset) -> bool:
        room = self.rooms.get(event.room)
        if room is None:
            return False
        room.reset()
        return True

    def on_synced(self, event: Synced) -> bool:
        if room := self.rooms.get(event.room):
            room.caught_up(event.through)
        return False

    def on_behind(self, event: Behind) -> bool:
        # Even the next rev of mine alone was not heard of: only `me` tells what it changed.
        self._my_head = max(self._my_head, event.rev or 0)
        for name, head in event.rooms.items():
            if room := self.rooms.get(name):
                room.on_head(head.seq, head.rev)
        return True

    def on_read(self, event: ReadChanged) -> bool:
        room = self.rooms.get(event.room)
        if event.rev is None:
            return room is not None and room.on_read(event, room.my_rev)
        if event.rev <= self.my_rev:
            return False
        self._heard_mine(event.rev)
        return room is not None and room.on_read(event, event.rev)

    def on_me(self, event: MeChanged) -> bool:
        if event.rev <= self.my_rev:
            return False
        self._heard_mine(event.rev)
        if event.me is not None:
            self.me = event.me
        if event.room is not None:
            self._mine(event.room, event.rev)
        return True

    def on_removed(self, event: Removed) -> bool:
        if event.rev <= self.my_rev:
            return False
        self._heard_mine(event.rev)
        is_news = event.room in self.rooms
        self.forget(event.room)
        return is_news

    def on_kept(self, event: BookmarkChanged | DraftChanged | BlockChanged) -> bool:
        if event.rev <= self.my_rev:
            return False
        self._heard_mine(event.rev)
        return True

    def on_user(self, event: UserChanged) -> bool:
        if self.me and self.me.name == event.user:
            self.me = msgspec.structs.replace(self.me, display_name=event.display_name)
        return True

    def on_server(self, event: ServerChanged) -> bool:
        self.server = event.server
        return True

    def _heard_mine(self, rev: int) -> None:
        """A change of mine; a gap before it is asked for."""
        self._my_head = max(self._my_head, rev)
        if rev == self.my_rev + 1:
            self.my_rev = rev


# What is not here (typing, presence, a notice) changes nothing that is kept.
_ON: dict[type[Event], Callable[[ClientState, Any], bool]] = {
    Message: ClientState.on_message,
    Marks: ClientState.on_marks,
    RoomChanged: ClientState.on_room,
    MemberChanged: ClientState.on_member,
    Reset: ClientState.on_reset,
    Synced: ClientState.on_synced,
    Behind: ClientState.on_behind,
    ReadChanged: ClientState.on_read,
    MeChanged: ClientState.on_me,
    Removed: ClientState.on_removed,
    BookmarkChanged: ClientState.on_kept,
    DraftChanged: ClientState.on_kept,
    BlockChanged: ClientState.on_kept,
    UserChanged: ClientState.on_user,
    ServerChanged: ClientState.on_server,
}
