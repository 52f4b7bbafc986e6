"""A server in the test's own process, whose clock the test sets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from hubbub.app import App
from hubbub.model.settings import Settings
from tests.support.server import HOST, free_port

TIMEOUT_S = 20.0


class InProcessServer:
    """``now`` is the hub's time in seconds; ``closed`` has the close codes that it sent."""

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
        """Mark all clients as just seen, and record their close codes from now on."""
        for client in self.app.hub.clients:
            client.seen_at = self.now
            close = client.handler.close

            def noting(code: int, reason: str, close: Callable[[int, str], None] = close) -> None:
                self.closed.append(code)
                close(code, reason)

            client.handler.close = noting  # type: ignore[method-assign]

    async def wait_for_sweep(self) -> None:
        """Wait until the hub has checked the lagging clients at the time ``now``."""
        looked: list[float] = []
        look_after = self.app.hub.backpressure._check_lagging

        def noting(client, now):  # type: ignore[no-untyped-def]
            look_after(client, now)
            looked.append(now)

        self.app.hub.backpressure._check_lagging = noting  # type: ignore[method-assign]
        await self.until(lambda: self.now in looked)
        self.app.hub.backpressure._check_lagging = look_after  # type: ignore[method-assign]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not holds():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.005)
