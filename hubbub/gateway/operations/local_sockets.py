"""Sockets in the data folder, for programs of the same user on the same machine.

Only the user whose server it is can open one (mode 0600), and whoever can do that could open the
database just as well; so nobody is asked who they are, and nobody is slowed down.
"""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

WAITING_MAX = 16  # connections not yet accepted; the next one is refused and tries again
ANSWER_WITHIN_S = 1.0  # at the end, for what is being carried out
# A Unix address holds 108 bytes on Linux and 104 on macOS, the last one zero.
ADDRESS_MAX = 103

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.contextmanager
def address_of(path: Path) -> Iterator[str]:
    """A name by which a socket can be reached whose own path may be too long for an address."""
    absolute = path.absolute()
    if len(bytes(absolute)) <= ADDRESS_MAX:
        yield str(absolute)
        return
    with tempfile.TemporaryDirectory(prefix="hubbub-") as short:
        folder = Path(short, "d")
        folder.symlink_to(absolute.parent)
        yield str(folder / absolute.name)


class LocalSocket:
    """Listens at ``path`` until it is closed; each connection is one conversation."""

    def __init__(self, path: Path, converse: Converse) -> None:
        self._path = path
        self._converse = converse
        self._server: asyncio.Server
        self._inode = 0
        self._conversations: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Take the path, whoever had it. Raises OSError if the socket cannot be made."""
        # They are gone, or about to go: the folder's lock is ours, or that of our parent.
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address_of(self._path) as address:
                listener.bind(address)
            # Before listening, so that nobody else could have come in.
            self._path.chmod(0o600)
            self._inode = self._path.stat().st_ino
            self._server = await asyncio.start_unix_server(
                self._welcome, sock=listener, backlog=WAITING_MAX
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Let those who have asked have their answer, then end."""
        self._server.close()
        with contextlib.suppress(FileNotFoundError):
            # It may be a successor's by now.
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        if not self._conversations:
            return
        _, late = await asyncio.wait(self._conversations, timeout=ANSWER_WITHIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._conversations.add(task)
        # They may hang up whenever they like, or send a line that never ends (ValueError).
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                await self._converse(reader, writer)
                await writer.drain()
        finally:
            writer.close()
            self._conversations.discard(task)
