"""One connection as the hub sees it: its person, its rooms, and what it has not read yet."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from hubbub.wire.frames import PING_FRAME, text_frame

if TYPE_CHECKING:
    from hubbub.live.delivery_queue import DeliveryQueue
    from hubbub.live.room import Room
    from hubbub.model.accounts import Actor

PING_EVERY_S = 30.0
STALLED_AFTER_S = 60.0  # without progress, or without a sign of life


class Client:
    """A connection that the hub writes to.

    It has two states. Normally live frames are written as they come. Above the high-water mark
    it is *lagging*: live frames stop, and so does reading from it, so that memory stays bounded;
    when it has drained, it is sent what it missed. Replies are never dropped.
    """

    __slots__ = (
        "actor",
        "address",
        "closing",
        "dialect",
        "handler",
        "is_lagging",
        "last_buffered_bytes",
        "missed",
        "missed_rev",
        "progress_at",
        "queue",
        "rooms",
        "seen_at",
        "transport",
    )

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        dialect: str,
        actor: Actor,
        address: str,
        now: float,
        handler: ConnectionHandler,
        queue: DeliveryQueue,
    ) -> None:
        self.transport = transport
        self.dialect = dialect
        self.actor = actor
        self.address = address
        self.handler = handler
        self.queue = queue
        self.rooms: dict[str, Room] = {}
        self.is_lagging = False
        # Room → the last seq that was written, for rooms in which frames were left out.
        self.missed: dict[str, int] = {}
        # The latest rev of the person's own events that were left out.
        self.missed_rev: int | None = None
        self.last_buffered_bytes = 0
        self.seen_at = now
        self.progress_at = now
        self.closing = False

    @property
    def key(self) -> str:
        """The key of the person who is connected."""
        return self.actor.key

    def send(self, payload: bytes) -> None:
        """Write a frame for this client alone; it is never dropped."""
        self.write(text_frame(payload))

    def ping(self) -> None:
        self.write(PING_FRAME)

    def write(self, frames: bytes) -> None:
        """Write whole frames, after those that wait for this client (see `delivery_queue`).

        Nothing is written to a connection that has closed; its handler will notice.
        """
        self._write(self._take_waiting() + frames)

    def flush(self) -> None:
        """Write the frames that wait for this client in its rooms."""
        if frames := self._take_waiting():
            self._write(frames)

    def _take_waiting(self) -> bytes:
        if not self.queue.waiting or self.is_lagging:
            return b""
        return self.queue.take_frames(self)

    def _write(self, frames: bytes) -> None:
        if self.transport.is_closing():
            return
        # uvloop reports a closed transport by this error only.
        with contextlib.suppress(RuntimeError):
            self.transport.write(frames)

    def buffered_bytes(self) -> int:
        """How much has been written that the kernel has not taken yet."""
        return self.transport.get_write_buffer_size()

    def clear_missed(self) -> None:
        """Leave the lagging state, as the client has been sent what it missed."""
        self.is_lagging = False
        self.missed = {}
        self.missed_rev = None


class ConnectionHandler(Protocol):
    """The gateway's side of a connection, as the hub uses it."""

    @property
    def is_full(self) -> bool:
        """Whether the write buffer is over its limit; the hub then treats the client as lagging."""

    def send_missed(self) -> None:
        """Send a drained client what it missed (``client.missed``), then `Backpressure.resume`.

        It is called repeatedly until the client is no longer lagging.
        """

    def resume_reading(self) -> None:
        """Read again from a client that is no longer lagging."""

    def close(self, code: int, reason: str) -> None:
        """End the connection with a close frame."""

    def on_removed(self, room: str) -> None:
        """The client is no longer in this room."""
