"""How long to wait before something that ended is started again."""

import asyncio
import time

FIRST_S = 0.1
LONGEST_S = 10.0
CALM_S = 60.0


class Backoff:
    """Each pause is twice as long as the one before; after a minute without one, short again."""

    def __init__(self) -> None:
        self._next_s = FIRST_S
        self._ended_at = -CALM_S

    async def wait(self) -> None:
        if time.monotonic() - self._ended_at > CALM_S:
            self._next_s = FIRST_S
        await asyncio.sleep(self._next_s)
        self._next_s = min(LONGEST_S, 2 * self._next_s)
        self._ended_at = time.monotonic()
