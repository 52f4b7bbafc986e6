"""The command executor: batches, replies and failures."""

import asyncio
import threading
import time
from itertools import pairwise

import apsw
import pytest

from hubbub.model.accounts import About
from hubbub.model.errors import Busy, Conflict, HubbubError, Invalid, Unavailable, UnknownCommand
from hubbub.model.messages import History, Post, Posted
from hubbub.model.rooms import CreateRoom
from hubbub.store import executor
from hubbub.store.engines.sqlite import checkpoints, connection
from hubbub.store.executor import CommandExecutor, Job
from hubbub.store.tx import Tx
from tests.support.executor import BLOCK_TIMEOUT_S, BUG, DISK, ExecutorHarness
from tests.support.waiting import until


async def queue_posts(harness: ExecutorHarness, *texts: str) -> list[asyncio.Task[Posted]]:
    """Posts that are waiting for the writer, in this order."""
    before = harness.executor.waiting
    tasks = [asyncio.ensure_future(harness.post(text)) for text in texts]
    await until(lambda: harness.executor.waiting == before + len(texts))
    return tasks


async def results_of(tasks: list[asyncio.Task[Posted]]) -> list[int | type[HubbubError]]:
    """The seq or the type of error of each."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [result.seq if isinstance(result, Posted) else type(result) for result in results]  # type: ignore[misc]


async def test_a_reply_follows_its_commit_and_precedes_the_effects(
    harness: ExecutorHarness,
) -> None:
    def on_done(result: object) -> None:
        harness.calls.append(("reply", result.seq, harness.on_disk()))  # type: ignore[attr-defined]

    for text in ("one", "two"):
        harness.executor.put(Job(harness.ana, Post(room="lobby", text=text), on_done))
        await until(lambda: harness.calls[-1:] == [("publish", text)])  # noqa: B023 - awaited here
    assert harness.calls == [
        *[("before publish", 1), ("reply", 1, ["one"]), ("publish", "one")],
        *[("before publish", 1), ("reply", 2, ["one", "two"]), ("publish", "two")],
    ]


async def test_waiting_commands_are_executed_as_one_batch_in_order(
    harness: ExecutorHarness,
) -> None:
    unblock = await harness.block()
    tasks = await queue_posts(harness, *"abcdef")
    await unblock()
    assert await results_of(tasks) == [2, 3, 4, 5, 6, 7]
    assert harness.batches == [["block"], list("abcdef")]
    assert [text for what, text in harness.calls if what == "publish"] == ["block", *"abcdef"]
    assert [count for what, count in harness.calls if what == "before publish"] == [1, 6]


async def test_a_batch_has_a_maximum_size(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "BATCH_MAX", 2)
    unblock = await harness.block()
    tasks = await queue_posts(harness, *"abc")
    await unblock()
    assert await results_of(tasks) == [2, 3, 4]
    assert harness.batches == [["block"], ["a", "b"], ["c"]]


async def test_a_refused_command_is_rolled_back_alone(harness: ExecutorHarness) -> None:
    unblock = await harness.block()
    post = asyncio.ensure_future(harness.post("a", nonce="n"))
    conflict = asyncio.ensure_future(harness.post("b", nonce="n"))
    invalid = asyncio.ensure_future(harness.post("c", reply_to=99))
    room = CreateRoom(title="Tea", members=("nobody",))
    failing = asyncio.ensure_future(harness.executor.submit(harness.ana, room))
    last = asyncio.ensure_future(harness.post("d"))
    await until(lambda: harness.executor.waiting == 6)
    await unblock()
    assert (await post).seq == 2
    for refused, error in ((conflict, Conflict), (invalid, Invalid), (failing, HubbubError)):
        with pytest.raises(error):
            await refused
    assert (await last).seq == 3
    assert len(harness.batches) == 2
    assert harness.on_disk() == ["block", "a", "d"]


async def test_a_bug_in_one_command_does_not_affect_the_rest_of_its_batch(
    harness: ExecutorHarness,
) -> None:
    unblock = await harness.block()
    tasks = await queue_posts(harness, "a", BUG, "b")
    await unblock()
    assert await results_of(tasks) == [2, HubbubError, 3]
    assert harness.batches == [["block"], ["a", BUG, "b"], ["a"], [BUG], ["b"]]
    assert harness.on_disk() == ["block", "a", "b"]


async def test_after_a_disk_failure_all_commands_of_the_batch_fail_and_none_is_run_again(
    harness: ExecutorHarness,
) -> None:
    unblock = await harness.block()
    tasks = await queue_posts(harness, "a", DISK, "b")
    await unblock()
    assert await results_of(tasks) == [Unavailable] * 3
    assert harness.batches == [["block"], ["a", DISK, "b"]]
    assert harness.on_disk() == ["block"]
    assert (await harness.post("later")).seq == 2
    assert harness.executor.metrics.failures == 1


async def test_reading_continues_while_another_program_holds_the_lock(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.post("before")
    harness.writer.execute("PRAGMA busy_timeout = 20")
    other_program = apsw.Connection(str(harness.path))
    try:
        other_program.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked") as caught:
            await harness.post("locked out")
        assert caught.value.retry_after
        page = await harness.executor.ask(harness.ana, History(room="lobby"))
        assert len(page.messages) == 1  # type: ignore[attr-defined]
        other_program.execute("ROLLBACK")
    finally:
        other_program.close()
    assert (await harness.post("after")).seq == 2
    assert connection.BUSY_TIMEOUT_MS >= 1000


async def test_a_full_disk_stops_posts_until_there_is_room(harness: ExecutorHarness) -> None:
    [(pages,)] = harness.writer.execute("PRAGMA page_count")
    harness.writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="disk is full"):
        await harness.post("x" * 16_000)
    harness.writer.execute("PRAGMA max_page_count = 1000000")
    assert (await harness.post("x" * 16_000)).seq == 1


async def test_a_full_queue_refuses_commands_with_busy(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    unblock = await harness.block()
    monkeypatch.setattr(executor, "WAITING_MAX", 3)
    tasks = await queue_posts(harness, "a", "b")
    with pytest.raises(Busy) as caught:
        await harness.post("one too many")
    assert caught.value.retry_after
    await unblock()
    assert await results_of(tasks) == [2, 3]
    assert (await harness.post("c")).seq == 4


async def test_a_full_queue_of_queries_refuses_queries_with_busy(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "READING_MAX", 0)
    with pytest.raises(Busy):
        await harness.executor.ask(harness.ana, History(room="lobby"))


async def test_the_command_of_a_cancelled_caller_is_executed(harness: ExecutorHarness) -> None:
    unblock = await harness.block()
    [task] = await queue_posts(harness, "goodbye")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await unblock()
    await until(lambda: ("publish", "goodbye") in harness.calls)
    assert harness.on_disk() == ["block", "goodbye"]


async def test_a_query_sees_one_state_during_writes(
    harness: ExecutorHarness,
) -> None:
    await harness.post("one")
    reading, written = threading.Event(), threading.Event()

    def read_twice(tx: Tx) -> tuple[int, int]:
        before = tx.total_rev()
        reading.set()
        assert written.wait(BLOCK_TIMEOUT_S)
        return before, tx.total_rev()

    task = asyncio.ensure_future(harness.executor.read(read_twice))
    await asyncio.get_running_loop().run_in_executor(None, reading.wait, BLOCK_TIMEOUT_S)
    await harness.post("two")
    written.set()
    assert await task == (1, 1)
    assert await harness.executor.read(lambda tx: tx.total_rev()) == 2


async def test_a_query_raises_the_error_of_its_action(harness: ExecutorHarness) -> None:
    with pytest.raises(UnknownCommand):
        await harness.executor.ask(harness.ana, About())

    def broken(tx: Tx) -> None:
        raise apsw.IOError("disk I/O error")

    with pytest.raises(Unavailable):
        await harness.executor.read(broken)
    assert await harness.executor.read(lambda tx: tx.total_rev()) == 0


async def test_when_idle_the_log_is_moved_into_the_database(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 0.01)
    await harness.post("moved when nobody looks")
    await until(lambda: b"moved when nobody looks" in harness.path.read_bytes())


async def test_under_load_the_log_is_moved_after_a_number_of_batches(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 60)
    monkeypatch.setattr(checkpoints, "CHECKPOINT_EVERY", (5, 5))
    for number in range(checkpoints.CHECKPOINT_EVERY[0] + 50):
        await harness.post(f"number {number}")
    assert harness.executor.checkpoints >= 2
    assert b"number 5" in harness.path.read_bytes()


async def test_larger_batches_make_checkpoints_more_frequent(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 60)
    monkeypatch.setattr(checkpoints, "CHECKPOINT_EVERY", (2, 500))
    monkeypatch.setattr(checkpoints, "LOG_PAGES", 60)
    counts = [harness.executor.checkpoints]
    for text in ("x" * 16_000, "x" * 16_000, "x"):  # the first round teaches it the size of a batch
        for _ in range(60):
            await harness.post(text)
        counts.append(harness.executor.checkpoints)
    _, with_long_texts, with_short_texts = (after - before for before, after in pairwise(counts))
    assert with_long_texts > with_short_texts > 0


async def test_a_large_log_is_truncated(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 0.01)
    monkeypatch.setattr(checkpoints, "TRUNCATE_ABOVE_BYTES", 0)
    await harness.post("x" * 16_000)
    await until(lambda: harness.database.log_bytes() == 0)


async def test_a_bug_in_publishing_loses_no_reply(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(effects: object) -> None:
        raise RuntimeError("a bug in the hub")

    monkeypatch.setattr(harness.executor, "_publish", broken)
    unblock = await harness.block()
    tasks = await queue_posts(harness, "a", "b")
    await unblock()
    assert await results_of(tasks) == [2, 3]


async def test_draining_waits_for_queued_commands(harness: ExecutorHarness) -> None:
    unblock = await harness.block()
    tasks = await queue_posts(harness, "a", "b")
    closing = asyncio.ensure_future(harness.executor.drain())
    await until(lambda: harness.executor._closing)
    with pytest.raises(Busy):
        await harness.post("too late")
    await unblock()
    await closing
    assert [task.done() for task in tasks] == [True, True]
    assert await results_of(tasks) == [2, 3]
    # Queries are answered until it is closed.
    assert await harness.executor.read(lambda tx: tx.total_rev()) == 3


async def test_a_closed_executor_leaves_one_file_with_everything_in_it(
    harness: ExecutorHarness,
) -> None:
    await harness.post("the last word")
    await harness.close()
    assert [file.name for file in harness.path.parent.iterdir()] == ["hubbub.db"]
    assert b"the last word" in harness.path.read_bytes()


async def test_the_time_of_a_transaction_comes_from_the_executors_clock(
    harness: ExecutorHarness,
) -> None:
    executor_with_clock = CommandExecutor(
        harness.database,
        harness.execute,
        harness.executor._answer,
        lambda effects: None,
        clock=lambda: 1_234_567,
    )
    await harness.close()
    executor_with_clock.start()
    posted: Posted = await executor_with_clock.submit(harness.ana, Post(room="lobby", text="now"))
    await executor_with_clock.close()
    assert posted.at == 1_234_567
    assert abs(executor.wall_clock() - time.time() * 1000) < 60_000
