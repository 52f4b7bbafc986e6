"""Admission control: connections are admitted in order, a few at a time.

After a restart thousands of clients reconnect within a second. Reading what one of them needs from
the database takes a fraction of a millisecond. Reading it for all of them at once would delay the
connected clients, and clients that wait too long send their request again.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from hubbub.model.errors import Busy

CONCURRENT_MAX = 64  # they share one read; their welcomes keep the loop busy for some 20 ms
WAITING_MAX = 20_000
RETRY_AFTER_S = (2.0, 5.0)  # a random time between them, so that retries are spread out


class AdmissionControl:
    """Hands out ``concurrent_max`` slots; up to ``waiting_max`` others wait in line for one."""

    def __init__(
        self, concurrent_max: int = CONCURRENT_MAX, waiting_max: int = WAITING_MAX
    ) -> None:
        self._slots = asyncio.Semaphore(concurrent_max)
        self._waiting_max = waiting_max
        self.waiting = 0
        self.admitted = 0

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait in line for a slot and hold it. Raises Busy if the line is too long."""
        if self.waiting >= self._waiting_max:
            raise Busy(
                "Many people are connecting at once. Try again in a moment.",
                retry_after=random.uniform(*RETRY_AFTER_S),
            )
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        try:
            self.admitted += 1
            yield
        finally:
            self._slots.release()
