"""A server in the test's own process, whose clock the test turns."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from hubbub.app import App
from hubbub.model.settings import Settings
from tests.support.server import HOST, free_port

TIMEOUT_S = 20.0


class InsideServer:
    """``now`` is what the hub takes for the time; ``closed`` the codes it closed with."""

    def __init__(self, data: Path) -> None:
        self.port = free_port()
        self.app = App(
            Settings(host=HOST, port=self.port, data=data, default_guests=True, limits=False)
        )
        self.now = 1_000.0
        self.closed: list[int] = []

    @classmethod
    @asynccontextmanager
    async def running(cls, data: Path) -> AsyncIterator[Self]:
        inside = cls(data)
        await inside.app.start()
        inside.app.hub.clock = lambda: inside.now
        inside.app.dispatcher.clock = lambda: inside.now
        try:
            yield inside
        finally:
            await inside.app.stop()

    def seen(self) -> None:
        """As if everyone had just been heard of; and from now on, note how doors are closed."""
        for client in self.app.hub.clients:
            client.seen_at = self.now
            close = client.handler.close

            def noting(code: int, reason: str, close: Callable[[int, str], None] = close) -> None:
                self.closed.append(code)
                close(code, reason)

            client.handler.close = noting  # type: ignore[method-assign]

    async def swept(self) -> None:
        """Wait until the hub has looked after those who are behind, as of now."""
        looked: list[float] = []
        look_after = self.app.hub.backpressure._look_after

        def noting(client, now):  # type: ignore[no-untyped-def]
            look_after(client, now)
            looked.append(now)

        self.app.hub.backpressure._look_after = noting  # type: ignore[method-assign]
        await self.until(lambda: self.now in looked)
        self.app.hub.backpressure._look_after = look_after  # type: ignore[method-assign]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not holds():  # noqa: ASYNC110 - what it waits for tells nobody
                await asyncio.sleep(0.005)
