"""Unix sockets in the data folder, for programs of the same user on the same machine.

Only the server's user can open one (mode 0600). As that user could open the database as well, there
is no authentication and no limit.
"""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

WAITING_MAX = 16  # connections not accepted yet; more are refused and try again
ANSWER_WITHIN_S = 1.0  # for open connections, when the socket is closed
# A Unix socket address has 108 bytes on Linux and 104 on macOS, the last one zero.
ADDRESS_MAX = 103

ConnectionHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.contextmanager
def address_of(path: Path) -> Iterator[str]:
    """An address for a socket, through a temporary link if its path is too long for one."""
    absolute = path.absolute()
    if len(bytes(absolute)) <= ADDRESS_MAX:
        yield str(absolute)
        return
    with tempfile.TemporaryDirectory(prefix="hubbub-") as short:
        folder = Path(short, "d")
        folder.symlink_to(absolute.parent)
        yield str(folder / absolute.name)


class LocalSocket:
    """Listens at ``path`` until it is closed. ``handle`` serves one connection."""

    def __init__(self, path: Path, handle: ConnectionHandler) -> None:
        self._path = path
        self._handle = handle
        self._server: asyncio.Server
        self._inode = 0
        self._connections: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen, replacing a socket left at the path. Raises OSError if that is not possible."""
        # Its owner has stopped or is stopping, as we or our parent hold the folder's lock.
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address_of(self._path) as address:
                listener.bind(address)
            # Before listening, so that nobody else can connect.
            self._path.chmod(0o600)
            self._inode = self._path.stat().st_ino
            self._server = await asyncio.start_unix_server(
                self._on_connection, sock=listener, backlog=WAITING_MAX
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Stop listening, and wait a moment for the open connections."""
        self._server.close()
        with contextlib.suppress(FileNotFoundError):
            # It may belong to a successor already.
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        if not self._connections:
            return
        _, late = await asyncio.wait(self._connections, timeout=ANSWER_WITHIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        # The client may disconnect at any time, or send a line without end (ValueError).
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                await self._handle(reader, writer)
                await writer.drain()
        finally:
            writer.close()
            self._connections.discard(task)
