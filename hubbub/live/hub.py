"""The hub: manages rooms and broadcasting.

Who is where, and who is told what. In which order a room's events are shown is `order`'s, and when
they are written `delivery_queue`'s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from typing import assert_never

import structlog

from hubbub.live.backpressure import Backpressure
from hubbub.live.client import Client
from hubbub.live.delivery_queue import DeliveryQueue
from hubbub.live.presence import PresenceTracker
from hubbub.live.resume_guard import PendingResume, ResumeGuard
from hubbub.live.room import Room
from hubbub.live.sequencer import Sequencer
from hubbub.model.base import Event
from hubbub.model.errors import Busy, HubbubError, NotFound, SignInRequired, Unavailable
from hubbub.model.events import PersonEvent
from hubbub.model.outcome import (
    AccountChanged,
    Effect,
    MembershipChanged,
    RoomGone,
    RoomSnapshot,
    SessionsEnded,
    SettingsChanged,
    ToPerson,
    ToRoom,
    ToRooms,
)
from hubbub.model.reading import Behind, Notice, RoomHead
from hubbub.model.rooms import Joined, MemberChanged, Removed
from hubbub.wire import json, text
from hubbub.wire.frames import CLOSE_SIGN_IN_AGAIN, CLOSE_TOO_SLOW, text_frame

COUNTS_EVERY_S = 1.0  # large rooms' members and presence
EMPTY_ROOMS_MAX = 500  # rings kept of rooms in which nobody is any more
LOOKS_MAX = 20  # at what somebody may hear, while it keeps changing


log = structlog.get_logger()


class HubMetrics:
    """What the hub counts, for `/metrics`."""

    def __init__(self) -> None:
        self.events = 0
        self.healed = 0


class Hub:
    """Rooms with somebody present, and everyone who is connected."""

    def __init__(
        self,
        read: Callable[[str, int | None], Awaitable[RoomSnapshot]],
        *,
        clock: Callable[[], float],
    ) -> None:
        self.clock = clock
        self._loop: asyncio.AbstractEventLoop
        self.rooms: dict[str, Room] = {}
        self.clients: set[Client] = set()
        # Person → their clients.
        self.people: dict[str, set[Client]] = {}
        self.queue = DeliveryQueue()
        self.presence = PresenceTracker(self)
        self.backpressure = Backpressure(self)
        self.sequencer = Sequencer(self, read)
        self.metrics = HubMetrics()
        self._counts_due: dict[str, MemberChanged] = {}
        self._empty: dict[str, Room] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.resume_guard = ResumeGuard()
        self._bringing: set[asyncio.Task[None]] = set()
        # Person and room → the mrev at which they were put out, ahead of their turn.
        self._put_out_at: dict[tuple[str, str], int] = {}
        # Person → the rev of their own that was last told to those of their clients here.
        self.people_revs: dict[str, int] = {}
        # Where there are other nodes, a bus listens for the rooms and people that are here.
        self.on_room: Callable[[str, bool], None] = lambda room, is_here: None
        self.on_person: Callable[[str, bool], None] = lambda person, is_here: None
        # Whoever must hear that what is remembered of a person's account is no longer true.
        self.on_account_changed: Callable[[str], None] = lambda user: None
        self.on_settings_changed: Callable[[SettingsChanged], None] = lambda told: None
        self.on_sessions_ended: Callable[[tuple[str, ...]], None] = lambda sessions: None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            self._loop.create_task(self.backpressure.look_after_all()),
            self._loop.create_task(self._count()),
        ]

    async def stop(self) -> None:
        fills = [room.filling for room in self.rooms.values() if room.filling]
        tasks = [*self._tasks, *self._bringing, *fills]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.queue.stop()

    # Coming and going

    def connect(self, client: Client) -> None:
        """A connection whose person is known."""
        self.clients.add(client)
        theirs = self.people.setdefault(client.key, set())
        if not theirs and not client.actor.is_guest:  # who has nothing of their own
            self.on_person(client.key, True)
        theirs.add(client)
        self.presence.connected(client)

    def disconnect(self, client: Client) -> None:
        client.flush()
        client.closing = True
        self.presence.leaving(client)
        for room in list(client.rooms.values()):
            self.detach(client, room)
        self.clients.discard(client)
        self.presence.disconnected(client)
        self.backpressure.forget(client)
        theirs = self.people.get(client.key, set())
        theirs.discard(client)
        if not theirs and self.people.pop(client.key, None) is not None:
            self.people_revs.pop(client.key, None)
            if not client.actor.is_guest:
                self.on_person(client.key, False)

    async def room(self, room_id: str) -> Room:
        """The room with its ring filled. Raises NotFound if it is gone, or Unavailable."""
        room = self.rooms.get(room_id)
        if room is None:
            room = self.rooms[room_id] = Room(room_id)
            self.on_room(room_id, True)
        self._empty.pop(room_id, None)
        while room.recent_changes is None:
            await self.sequencer.filled(room)
        return room

    async def enter(
        self, client: Client, room_id: str, ask: Callable[[], Awaitable[Joined]]
    ) -> Joined:
        """Attach a client to a room once the database has said, by ``ask``, that it may hear it.

        What is taken from its person meanwhile is noticed, and then it is asked once more: nobody
        hears anything in the time between. Raises what ``ask`` raises, or Busy.
        """
        for _ in range(LOOKS_MAX):
            with self.look(client.key) as pending:
                joined = await ask()
                room = await self.room(room_id)
            if not client.closing and self.still_holds(pending, room):
                self.attach(client, room)
                return joined
            if room.is_empty and self.rooms.get(room_id) is room:
                self._forget_one(room)
            if client.closing:
                raise SignInRequired("This connection has ended. Come back.")
        raise Busy()

    def look(self, key: str) -> AbstractContextManager[PendingResume]:
        """While the database is asked for a person, notice what is taken from them."""
        return self.resume_guard.of(key, self.sequencer.fills)

    def still_holds(self, pending: PendingResume, room: Room) -> bool:
        """Whether a person may be attached to a room as the database said they might.

        Where there are other nodes the room must have been filled before the database was asked.
        What it was filled with may else come after a removal that has not been heard of here.
        """
        return (
            pending.lost.isdisjoint((room.id, room.parent or room.id))
            and self.rooms.get(room.id) is room
            and (self.sequencer.know_members is None or room.fill <= pending.fills)
        )

    def attach(self, client: Client, room: Room) -> None:
        """From now on the client gets what happens in this room."""
        self.queue.settle(room)
        if room.attach(client):
            self.presence.arrived(client, room)

    def detach(self, client: Client, room: Room) -> None:
        client.flush()
        if room.detach(client):
            self.presence.left(client, room)
        if room.is_empty and room.id in self.rooms:
            self._forget_one(room)

    def _forget_one(self, room: Room) -> None:
        """Keep the rings of the rooms that were left last, and drop the oldest of those."""
        self._empty[room.id] = room
        self.forget_empty(EMPTY_ROOMS_MAX)

    def drop(self, room_id: str) -> Room | None:
        """From now on nothing is known here of this room."""
        room = self.rooms.pop(room_id, None)
        if room is not None:
            self.queue.forget(room)
            self.on_room(room_id, False)
        return room

    def forget_empty(self, most: int) -> None:
        """Drop the rooms in which nobody is any more, but for those left last."""
        while len(self._empty) > most:
            oldest = self._empty.pop(next(iter(self._empty)))
            if oldest.is_empty and not oldest.filling:
                self.drop(oldest.id)

    # Telling

    def tell(self, told: Iterable[Effect]) -> None:
        """Carry out what a committed command means for those who are connected."""
        for one in told:
            match one:
                case ToRoom():
                    self.sequencer.publish(one.event)
                case ToPerson():
                    self.send_to_person(one.user, one.event)
                case ToRooms():
                    self.send_to_rooms(one.rooms, one.event)
                case SettingsChanged():
                    self.on_settings_changed(one)
                case MembershipChanged():
                    self._membership(one)
                case RoomGone():
                    self._room_gone(one)
                case SessionsEnded():
                    self._sessions_ended(one)
                case AccountChanged():
                    self._account_changed(one)
                case _:
                    assert_never(one)

    def revoke(self, told: Iterable[Effect]) -> None:
        """Take from people at once what a command took, though its turn to be told will come.

        Nothing is given to anybody, and how far rooms are known to be stays as it is.
        """
        for one in told:
            match one:
                case SessionsEnded():
                    self._sessions_ended(one)
                case AccountChanged():
                    self._account_changed(one)
                case SettingsChanged():
                    self.on_settings_changed(one)
                case RoomGone():
                    self._room_gone(one)
                case MembershipChanged() if one.event.role is None:
                    self._put_out_at[one.event.user or "", one.room] = one.event.mrev
                    self._put_out_of(one)
                case _:
                    pass

    def send_to_person(self, key: str, event: PersonEvent) -> None:
        """All JSON clients of a person; those behind get `removed` only and ask for the rest."""
        self.resume_guard.unsettle(key)
        clients = self.people.get(key)
        if clients:
            self.note_rev(key, event.rev)
            frame = text_frame(json.event(event))
            for client in clients:
                if client.dialect != "json":
                    continue
                if isinstance(event, Removed):
                    client.write(frame)
                elif not self.offer(client, frame):
                    client.missed_rev = event.rev

    def note_rev(self, key: str, rev: int | None) -> None:
        """A person's clients here have been told of their own changes up to this rev."""
        self.people_revs[key] = max(rev or 0, self.people_revs.get(key, 0))

    def tell_rev(self, key: str, rev: int) -> None:
        """Something of a person's own was missed: their clients here shall ask for it."""
        self.note_rev(key, rev)
        frame = text_frame(json.event(Behind(rooms={}, rev=rev)))
        for client in self.people.get(key, ()):
            if client.dialect == "json" and not self.offer(client, frame):
                client.missed_rev = rev

    def start_over(self, reason: str) -> None:
        """Nothing that is known here is sure any more: everyone comes back."""
        for client in list(self.clients):
            client.handler.close(CLOSE_TOO_SLOW, reason)
        for room in list(self.rooms.values()):
            if not room.filling:
                self.drop(room.id)
        self._empty.clear()

    def offer(self, client: Client, frame: bytes) -> bool:
        """Write a live frame, unless the client is behind."""
        if client.behind:
            return False
        client.write(frame)
        return True

    def send_to_rooms(self, rooms: Iterable[str], event: Event) -> None:
        """Everyone in any of the rooms, once."""
        clients = {
            client
            for room_id in rooms
            if (room := self.rooms.get(room_id)) is not None
            for client in room.json
        }
        frame = text_frame(json.event(event))
        for client in clients:
            self.offer(client, frame)

    def say_goodbye(self, notice: Notice, line: str) -> None:
        """The last word to everyone, each in their dialect."""
        self.queue.settle_all()
        frames = {"json": text_frame(json.event(notice)), "text": text.frames(line)}
        for client in self.clients:
            client.write(frames[client.dialect])

    def send_to_all(self, event: Event) -> None:
        frame = text_frame(json.event(event))
        for client in self.clients:
            if client.dialect == "json":
                self.offer(client, frame)

    def _membership(self, told: MembershipChanged) -> None:
        """A person's devices come into the room or go out of it, and the room is told."""
        event = told.event
        self.resume_guard.unsettle(event.user or "")
        out_at = self._put_out_at.get((event.user or "", told.room), 0)
        if out_at <= event.mrev:
            self._put_out_at.pop((event.user or "", told.room), None)
        if event.role is None:
            self._put_out_of(told)
        elif out_at < event.mrev:
            clients = self.people.get(event.user or "", ())
            self._bring_in(told, [client for client in clients if client.dialect == "json"])
        room = self.rooms.get(told.room)
        if room is not None:
            room.heard_mrev = max(room.heard_mrev, event.mrev)
        if room is None or event.mrev <= room.mrev:
            return
        room.mrev, room.members = event.mrev, event.members
        if room.is_small:
            room.tell_json(json.event(event))
            self.queue.touch(room)
        else:
            count = MemberChanged(room=event.room, mrev=event.mrev, members=event.members)
            self._counts_due[room.id] = count

    def _put_out_of(self, told: MembershipChanged) -> None:
        user = told.event.user or ""
        self.resume_guard.revoke(user, told.room)
        for client in list(self.people.get(user, ())):
            self._put_out(client, told.room)

    def _put_out(self, client: Client, room_id: str) -> None:
        """Of a room and of its threads, which may be watched without being followed."""
        for room in list(client.rooms.values()):
            if room_id in (room.id, room.parent):
                self.detach(client, room)
                client.handler.removed(room.id)

    def _bring_in(self, told: MembershipChanged, clients: list[Client]) -> None:
        room = self.rooms.get(told.room)
        if room is not None and room.recent_changes is not None and self._has_heard(room, told):
            for client in clients:
                self.attach(client, room)
        elif clients:
            task = self._loop.create_task(self._bring_in_later(told, clients))
            self._bringing.add(task)
            task.add_done_callback(self._bringing.discard)

    def _has_heard(self, room: Room, told: MembershipChanged) -> bool:
        """Whether nothing in the room can come after a removal that has not been heard of here."""
        is_newer = room.parent is not None or room.filled_mrev > told.event.mrev
        return self.sequencer.know_members is None or not is_newer

    async def _bring_in_later(self, told: MembershipChanged, clients: list[Client]) -> None:
        room_id = told.room
        with self.look(told.event.user or "") as pending:
            try:
                room = await self.room(room_id)
                if not self._has_heard(room, told) and self.sequencer.know_members is not None:
                    await self.sequencer.know_members()
                while room is not self.rooms.get(room_id):
                    room = await self.room(room_id)
            except NotFound:
                return  # it is gone
            except HubbubError as error:
                if isinstance(error, Unavailable) and error.is_damage:
                    return  # the client's own sync of the room will say so
                for client in clients:
                    client.handler.close(CLOSE_TOO_SLOW, error.message)
                return
        if not pending.lost.isdisjoint((room_id, room.parent or room_id)):
            return
        for client in clients:
            if not client.closing:
                self.attach(client, room)
                # It knows of the room from before the ring was filled: it may have a gap.
                client.send(json.event(self.heads([room_id])))

    def _room_gone(self, told: RoomGone) -> None:
        """With its threads."""
        self.resume_guard.revoke_all(told.room)
        gone = {told.room, *(room.id for room in self.rooms.values() if room.parent == told.room)}
        for room_id in gone:
            if room := self.rooms.get(room_id):
                self.queue.settle(room)
            self.drop(room_id)
            self._empty.pop(room_id, None)
            self._counts_due.pop(room_id, None)
            if room is not None:
                for client in [*room.json, *room.text]:
                    room.detach(client)
                    client.handler.removed(room_id)

    def _sessions_ended(self, told: SessionsEnded) -> None:
        self.on_sessions_ended(told.sessions)
        if told.user:
            self.resume_guard.revoke(told.user)
        else:
            self.resume_guard.revoke_all()
        ended = set(told.sessions)
        clients = self.people.get(told.user, ()) if told.user else self.clients
        for client in [client for client in clients if client.actor.session in ended]:
            client.handler.close(CLOSE_SIGN_IN_AGAIN, "This session has ended. Sign in again.")

    def _account_changed(self, told: AccountChanged) -> None:
        """Come back as what you are now."""
        self.on_account_changed(told.user)
        self.resume_guard.revoke(told.user)
        for client in list(self.people.get(told.user, ())):
            client.handler.close(CLOSE_TOO_SLOW, "Your account has changed. Come back.")

    # How far

    def heads(self, missed: Iterable[str], rev: int | None = None) -> Behind:
        """Where the rooms are that a client missed something of, and the person's own rev."""
        return Behind(
            rev=rev,
            rooms={
                room_id: RoomHead(seq=room.seq, rev=room.rev)
                for room_id in missed
                if (room := self.rooms.get(room_id)) is not None
            },
        )

    async def _count(self) -> None:
        """Members and presence of large rooms, at most once a second."""
        while True:
            await asyncio.sleep(COUNTS_EVERY_S)
            due, self._counts_due = self._counts_due, {}
            for room_id, event in due.items():
                if room := self.rooms.get(room_id):
                    room.tell_json(json.event(event))
                    self.queue.touch(room)
            self.presence.tell_counts()

    def say_to_text(self, room: Room, line: str) -> None:
        room.tell_text(text.server(line))
        self.queue.touch(room)
