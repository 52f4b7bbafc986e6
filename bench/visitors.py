"""Visitors: people who load the page and sign in while somebody floods the server."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from bench.server import HOST

PASSWORD = "three plain words"  # noqa: S105 - of nobody
ADDRESS = "127.0.2"
#: A person does not wait longer for a page to load and to sign in.
PATIENCE_S = 10.0
#: Of the time in which they come, before the first of them does: the flood is to have begun.
STARTS_AT = 0.2


@dataclass
class Visits:
    """How many wanted in, and how long it took those who got in."""

    wanted: int = 0
    taken_s: list[float] = field(default_factory=list)
    first_failure: str = ""

    @property
    def succeeded(self) -> int:
        return len(self.taken_s)


class Browser:
    """Keeps cookies, has an address of its own."""

    def __init__(self, port: int, number: int) -> None:
        self._site = f"http://{HOST}:{port}"
        self._address = f"{ADDRESS}.{number + 1}"
        self._cookies = aiohttp.CookieJar(unsafe=True)  # `unsafe` is: also of an IP address

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
            timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
        ) as session:
            yield session


async def visit(browsers: Sequence[tuple[Browser, str]], seconds: float) -> Visits:
    """Each of these in turn comes to sign in by that name, evenly over the time."""
    visits = Visits()
    began = time.perf_counter()

    async def come(number: int, browser: Browser, name: str) -> None:
        at = began + seconds * (STARTS_AT + (1 - STARTS_AT) * number / len(browsers))
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        visits.wanted += 1
        came = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await browser.visit(name)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            visits.first_failure = visits.first_failure or str(error) or type(error).__name__
            return
        visits.taken_s.append(time.perf_counter() - came)

    await asyncio.gather(*(come(number, *each) for number, each in enumerate(browsers)))
    return visits
