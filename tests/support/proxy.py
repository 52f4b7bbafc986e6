"""A TCP proxy that is cut, or stops reading: a network on a bad day."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Self

from tests.support.server import HOST

CHUNK = 64 * 1024
SMALL_BUFFER = 4096  # so that the server soon notices who does not read


class Proxy:
    """Between one client and a server; for ``async with``.

    `cut` aborts all connections, with whatever is on its way in either direction. While `frozen`
    nothing of the server's comes through, and soon nothing of it is read. With ``delay_s`` all
    that the server says comes so much later; while ``is_closed`` nobody is let in.
    """

    def __init__(self, port: int, host: str = HOST) -> None:
        self._to = port
        self._host = host
        self.delay_s = 0.0
        self.is_closed = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}"

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, self._host, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        # They end by themselves, now that nothing is left to carry; one that is cancelled would be
        # told of in the log.
        self._thawed.set()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self._thawed.clear()
        try:
            yield
        finally:
            self._thawed.set()

    async def _held_back(self) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self._thawed.wait()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_closed:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError):
                async with self._upstream() as (from_server, to_server):
                    self._writers |= {writer, to_server}
                    try:
                        await self._both_ways(reader, to_server, from_server, writer)
                    finally:
                        self._writers -= {writer, to_server}
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    def target(self) -> int:
        """The port that the next connection goes to."""
        return self._to

    @contextlib.asynccontextmanager
    async def _upstream(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        loop = asyncio.get_running_loop()
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        try:
            await loop.sock_connect(connection, (HOST, self.target()))
        except OSError:
            connection.close()
            raise
        reader, writer = await asyncio.open_connection(sock=connection, limit=CHUNK)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _both_ways(
        self,
        from_client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        """Until one side ends; then both have ended."""
        ways = {
            asyncio.create_task(_pump(from_client, to_server)),
            asyncio.create_task(_pump(from_server, to_client, self._held_back)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    wait: Callable[[], Awaitable[None]] | None = None,
) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = await reader.read(CHUNK)
            if not data:
                return
            # After the read, which may have begun before the gate was closed.
            if wait is not None:
                await wait()
            writer.write(data)
            await writer.drain()


class Balancer(Proxy):
    """In front of several servers: each connection goes to the next one, with no memory of whose
    it is. Whoever meets one that is down comes again."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(ports[0])
        self._next = itertools.cycle(ports)

    def target(self) -> int:
        return next(self._next)
