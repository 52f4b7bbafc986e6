"""Publishes a room's events in order of rev.

An event that arrives early (because the outcome of the commit before it was unknown, or another
node's event is still on the bus) is held for a moment; then the gap is read from the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from hubbub.live.recent_changes import RecentChanges
from hubbub.model.errors import HubbubError
from hubbub.model.events import RoomEvent
from hubbub.model.outcome import RoomSnapshot

if TYPE_CHECKING:
    from hubbub.live.hub import Hub
    from hubbub.live.room import Room

GAP_WAIT_S = 0.03
RETRY_AFTER_S = 1.0  # when a gap could not be read
EARLY_EVENTS_MAX = 2_000  # held for a room; others are dropped, as the gap's read has them

log = structlog.get_logger()


class Sequencer:
    """Fills rooms from the database, and publishes their events one after another."""

    def __init__(
        self, hub: Hub, read: Callable[[str, int | None], Awaitable[RoomSnapshot]]
    ) -> None:
        self._hub = hub
        self._read = read
        self.reads = 0
        """Reads of rooms from the database; for `/metrics`."""
        self.fills = 0
        """The number of rooms filled so far; it shows whether a room was filled before a read."""
        # On several nodes: applies all committed membership changes. Raises HubbubError.
        self.apply_journal: Callable[[], Awaitable[None]] | None = None

    async def ensure_filled(self, room: Room) -> None:
        """Wait until the room is filled. Raises NotFound, Unavailable."""
        if room.fill_task is None:
            room.fill_task = asyncio.get_running_loop().create_task(self._fill(room))
        await asyncio.shield(room.fill_task)  # raises what the read raised

    async def _fill(self, room: Room) -> None:
        """Read the room once, however many clients wait for it."""
        try:
            self.reads += 1
            snapshot = await self._read(room.id, None)
        except HubbubError:
            if room.is_empty:
                self._hub.drop(room.id)
            raise
        finally:
            room.fill_task = None
        recent_changes = RecentChanges(snapshot.floor)
        for event in snapshot.events:
            recent_changes.add(event)
        room.recent_changes = recent_changes
        room.seq, room.rev = snapshot.seq, snapshot.rev
        room.flushed_seq = snapshot.seq
        room.is_public = snapshot.is_public
        self.fills += 1
        room.fill_number, room.filled_mrev = self.fills, snapshot.mrev
        if snapshot.mrev >= room.mrev:
            room.mrev, room.members = snapshot.mrev, snapshot.members
        self._enqueue_early(room)

    def publish(self, event: RoomEvent) -> None:
        """Publish a room's change when all revs before it have been published."""
        room = self._hub.rooms.get(event.room)
        if room is None:
            return
        if room.recent_changes is not None and event.rev == room.rev + 1:
            self._enqueue(room, event)
            if room.early_events:
                self._enqueue_early(room)
        elif room.recent_changes is None or event.rev > room.rev:
            if len(room.early_events) < EARLY_EVENTS_MAX:
                room.early_events[event.rev] = event
            if room.recent_changes is not None and room.gap_timer is None:
                self._start_gap_timer(room, GAP_WAIT_S)

    def _enqueue(self, room: Room, event: RoomEvent) -> None:
        self._hub.metrics.events += 1
        room.enqueue(event)
        self._hub.queue.schedule(room)

    def _enqueue_early(self, room: Room) -> None:
        """Publish the held events whose turn has come, and drop those already published."""
        while (event := room.early_events.pop(room.rev + 1, None)) is not None:
            self._enqueue(room, event)
        for rev in [rev for rev in room.early_events if rev <= room.rev]:
            del room.early_events[rev]

    def _start_gap_timer(self, room: Room, after_s: float) -> None:
        loop = asyncio.get_running_loop()
        room.gap_timer = loop.call_later(after_s, self._on_gap_timer, room)

    def _on_gap_timer(self, room: Room) -> None:
        room.gap_timer = None
        self._enqueue_early(room)
        if room.early_events:
            self._start_gap_read(room)

    def catch_up(self, room_id: str, rev: int) -> None:
        """Start reading the room up to this rev, which the database has reached."""
        room = self._hub.rooms.get(room_id)
        if room is not None and room.recent_changes is not None and room.rev < rev:
            self._start_gap_read(room)

    async def wait_for_rev(self, room_id: str, rev: int) -> None:
        """Wait until the room is at this rev, which the database has reached.

        Raises HubbubError.
        """
        room = self._hub.rooms.get(room_id)
        if room is None or room.recent_changes is None or room.rev >= rev:
            return
        await asyncio.sleep(GAP_WAIT_S)  # most often the events are on their way
        while room.rev < rev and room.id in self._hub.rooms:
            await asyncio.shield(self._start_gap_read(room))

    def _start_gap_read(self, room: Room) -> asyncio.Task[None]:
        """Start reading the gap, unless a read is already in progress."""
        if room.fill_task is None:
            room.fill_task = asyncio.get_running_loop().create_task(self._read_gap(room))
            room.fill_task.add_done_callback(lambda task: self._on_gap_read(room, task))
        return room.fill_task

    def _on_gap_read(self, room: Room, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            code = error.code if isinstance(error, HubbubError) else repr(error)
            log.warning("reading missing events failed", room=room.id, error=code)
            if room.early_events and room.gap_timer is None and room.id in self._hub.rooms:
                self._start_gap_timer(room, RETRY_AFTER_S)

    async def _read_gap(self, room: Room) -> None:
        """Read the missing events from the database, and publish them. Raises HubbubError."""
        try:
            is_complete = False
            while not is_complete:
                self.reads += 1
                snapshot = await self._read(room.id, room.rev)
                # Access to a thread also depends on the members of its parent room.
                is_newer = snapshot.mrev > room.mrev or room.parent is not None
                if is_newer and self.apply_journal is not None:
                    await self.apply_journal()
                for event in snapshot.events:
                    if event.rev > room.rev:
                        self._hub.metrics.recovered += 1
                        self._enqueue(room, event)
                room.rev = max(room.rev, snapshot.through)
                is_complete = snapshot.through >= snapshot.rev
        finally:
            room.fill_task = None
        self._enqueue_early(room)
