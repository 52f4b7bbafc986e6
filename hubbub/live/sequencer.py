"""A room's events, shown in order of rev.

One that comes too early (a commit whose outcome was unknown, or another node's that is still on
the bus) is held for a moment, then the gap is read from the database.
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
AGAIN_AFTER_S = 1.0  # when a gap could not be read
EARLY_MAX = 2_000  # events of a room that wait for their turn; the gap's reading has the others

log = structlog.get_logger()


class Sequencer:
    """Fills rooms, and lets their events go out one after another."""

    def __init__(
        self, hub: Hub, read: Callable[[str, int | None], Awaitable[RoomSnapshot]]
    ) -> None:
        self._hub = hub
        self._read = read
        self.reads = 0
        """Of rooms, from the database; for `/metrics`."""
        self.fills = 0
        """How many rooms have been filled: which of two things came first."""
        # Where there are other nodes: have heard of all who came and went, before going on.
        self.know_members: Callable[[], Awaitable[None]] | None = None

    async def filled(self, room: Room) -> None:
        """Wait until the room's ring is filled. Raises NotFound if it is gone, or Unavailable."""
        if room.filling is None:
            room.filling = asyncio.get_running_loop().create_task(self._fill(room))
        await asyncio.shield(room.filling)  # raises what the read raised

    async def _fill(self, room: Room) -> None:
        """Read the room once, however many wait for it."""
        try:
            self.reads += 1
            state = await self._read(room.id, None)
        except HubbubError:
            if room.is_empty:
                self._hub.drop(room.id)
            raise
        finally:
            room.filling = None
        recent_changes = RecentChanges(state.floor)
        for event in state.events:
            recent_changes.add(event)
        room.recent_changes = recent_changes
        room.seq, room.rev = state.seq, state.rev
        room.flushed_seq = state.seq
        room.is_public = state.is_public
        self.fills += 1
        room.fill, room.filled_mrev = self.fills, state.mrev
        if state.mrev >= room.mrev:
            room.mrev, room.members = state.mrev, state.members
        self._show_early(room)

    def publish(self, event: RoomEvent) -> None:
        """A change of a room, shown in order of rev."""
        room = self._hub.rooms.get(event.room)
        if room is None:
            return
        if room.recent_changes is not None and event.rev == room.rev + 1:
            self._show(room, event)
            if room.early:
                self._show_early(room)
        elif room.recent_changes is None or event.rev > room.rev:
            if len(room.early) < EARLY_MAX:
                room.early[event.rev] = event
            if room.recent_changes is not None and room.gap_timer is None:
                self._look_again(room, GAP_WAIT_S)

    def _show(self, room: Room, event: RoomEvent) -> None:
        self._hub.metrics.events += 1
        room.show(event)
        self._hub.queue.touch(room)

    def _show_early(self, room: Room) -> None:
        """Show those whose turn it is, and drop those that have been shown."""
        while (event := room.early.pop(room.rev + 1, None)) is not None:
            self._show(room, event)
        for rev in [rev for rev in room.early if rev <= room.rev]:
            del room.early[rev]

    def _look_again(self, room: Room, after_s: float) -> None:
        loop = asyncio.get_running_loop()
        room.gap_timer = loop.call_later(after_s, self._mind_the_gap, room)

    def _mind_the_gap(self, room: Room) -> None:
        room.gap_timer = None
        self._show_early(room)
        if room.early:
            self._mend(room)

    def catch_up(self, room_id: str, rev: int) -> None:
        """The database has come so far in this room: so shall we, soon."""
        room = self._hub.rooms.get(room_id)
        if room is not None and room.recent_changes is not None and room.rev < rev:
            self._mend(room)

    async def reach(self, room_id: str, rev: int) -> None:
        """Wait until this room has come so far, as the database has. Raises HubbubError."""
        room = self._hub.rooms.get(room_id)
        if room is None or room.recent_changes is None or room.rev >= rev:
            return
        await asyncio.sleep(GAP_WAIT_S)  # most often it is on its way
        while room.rev < rev and room.id in self._hub.rooms:
            await asyncio.shield(self._mend(room))

    def _mend(self, room: Room) -> asyncio.Task[None]:
        """Close the gap; one read at a time."""
        if room.filling is None:
            room.filling = asyncio.get_running_loop().create_task(self._close_gap(room))
            room.filling.add_done_callback(lambda task: self._mended(room, task))
        return room.filling

    def _mended(self, room: Room, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            code = error.code if isinstance(error, HubbubError) else repr(error)
            log.warning("a gap could not be read", room=room.id, error=code)
            if room.early and room.gap_timer is None and room.id in self._hub.rooms:
                self._look_again(room, AGAIN_AFTER_S)

    async def _close_gap(self, room: Room) -> None:
        """Read what is missing from the database, and show it. Raises HubbubError."""
        try:
            is_whole = False
            while not is_whole:
                self.reads += 1
                state = await self._read(room.id, room.rev)
                # Who may hear of a thread depends on another room's members as well.
                is_newer = state.mrev > room.mrev or room.parent is not None
                if is_newer and self.know_members is not None:
                    await self.know_members()
                for event in state.events:
                    if event.rev > room.rev:
                        self._hub.metrics.healed += 1
                        self._show(room, event)
                room.rev = max(room.rev, state.through)
                is_whole = state.through >= state.rev
        finally:
            room.filling = None
        self._show_early(room)
