"""A command executor on a real database file, whose batches a test can block."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw

from hubbub import actions
from hubbub.model.accounts import OPERATOR, Actor, Prepare
from hubbub.model.base import Command
from hubbub.model.messages import Post, Posted
from hubbub.model.outcome import Effect
from hubbub.model.policy import ServerRole
from hubbub.store.engines.sqlite.connection import Connection
from hubbub.store.engines.sqlite.database import Database
from hubbub.store.executor import CommandExecutor, Result
from hubbub.store.tx import Tx
from tests.support.sqlite import opened
from tests.support.world import schema, sign_up

# Texts of messages that make their batch fail.
BUG, DISK = "a bug", "a failing disk"
BLOCK_TIMEOUT_S = 20


class ExecutorHarness:
    """A command executor that records its callbacks in order, and an account that may post."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path)
        path.write_bytes(schema())
        self.calls: list[Any] = []
        self.batches: list[list[str]] = []
        self.is_blocked = threading.Event()
        self._unblock = threading.Event()
        self._closed = False
        self.executor = CommandExecutor(
            self.database,
            self.execute,
            actions.answer,
            self._publish,
            before_publish=lambda revs: self.calls.append(("before publish", revs)),
        )

    async def start(self) -> None:
        self.executor.start()
        await self.executor.submit(OPERATOR, Prepare())
        added = await self.executor.submit(OPERATOR, sign_up("ana"))
        self.ana = Actor(user_id=added.user_id, name="ana", role=ServerRole.MEMBER)
        self.calls.clear()
        self.batches.clear()

    def execute(self, tx: Tx, batch: list[tuple[Actor, Command]]) -> list[Result]:
        texts = [getattr(command, "text", command.word()) for _, command in batch]
        self.batches.append(texts)
        if "block" in texts:
            self.is_blocked.set()
            assert self._unblock.wait(BLOCK_TIMEOUT_S)
        results = actions.execute(tx, batch)
        # Only now, so that there is something to roll back.
        if BUG in texts:
            raise RuntimeError(BUG)
        if DISK in texts:
            raise apsw.IOError("disk I/O error")
        return results

    def _publish(self, effects: list[Effect]) -> None:
        self.calls += [("publish", effect.event.text) for effect in effects]  # type: ignore[union-attr]

    async def block(self) -> Callable[[], Awaitable[Posted]]:
        """Block the writer inside a batch, until the returned function is called."""
        first = asyncio.ensure_future(self.post("block"))
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, self.is_blocked.wait, BLOCK_TIMEOUT_S)

        async def unblock() -> Posted:
            self._unblock.set()
            return await first

        return unblock

    async def close(self) -> None:
        """Unblock the writer, and close the executor; may be called twice."""
        self._unblock.set()
        if not self._closed:
            self._closed = True
            await self.executor.close()

    async def post(self, text: str, **more: Any) -> Posted:
        posted: Posted = await self.executor.submit(self.ana, Post(room="lobby", text=text, **more))
        return posted

    @property
    def writer(self) -> Connection:
        """The connection of the executor's writer thread."""
        writer = self.executor._writer
        assert isinstance(writer, Connection)
        return writer

    def on_disk(self) -> list[str]:
        """The texts of messages that another connection reads now."""
        with opened(self.path) as driver:
            return [text for (text,) in driver.execute("SELECT text FROM messages ORDER BY seq")]
