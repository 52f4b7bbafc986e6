"""Detects clients that read too slowly or no longer respond."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hubbub.live.client import PING_EVERY_S, STALLED_AFTER_S, Client
from hubbub.wire.frames import CLOSE_TOO_SLOW

if TYPE_CHECKING:
    from hubbub.live.hub import Hub

SWEEP_EVERY_S = 0.05  # how soon a client that has drained is noticed


class Backpressure:
    """The lagging clients: each is resumed when it has drained, or closed when it stalls."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lagging: set[Client] = set()
        self.lagged_total = 0
        self.closed_slow = 0

    @property
    def lagging_count(self) -> int:
        return len(self._lagging)

    def mark_lagging(self, client: Client) -> None:
        """Stop live frames to a client whose write buffer is full, and reading from it."""
        if client.is_lagging:
            return
        client.is_lagging = True
        client.last_buffered_bytes = client.buffered_bytes()
        client.progress_at = self._hub.clock()
        self._lagging.add(client)
        self.lagged_total += 1

    def resume(self, client: Client) -> None:
        """Resume live frames to a client that has been sent what it missed."""
        self._lagging.discard(client)
        client.clear_missed()
        if client.handler.is_full:  # with what it has just been sent
            self.mark_lagging(client)
        else:
            client.handler.resume_reading()

    def forget(self, client: Client) -> None:
        """Drop a client that has disconnected."""
        self._lagging.discard(client)

    async def run(self) -> None:
        """Check the lagging clients and ping the quiet ones, until cancelled."""
        pinged = self._hub.clock()
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now = self._hub.clock()
            for client in list(self._lagging):
                self._check_lagging(client, now)
            if now - pinged >= PING_EVERY_S / 2:
                pinged = now
                self._ping_quiet(now)

    def _check_lagging(self, client: Client, now: float) -> None:
        buffered_bytes = client.buffered_bytes()
        if buffered_bytes < client.last_buffered_bytes:
            client.last_buffered_bytes = buffered_bytes
            client.progress_at = client.seen_at = now
        if not client.handler.is_full:
            client.handler.send_missed()
        elif now - client.progress_at > STALLED_AFTER_S:
            self._lagging.discard(client)
            self.closed_slow += 1
            client.handler.close(
                CLOSE_TOO_SLOW, "This client reads too slowly. Reconnect and sync."
            )

    def _ping_quiet(self, now: float) -> None:
        for client in list(self._hub.clients):
            quiet_s = now - client.seen_at
            if quiet_s > STALLED_AFTER_S + PING_EVERY_S and not client.is_lagging:
                client.handler.close(CLOSE_TOO_SLOW, "No answer to pings. Reconnect and sync.")
            elif quiet_s > PING_EVERY_S / 2 and not client.buffered_bytes():
                client.ping()
