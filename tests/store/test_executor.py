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
from hubbub.store.executor import Ledger, Work
from hubbub.store.tx import Tx
from tests.support.executor import BUG, DISK, HOLD_TIMEOUT_S, Desk
from tests.support.waiting import until


async def queued(desk: Desk, *texts: str) -> list[asyncio.Task[Posted]]:
    """Posts that wait for the writer, in this order."""
    before = desk.ledger.waiting
    tasks = [asyncio.ensure_future(desk.post(text)) for text in texts]
    await until(lambda: desk.ledger.waiting == before + len(texts))
    return tasks


async def outcomes(tasks: list[asyncio.Task[Posted]]) -> list[int | type[HubbubError]]:
    """The seq or the kind of error of each."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [one.seq if isinstance(one, Posted) else type(one) for one in results]  # type: ignore[misc]


async def test_a_reply_comes_after_its_commit_and_before_the_others_are_told(desk: Desk) -> None:
    def then(result: object) -> None:
        desk.happened.append(("reply", result.seq, desk.on_disk()))  # type: ignore[attr-defined]

    for text in ("one", "two"):
        desk.ledger.put(Work(desk.ana, Post(room="lobby", text=text), then))
        await until(lambda: desk.happened[-1:] == [("shown", text)])  # noqa: B023 - awaited here
    assert desk.happened == [
        *[("about to show", 1), ("reply", 1, ["one"]), ("shown", "one")],
        *[("about to show", 1), ("reply", 2, ["one", "two"]), ("shown", "two")],
    ]


async def test_what_waits_is_carried_out_as_one_batch_in_order(desk: Desk) -> None:
    go_on = await desk.hold()
    tasks = await queued(desk, *"abcdef")
    await go_on()
    assert await outcomes(tasks) == [2, 3, 4, 5, 6, 7]
    assert desk.batches == [["hold"], list("abcdef")]
    assert [text for what, text in desk.happened if what == "shown"] == ["hold", *"abcdef"]
    assert [count for what, count in desk.happened if what == "about to show"] == [1, 6]


async def test_a_batch_has_a_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "BATCH_MAX", 2)
    go_on = await desk.hold()
    tasks = await queued(desk, *"abc")
    await go_on()
    assert await outcomes(tasks) == [2, 3, 4]
    assert desk.batches == [["hold"], ["a", "b"], ["c"]]


async def test_a_refused_command_undoes_only_itself(desk: Desk) -> None:
    go_on = await desk.hold()
    post = asyncio.ensure_future(desk.post("a", nonce="n"))
    conflict = asyncio.ensure_future(desk.post("b", nonce="n"))
    invalid = asyncio.ensure_future(desk.post("c", reply_to=99))
    room = CreateRoom(title="Tea", members=("nobody",))
    made = asyncio.ensure_future(desk.ledger.submit(desk.ana, room))
    last = asyncio.ensure_future(desk.post("d"))
    await until(lambda: desk.ledger.waiting == 6)
    await go_on()
    assert (await post).seq == 2
    for refused, error in ((conflict, Conflict), (invalid, Invalid), (made, HubbubError)):
        with pytest.raises(error):
            await refused
    assert (await last).seq == 3
    assert len(desk.batches) == 2
    assert desk.on_disk() == ["hold", "a", "d"]


async def test_a_bug_in_one_command_does_not_harm_the_others_of_its_batch(desk: Desk) -> None:
    go_on = await desk.hold()
    tasks = await queued(desk, "a", BUG, "b")
    await go_on()
    assert await outcomes(tasks) == [2, HubbubError, 3]
    assert desk.batches == [["hold"], ["a", BUG, "b"], ["a"], [BUG], ["b"]]
    assert desk.on_disk() == ["hold", "a", "b"]


async def test_a_failure_of_the_disk_is_answered_and_nothing_is_run_again(desk: Desk) -> None:
    go_on = await desk.hold()
    tasks = await queued(desk, "a", DISK, "b")
    await go_on()
    assert await outcomes(tasks) == [Unavailable] * 3
    assert desk.batches == [["hold"], ["a", DISK, "b"]]
    assert desk.on_disk() == ["hold"]
    assert (await desk.post("later")).seq == 2
    assert desk.ledger.figures.failures == 1


async def test_while_another_program_holds_the_lock_reading_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.post("before")
    desk.writer.execute("PRAGMA busy_timeout = 20")
    thief = apsw.Connection(str(desk.path))
    try:
        thief.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked") as caught:
            await desk.post("locked out")
        assert caught.value.retry_after
        page = await desk.ledger.ask(desk.ana, History(room="lobby"))
        assert len(page.messages) == 1  # type: ignore[attr-defined]
        thief.execute("ROLLBACK")
    finally:
        thief.close()
    assert (await desk.post("after")).seq == 2
    assert connection.BUSY_TIMEOUT_MS >= 1000


async def test_a_full_disk_stops_posts_until_there_is_room(desk: Desk) -> None:
    [(pages,)] = desk.writer.execute("PRAGMA page_count")
    desk.writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="disk is full"):
        await desk.post("x" * 16_000)
    desk.writer.execute("PRAGMA max_page_count = 1000000")
    assert (await desk.post("x" * 16_000)).seq == 1


async def test_a_full_queue_answers_busy_and_keeps_what_it_has(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = await desk.hold()
    monkeypatch.setattr(executor, "WAITING_MAX", 3)
    tasks = await queued(desk, "a", "b")
    with pytest.raises(Busy) as caught:
        await desk.post("one too many")
    assert caught.value.retry_after
    await go_on()
    assert await outcomes(tasks) == [2, 3]
    assert (await desk.post("c")).seq == 4


async def test_a_full_queue_of_readers_answers_busy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "READING_MAX", 0)
    with pytest.raises(Busy):
        await desk.ledger.ask(desk.ana, History(room="lobby"))


async def test_a_cancelled_callers_command_is_carried_out(desk: Desk) -> None:
    go_on = await desk.hold()
    [task] = await queued(desk, "goodbye")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await go_on()
    await until(lambda: ("shown", "goodbye") in desk.happened)
    assert desk.on_disk() == ["hold", "goodbye"]


async def test_a_reader_sees_one_state_whatever_is_written_meanwhile(desk: Desk) -> None:
    await desk.post("one")
    reading, written = threading.Event(), threading.Event()

    def twice(tx: Tx) -> tuple[int, int]:
        before = tx.total_rev()
        reading.set()
        assert written.wait(HOLD_TIMEOUT_S)
        return before, tx.total_rev()

    task = asyncio.ensure_future(desk.ledger.read(twice))
    await asyncio.get_running_loop().run_in_executor(None, reading.wait, HOLD_TIMEOUT_S)
    await desk.post("two")
    written.set()
    assert await task == (1, 1)
    assert await desk.ledger.read(lambda tx: tx.total_rev()) == 2


async def test_a_question_is_answered_or_refused_as_its_action_says(desk: Desk) -> None:
    with pytest.raises(UnknownCommand):
        await desk.ledger.ask(desk.ana, About())

    def broken(tx: Tx) -> None:
        raise apsw.IOError("disk I/O error")

    with pytest.raises(Unavailable):
        await desk.ledger.read(broken)
    assert await desk.ledger.read(lambda tx: tx.total_rev()) == 0


async def test_what_is_idle_is_moved_from_the_log_into_the_database(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 0.01)
    await desk.post("moved when nobody looks")
    await until(lambda: b"moved when nobody looks" in desk.path.read_bytes())


async def test_under_load_the_log_is_moved_every_so_many_batches(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 60)
    monkeypatch.setattr(checkpoints, "CHECKPOINT_EVERY", (5, 5))
    for number in range(checkpoints.CHECKPOINT_EVERY[0] + 50):
        await desk.post(f"number {number}")
    assert desk.ledger.checkpoints >= 2
    assert b"number 5" in desk.path.read_bytes()


async def test_the_more_a_batch_writes_the_sooner_the_log_is_moved(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 60)
    monkeypatch.setattr(checkpoints, "CHECKPOINT_EVERY", (2, 500))
    monkeypatch.setattr(checkpoints, "LOG_PAGES", 60)
    counts = [desk.ledger.checkpoints]
    for text in ("x" * 16_000, "x" * 16_000, "x"):  # the first is how it finds out
        for _ in range(60):
            await desk.post(text)
        counts.append(desk.ledger.checkpoints)
    _, with_long_texts, with_short_texts = (after - before for before, after in pairwise(counts))
    assert with_long_texts > with_short_texts > 0


async def test_a_large_log_is_cut_down(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "IDLE_S", 0.01)
    monkeypatch.setattr(checkpoints, "TRUNCATE_ABOVE_BYTES", 0)
    await desk.post("x" * 16_000)
    await until(lambda: desk.database.log_bytes() == 0)


async def test_a_bug_in_telling_the_others_loses_no_reply(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(told: object) -> None:
        raise RuntimeError("a bug in the hub")

    monkeypatch.setattr(desk.ledger, "_show", broken)
    go_on = await desk.hold()
    tasks = await queued(desk, "a", "b")
    await go_on()
    assert await outcomes(tasks) == [2, 3]


async def test_who_closes_it_waits_for_all_that_waits(desk: Desk) -> None:
    go_on = await desk.hold()
    tasks = await queued(desk, "a", "b")
    closing = asyncio.ensure_future(desk.ledger.drain())
    await until(lambda: desk.ledger._closing)
    with pytest.raises(Busy):
        await desk.post("too late")
    await go_on()
    await closing
    assert [task.done() for task in tasks] == [True, True]
    assert await outcomes(tasks) == [2, 3]
    # Reading goes on until the end.
    assert await desk.ledger.read(lambda tx: tx.total_rev()) == 3


async def test_a_closed_ledger_leaves_one_file_with_everything_in_it(desk: Desk) -> None:
    await desk.post("the last word")
    await desk.close()
    assert [file.name for file in desk.path.parent.iterdir()] == ["hubbub.db"]
    assert b"the last word" in desk.path.read_bytes()


async def test_time_is_the_ledgers_and_one_for_a_transaction(desk: Desk) -> None:
    clocked = Ledger(
        desk.database,
        desk._carry,
        desk.ledger._answer,
        lambda told: None,
        clock=lambda: 1_234_567,
    )
    await desk.close()
    clocked.start()
    posted: Posted = await clocked.submit(desk.ana, Post(room="lobby", text="now"))
    await clocked.close()
    assert posted.at == 1_234_567
    assert abs(executor.wall_clock() - time.time() * 1000) < 60_000
