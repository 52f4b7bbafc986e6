"""Waiting for a thing instead of for a time."""

import asyncio
from collections.abc import Callable

TIMEOUT_S = 20


async def until(condition: Callable[[], bool]) -> None:
    """Let everybody else go on until it is so."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no event
            await asyncio.sleep(0.002)
