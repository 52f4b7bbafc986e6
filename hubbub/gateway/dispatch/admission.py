"""Letting people in one after another, when everybody comes at once.

After a restart thousands of clients come back within a second. What each of them needs from the
database takes a part of a millisecond; done all at once it would delay those who are in already,
and what waits too long is asked for again. So only a few are let in at a time, in the order in
which they came, and the others wait their turn.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from hubbub.model.errors import Busy

AT_ONCE = 64  # who share a read; greeting them takes the loop some 20 ms, then others have it
WAITING_MAX = 20_000
COME_BACK_AFTER_S = (2.0, 5.0)  # at random between them, so that they do not come together again


class AdmissionControl:
    """So many may be inside; the others wait in line."""

    def __init__(self, at_once: int = AT_ONCE, waiting_max: int = WAITING_MAX) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting_max = waiting_max
        self.waiting = 0
        self.admitted = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait in line, then be inside. Raises Busy if the line is too long."""
        if self.waiting >= self._waiting_max:
            raise Busy(
                "Everybody is coming at once. Come back in a moment.",
                retry_after=random.uniform(*COME_BACK_AFTER_S),
            )
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        try:
            self.admitted += 1
            yield
        finally:
            self._places.release()
