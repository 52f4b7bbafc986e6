"""Visitors: people who load the page and sign in while somebody floods the server."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from bench.server import HOST

PASSWORD = "three plain words"  # noqa: S105 - only for benchmarks
ADDRESS = "127.0.2"
#: The longest time for loading the page and signing in.
VISIT_TIMEOUT_S = 10.0
#: The share of the time before the first visit, so that the flood has begun.
STARTS_AT = 0.2


@dataclass
class VisitStats:
    """The number of visits, and the durations of those that succeeded."""

    wanted: int = 0
    taken_s: list[float] = field(default_factory=list)
    first_failure: str = ""

    @property
    def succeeded(self) -> int:
        return len(self.taken_s)


class Browser:
    """A browser with cookies and its own address."""

    def __init__(self, port: int, number: int) -> None:
        self._site = f"http://{HOST}:{port}"
        self._address = f"{ADDRESS}.{number + 1}"
        self._cookies = aiohttp.CookieJar(unsafe=True)  # `unsafe` accepts cookies of an IP address

    async def visit(self, name: str) -> None:
        """Load the page and sign in. Raises an error of aiohttp or TimeoutError."""
        async with self._session() as session:
            async with session.get("/") as page:
                page.raise_for_status()
                await page.read()
            await self._post(session, "/api/sign-in", {"name": name, "password": PASSWORD})

    async def sign_out(self) -> None:
        async with self._session() as session:
            await self._post(session, "/api/sign-out", {})

    async def _post(self, session: aiohttp.ClientSession, path: str, body: dict[str, str]) -> None:
        headers = {"Origin": self._site}
        async with session.post(path, json=body, headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        async with aiohttp.ClientSession(
            self._site,
            connector=aiohttp.TCPConnector(local_addr=(self._address, 0)),
            cookie_jar=self._cookies,
            timeout=aiohttp.ClientTimeout(total=VISIT_TIMEOUT_S),
        ) as session:
            yield session


async def visit(browsers: Sequence[tuple[Browser, str]], seconds: float) -> VisitStats:
    """Let each browser sign in under its name, evenly distributed over the time."""
    visits = VisitStats()
    began = time.perf_counter()

    async def visit_later(number: int, browser: Browser, name: str) -> None:
        at = began + seconds * (STARTS_AT + (1 - STARTS_AT) * number / len(browsers))
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        visits.wanted += 1
        began_visit = time.perf_counter()
        try:
            async with asyncio.timeout(VISIT_TIMEOUT_S):
                await browser.visit(name)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            visits.first_failure = visits.first_failure or str(error) or type(error).__name__
            return
        visits.taken_s.append(time.perf_counter() - began_visit)

    await asyncio.gather(*(visit_later(number, *each) for number, each in enumerate(browsers)))
    return visits
