"""The operator's door: commands of the command line, through a Unix socket in the data folder.

Only the user whose server it is can open the socket (mode 0600), and whoever can do that could
open the database just as well; so nobody is asked who they are, and nobody is slowed down.

A connection carries one command: a line of JSON in, a line of JSON out.
"""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import structlog

from hubbub.model.accounts import (
    OPERATOR,
    AddAccount,
    CreateInvite,
    DisableUser,
    OwnerInvite,
    SetPassword,
    Users,
)
from hubbub.model.base import Query
from hubbub.model.errors import HubbubError, Malformed
from hubbub.store.ledger import Ledger

OperatorCommand = AddAccount | SetPassword | DisableUser | Users | CreateInvite | OwnerInvite

WAITING_MAX = 16  # connections not yet accepted; the next one is refused and tries again
ANSWER_WITHIN_S = 1.0  # at the end, for commands that are being carried out
# A Unix address holds 108 bytes on Linux and 104 on macOS, the last one zero.
ADDRESS_MAX = 103

log = structlog.get_logger()


class Refusal(msgspec.Struct, frozen=True):
    code: str
    message: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a command came to. ``base_url`` is where people find this server."""

    base_url: str
    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: Refusal | None = None


_decode = msgspec.json.Decoder(OperatorCommand).decode
_encode = msgspec.json.Encoder().encode


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


class AdminSocket:
    """Listens for the operator until it is closed."""

    def __init__(self, ledger: Ledger, path: Path, base_url: str) -> None:
        self._ledger = ledger
        self._path = path
        self._base_url = base_url
        self._server: asyncio.Server
        self._conversations: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Raises OSError if the socket cannot be made."""
        # Whoever left it is gone: this process holds the folder's lock.
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address_of(self._path) as address:
                listener.bind(address)
            # Before listening, so that nobody else could have come in.
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(
                self._converse, sock=listener, backlog=WAITING_MAX
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Let those who have asked have their answer, then end."""
        self._server.close()
        self._path.unlink(missing_ok=True)
        if not self._conversations:
            return
        _, late = await asyncio.wait(self._conversations, timeout=ANSWER_WITHIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._conversations.add(task)
        # They may hang up whenever they like, or send a line that never ends (ValueError).
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                if line := await reader.readline():
                    writer.write(_encode(await self._answer(line)) + b"\n")
                    await writer.drain()
        finally:
            writer.close()
            self._conversations.discard(task)

    async def _answer(self, line: bytes) -> Answer:
        try:
            return Answer(self._base_url, ok=msgspec.Raw(_encode(await self._carry_out(line))))
        except HubbubError as error:
            return Answer(self._base_url, error=Refusal(error.code, error.message))

    async def _carry_out(self, line: bytes) -> msgspec.Struct:
        try:
            command = _decode(line)
        except msgspec.DecodeError as error:
            raise Malformed(f"The server did not understand the command: {error}.") from error
        if isinstance(command, Query):
            return await self._ledger.ask(OPERATOR, command)
        reply: msgspec.Struct = await self._ledger.submit(OPERATOR, command)
        return reply


async def listen(ledger: Ledger, path: Path, base_url: str) -> AdminSocket:
    """Open the operator's door at ``path``. Raises OSError."""
    door = AdminSocket(ledger, path, base_url)
    await door.start()
    return door
