"""Execution of the operator's commands: by the running server, or directly in its database."""

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
from hubbub.model.accounts import OPERATOR, Prepare, SigningKey, StoreSigningKey
from hubbub.model.base import Query, Reply
from hubbub.model.errors import HubbubError, Unavailable
from hubbub.model.settings import Settings
from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.opening import open_chat, require_chat
from hubbub.store.executor import CommandExecutor

# A starting server locks the folder before it listens; so does another command like this one.
FOLDER_WAIT_S = 5.0
RETRY_INTERVAL_S = 0.05
ANSWER_TIMEOUT_S = 30.0

R = TypeVar("R", bound=Reply)


class OperatorClient(Protocol):
    """Executes the operator's commands. ``base_url`` is the address of the server for people."""

    base_url: str

    def signing_key(self) -> bytes:
        """The key that signs sessions."""

    def ask(self, command: OperatorCommand, reply: type[R]) -> R:
        """Execute a command and return its reply, which is of this type. Raises HubbubError."""


@contextlib.contextmanager
def connect(settings: Settings, *, create: bool) -> Iterator[OperatorClient]:
    """A client for this data folder, whether its server is running or not.

    With ``create`` a missing folder is created. A PostgreSQL database is always opened directly:
    its servers read the changes from the journal. Raises FolderError, DatabaseError, Unavailable.
    """
    folder = DataFolder(settings.data)
    if settings.database is not None:
        with _open_offline(folder, settings) as client:
            yield client
        return
    if not create:
        require_chat(folder)
    deadline = time.monotonic() + FOLDER_WAIT_S
    while True:
        if server := _find_server(folder):
            yield server
            return
        if _lock(folder):
            break
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The data folder {folder.path} is in use by a program that does not answer. "
                "Try again in a moment."
            )
        time.sleep(RETRY_INTERVAL_S)
    try:
        with _open_offline(folder, settings) as client:
            yield client
    finally:
        folder.release()


@contextlib.contextmanager
def _open_offline(folder: DataFolder, settings: Settings) -> "Iterator[_OfflineClient]":
    with (
        asyncio.Runner() as runner,
        contextlib.closing(_OfflineClient(folder, settings, runner)) as client,
    ):
        yield client


def _lock(folder: DataFolder) -> bool:
    """Lock the folder for this process; False if another process holds it. Raises FolderError."""
    folder.prepare()
    require_owner(folder.database)
    try:
        return folder.lock()
    except OSError as error:
        raise FolderError(
            f"The data folder {folder.path} cannot be used ({error.strerror})."
        ) from error


def require_owner(database: Path) -> None:
    """Refuse to run as another user than the database's owner. Raises FolderError.

    Files that root creates there would lock the owner's server out.
    """
    with contextlib.suppress(OSError):  # a missing or unreadable file is reported by the next step
        uid = database.stat().st_uid
        if uid != os.geteuid():
            raise FolderError(f"{database} belongs to {_user_name(uid)}. Run this as that user.")


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user with the number {uid}"


def _find_server(folder: DataFolder) -> "_SocketClient | None":
    """A client of the server that is running in this folder; None if none listens."""
    client = _SocketClient(folder)
    try:
        client.connect().close()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError, BlockingIOError):
        return None  # none is running, or it is about to listen, or its queue is full
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None  # there can be no such folder either, which the next step reports
        raise FolderError(
            f"The server's socket {folder.socket} cannot be opened ({error.strerror}). "
            "Run this as the user who runs the server."
        ) from error
    return client


class _SocketClient:
    """Sends commands to the running server over its socket."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.base_url = ""

    def signing_key(self) -> bytes:
        return self.folder.secret()

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(ANSWER_TIMEOUT_S)
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
            raise Unavailable(
                "The server stopped before it answered. Check whether the command was executed."
            )
        answer = msgspec.json.decode(line, type=Answer)
        self.base_url = answer.base_url
        if answer.error:
            raise HubbubError(answer.error.message)
        return msgspec.json.decode(answer.ok, type=reply)


class _OfflineClient:
    """Executes commands in the database itself.

    An SQLite file is opened under the folder's lock. A PostgreSQL database is opened while its
    servers run.
    """

    def __init__(self, folder: DataFolder, settings: Settings, runner: asyncio.Runner) -> None:
        from hubbub.actions import answer, execute

        self._folder = folder
        self.base_url = settings.base_url
        self._runner = runner
        database = open_chat(settings.database, folder)
        self._is_shared = database.is_shared
        # Nobody is connected here, so there is nobody to send the effects to.
        self._executor = CommandExecutor(database, execute, answer, publish=lambda effects: None)
        runner.run(self._open())

    async def _open(self) -> None:
        self._executor.start()
        values = await self._executor.read(lambda tx: tx.server_values())
        shown = self._folder.shown(values.get("epoch", ""))
        await self._executor.submit(OPERATOR, Prepare(shown=shown, shared=self._is_shared))

    def signing_key(self) -> bytes:
        if not self._is_shared:
            return self._folder.secret()
        offered = StoreSigningKey(key=secrets.token_hex(32))
        kept: SigningKey = self._runner.run(self._executor.submit(OPERATOR, offered))
        return bytes.fromhex(kept.key)

    def ask(self, command: OperatorCommand, reply: type[R]) -> R:
        result = self._runner.run(self._execute(command))
        assert isinstance(result, reply)
        return result

    async def _execute(self, command: OperatorCommand) -> Any:
        if isinstance(command, Query):
            return await self._executor.ask(OPERATOR, command)
        return await self._executor.submit(OPERATOR, command)

    def close(self) -> None:
        self._runner.run(self._executor.close())
