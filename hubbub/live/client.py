"""One connection: who it is, where it is, and what it has not read yet."""

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
    """What the hub knows of a connection.

    It has two states. Normally live frames are written as they come. Above the high-water mark
    it is *behind*: live frames stop, and so does reading from it, so that memory stays bounded;
    when it has drained, it is told what it missed. Replies are never dropped.
    """

    __slots__ = (
        "actor",
        "address",
        "behind",
        "buffered",
        "closing",
        "dialect",
        "handler",
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
        door: ConnectionHandler,
        queue: DeliveryQueue,
    ) -> None:
        self.transport = transport
        self.dialect = dialect
        self.actor = actor
        self.address = address
        self.handler = door
        self.queue = queue
        self.rooms: dict[str, Room] = {}
        self.behind = False
        # Room → the seq up to which it was shown, for rooms in which frames were left out.
        self.missed: dict[str, int] = {}
        # The person's rev up to which events of their own were left out.
        self.missed_rev: int | None = None
        self.buffered = 0
        self.seen_at = now
        self.progress_at = now
        self.closing = False

    @property
    def key(self) -> str:
        """The person behind it."""
        return self.actor.key

    def send(self, payload: bytes) -> None:
        """A frame for this client alone: never dropped."""
        self.write(text_frame(payload))

    def ping(self) -> None:
        self.write(PING_FRAME)

    def write(self, frames: bytes) -> None:
        """Whole frames, after what waits for this client in its rooms (see `delivery_queue`).

        To a connection that is gone nothing is written; its door will notice.
        """
        self._write(self._take_waiting() + frames)

    def flush(self) -> None:
        """Write what waits for this client in its rooms."""
        if frames := self._take_waiting():
            self._write(frames)

    def _take_waiting(self) -> bytes:
        return self.queue.take(self) if self.queue.waiting and not self.behind else b""

    def _write(self, frames: bytes) -> None:
        if self.transport.is_closing():
            return
        # uvloop says so by this error, and by it alone.
        with contextlib.suppress(RuntimeError):
            self.transport.write(frames)

    def waiting_bytes(self) -> int:
        """What has been written and not yet taken by the kernel."""
        return self.transport.get_write_buffer_size()

    def caught_up(self) -> None:
        """It has been told what it missed."""
        self.behind = False
        self.missed = {}
        self.missed_rev = None


class ConnectionHandler(Protocol):
    """What the hub asks of the gateway's side of a connection."""

    @property
    def is_full(self) -> bool:
        """Whether more waits to be read than may; then `Backpressure.fall_behind` is called."""

    def catch_up(self) -> None:
        """Send a drained client what it missed (``client.missed``), then `Backpressure.caught_up`.

        Called again and again until it has caught up.
        """

    def go_on(self) -> None:
        """It is not behind any more: read from it again."""

    def close(self, code: int, reason: str) -> None:
        """End the connection with a close frame."""

    def removed(self, room: str) -> None:
        """It is no longer in this room."""
