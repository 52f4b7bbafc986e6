"""A ledger on a real database in a file, whose batches a test can hold back."""

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

# Texts that make carrying out the batch go wrong.
BUG, DISK = "a bug", "a failing disk"
HOLD_TIMEOUT_S = 20


class Dispatcher:
    """A ledger, its log of what came back in which order, and somebody who may post."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path)
        path.write_bytes(schema())
        self.happened: list[Any] = []
        self.batches: list[list[str]] = []
        self.held = threading.Event()
        self._go_on = threading.Event()
        self._closed = False
        self.executor = CommandExecutor(
            self.database,
            self._carry,
            actions.answer,
            self._show,
            before_showing=lambda raised: self.happened.append(("about to show", raised)),
        )

    async def start(self) -> None:
        self.executor.start()
        await self.executor.submit(OPERATOR, Prepare())
        added = await self.executor.submit(OPERATOR, sign_up("ana"))
        self.ana = Actor(user_id=added.user_id, name="ana", role=ServerRole.MEMBER)
        self.happened.clear()
        self.batches.clear()

    def _carry(self, tx: Tx, batch: list[tuple[Actor, Command]]) -> list[Result]:
        texts = [getattr(command, "text", command.word()) for _, command in batch]
        self.batches.append(texts)
        if "hold" in texts:
            self.held.set()
            assert self._go_on.wait(HOLD_TIMEOUT_S)
        results = actions.execute(tx, batch)
        # Only now, so that there is something to undo.
        if BUG in texts:
            raise RuntimeError(BUG)
        if DISK in texts:
            raise apsw.IOError("disk I/O error")
        return results

    def _show(self, effects: list[Effect]) -> None:
        self.happened += [("shown", one.event.text) for one in effects]  # type: ignore[union-attr]

    async def hold(self) -> Callable[[], Awaitable[Posted]]:
        """Have the writer wait inside a batch, until what is returned is called."""
        first = asyncio.ensure_future(self.post("hold"))
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, self.held.wait, HOLD_TIMEOUT_S)

        async def go_on() -> Posted:
            self._go_on.set()
            return await first

        return go_on

    async def close(self) -> None:
        """Let go of what is held, and close; a second time does nothing."""
        self._go_on.set()
        if not self._closed:
            self._closed = True
            await self.executor.close()

    async def post(self, text: str, **more: Any) -> Posted:
        posted: Posted = await self.executor.submit(self.ana, Post(room="lobby", text=text, **more))
        return posted

    @property
    def writer(self) -> Connection:
        """The connection of the ledger's own thread."""
        writer = self.executor._writer
        assert isinstance(writer, Connection)
        return writer

    def on_disk(self) -> list[str]:
        """The texts that another connection finds now."""
        with opened(self.path) as driver:
            return [text for (text,) in driver.execute("SELECT text FROM messages ORDER BY seq")]
