"""Reads that are done together for all who ask for the same kind of thing meanwhile.

As with the ledger's batches there is no timer: while one read is on its way the next one grows,
so whoever comes alone waits for one read, and a crowd shares it. (The pattern is known as a
data loader, from https://github.com/graphql/dataloader.)
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from hubbub.model.errors import Busy, HubbubError

TOGETHER_MAX = 100  # in one read: bounds how long the first of them waits for the last
WAITING_MAX = 2_000  # above it, `busy`

K = TypeVar("K")
T = TypeVar("T")

ReadEach = Callable[[list[K]], Awaitable[list[T | HubbubError]]]


class Loader(Generic[K, T]):
    """Asked for one thing at a time; reads as many as are asked for, in the order of asking.

    ``read_each`` gives one answer for each key.
    """

    def __init__(self, read_each: ReadEach[K, T]) -> None:
        self._read_each = read_each
        self._asked: list[tuple[K, asyncio.Future[T]]] = []
        self._task: asyncio.Task[None] | None = None

    async def load(self, key: K) -> T:
        """Raises the HubbubError that is this key's answer, or what the read failed with; Busy."""
        if len(self._asked) >= WAITING_MAX:
            raise Busy()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._asked.append((key, answer))
        if self._task is None:
            self._task = loop.create_task(self._read())
        try:
            return await answer
        finally:
            del answer  # which holds an error that would hold this frame

    async def stop(self) -> None:
        """Whoever still waits is told that there will be no answer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        asked: list[tuple[K, asyncio.Future[T]]] = []
        try:
            while self._asked:
                asked, self._asked = self._asked[:TOGETHER_MAX], self._asked[TOGETHER_MAX:]
                _answer(asked, await self._answers([key for key, _ in asked]))
        finally:
            self._task = None
            for _, answer in [*asked, *self._asked]:
                answer.cancel()  # those that have been answered stay so
            self._asked = []

    async def _answers(self, keys: list[K]) -> Sequence[T | Exception]:
        try:
            return await self._read_each(keys)
        except Exception as error:  # noqa: BLE001 - a bug, too, is for those who asked
            return [error] * len(keys)


def _answer(asked: list[tuple[K, asyncio.Future[T]]], answers: Sequence[T | Exception]) -> None:
    for (_, waiting), answer in zip(asked, answers, strict=True):
        if waiting.done():  # they are gone
            continue
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)
