"""A room with somebody present: who, how far it is, and what changed lately."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import NamedTuple

from hubbub.live.client import Client
from hubbub.live.recent_changes import RecentChanges
from hubbub.model.events import RoomEvent
from hubbub.model.marks import Marks
from hubbub.model.messages import Message
from hubbub.model.names import thread_of
from hubbub.model.rooms import SMALL_ROOM, RoomChanged
from hubbub.wire import text
from hubbub.wire.frames import text_frame


class Taken(NamedTuple):
    """The part of a room's waiting frames that one client has already been given."""

    frames: int
    seq: int  # the room's, then


class Room:
    """The live side of one room.

    ``json`` and ``text`` are the clients present, by dialect. Frames wait in ``pending_…``
    until the room's delivery queue has them written, with one write to each client.
    """

    __slots__ = (
        "_page",
        "early",
        "fill",
        "filled_mrev",
        "filling",
        "flushed_seq",
        "gap_timer",
        "heard_mrev",
        "id",
        "is_public",
        "json",
        "members",
        "mrev",
        "parent",
        "parent_mrev",
        "pending_json",
        "pending_text",
        "people",
        "rev",
        "recent_changes",
        "seq",
        "taken",
        "text",
        "written_at",
    )

    def __init__(self, room_id: str) -> None:
        self.id = room_id
        thread = thread_of(room_id)
        self.parent = thread[0] if thread else None
        # As far as is known here of who came to and went from that room, whether it is here or not.
        self.parent_mrev = 0
        self.json: set[Client] = set()
        self.text: set[Client] = set()
        # Person → how many of their clients are here.
        self.people: dict[str, int] = {}
        self.pending_json: list[bytes] = []
        self.pending_text: list[bytes] = []
        # Those who have been given some of it ahead of the others.
        self.taken: dict[Client, Taken] = {}
        self.written_at = -math.inf  # on the loop's clock
        self.seq = 0
        self.rev = 0
        self.mrev = 0
        # Where there are other nodes: the same as far as each change has been heard of here.
        self.heard_mrev = 0
        # Which filling of a room it was, and of which mrev the members were then.
        self.fill = 0
        self.filled_mrev = 0
        self.members = 0
        self.is_public = False
        self.flushed_seq = 0
        self.recent_changes: RecentChanges | None = None
        # Events that came before their turn: while the ring fills, or over a gap.
        self.early: dict[int, RoomEvent] = {}
        self.filling: asyncio.Task[None] | None = None
        self.gap_timer: asyncio.TimerHandle | None = None
        self._page: tuple[int, bytes] | None = None

    @property
    def is_small(self) -> bool:
        """Whether people here are told of each other one by one."""
        return self.members <= SMALL_ROOM and len(self.people) <= SMALL_ROOM

    @property
    def is_empty(self) -> bool:
        return not self.json and not self.text

    def clients(self, dialect: str) -> set[Client]:
        return self.json if dialect == "json" else self.text

    def attach(self, client: Client) -> bool:
        """A client is present; True if its person was not here before."""
        clients = self.clients(client.dialect)
        if client in clients:
            return False
        clients.add(client)
        client.rooms[self.id] = self
        self.people[client.key] = self.people.get(client.key, 0) + 1
        return self.people[client.key] == 1

    def detach(self, client: Client) -> bool:
        """A client is no longer present; True if its person is not here any more."""
        if client.rooms.pop(self.id, None) is None:
            return False
        self.clients(client.dialect).discard(client)
        client.missed.pop(self.id, None)
        self.taken.pop(client, None)
        left = self.people[client.key] - 1
        if left:
            self.people[client.key] = left
        else:
            del self.people[client.key]
        return left == 0

    def show(self, event: RoomEvent) -> None:
        """The next change: encode it once for each dialect that is present."""
        assert self.recent_changes
        entry = self.recent_changes.add(event)
        is_new = isinstance(event, Message) and event.seq > self.seq
        self.rev = event.rev
        if isinstance(event, Message):
            self.seq = max(self.seq, event.seq)
        if self.json:
            self.pending_json.append(entry.frame)
        if self.text and (line := _in_text(event, is_new)):
            self.pending_text.append(text.frames(line))

    def tell_json(self, payload: bytes) -> None:
        """Something without a rev, to all JSON clients here."""
        if self.json:
            self.pending_json.append(text_frame(payload))

    def tell_text(self, line: str) -> None:
        if self.text:
            self.pending_text.append(text.frames(line))

    def take(self, client: Client) -> list[bytes]:
        """Take the frames that wait here for this client; `flush` leaves them out for it."""
        pending = self.pending_json if client.dialect == "json" else self.pending_text
        before = self.taken.get(client)
        self.taken[client] = Taken(len(pending), self.seq)
        return pending[before.frames :] if before else pending

    def flush(self) -> int:
        """One write for each client, of all that waits here.

        Those who are behind are told later. Returns the deliveries.
        """
        delivered = 0
        if self.pending_json:
            frames, self.pending_json = self.pending_json, []
            delivered += self._write(self.json, frames)
        if self.pending_text:
            frames, self.pending_text = self.pending_text, []
            delivered += self._write(self.text, frames)
        self.taken.clear()
        self.flushed_seq = self.seq
        return delivered

    def _write(self, clients: set[Client], frames: list[bytes]) -> int:
        delivered = 0
        if self.taken:
            delivered = sum(
                self._write_rest(client, frames) for client in clients.intersection(self.taken)
            )
            clients = clients.difference(self.taken)
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        left_out = 0
        for client in clients:
            if client.behind:
                client.missed.setdefault(self.id, self.flushed_seq)
                left_out += 1
                continue
            # One that is gone must not keep the frame from the others (see `Client.write`;
            # this is the hottest loop of all, so it is not called here).
            try:  # noqa: SIM105 - a context manager would cost as much as the call
                client.transport.write(data)
            except RuntimeError:
                pass
        return delivered + len(frames) * (len(clients) - left_out)

    def _write_rest(self, client: Client, frames: list[bytes]) -> int:
        """To a client that has been given the first of these frames."""
        taken = self.taken[client]
        rest = frames[taken.frames :]
        if rest and client.behind:
            client.missed.setdefault(self.id, taken.seq)
            return 0
        if rest:
            with contextlib.suppress(RuntimeError):
                client.transport.write(b"".join(rest))
        return len(rest)

    def page(self, limit: int) -> bytes | None:
        """The latest messages as frames, made once for each state; None if the ring is short."""
        if self._page and self._page[0] == self.rev:
            return self._page[1]
        entries = self.recent_changes.latest(self.seq, limit) if self.recent_changes else None
        if entries is None:
            return None
        data = b"".join(entry.frame for entry in entries)
        self._page = (self.rev, data)
        return data


def _in_text(event: RoomEvent, is_new: bool) -> str | None:
    if isinstance(event, RoomChanged):
        return text.room(event)
    if isinstance(event, Marks):
        return text.marks(event)
    return text.message(event) if is_new else text.changed(event)
