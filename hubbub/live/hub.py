"""The hub: the connected clients, the rooms they are in, and the broadcasting of events.

`sequencer` keeps a room's events in order, and `delivery_queue` decides when they are written.
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
EMPTY_ROOMS_MAX = 500  # rooms kept in memory after their last client has left
ENTER_ATTEMPTS_MAX = 20  # if the person's access changes during each


log = structlog.get_logger()


class HubMetrics:
    """The hub's counters, for `/metrics`."""

    def __init__(self) -> None:
        self.events = 0
        self.recovered = 0


class Hub:
    """The connected clients, and the rooms that are loaded for them."""

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
        self._pending_counts: dict[str, MemberChanged] = {}
        self._empty: dict[str, Room] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.resume_guard = ResumeGuard()
        self._attach_tasks: set[asyncio.Task[None]] = set()
        # Person and room → the mrev of a removal that was applied ahead of its turn.
        self._removed_at_mrev: dict[tuple[str, str], int] = {}
        # Person → the latest personal rev that was sent to their clients at this node.
        self.person_revs: dict[str, int] = {}
        # Called with True when this node begins to serve a room or a person, with False when it
        # stops. On several nodes the bus then subscribes to it or unsubscribes.
        self.on_room: Callable[[str, bool], None] = lambda room, is_used: None
        self.on_person: Callable[[str, bool], None] = lambda person, is_used: None
        # Called when cached accounts, settings or sessions are no longer valid.
        self.on_account_changed: Callable[[str], None] = lambda user: None
        self.on_settings_changed: Callable[[SettingsChanged], None] = lambda change: None
        self.on_sessions_ended: Callable[[tuple[str, ...]], None] = lambda sessions: None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            self._loop.create_task(self.backpressure.run()),
            self._loop.create_task(self._send_counts()),
        ]

    async def stop(self) -> None:
        fills = [room.fill_task for room in self.rooms.values() if room.fill_task]
        tasks = [*self._tasks, *self._attach_tasks, *fills]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.queue.stop()

    # Clients and rooms

    def connect(self, client: Client) -> None:
        """Add a connection whose person is known."""
        self.clients.add(client)
        devices = self.people.setdefault(client.key, set())
        if not devices and not client.actor.is_guest:  # guests have no events of their own
            self.on_person(client.key, True)
        devices.add(client)
        self.presence.on_connect(client)

    def disconnect(self, client: Client) -> None:
        """Remove a connection, after writing what waits for it."""
        client.flush()
        client.closing = True
        self.presence.on_disconnecting(client)
        for room in list(client.rooms.values()):
            self.detach(client, room)
        self.clients.discard(client)
        self.presence.on_disconnect(client)
        self.backpressure.forget(client)
        devices = self.people.get(client.key, set())
        devices.discard(client)
        if not devices and self.people.pop(client.key, None) is not None:
            self.person_revs.pop(client.key, None)
            if not client.actor.is_guest:
                self.on_person(client.key, False)

    async def load_room(self, room_id: str) -> Room:
        """The room, filled from the database. Raises NotFound, Unavailable."""
        room = self.rooms.get(room_id)
        if room is None:
            room = self.rooms[room_id] = Room(room_id)
            self.on_room(room_id, True)
        self._empty.pop(room_id, None)
        while room.recent_changes is None:
            await self.sequencer.ensure_filled(room)
        return room

    async def enter(
        self, client: Client, room_id: str, join: Callable[[], Awaitable[Joined]]
    ) -> Joined:
        """Attach a client to a room once ``join`` has found in the database that it may read it.

        If its person loses access meanwhile, ``join`` is called again: nobody gets an event that
        they may not read. Raises what ``join`` raises, or Busy.
        """
        for _ in range(ENTER_ATTEMPTS_MAX):
            with self.track_resume(client.key) as pending:
                joined = await join()
                room = await self.load_room(room_id)
            if not client.closing and self.may_attach(pending, room):
                self.attach(client, room)
                return joined
            if room.is_empty and self.rooms.get(room_id) is room:
                self._keep_empty(room)
            if client.closing:
                raise SignInRequired("This connection has ended. Reconnect.")
        raise Busy()

    def track_resume(self, key: str) -> AbstractContextManager[PendingResume]:
        """Record the access that a person loses while the database is read for them."""
        return self.resume_guard.track(key, self.sequencer.fills)

    def may_attach(self, pending: PendingResume, room: Room) -> bool:
        """Whether a person may still be attached to a room that the database let them read.

        On several nodes the room must have been filled before the database was read: otherwise it
        may contain events that are later than a removal which this node has not applied yet.
        """
        return (
            pending.lost_rooms.isdisjoint((room.id, room.parent or room.id))
            and self.rooms.get(room.id) is room
            and (self.sequencer.apply_journal is None or room.fill_number <= pending.fills)
        )

    def attach(self, client: Client, room: Room) -> None:
        """Send the room's events to the client from now on."""
        self.queue.flush_room(room)
        if room.attach(client):
            self.presence.on_attach(client, room)

    def detach(self, client: Client, room: Room) -> None:
        """Stop sending the room's events to the client, after writing those that wait."""
        client.flush()
        if room.detach(client):
            self.presence.on_detach(client, room)
        if room.is_empty and room.id in self.rooms:
            self._keep_empty(room)

    def _keep_empty(self, room: Room) -> None:
        """Keep a room that its last client has left, and drop the oldest ones above the limit."""
        self._empty[room.id] = room
        self.drop_empty_rooms(EMPTY_ROOMS_MAX)

    def drop(self, room_id: str) -> Room | None:
        """Remove a room from memory."""
        room = self.rooms.pop(room_id, None)
        if room is not None:
            self.queue.discard(room)
            self.on_room(room_id, False)
        return room

    def drop_empty_rooms(self, keep: int) -> None:
        """Drop the rooms without clients, except the ``keep`` that became empty last."""
        while len(self._empty) > keep:
            oldest = self._empty.pop(next(iter(self._empty)))
            if oldest.is_empty and not oldest.fill_task:
                self.drop(oldest.id)

    # Events

    def publish(self, effects: Iterable[Effect]) -> None:
        """Apply the effects of a committed command to the connected clients."""
        for effect in effects:
            match effect:
                case ToRoom():
                    self.sequencer.publish(effect.event)
                case ToPerson():
                    self.send_to_person(effect.user, effect.event)
                case ToRooms():
                    self.send_to_rooms(effect.rooms, effect.event)
                case SettingsChanged():
                    self.on_settings_changed(effect)
                case MembershipChanged():
                    self._apply_membership(effect)
                case RoomGone():
                    self._close_room(effect)
                case SessionsEnded():
                    self._close_sessions(effect)
                case AccountChanged():
                    self._close_account(effect)
                case _:
                    assert_never(effect)

    def revoke(self, effects: Iterable[Effect]) -> None:
        """Apply effects that take something from people ahead of their turn.

        They are published in their turn as well. Nobody gains access by this, and the rooms' revs
        do not change.
        """
        for effect in effects:
            match effect:
                case SessionsEnded():
                    self._close_sessions(effect)
                case AccountChanged():
                    self._close_account(effect)
                case SettingsChanged():
                    self.on_settings_changed(effect)
                case RoomGone():
                    self._close_room(effect)
                case MembershipChanged() if effect.event.role is None:
                    self._removed_at_mrev[effect.event.user or "", effect.room] = effect.event.mrev
                    self._remove_person(effect)
                case _:
                    pass

    def send_to_person(self, key: str, event: PersonEvent) -> None:
        """Send to a person's JSON clients; lagging ones get `removed` only and sync the rest."""
        self.resume_guard.mark_stale(key)
        clients = self.people.get(key)
        if clients:
            self.note_rev(key, event.rev)
            frame = text_frame(json.event(event))
            for client in clients:
                if client.dialect != "json":
                    continue
                if isinstance(event, Removed):
                    client.write(frame)
                elif not self.send_live(client, frame):
                    client.missed_rev = event.rev

    def note_rev(self, key: str, rev: int | None) -> None:
        """Note that a person's clients at this node have been sent their changes up to this rev."""
        self.person_revs[key] = max(rev or 0, self.person_revs.get(key, 0))

    def announce_rev(self, key: str, rev: int) -> None:
        """Have a person's clients at this node sync, as one of the person's events was missed."""
        self.note_rev(key, rev)
        frame = text_frame(json.event(Behind(rooms={}, rev=rev)))
        for client in self.people.get(key, ()):
            if client.dialect == "json" and not self.send_live(client, frame):
                client.missed_rev = rev

    def reset(self, reason: str) -> None:
        """Disconnect all clients and drop all rooms, as this node may have missed anything."""
        for client in list(self.clients):
            client.handler.close(CLOSE_TOO_SLOW, reason)
        for room in list(self.rooms.values()):
            if not room.fill_task:
                self.drop(room.id)
        self._empty.clear()

    def send_live(self, client: Client, frame: bytes) -> bool:
        """Write a live frame, unless the client is lagging; whether it was written."""
        if client.is_lagging:
            return False
        client.write(frame)
        return True

    def send_to_rooms(self, rooms: Iterable[str], event: Event) -> None:
        """Send once to each JSON client that is in any of the rooms."""
        clients = {
            client
            for room_id in rooms
            if (room := self.rooms.get(room_id)) is not None
            for client in room.json_clients
        }
        frame = text_frame(json.event(event))
        for client in clients:
            self.send_live(client, frame)

    def say_goodbye(self, notice: Notice, line: str) -> None:
        """Write a last notice to every client, in its dialect."""
        self.queue.flush_all()
        frames = {"json": text_frame(json.event(notice)), "text": text.frames(line)}
        for client in self.clients:
            client.write(frames[client.dialect])

    def send_to_all(self, event: Event) -> None:
        frame = text_frame(json.event(event))
        for client in self.clients:
            if client.dialect == "json":
                self.send_live(client, frame)

    def _apply_membership(self, change: MembershipChanged) -> None:
        """Attach a person's devices to a room or detach them, and notify the room."""
        event = change.event
        self.resume_guard.mark_stale(event.user or "")
        removed_at = self._removed_at_mrev.get((event.user or "", change.room), 0)
        if removed_at <= event.mrev:
            self._removed_at_mrev.pop((event.user or "", change.room), None)
        if event.role is None:
            self._remove_person(change)
        elif removed_at < event.mrev:
            clients = self.people.get(event.user or "", ())
            self._attach_all(change, [client for client in clients if client.dialect == "json"])
        room = self.rooms.get(change.room)
        if room is not None:
            room.applied_mrev = max(room.applied_mrev, event.mrev)
        if room is None or event.mrev <= room.mrev:
            return
        room.mrev, room.members = event.mrev, event.members
        if room.is_small:
            room.enqueue_json(json.event(event))
            self.queue.schedule(room)
        else:
            count = MemberChanged(room=event.room, mrev=event.mrev, members=event.members)
            self._pending_counts[room.id] = count

    def _remove_person(self, change: MembershipChanged) -> None:
        user = change.event.user or ""
        self.resume_guard.revoke(user, change.room)
        for client in list(self.people.get(user, ())):
            self._remove_client(client, change.room)

    def _remove_client(self, client: Client, room_id: str) -> None:
        """Detach a client from a room and its threads, which may be watched without following."""
        for room in list(client.rooms.values()):
            if room_id in (room.id, room.parent):
                self.detach(client, room)
                client.handler.on_removed(room.id)

    def _attach_all(self, change: MembershipChanged, clients: list[Client]) -> None:
        room = self.rooms.get(change.room)
        if (
            room is not None
            and room.recent_changes is not None
            and self._is_safe_to_attach(room, change)
        ):
            for client in clients:
                self.attach(client, room)
        elif clients:
            task = self._loop.create_task(self._attach_all_later(change, clients))
            self._attach_tasks.add(task)
            task.add_done_callback(self._attach_tasks.discard)

    def _is_safe_to_attach(self, room: Room, change: MembershipChanged) -> bool:
        """Whether no event in the room can be later than a removal this node has not applied."""
        is_newer = room.parent is not None or room.filled_mrev > change.event.mrev
        return self.sequencer.apply_journal is None or not is_newer

    async def _attach_all_later(self, change: MembershipChanged, clients: list[Client]) -> None:
        room_id = change.room
        with self.track_resume(change.event.user or "") as pending:
            try:
                room = await self.load_room(room_id)
                if (
                    not self._is_safe_to_attach(room, change)
                    and self.sequencer.apply_journal is not None
                ):
                    await self.sequencer.apply_journal()
                while room is not self.rooms.get(room_id):
                    room = await self.load_room(room_id)
            except NotFound:
                return  # the room has been deleted
            except HubbubError as error:
                if isinstance(error, Unavailable) and error.is_damage:
                    return  # the client's own sync of the room will report it
                for client in clients:
                    client.handler.close(CLOSE_TOO_SLOW, error.message)
                return
        if not pending.lost_rooms.isdisjoint((room_id, room.parent or room_id)):
            return
        for client in clients:
            if not client.closing:
                self.attach(client, room)
                # The client knew the room before this node filled it, so it may have a gap.
                client.send(json.event(self.heads([room_id])))

    def _close_room(self, change: RoomGone) -> None:
        """Detach everybody from a deleted room and its threads, and drop these."""
        self.resume_guard.revoke_all(change.room)
        threads = (room.id for room in self.rooms.values() if room.parent == change.room)
        for room_id in {change.room, *threads}:
            if room := self.rooms.get(room_id):
                self.queue.flush_room(room)
            self.drop(room_id)
            self._empty.pop(room_id, None)
            self._pending_counts.pop(room_id, None)
            if room is not None:
                for client in [*room.json_clients, *room.text_clients]:
                    room.detach(client)
                    client.handler.on_removed(room_id)

    def _close_sessions(self, change: SessionsEnded) -> None:
        self.on_sessions_ended(change.sessions)
        if change.user:
            self.resume_guard.revoke(change.user)
        else:
            self.resume_guard.revoke_all()
        ended = set(change.sessions)
        clients = self.people.get(change.user, ()) if change.user else self.clients
        for client in [client for client in clients if client.actor.session in ended]:
            client.handler.close(CLOSE_SIGN_IN_AGAIN, "This session has ended. Sign in again.")

    def _close_account(self, change: AccountChanged) -> None:
        """Disconnect a person whose role or lock has changed; they reconnect with the new one."""
        self.on_account_changed(change.user)
        self.resume_guard.revoke(change.user)
        for client in list(self.people.get(change.user, ())):
            client.handler.close(CLOSE_TOO_SLOW, "Your account has changed. Reconnect.")

    def heads(self, missed: Iterable[str], rev: int | None = None) -> Behind:
        """The heads of rooms in which a client missed something, and the person's own rev."""
        return Behind(
            rev=rev,
            rooms={
                room_id: RoomHead(seq=room.seq, rev=room.rev)
                for room_id in missed
                if (room := self.rooms.get(room_id)) is not None
            },
        )

    async def _send_counts(self) -> None:
        """Send members and presence of large rooms as counts, at most once a second."""
        while True:
            await asyncio.sleep(COUNTS_EVERY_S)
            counts, self._pending_counts = self._pending_counts, {}
            for room_id, event in counts.items():
                if room := self.rooms.get(room_id):
                    room.enqueue_json(json.event(event))
                    self.queue.schedule(room)
            self.presence.send_counts()
