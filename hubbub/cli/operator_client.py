"""Where the operator's commands go: to the running server, or else straight into its database."""

import asyncio
import contextlib
import errno
import os
import pwd
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from hubbub.gateway.operations.control_socket import Answer, OperatorCommand
from hubbub.gateway.operations.local_sockets import address_of
from hubbub.model.accounts import OPERATOR, KeepKey, KeyKept, Prepare
from hubbub.model.base import Query, Reply
from hubbub.model.errors import HubbubError, Unavailable
from hubbub.model.settings import Settings
from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.opening import chat_of, require_chat
from hubbub.store.executor import CommandExecutor

# A server that is starting holds the folder before it listens; so does another command like this.
PATIENCE_S = 5.0
TRY_EVERY_S = 0.05
ANSWER_WITHIN_S = 30.0

R = TypeVar("R", bound=Reply)


class OperatorClient(Protocol):
    """Carries out the operator's commands. ``base_url`` is where people find the server."""

    base_url: str

    def signing_key(self) -> bytes:
        """What sessions are signed with."""

    def ask(self, command: OperatorCommand, reply: type[R]) -> R:
        """The reply, which is of this type. Raises HubbubError."""


@contextlib.contextmanager
def door(settings: Settings, *, make: bool) -> Iterator[OperatorClient]:
    """The door of this data folder, whether its server runs or not.

    ``make`` says whether a folder that does not exist is made. Raises FolderError,
    DatabaseError, Unavailable. A PostgreSQL is opened in any case: its servers read in the journal
    what was done.
    """
    folder = DataFolder(settings.data)
    if settings.database is not None:
        with _opened(folder, settings) as own:
            yield own
        return
    if not make:
        require_chat(folder)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        if server := _running(folder):
            yield server
            return
        if _taken(folder):
            break
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The data folder {folder.path} is in use by a program that does not answer. "
                "Try again in a moment."
            )
        time.sleep(TRY_EVERY_S)
    try:
        with _opened(folder, settings) as own:
            yield own
    finally:
        folder.release()


@contextlib.contextmanager
def _opened(folder: DataFolder, settings: Settings) -> "Iterator[_OfflineClient]":
    with (
        asyncio.Runner() as runner,
        contextlib.closing(_OfflineClient(folder, settings, runner)) as own,
    ):
        yield own


def _taken(folder: DataFolder) -> bool:
    """Whether the folder is ours alone from now on."""
    folder.prepare()
    require_owner(folder.database)
    try:
        return folder.lock()
    except OSError as error:
        raise FolderError(
            f"The data folder {folder.path} cannot be used ({error.strerror})."
        ) from error


def require_owner(database: Path) -> None:
    """Files that root makes beside another user's would shut that user's server out."""
    with contextlib.suppress(OSError):  # what cannot even be looked at is told of next
        uid = database.stat().st_uid
        if uid != os.geteuid():
            raise FolderError(f"{database} belongs to {_name_of(uid)}: run this as that user.")


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user with the number {uid}"


def _running(folder: DataFolder) -> "_SocketClient | None":
    """The door of the server that runs in this folder, if it listens."""
    their = _SocketClient(folder)
    try:
        their.connect().close()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError, BlockingIOError):
        return None  # none runs, or it is about to listen, or too many ask at once
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None  # nor can there be such a folder, which is told of next
        raise FolderError(
            f"The server's socket {folder.socket} cannot be opened ({error.strerror}). "
            "Run this as the user who runs the server."
        ) from error
    return their


class _SocketClient:
    """The running server's, over its socket."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.base_url = ""

    def signing_key(self) -> bytes:
        return self.folder.secret()

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(ANSWER_WITHIN_S)
        try:
            with address_of(self.folder.socket) as address:
                connection.connect(address)
        except BaseException:
            connection.close()
            raise
        return connection

    def ask(self, command: OperatorCommand, reply: type[R]) -> R:
        try:
            with self.connect() as connection, connection.makefile("rwb") as stream:
                stream.write(msgspec.json.encode(command) + b"\n")
                stream.flush()
                line = stream.readline()
        except OSError as error:
            raise Unavailable("The running server does not answer. Try again.") from error
        if not line:
            raise Unavailable("The server stopped before it answered. Look whether it was done.")
        answer = msgspec.json.decode(line, type=Answer)
        self.base_url = answer.base_url
        if answer.error:
            raise HubbubError(answer.error.message)
        return msgspec.json.decode(answer.ok, type=reply)


class _OfflineClient:
    """The database, opened here: a file under the lock, a PostgreSQL beside its servers."""

    def __init__(self, folder: DataFolder, settings: Settings, runner: asyncio.Runner) -> None:
        from hubbub.actions import answer, execute

        self._folder = folder
        self.base_url = settings.base_url
        self._runner = runner
        database = chat_of(settings.database, folder)
        self._is_shared = database.is_shared
        # Nobody is connected here, so nobody is to be told.
        self._executor = CommandExecutor(database, execute, answer, show=lambda told: None)
        runner.run(self._open())

    async def _open(self) -> None:
        self._executor.start()
        values = await self._executor.read(lambda tx: tx.server_values())
        shown = self._folder.shown(values.get("epoch", ""))
        await self._executor.submit(OPERATOR, Prepare(shown=shown, shared=self._is_shared))

    def signing_key(self) -> bytes:
        if not self._is_shared:
            return self._folder.secret()
        offered = KeepKey(key=secrets.token_hex(32))
        kept: KeyKept = self._runner.run(self._executor.submit(OPERATOR, offered))
        return bytes.fromhex(kept.key)

    def ask(self, command: OperatorCommand, reply: type[R]) -> R:
        answered = self._runner.run(self._execute(command))
        assert isinstance(answered, reply)
        return answered

    async def _execute(self, command: OperatorCommand) -> Any:
        if isinstance(command, Query):
            return await self._executor.ask(OPERATOR, command)
        return await self._executor.submit(OPERATOR, command)

    def close(self) -> None:
        self._runner.run(self._executor.close())
