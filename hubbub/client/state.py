"""ClientState: what a client knows of its rooms. It is synchronous and does no I/O.

Events, the welcome and replies are applied in any order; `ClientState.next_query` returns what
must be requested. The web client has the same in ``web/src/data``: `reducer.ts`, `sync.ts`.
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
from hubbub.model.bookmarks import BookmarkChanged
from hubbub.model.drafts import DraftChanged
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
    """My rooms with the latest ``keep`` messages of each, my profile and the server's information.

    All is dropped when the epoch changes (a database restored from a copy).
    """

    def __init__(self, keep: int = KEEP) -> None:
        self.epoch: str | None = None
        self.me: Me | None = None
        self.server: ServerInfo | None = None
        self.rooms: dict[str, ClientRoomState] = {}
        self.my_rev = 0
        self._keep = keep
        self._my_head = 0
        self._is_asking_profile = False

    def apply(self, event: Event) -> bool:
        """Apply an event; return whether it was news. Known events, and those of rooms that are
        not mine, change nothing."""
        handler = _HANDLERS.get(type(event))
        return True if handler is None else handler(self, event)

    # What to send

    def hello(self) -> Hello:
        """The hello that begins or resumes, with the revs that are known."""
        rooms = {room.room: room.have or 0 for room in self.rooms.values()}
        return Hello(epoch=self.epoch, rooms=rooms)

    def next_query(self) -> Sync | MyProfile | None:
        """The next request to send, None if nothing is missing.

        It is not returned again until its reply is passed to `on_reply` or `on_refused`.
        """
        if self._my_head > self.my_rev and not self._is_asking_profile:
            self._is_asking_profile = True
            return MyProfile()
        for room in self.rooms.values():
            if room.needs_sync:
                return room.start_sync()
        return None

    @property
    def is_settled(self) -> bool:
        """Whether no known change is missing."""
        return self._my_head <= self.my_rev and all(room.is_settled for room in self.rooms.values())

    # The connection

    def on_welcome(self, welcome: Welcome) -> None:
        """A connection has begun. Missed changes of the rooms follow as events."""
        known = self.rooms if self.epoch == welcome.epoch else {}
        self.epoch, self.me, self.server = welcome.epoch, welcome.me, welcome.server
        self.my_rev = self._my_head = welcome.me.rev
        self._is_asking_profile = False
        self.rooms = {}
        for mine in welcome.rooms:
            room = known.get(mine.room) or ClientRoomState(mine, self._keep)
            room.on_welcome(mine, welcome.me.rev)
            self.rooms[mine.room] = room

    def on_welcome_complete(self) -> None:
        """All events of the welcome have come; rooms that it left out are synced one by one."""
        for room in self.rooms.values():
            if room.catch_up == "hello":
                room.catch_up = "none"

    def on_disconnected(self) -> None:
        """The connection has ended, so pending requests get no reply."""
        self._is_asking_profile = False
        for room in self.rooms.values():
            room.catch_up = "none"

    # Replies

    def on_reply(self, command: Command, reply: Any) -> None:
        """Apply the reply to a command, in its order among the events."""
        match reply:
            case SyncReply() if isinstance(command, Sync):
                if room := self.rooms.get(command.room):
                    room.on_synced(command, reply)
            case Posted() if isinstance(command, Post):
                if room := self.rooms.get(command.room):
                    room.acked = max(room.acked, reply.seq)
            case Joined():
                self._update_room(reply.room, self.my_rev)
                self.rooms[reply.room.room].on_joined(reply)
            case Mine():
                self._update_all_rooms(reply)
            case ReadMarker() if isinstance(command, Read):
                if room := self.rooms.get(command.room):
                    room.on_read(reply, room.my_rev)
            case _ if isinstance(command, Leave) and self._is_guest_in(command.room):
                self.remove_room(command.room)

    def on_refused(self, command: Command, *, gone: bool) -> None:
        """A request from `next_query` was refused; ``gone``: the room does not exist for me."""
        if isinstance(command, MyProfile):
            self._is_asking_profile = False
        elif isinstance(command, Sync):
            if gone:
                self.remove_room(command.room)
            elif room := self.rooms.get(command.room):
                room.on_sync_failed()

    def remove_room(self, room: str) -> None:
        """Remove a room that I have left, with its threads."""
        self.rooms.pop(room, None)
        for thread in [one.room for one in self.rooms.values() if one.info.parent == room]:
            self.rooms.pop(thread, None)

    def _is_guest_in(self, room: str) -> bool:
        known = self.rooms.get(room)
        return known is not None and known.info.role is None

    def _update_all_rooms(self, reply: Mine) -> None:
        rev = reply.me.rev
        self.me = reply.me
        listed = {mine.room for mine in reply.rooms}
        for room in list(self.rooms.values()):
            if room.room not in listed and room.info.role is not None and room.my_rev <= rev:
                self.remove_room(room.room)
        for mine in reply.rooms:
            self._update_room(mine, rev)
        self.my_rev = max(self.my_rev, rev)
        self._my_head = max(self._my_head, rev)
        self._is_asking_profile = False

    def _update_room(self, mine: MyRoom, my_rev: int) -> None:
        room = self.rooms.get(mine.room)
        if room is None:
            self.rooms[mine.room] = ClientRoomState(mine, self._keep, my_rev)
        else:
            room.on_my_room(mine, my_rev)

    # Events

    def _in_room(self, event: Any, handler: Callable[[ClientRoomState, Any], bool]) -> bool:
        room = self.rooms.get(event.room)
        return room is not None and handler(room, event)

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
            room.on_caught_up(event.through)
        return False

    def on_behind(self, event: Behind) -> bool:
        # The event does not say what my rev changed, so my profile must be requested.
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
        self._on_my_rev(event.rev)
        return room is not None and room.on_read(event, event.rev)

    def on_me(self, event: MeChanged) -> bool:
        if event.rev <= self.my_rev:
            return False
        self._on_my_rev(event.rev)
        if event.me is not None:
            self.me = event.me
        if event.room is not None:
            self._update_room(event.room, event.rev)
        return True

    def on_removed(self, event: Removed) -> bool:
        if event.rev <= self.my_rev:
            return False
        self._on_my_rev(event.rev)
        is_news = event.room in self.rooms
        self.remove_room(event.room)
        return is_news

    def on_list_changed(self, event: BookmarkChanged | DraftChanged | BlockChanged) -> bool:
        if event.rev <= self.my_rev:
            return False
        self._on_my_rev(event.rev)
        return True

    def on_user(self, event: UserChanged) -> bool:
        if self.me and self.me.name == event.user:
            self.me = msgspec.structs.replace(self.me, display_name=event.display_name)
        return True

    def on_server(self, event: ServerChanged) -> bool:
        self.server = event.server
        return True

    def _on_my_rev(self, rev: int) -> None:
        """Note a rev of mine; if revs before it are missing, my profile is requested."""
        self._my_head = max(self._my_head, rev)
        if rev == self.my_rev + 1:
            self.my_rev = rev


# Other events (typing, presence, notices) change no state.
_HANDLERS: dict[type[Event], Callable[[ClientState, Any], bool]] = {
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
    BookmarkChanged: ClientState.on_list_changed,
    DraftChanged: ClientState.on_list_changed,
    BlockChanged: ClientState.on_list_changed,
    UserChanged: ClientState.on_user,
    ServerChanged: ClientState.on_server,
}
