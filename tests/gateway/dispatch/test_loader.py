"""What a crowd asks for at a time is read together."""

import asyncio

import pytest

from hubbub.gateway.dispatch import loader as loader_
from hubbub.gateway.dispatch.loader import Loader
from hubbub.model.errors import Busy, HubbubError, NotFound
from tests.support.waiting import until


class Shelf:
    """What is read from; it answers when it may."""

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


async def test_who_comes_alone_waits_for_one_read_and_a_crowd_shares_the_next() -> None:
    shelf = Shelf()
    loader = Loader(shelf.read)
    asking = [asyncio.ensure_future(loader.load(1))]
    await until(lambda: shelf.reads == [[1]])
    asking += [asyncio.ensure_future(loader.load(key)) for key in range(2, 100)]
    await asyncio.sleep(0)
    shelf.may_answer.set()
    assert await asyncio.gather(*asking) == [f"book {key}" for key in range(1, 100)]
    assert shelf.reads == [[1], list(range(2, 100))]


async def test_a_read_has_a_bound_and_so_has_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_, "TOGETHER_MAX", 2)
    monkeypatch.setattr(loader_, "WAITING_MAX", 5)
    shelf = Shelf()
    loader = Loader(shelf.read)
    asking = [asyncio.ensure_future(loader.load(1))]
    await until(lambda: shelf.reads == [[1]])
    asking += [asyncio.ensure_future(loader.load(key)) for key in range(2, 8)]
    with pytest.raises(Busy):
        await asking[-1]
    shelf.may_answer.set()
    await asyncio.gather(*asking[:-1])
    assert shelf.reads == [[1], [2, 3], [4, 5], [6]]


async def test_each_gets_their_own_answer_or_refusal() -> None:
    shelf = Shelf()
    shelf.may_answer.set()
    loader = Loader(shelf.read)
    answers = await asyncio.gather(
        loader.load(1), loader.load(0), loader.load(2), return_exceptions=True
    )
    assert (answers[0], answers[2]) == ("book 1", "book 2")
    assert isinstance(answers[1], NotFound)


async def test_a_read_that_fails_fails_for_those_who_share_it_and_for_nobody_after_them() -> None:
    shelf = Shelf()
    loader = Loader(shelf.read)
    shelf.failure = Busy()
    shelf.may_answer.set()
    answers = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Busy, Busy]
    shelf.failure = None
    assert await loader.load(3) == "book 3"


async def test_who_goes_before_the_answer_takes_it_from_nobody() -> None:
    shelf = Shelf()
    loader = Loader(shelf.read)
    going, staying = (asyncio.ensure_future(loader.load(key)) for key in (1, 2))
    await until(lambda: shelf.reads == [[1, 2]])
    going.cancel()
    shelf.may_answer.set()
    assert await staying == "book 2"
    assert going.cancelled()


async def test_a_bug_in_a_read_leaves_nobody_waiting() -> None:
    async def broken(keys: list[int]) -> list[str | HubbubError]:
        raise ZeroDivisionError

    loader = Loader(broken)
    with pytest.raises(ZeroDivisionError):
        await loader.load(1)


async def test_at_the_end_nobody_is_left_waiting() -> None:
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
