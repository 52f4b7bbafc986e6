"""A room with connected clients: who they are, the room's revs and its latest changes."""

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


class SentPrefix(NamedTuple):
    """How many of a room's waiting frames a client has been sent ahead of the others."""

    frames: int
    seq: int  # the room's seq at that time


class Room:
    """The live side of one room.

    Frames wait in ``pending_…`` until the delivery queue has them written, with one write to each
    client.
    """

    __slots__ = (
        "_page",
        "applied_mrev",
        "early_events",
        "fill_number",
        "fill_task",
        "filled_mrev",
        "flushed_seq",
        "gap_timer",
        "id",
        "is_public",
        "json_clients",
        "members",
        "mrev",
        "parent",
        "parent_mrev",
        "pending_json",
        "pending_text",
        "people",
        "recent_changes",
        "rev",
        "sent_prefixes",
        "seq",
        "text_clients",
        "written_at",
    )

    def __init__(self, room_id: str) -> None:
        self.id = room_id
        thread = thread_of(room_id)
        self.parent = thread[0] if thread else None
        # How far this node has applied the parent's membership changes, even if it is not loaded.
        self.parent_mrev = 0
        self.json_clients: set[Client] = set()
        self.text_clients: set[Client] = set()
        # Person → the number of their clients in this room.
        self.people: dict[str, int] = {}
        self.pending_json: list[bytes] = []
        self.pending_text: list[bytes] = []
        # Clients that have been sent some of the pending frames ahead of the others.
        self.sent_prefixes: dict[Client, SentPrefix] = {}
        self.written_at = -math.inf  # on the loop's clock
        self.seq = 0
        self.rev = 0
        self.mrev = 0
        # On several nodes: the mrev of the last membership change that this node has applied.
        self.applied_mrev = 0
        # When the room was filled (see `Sequencer.fills`), and the members' mrev at that time.
        self.fill_number = 0
        self.filled_mrev = 0
        self.members = 0
        self.is_public = False
        self.flushed_seq = 0
        self.recent_changes: RecentChanges | None = None
        # Rev → an event that arrived before its turn: while the room is filled, or over a gap.
        self.early_events: dict[int, RoomEvent] = {}
        self.fill_task: asyncio.Task[None] | None = None
        self.gap_timer: asyncio.TimerHandle | None = None
        self._page: tuple[int, bytes] | None = None

    @property
    def is_small(self) -> bool:
        """Whether presence and membership are sent for each person, not as counts."""
        return self.members <= SMALL_ROOM and len(self.people) <= SMALL_ROOM

    @property
    def is_empty(self) -> bool:
        return not self.json_clients and not self.text_clients

    def clients(self, dialect: str) -> set[Client]:
        return self.json_clients if dialect == "json" else self.text_clients

    def attach(self, client: Client) -> bool:
        """Add a client; True if it is the first one of its person."""
        clients = self.clients(client.dialect)
        if client in clients:
            return False
        clients.add(client)
        client.rooms[self.id] = self
        self.people[client.key] = self.people.get(client.key, 0) + 1
        return self.people[client.key] == 1

    def detach(self, client: Client) -> bool:
        """Remove a client; True if it was the last one of its person."""
        if client.rooms.pop(self.id, None) is None:
            return False
        self.clients(client.dialect).discard(client)
        client.missed.pop(self.id, None)
        self.sent_prefixes.pop(client, None)
        remaining = self.people[client.key] - 1
        if remaining:
            self.people[client.key] = remaining
        else:
            del self.people[client.key]
        return remaining == 0

    def enqueue(self, event: RoomEvent) -> None:
        """Add the next change to the pending frames, encoded once for each dialect present."""
        assert self.recent_changes
        entry = self.recent_changes.add(event)
        is_new = isinstance(event, Message) and event.seq > self.seq
        self.rev = event.rev
        if isinstance(event, Message):
            self.seq = max(self.seq, event.seq)
        if self.json_clients:
            self.pending_json.append(entry.frame)
        if self.text_clients and (line := _text_line(event, is_new)):
            self.pending_text.append(text.frames(line))

    def enqueue_json(self, payload: bytes) -> None:
        """Add an event without a rev, for all JSON clients."""
        if self.json_clients:
            self.pending_json.append(text_frame(payload))

    def enqueue_text(self, line: str) -> None:
        """Add a line for all text clients."""
        if self.text_clients:
            self.pending_text.append(text.frames(line))

    def take_frames(self, client: Client) -> list[bytes]:
        """Take the frames that wait for this client; `flush` does not write them to it again."""
        pending = self.pending_json if client.dialect == "json" else self.pending_text
        sent = self.sent_prefixes.get(client)
        self.sent_prefixes[client] = SentPrefix(len(pending), self.seq)
        return pending[sent.frames :] if sent else pending

    def flush(self) -> int:
        """Write all pending frames, with one write to each client.

        Lagging clients are left out; they are sent what they missed later. Returns the number of
        frames written.
        """
        delivered = 0
        if self.pending_json:
            frames, self.pending_json = self.pending_json, []
            delivered += self._write(self.json_clients, frames)
        if self.pending_text:
            frames, self.pending_text = self.pending_text, []
            delivered += self._write(self.text_clients, frames)
        self.sent_prefixes.clear()
        self.flushed_seq = self.seq
        return delivered

    def _write(self, clients: set[Client], frames: list[bytes]) -> int:
        delivered = 0
        if self.sent_prefixes:
            delivered = sum(
                self._write_rest(client, frames)
                for client in clients.intersection(self.sent_prefixes)
            )
            clients = clients.difference(self.sent_prefixes)
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        skipped = 0
        for client in clients:
            if client.is_lagging:
                client.missed.setdefault(self.id, self.flushed_seq)
                skipped += 1
                continue
            # A closed transport must not keep the frame from the others. `Client.write` is not
            # called here, as this is the hottest loop of all.
            try:  # noqa: SIM105 - a context manager would cost as much as the call
                client.transport.write(data)
            except RuntimeError:
                pass
        return delivered + len(frames) * (len(clients) - skipped)

    def _write_rest(self, client: Client, frames: list[bytes]) -> int:
        """Write to a client that has already been sent the first of these frames."""
        sent = self.sent_prefixes[client]
        rest = frames[sent.frames :]
        if rest and client.is_lagging:
            client.missed.setdefault(self.id, sent.seq)
            return 0
        if rest:
            with contextlib.suppress(RuntimeError):
                client.transport.write(b"".join(rest))
        return len(rest)

    def page(self, limit: int) -> bytes | None:
        """The latest messages as frames, built once for each rev; None if not all are kept."""
        if self._page and self._page[0] == self.rev:
            return self._page[1]
        entries = self.recent_changes.latest(self.seq, limit) if self.recent_changes else None
        if entries is None:
            return None
        data = b"".join(entry.frame for entry in entries)
        self._page = (self.rev, data)
        return data


def _text_line(event: RoomEvent, is_new: bool) -> str | None:
    if isinstance(event, RoomChanged):
        return text.room(event)
    if isinstance(event, Marks):
        return text.marks(event)
    return text.message(event) if is_new else text.changed(event)
