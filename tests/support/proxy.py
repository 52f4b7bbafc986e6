"""A TCP proxy that can cut, freeze or delay connections, to simulate network faults."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Self

from tests.support.server import HOST

CHUNK = 64 * 1024
SMALL_BUFFER = 4096  # so that the server soon notices a client that does not read


class Proxy:
    """A proxy in front of a server; for ``async with``.

    `cut` aborts all connections, and drops what is on its way in either direction. While `frozen`
    nothing from the server comes through, and soon nothing is read from it. ``delay_s`` delays
    everything from the server; while ``is_closed`` new connections are refused.
    """

    def __init__(self, port: int, host: str = HOST) -> None:
        self._port = port
        self._host = host
        self.delay_s = 0.0
        self.is_closed = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._resumed = asyncio.Event()
        self._resumed.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}"

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._on_connection, self._host, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        # The tasks end by themselves, as their connections are aborted. A cancelled one would be
        # logged.
        self._resumed.set()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self._resumed.clear()
        try:
            yield
        finally:
            self._resumed.set()

    async def _wait_to_send(self) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self._resumed.wait()

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
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
                        await self._pump_both_ways(reader, to_server, from_server, writer)
                    finally:
                        self._writers -= {writer, to_server}
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    def next_port(self) -> int:
        """The port for the next connection."""
        return self._port

    @contextlib.asynccontextmanager
    async def _upstream(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        loop = asyncio.get_running_loop()
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        try:
            await loop.sock_connect(connection, (HOST, self.next_port()))
        except OSError:
            connection.close()
            raise
        reader, writer = await asyncio.open_connection(sock=connection, limit=CHUNK)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _pump_both_ways(
        self,
        from_client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        """Copy in both directions until one side ends, then end the other one."""
        pumps = {
            asyncio.create_task(_pump(from_client, to_server)),
            asyncio.create_task(_pump(from_server, to_client, self._wait_to_send)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)


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
            # After the read, which may have begun before the proxy was frozen.
            if wait is not None:
                await wait()
            writer.write(data)
            await writer.drain()


class Balancer(Proxy):
    """A proxy in front of several servers: each connection goes to the next one in turn.

    A client whose connection goes to a server that is down must reconnect."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(ports[0])
        self._next = itertools.cycle(ports)

    def next_port(self) -> int:
        return next(self._next)
