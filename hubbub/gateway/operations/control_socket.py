"""Executes commands of the command line, sent through a Unix socket in the data folder.

A connection carries one command: a line of JSON in, a line of JSON out.
"""

import asyncio
from pathlib import Path

import msgspec

from hubbub.gateway.operations.local_sockets import LocalSocket
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
from hubbub.store.executor import CommandExecutor

OperatorCommand = AddAccount | SetPassword | DisableUser | Users | CreateInvite | OwnerInvite


class Refusal(msgspec.Struct, frozen=True):
    code: str
    message: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of a command. ``base_url`` is the server's public URL."""

    base_url: str
    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: Refusal | None = None


_decode = msgspec.json.Decoder(OperatorCommand).decode
_encode = msgspec.json.Encoder().encode


class ControlSocket:
    """Executes the operator's commands."""

    def __init__(self, executor: CommandExecutor, base_url: str) -> None:
        self._executor = executor
        self._base_url = base_url

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if line := await reader.readline():
            writer.write(_encode(await self._answer(line)) + b"\n")

    async def _answer(self, line: bytes) -> Answer:
        try:
            return Answer(self._base_url, ok=msgspec.Raw(_encode(await self._execute(line))))
        except HubbubError as error:
            return Answer(self._base_url, error=Refusal(error.code, error.message))

    async def _execute(self, line: bytes) -> msgspec.Struct:
        try:
            command = _decode(line)
        except msgspec.DecodeError as error:
            raise Malformed(f"The server did not understand the command: {error}.") from error
        if isinstance(command, Query):
            return await self._executor.ask(OPERATOR, command)
        reply: msgspec.Struct = await self._executor.submit(OPERATOR, command)
        return reply


async def listen(executor: CommandExecutor, path: Path, base_url: str) -> LocalSocket:
    """Listen for the operator's commands at ``path``. Raises OSError."""
    control = LocalSocket(path, ControlSocket(executor, base_url).handle)
    await control.start()
    return control
