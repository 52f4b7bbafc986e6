"""Batched reads."""

import asyncio

import pytest

from hubbub.gateway.dispatch import loader as loader_module
from hubbub.gateway.dispatch.loader import Loader
from hubbub.model.errors import Busy, HubbubError, NotFound
from tests.support.waiting import until


class Shelf:
    """A source whose reads wait for ``may_answer``."""

    def __init__(self) -> None:
        self.reads: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.failure: HubbubError | None = None

    async def read(self, keys: list[int]) -> list[str | HubbubError]:
        self.reads.append(keys)
        await self.may_answer.wait()
        if self.failure:
            raise self.failure
        return [f"book {key}" if key else NotFound("no such book") for key in keys]


async def test_a_first_load_is_read_alone_and_those_after_it_share_a_read() -> None:
    shelf = Shelf()
    loader = Loader(shelf.read)
    loads = [asyncio.ensure_future(loader.load(1))]
    await until(lambda: shelf.reads == [[1]])
    loads += [asyncio.ensure_future(loader.load(key)) for key in range(2, 100)]
    await asyncio.sleep(0)
    shelf.may_answer.set()
    assert await asyncio.gather(*loads) == [f"book {key}" for key in range(1, 100)]
    assert shelf.reads == [[1], list(range(2, 100))]


async def test_batches_and_the_queue_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_module, "BATCH_SIZE", 2)
    monkeypatch.setattr(loader_module, "WAITING_MAX", 5)
    shelf = Shelf()
    loader = Loader(shelf.read)
    loads = [asyncio.ensure_future(loader.load(1))]
    await until(lambda: shelf.reads == [[1]])
    loads += [asyncio.ensure_future(loader.load(key)) for key in range(2, 8)]
    with pytest.raises(Busy):
        await loads[-1]
    shelf.may_answer.set()
    await asyncio.gather(*loads[:-1])
    assert shelf.reads == [[1], [2, 3], [4, 5], [6]]


async def test_each_load_gets_its_own_value_or_error() -> None:
    shelf = Shelf()
    shelf.may_answer.set()
    loader = Loader(shelf.read)
    answers = await asyncio.gather(
        loader.load(1), loader.load(0), loader.load(2), return_exceptions=True
    )
    assert (answers[0], answers[2]) == ("book 1", "book 2")
    assert isinstance(answers[1], NotFound)


async def test_a_failed_read_fails_its_own_loads_only() -> None:
    shelf = Shelf()
    loader = Loader(shelf.read)
    shelf.failure = Busy()
    shelf.may_answer.set()
    answers = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Busy, Busy]
    shelf.failure = None
    assert await loader.load(3) == "book 3"


async def test_a_cancelled_load_does_not_affect_the_others() -> None:
    shelf = Shelf()
    loader = Loader(shelf.read)
    cancelled, other = (asyncio.ensure_future(loader.load(key)) for key in (1, 2))
    await until(lambda: shelf.reads == [[1, 2]])
    cancelled.cancel()
    shelf.may_answer.set()
    assert await other == "book 2"
    assert cancelled.cancelled()


async def test_a_bug_in_a_read_fails_its_loads() -> None:
    async def broken(keys: list[int]) -> list[str | HubbubError]:
        raise ZeroDivisionError

    loader = Loader(broken)
    with pytest.raises(ZeroDivisionError):
        await loader.load(1)


async def test_stopping_cancels_all_loads() -> None:
    shelf = Shelf()
    loader = Loader(shelf.read)
    first = asyncio.ensure_future(loader.load(1))
    await until(lambda: shelf.reads == [[1]])
    second = asyncio.ensure_future(loader.load(2))
    await asyncio.sleep(0)
    await loader.stop()
    for one in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await one
