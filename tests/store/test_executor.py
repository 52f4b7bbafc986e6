"""The ledger: batches, their replies, and what goes wrong in them."""

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
from tests.support.executor import BUG, DISK, HOLD_TIMEOUT_S, Dispatcher
from tests.support.waiting import until


async def queued(dispatcher: Dispatcher, *texts: str) -> list[asyncio.Task[Posted]]:
    """Posts that wait for the writer, in this order."""
    before = dispatcher.executor.waiting
    tasks = [asyncio.ensure_future(dispatcher.post(text)) for text in texts]
    await until(lambda: dispatcher.executor.waiting == before + len(texts))
    return tasks


async def outcomes(tasks: list[asyncio.Task[Posted]]) -> list[int | type[HubbubError]]:
    """The seq or the kind of error of each."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [one.seq if isinstance(one, Posted) else type(one) for one in results]  # type: ignore[misc]


async def test_a_reply_comes_after_its_commit_and_before_the_others_are_told(
    dispatcher: Dispatcher,
) -> None:
    def on_done(result: object) -> None:
        dispatcher.happened.append(("reply", result.seq, dispatcher.on_disk()))  # type: ignore[attr-defined]

    for text in ("one", "two"):
        dispatcher.executor.put(Job(dispatcher.ana, Post(room="lobby", text=text), on_done))
        await until(lambda: dispatcher.happened[-1:] == [("shown", text)])  # noqa: B023 - awaited here
    assert dispatcher.happened == [
        *[("about to show", 1), ("reply", 1, ["one"]), ("shown", "one")],
        *[("about to show", 1), ("reply", 2, ["one", "two"]), ("shown", "two")],
    ]


async def test_what_waits_is_carried_out_as_one_batch_in_order(dispatcher: Dispatcher) -> None:
    go_on = await dispatcher.hold()
    tasks = await queued(dispatcher, *"abcdef")
    await go_on()
    assert await outcomes(tasks) == [2, 3, 4, 5, 6, 7]
    assert dispatcher.batches == [["hold"], list("abcdef")]
    assert [text for what, text in dispatcher.happened if what == "shown"] == ["hold", *"abcdef"]
    assert [count for what, count in dispatcher.happened if what == "about to show"] == [1, 6]


async def test_a_batch_has_a_bound(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "BATCH_MAX", 2)
    go_on = await dispatcher.hold()
    tasks = await queued(dispatcher, *"abc")
    await go_on()
    assert await outcomes(tasks) == [2, 3, 4]
    assert dispatcher.batches == [["hold"], ["a", "b"], ["c"]]


async def test_a_refused_command_undoes_only_itself(dispatcher: Dispatcher) -> None:
    go_on = await dispatcher.hold()
    post = asyncio.ensure_future(dispatcher.post("a", nonce="n"))
    conflict = asyncio.ensure_future(dispatcher.post("b", nonce="n"))
    invalid = asyncio.ensure_future(dispatcher.post("c", reply_to=99))
    room = CreateRoom(title="Tea", members=("nobody",))
    made = asyncio.ensure_future(dispatcher.executor.submit(dispatcher.ana, room))
    last = asyncio.ensure_future(dispatcher.post("d"))
    await until(lambda: dispatcher.executor.waiting == 6)
    await go_on()
    assert (await post).seq == 2
    for refused, error in ((conflict, Conflict), (invalid, Invalid), (made, HubbubError)):
        with pytest.raises(error):
            await refused
    assert (await last).seq == 3
    assert len(dispatcher.batches) == 2
    assert dispatcher.on_disk() == ["hold", "a", "d"]


async def test_a_bug_in_one_command_does_not_harm_the_others_of_its_batch(
    dispatcher: Dispatcher,
) -> None:
    go_on = await dispatcher.hold()
    tasks = await queued(dispatcher, "a", BUG, "b")
    await go_on()
    assert await outcomes(tasks) == [2, HubbubError, 3]
    assert dispatcher.batches == [["hold"], ["a", BUG, "b"], ["a"], [BUG], ["b"]]
    assert dispatcher.on_disk() == ["hold", "a", "b"]


async def test_a_failure_of_the_disk_is_answered_and_nothing_is_run_again(
    dispatcher: Dispatcher,
) -> None:
    go_on = await dispatcher.hold()
    tasks = await queued(dispatcher, "a", DISK, "b")
    await go_on()
    assert await outcomes(tasks) == [Unavailable] * 3
    assert dispatcher.batches == [["hold"], ["a", DISK, "b"]]
    assert dispatcher.on_disk() == ["hold"]
    assert (await dispatcher.post("later")).seq == 2
    assert dispatcher.executor.metrics.failures == 1


async def test_while_another_program_holds_the_lock_reading_goes_on(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dispatcher.post("before")
    dispatcher.writer.execute("PRAGMA busy_timeout = 20")
    thief = apsw.Connection(str(dispatcher.path))
    try:
        thief.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked") as caught:
            await dispatcher.post("locked out")
        assert caught.value.retry_after
        page = await dispatcher.executor.ask(dispatcher.ana, History(room="lobby"))
        assert len(page.messages) == 1  # type: ignore[attr-defined]
        thief.execute("ROLLBACK")
    finally:
        thief.close()
    assert (await dispatcher.post("after")).seq == 2
    assert connection.BUSY_TIMEOUT_MS >= 1000


async def test_a_full_disk_stops_posts_until_there_is_room(dispatcher: Dispatcher) -> None:
    [(pages,)] = dispatcher.writer.execute("PRAGMA page_count")
    dispatcher.writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="disk is full"):
        await dispatcher.post("x" * 16_000)
    dispatcher.writer.execute("PRAGMA max_page_count = 1000000")
    assert (await dispatcher.post("x" * 16_000)).seq == 1


async def test_a_full_queue_answers_busy_and_keeps_what_it_has(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = await dispatcher.hold()
    monkeypatch.setattr(executor, "WAITING_MAX", 3)
    tasks = await queued(dispatcher, "a", "b")
    with pytest.raises(Busy) as caught:
        await dispatcher.post("one too many")
    assert caught.value.retry_after
    await go_on()
    assert await outcomes(tasks) == [2, 3]
    assert (await dispatcher.post("c")).seq == 4


async def test_a_full_queue_of_readers_answers_busy(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "READING_MAX", 0)
    with pytest.raises(Busy):
        await dispatcher.executor.ask(dispatcher.ana, History(room="lobby"))


async def test_a_cancelled_callers_command_is_carried_out(dispatcher: Dispatcher) -> None:
    go_on = await dispatcher.hold()
    [task] = await queued(dispatcher, "goodbye")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await go_on()
    await until(lambda: ("shown", "goodbye") in dispatcher.happened)
    assert dispatcher.on_disk() == ["hold", "goodbye"]


async def test_a_reader_sees_one_state_whatever_is_written_meanwhile(
    dispatcher: Dispatcher,
) -> None:
    await dispatcher.post("one")
    reading, written = threading.Event(), threading.Event()

    def twice(tx: Tx) -> tuple[int, int]:
        before = tx.total_rev()
        reading.set()
        assert written.wait(HOLD_TIMEOUT_S)
        return before, tx.total_rev()

    task = asyncio.ensure_future(dispatcher.executor.read(twice))
    await asyncio.get_running_loop().run_in_executor(None, reading.wait, HOLD_TIMEOUT_S)
    await dispatcher.post("two")
    written.set()
    assert await task == (1, 1)
    assert await dispatcher.executor.read(lambda tx: tx.total_rev()) == 2


async def test_a_question_is_answered_or_refused_as_its_action_says(dispatcher: Dispatcher) -> None:
    with pytest.raises(UnknownCommand):
        await dispatcher.executor.ask(dispatcher.ana, About())

    def broken(tx: Tx) -> None:
        raise apsw.IOError("disk I/O error")

    with pytest.raises(Unavailable):
        await dispatcher.executor.read(broken)
    assert await dispatcher.executor.read(lambda tx: tx.total_rev()) == 0


async def test_what_is_idle_is_moved_from_the_log_into_the_database(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 0.01)
    await dispatcher.post("moved when nobody looks")
    await until(lambda: b"moved when nobody looks" in dispatcher.path.read_bytes())


async def test_under_load_the_log_is_moved_every_so_many_batches(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 60)
    monkeypatch.setattr(checkpoints, "CHECKPOINT_EVERY", (5, 5))
    for number in range(checkpoints.CHECKPOINT_EVERY[0] + 50):
        await dispatcher.post(f"number {number}")
    assert dispatcher.executor.checkpoints >= 2
    assert b"number 5" in dispatcher.path.read_bytes()


async def test_the_more_a_batch_writes_the_sooner_the_log_is_moved(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 60)
    monkeypatch.setattr(checkpoints, "CHECKPOINT_EVERY", (2, 500))
    monkeypatch.setattr(checkpoints, "LOG_PAGES", 60)
    counts = [dispatcher.executor.checkpoints]
    for text in ("x" * 16_000, "x" * 16_000, "x"):  # the first is how it finds out
        for _ in range(60):
            await dispatcher.post(text)
        counts.append(dispatcher.executor.checkpoints)
    _, with_long_texts, with_short_texts = (after - before for before, after in pairwise(counts))
    assert with_long_texts > with_short_texts > 0


async def test_a_large_log_is_cut_down(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 0.01)
    monkeypatch.setattr(checkpoints, "TRUNCATE_ABOVE_BYTES", 0)
    await dispatcher.post("x" * 16_000)
    await until(lambda: dispatcher.database.log_bytes() == 0)


async def test_a_bug_in_telling_the_others_loses_no_reply(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(told: object) -> None:
        raise RuntimeError("a bug in the hub")

    monkeypatch.setattr(dispatcher.executor, "_show", broken)
    go_on = await dispatcher.hold()
    tasks = await queued(dispatcher, "a", "b")
    await go_on()
    assert await outcomes(tasks) == [2, 3]


async def test_who_closes_it_waits_for_all_that_waits(dispatcher: Dispatcher) -> None:
    go_on = await dispatcher.hold()
    tasks = await queued(dispatcher, "a", "b")
    closing = asyncio.ensure_future(dispatcher.executor.drain())
    await until(lambda: dispatcher.executor._closing)
    with pytest.raises(Busy):
        await dispatcher.post("too late")
    await go_on()
    await closing
    assert [task.done() for task in tasks] == [True, True]
    assert await outcomes(tasks) == [2, 3]
    # Reading goes on until the end.
    assert await dispatcher.executor.read(lambda tx: tx.total_rev()) == 3


async def test_a_closed_ledger_leaves_one_file_with_everything_in_it(
    dispatcher: Dispatcher,
) -> None:
    await dispatcher.post("the last word")
    await dispatcher.close()
    assert [file.name for file in dispatcher.path.parent.iterdir()] == ["hubbub.db"]
    assert b"the last word" in dispatcher.path.read_bytes()


async def test_time_is_the_ledgers_and_one_for_a_transaction(dispatcher: Dispatcher) -> None:
    clocked = CommandExecutor(
        dispatcher.database,
        dispatcher._carry,
        dispatcher.executor._answer,
        lambda told: None,
        clock=lambda: 1_234_567,
    )
    await dispatcher.close()
    clocked.start()
    posted: Posted = await clocked.submit(dispatcher.ana, Post(room="lobby", text="now"))
    await clocked.close()
    assert posted.at == 1_234_567
    assert abs(executor.wall_clock() - time.time() * 1000) < 60_000
