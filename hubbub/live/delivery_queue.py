"""Decides when the frames of a room are written to its clients.

Frames added in one turn of the loop are written together at its end, with one write to each client.
A room that was written to less than `COALESCE_S` ago waits for the rest of that time, so that
messages in quick succession share their writes, whose system calls are most of the cost of a
delivery. A lone message never waits and starts no timer.

One invariant keeps the order: **whatever is written to a client comes after all frames that were
added for it in earlier turns.** Frames for a single client go through `Client.write`, which first
writes the frames that wait for this client, and for no other: a busy room in which people get
replies would otherwise never share a write. When a client leaves a room or is closed, the frames
that wait for it are written first (`Client.flush`). Before a client enters a room, or is sent the
room's head after it has lagged, the frames that wait in the room are written to all its clients
(`flush_room`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubbub.live.client import Client
    from hubbub.live.room import Room

COALESCE_S = 0.004
# A room with more waiting is written at the end of the turn, however recently it was written to.
WAITING_FRAMES_MAX = 100
WAITING_BYTES_MAX = 64 * 1024


class DeliveryQueue:
    """The rooms in which frames wait, and the one timer for all of them."""

    def __init__(self) -> None:
        self.deliveries = 0
        """Frames written to clients; for `/metrics`."""
        # Rooms that wait beyond the turn of the loop in which frames were added.
        self.waiting: dict[Room, None] = {}
        self._scheduled: dict[Room, None] = {}
        self._turn_end: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0  # on the loop's clock

    def schedule(self, room: Room) -> None:
        """Write the frames that were just added to this room at the end of the turn, or later."""
        self._scheduled[room] = None
        if self._turn_end is None:
            self._turn_end = asyncio.get_running_loop().call_soon(self._end_turn)

    def flush_room(self, room: Room) -> None:
        """Write the frames that wait in this room now."""
        if room in self._scheduled or room in self.waiting:
            self._write(room, asyncio.get_running_loop().time())

    def flush_rooms_of(self, client: Client) -> None:
        """Write the frames that wait in the client's rooms now; completes ``client.missed``."""
        for room in client.rooms.values():
            self.flush_room(room)

    def flush_all(self) -> None:
        """Write the frames that wait in every room now."""
        for room in [*self.waiting, *self._scheduled]:
            self.flush_room(room)

    def discard(self, room: Room) -> None:
        """Write nothing more to a room that has been dropped."""
        self.waiting.pop(room, None)
        self._scheduled.pop(room, None)

    def stop(self) -> None:
        """Cancel the timer and write nothing more."""
        for handle in (self._turn_end, self._timer):
            if handle is not None:
                handle.cancel()
        self._turn_end = self._timer = None
        self.waiting.clear()
        self._scheduled.clear()

    def take_frames(self, client: Client) -> bytes:
        """Take the frames that wait for this client; they are not written to it again."""
        rooms = client.rooms
        if len(self.waiting) <= len(rooms):
            waiting = [room for room in self.waiting if rooms.get(room.id) is room]
        else:
            waiting = [room for room in rooms.values() if room in self.waiting]
        frames = [frame for room in waiting for frame in room.take_frames(client)]
        self.deliveries += len(frames)
        return b"".join(frames)

    def _end_turn(self) -> None:
        self._turn_end = None
        scheduled, self._scheduled = self._scheduled, {}
        now = asyncio.get_running_loop().time()
        for room in scheduled:
            if now - room.written_at >= COALESCE_S or _is_over_limit(room):
                self._write(room, now)
            else:
                self._wait(room)

    def _wait(self, room: Room) -> None:
        self.waiting[room] = None
        write_at = room.written_at + COALESCE_S
        if self._timer is not None and self._timer_at <= write_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = write_at
        self._timer = asyncio.get_running_loop().call_at(write_at, self._write_waiting)

    def _write_waiting(self) -> None:
        """Write to every waiting room, due or not; from then on busy rooms are due together."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        for room in list(self.waiting):
            self._write(room, now)

    def _write(self, room: Room, now: float) -> None:
        self.discard(room)
        delivered = room.flush()
        if delivered:
            room.written_at = now
        self.deliveries += delivered


def _is_over_limit(room: Room) -> bool:
    frames = [*room.pending_json, *room.pending_text]
    return len(frames) > WAITING_FRAMES_MAX or sum(map(len, frames)) > WAITING_BYTES_MAX
