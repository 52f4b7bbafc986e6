"""Decides when the frames of a room are written to its clients.

Frames shown in one turn of the loop are written together at its end, one write for each client. A
room that was written to less than `SHARE_S` ago waits for the rest of that time, so that messages
which come one after another share their writes too, whose system calls are most of what a delivery
costs. A lone message never waits, and meets no timer.

One invariant keeps the order: **whatever is written to one client comes after all that was shown
to it in earlier turns.** Everything that is meant for one client goes through `Client.write`, which
writes first what waits for this client, and for no other. The others' frames go on waiting, or a
busy room in which people get replies would never share a write. Whoever leaves a room or is closed
is given what waits (`Client.flush`). Before anybody comes into a room, or is told how far it is
after having been behind, what waits there is written to all (`settle`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubbub.live.client import Client
    from hubbub.live.room import Room

SHARE_S = 0.004
# A room that holds more is written at the end of the turn, whenever that was done last.
WAITING_FRAMES_MAX = 100
WAITING_BYTES_MAX = 64 * 1024


class DeliveryQueue:
    """The rooms in which frames wait, and the one timer for all of them."""

    def __init__(self) -> None:
        self.deliveries = 0
        """Frames written to clients; for `/metrics`."""
        # Rooms that wait beyond the turn of the loop in which something was shown.
        self.waiting: dict[Room, None] = {}
        self._touched: dict[Room, None] = {}
        self._turn_end: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # on the loop's clock

    def touch(self, room: Room) -> None:
        """Something has been shown or told in this room."""
        self._touched[room] = None
        if self._turn_end is None:
            self._turn_end = asyncio.get_running_loop().call_soon(self._end_turn)

    def settle(self, room: Room) -> None:
        """Write what waits in this room now."""
        if room in self._touched or room in self.waiting:
            self._write(room, asyncio.get_running_loop().time())

    def settle_rooms_of(self, client: Client) -> None:
        """Write what waits in the client's rooms, so that ``client.missed`` is complete."""
        for room in client.rooms.values():
            self.settle(room)

    def settle_all(self) -> None:
        """Write what waits in every room now."""
        for room in [*self.waiting, *self._touched]:
            self.settle(room)

    def forget(self, room: Room) -> None:
        """The room is no more, and neither is what waits in it."""
        self.waiting.pop(room, None)
        self._touched.pop(room, None)

    def stop(self) -> None:
        """Nothing is written any more."""
        for handle in (self._turn_end, self._timer):
            if handle is not None:
                handle.cancel()
        self._turn_end = self._timer = None
        self.waiting.clear()
        self._touched.clear()

    def take(self, client: Client) -> bytes:
        """Take the frames that wait for this client; they are not written to it again."""
        rooms = client.rooms
        if len(self.waiting) <= len(rooms):
            found = [room for room in self.waiting if rooms.get(room.id) is room]
        else:
            found = [room for room in rooms.values() if room in self.waiting]
        frames = [frame for room in found for frame in room.take(client)]
        self.deliveries += len(frames)
        return b"".join(frames)

    def _end_turn(self) -> None:
        self._turn_end = None
        touched, self._touched = self._touched, {}
        now = asyncio.get_running_loop().time()
        for room in touched:
            if now - room.written_at >= SHARE_S or _holds_much(room):
                self._write(room, now)
            else:
                self._wait(room)

    def _wait(self, room: Room) -> None:
        self.waiting[room] = None
        due = room.written_at + SHARE_S
        if self._timer is not None and self._due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._write_waiting)

    def _write_waiting(self) -> None:
        """All that waits, due or not: from then on busy rooms are due together."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        for room in list(self.waiting):
            self._write(room, now)

    def _write(self, room: Room, now: float) -> None:
        self.forget(room)
        delivered = room.flush()
        if delivered:
            room.written_at = now
        self.deliveries += delivered


def _holds_much(room: Room) -> bool:
    frames = [*room.pending_json, *room.pending_text]
    return len(frames) > WAITING_FRAMES_MAX or sum(map(len, frames)) > WAITING_BYTES_MAX
