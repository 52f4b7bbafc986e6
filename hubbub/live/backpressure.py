"""Clients that read more slowly than is written to them, or give no sign of life."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hubbub.live.client import PING_EVERY_S, STALLED_AFTER_S, Client
from hubbub.wire.frames import CLOSE_TOO_SLOW

if TYPE_CHECKING:
    from hubbub.live.hub import Hub

SWEEP_EVERY_S = 0.05  # how soon a client that has drained is noticed


class Backpressure:
    """Who is behind, until they have been told what they missed or are closed."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._behind: set[Client] = set()
        self.fell_behind = 0
        self.closed_slow = 0

    @property
    def behind(self) -> int:
        return len(self._behind)

    def fall_behind(self, client: Client) -> None:
        """Too much waits to be read: live frames stop, and so does reading from it."""
        if client.behind:
            return
        client.behind = True
        client.buffered = client.waiting_bytes()
        client.progress_at = self._hub.clock()
        self._behind.add(client)
        self.fell_behind += 1

    def caught_up(self, client: Client) -> None:
        """It has been told what it missed: live frames go on."""
        self._behind.discard(client)
        client.caught_up()
        if client.handler.is_full:  # of what it has just been told
            self.fall_behind(client)
        else:
            client.handler.go_on()

    def forget(self, client: Client) -> None:
        """It is gone."""
        self._behind.discard(client)

    async def look_after_all(self) -> None:
        """For ever: those who are behind, and now and then a sign of life from all."""
        pinged = self._hub.clock()
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now = self._hub.clock()
            for client in list(self._behind):
                self._look_after(client, now)
            if now - pinged >= PING_EVERY_S / 2:
                pinged = now
                self._ping(now)

    def _look_after(self, client: Client, now: float) -> None:
        waiting = client.waiting_bytes()
        if waiting < client.buffered:
            client.buffered = waiting
            client.progress_at = client.seen_at = now
        if not client.handler.is_full:
            client.handler.catch_up()
        elif now - client.progress_at > STALLED_AFTER_S:
            self._behind.discard(client)
            self.closed_slow += 1
            client.handler.close(CLOSE_TOO_SLOW, "You read too slowly. Come back and sync.")

    def _ping(self, now: float) -> None:
        for client in list(self._hub.clients):
            quiet_s = now - client.seen_at
            if quiet_s > STALLED_AFTER_S + PING_EVERY_S and not client.behind:
                client.handler.close(CLOSE_TOO_SLOW, "No sign of life. Come back and sync.")
            elif quiet_s > PING_EVERY_S / 2 and not client.waiting_bytes():
                client.ping()
