"""Waits for a condition instead of for a fixed time."""

import asyncio
from collections.abc import Callable

TIMEOUT_S = 20


async def until(condition: Callable[[], bool]) -> None:
    """Run other tasks until the condition holds. Raises TimeoutError after `TIMEOUT_S`."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.002)
