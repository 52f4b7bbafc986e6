"""A deleted text is gone from the data folder, byte by byte."""

import asyncio
import random
import threading

import pytest

from hubbub.model.messages import Delete, Edit, Post
from hubbub.model.rooms import CreateRoom, DeleteRoom
from hubbub.store.tx import Tx
from tests.support.executor import HOLD_TIMEOUT_S, Dispatcher
from tests.support.sqlite import opened
from tests.support.waiting import until

# As long as a line, as a page of the database, and as long as a text may be.
LENGTHS = [1, 200, 2_000]


def in_folder(dispatcher: Dispatcher, text: str) -> bool:
    """Whether any file beside the database, the write-ahead log too, has these bytes."""
    return any(text.encode() in file.read_bytes() for file in dispatcher.path.parent.iterdir())


async def gone(dispatcher: Dispatcher, text: str) -> None:
    await until(lambda: not in_folder(dispatcher, text))


@pytest.mark.parametrize("times", LENGTHS)
async def test_what_was_deleted_or_edited_away_is_in_no_file(
    dispatcher: Dispatcher, times: int
) -> None:
    secret, draft, kept = "<secret>" * times, "<draft>" * times, "<kept>" * times
    for text in (secret, draft, kept):
        await dispatcher.post(text)
    assert in_folder(dispatcher, "<secret>")
    await dispatcher.executor.submit(dispatcher.ana, Delete(room="lobby", seq=1))
    await dispatcher.executor.submit(dispatcher.ana, Edit(room="lobby", seq=2, text="final"))
    await gone(dispatcher, "<secret>")
    await gone(dispatcher, "<draft>")
    assert in_folder(dispatcher, "<kept>")
    assert dispatcher.on_disk() == ["", "final", kept]


async def test_what_was_deleted_after_the_log_was_moved_is_in_no_file(
    dispatcher: Dispatcher,
) -> None:
    await dispatcher.post("<secret>")
    assert dispatcher.writer.checkpoint("TRUNCATE")
    assert b"<secret>" in dispatcher.path.read_bytes()
    await dispatcher.executor.submit(dispatcher.ana, Delete(room="lobby", seq=1))
    await gone(dispatcher, "<secret>")


async def test_a_deleted_rooms_texts_are_in_no_file(dispatcher: Dispatcher) -> None:
    await dispatcher.executor.submit(dispatcher.ana, CreateRoom(title="Tea"))
    for number in range(300):
        await dispatcher.executor.submit(
            dispatcher.ana, Post(room="tea", text=f"<secret> {number}")
        )
    await dispatcher.executor.submit(dispatcher.ana, DeleteRoom(room="tea"))
    await gone(dispatcher, "<secret>")


async def test_it_goes_while_others_write_on(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.store.engines.sqlite.checkpoints.SCRUB_EVERY_S", 0.02)
    writing = True

    async def write_on() -> None:
        while writing:
            await dispatcher.post("something else")

    await dispatcher.post("<secret>")
    task = asyncio.ensure_future(write_on())
    await dispatcher.executor.submit(dispatcher.ana, Delete(room="lobby", seq=1))
    await gone(dispatcher, "<secret>")
    writing = False
    await task


async def test_it_goes_once_the_last_who_still_read_it_is_done(dispatcher: Dispatcher) -> None:
    await dispatcher.post("<secret>")
    reading, done = threading.Event(), threading.Event()

    def read(tx: Tx) -> str:
        tx.total_rev()  # a snapshot begins with the first look
        reading.set()
        assert done.wait(HOLD_TIMEOUT_S)
        return tx.messages_after(1, 0, 1)[0].text

    task = asyncio.ensure_future(dispatcher.executor.read(read))
    await asyncio.get_running_loop().run_in_executor(None, reading.wait, HOLD_TIMEOUT_S)
    dispatcher.writer._driver.execute("PRAGMA busy_timeout = 20")
    await dispatcher.executor.submit(dispatcher.ana, Delete(room="lobby", seq=1))
    await dispatcher.post("posting goes on")
    assert in_folder(dispatcher, "<secret>")
    done.set()
    assert await task == "<secret>"
    await gone(dispatcher, "<secret>")


async def test_it_goes_when_the_server_stops_right_after(dispatcher: Dispatcher) -> None:
    await dispatcher.post("<secret>")
    await dispatcher.executor.submit(dispatcher.ana, Delete(room="lobby", seq=1))
    await dispatcher.close()
    assert not in_folder(dispatcher, "<secret>")


# Of these some move rows between pages, which leaves copies; without what `erasure` does, each
# of them leaves a text behind.
@pytest.mark.parametrize("seed", [0, 20, 27])
async def test_no_order_of_posts_edits_and_deletions_leaves_a_text_behind(
    dispatcher: Dispatcher, seed: int
) -> None:
    choose = random.Random(seed)
    shown: dict[int, str] = {}
    gone: list[str] = []
    for number in range(400):
        name = f"<{seed}:{number}>"
        text = (name * choose.choice([1, 2, 5, 20, 100, 400]))[:16_000]
        what = choose.choice(["post", "post", "edit", "delete"])
        if what == "post" or not shown:
            shown[(await dispatcher.post(text)).seq] = name
            continue
        seq = choose.choice(list(shown))
        gone.append(shown.pop(seq))
        if what == "edit":
            await dispatcher.executor.submit(dispatcher.ana, Edit(room="lobby", seq=seq, text=text))
            shown[seq] = name
        else:
            await dispatcher.executor.submit(dispatcher.ana, Delete(room="lobby", seq=seq))
    await until(lambda: not found(dispatcher, gone))
    # Nor do they come back when pages that are held in memory are written again.
    for seq, name in shown.items():
        await dispatcher.executor.submit(
            dispatcher.ana, Edit(room="lobby", seq=seq, text=f"{name}!")
        )
    assert found(dispatcher, gone) == set()
    await dispatcher.close()
    assert found(dispatcher, gone) == set()
    assert found(dispatcher, list(shown.values())) == set(shown.values())
    with opened(dispatcher.path) as driver:
        assert driver.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def found(dispatcher: Dispatcher, names: list[str]) -> set[str]:
    held = b"".join(file.read_bytes() for file in dispatcher.path.parent.iterdir())
    return {name for name in names if name.encode() in held}
