"""Batched reads: keys that are asked for while a read is running share the next one.

As with the executor's batches there is no timer: while one read is running the next batch grows,
so a single request waits for one read, and many requests share one. (The pattern is known as a
data loader, from https://github.com/graphql/dataloader.)
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from hubbub.model.errors import Busy, HubbubError

BATCH_SIZE = 100  # keys in one read; bounds how long the first waits for the last
WAITING_MAX = 2_000  # keys; above it, `load` raises Busy

K = TypeVar("K")
T = TypeVar("T")

ReadEach = Callable[[list[K]], Awaitable[list[T | HubbubError]]]


class Loader(Generic[K, T]):
    """Loads values by key, in batches and in the order of the calls.

    ``read_each`` returns one value or error for each key.
    """

    def __init__(self, read_each: ReadEach[K, T]) -> None:
        self._read_each = read_each
        self._pending: list[tuple[K, asyncio.Future[T]]] = []
        self._task: asyncio.Task[None] | None = None

    async def load(self, key: K) -> T:
        """Return the value of a key. Raises its error, the error of the whole read, or Busy."""
        if len(self._pending) >= WAITING_MAX:
            raise Busy()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._pending.append((key, answer))
        if self._task is None:
            self._task = loop.create_task(self._read())
        try:
            return await answer
        finally:
            del answer  # its exception would refer to this frame: a reference cycle

    async def stop(self) -> None:
        """Cancel the read and all loads that wait for it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        batch: list[tuple[K, asyncio.Future[T]]] = []
        try:
            while self._pending:
                batch, self._pending = self._pending[:BATCH_SIZE], self._pending[BATCH_SIZE:]
                _resolve(batch, await self._read_batch([key for key, _ in batch]))
        finally:
            self._task = None
            for _, answer in [*batch, *self._pending]:
                answer.cancel()  # no effect on those that are done
            self._pending = []

    async def _read_batch(self, keys: list[K]) -> Sequence[T | Exception]:
        try:
            return await self._read_each(keys)
        except Exception as error:  # noqa: BLE001 - callers get unexpected errors, too
            return [error] * len(keys)


def _resolve(batch: list[tuple[K, asyncio.Future[T]]], answers: Sequence[T | Exception]) -> None:
    for (_, waiting), answer in zip(batch, answers, strict=True):
        if waiting.done():  # the caller was cancelled
            continue
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)
