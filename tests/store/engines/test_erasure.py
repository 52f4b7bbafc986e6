"""A deleted text is gone from the data folder, byte by byte."""

import asyncio
import random
import threading

import pytest

from hubbub.model.messages import Delete, Edit, Post
from hubbub.model.rooms import CreateRoom, DeleteRoom
from hubbub.store.tx import Tx
from tests.support.executor import HOLD_TIMEOUT_S, Desk
from tests.support.sqlite import opened
from tests.support.waiting import until

# As long as a line, as a page of the database, and as long as a text may be.
LENGTHS = [1, 200, 2_000]


def in_folder(desk: Desk, text: str) -> bool:
    """Whether any file beside the database, the write-ahead log too, has these bytes."""
    return any(text.encode() in file.read_bytes() for file in desk.path.parent.iterdir())


async def gone(desk: Desk, text: str) -> None:
    await until(lambda: not in_folder(desk, text))


@pytest.mark.parametrize("times", LENGTHS)
async def test_what_was_deleted_or_edited_away_is_in_no_file(desk: Desk, times: int) -> None:
    secret, draft, kept = "<secret>" * times, "<draft>" * times, "<kept>" * times
    for text in (secret, draft, kept):
        await desk.post(text)
    assert in_folder(desk, "<secret>")
    await desk.ledger.submit(desk.ana, Delete(room="lobby", seq=1))
    await desk.ledger.submit(desk.ana, Edit(room="lobby", seq=2, text="final"))
    await gone(desk, "<secret>")
    await gone(desk, "<draft>")
    assert in_folder(desk, "<kept>")
    assert desk.on_disk() == ["", "final", kept]


async def test_what_was_deleted_after_the_log_was_moved_is_in_no_file(desk: Desk) -> None:
    await desk.post("<secret>")
    assert desk.writer.checkpoint("TRUNCATE")
    assert b"<secret>" in desk.path.read_bytes()
    await desk.ledger.submit(desk.ana, Delete(room="lobby", seq=1))
    await gone(desk, "<secret>")


async def test_a_deleted_rooms_texts_are_in_no_file(desk: Desk) -> None:
    await desk.ledger.submit(desk.ana, CreateRoom(title="Tea"))
    for number in range(300):
        await desk.ledger.submit(desk.ana, Post(room="tea", text=f"<secret> {number}"))
    await desk.ledger.submit(desk.ana, DeleteRoom(room="tea"))
    await gone(desk, "<secret>")


async def test_it_goes_while_others_write_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.store.engines.sqlite.checkpoints.SCRUB_EVERY_S", 0.02)
    writing = True

    async def write_on() -> None:
        while writing:
            await desk.post("something else")

    await desk.post("<secret>")
    task = asyncio.ensure_future(write_on())
    await desk.ledger.submit(desk.ana, Delete(room="lobby", seq=1))
    await gone(desk, "<secret>")
    writing = False
    await task


async def test_it_goes_once_the_last_who_still_read_it_is_done(desk: Desk) -> None:
    await desk.post("<secret>")
    reading, done = threading.Event(), threading.Event()

    def read(tx: Tx) -> str:
        tx.total_rev()  # a snapshot begins with the first look
        reading.set()
        assert done.wait(HOLD_TIMEOUT_S)
        return tx.messages_after(1, 0, 1)[0].text

    task = asyncio.ensure_future(desk.ledger.read(read))
    await asyncio.get_running_loop().run_in_executor(None, reading.wait, HOLD_TIMEOUT_S)
    desk.writer._driver.execute("PRAGMA busy_timeout = 20")
    await desk.ledger.submit(desk.ana, Delete(room="lobby", seq=1))
    await desk.post("posting goes on")
    assert in_folder(desk, "<secret>")
    done.set()
    assert await task == "<secret>"
    await gone(desk, "<secret>")


async def test_it_goes_when_the_server_stops_right_after(desk: Desk) -> None:
    await desk.post("<secret>")
    await desk.ledger.submit(desk.ana, Delete(room="lobby", seq=1))
    await desk.close()
    assert not in_folder(desk, "<secret>")


# Of these some move rows between pages, which leaves copies; without what `erasure` does, each
# of them leaves a text behind.
@pytest.mark.parametrize("seed", [0, 20, 27])
async def test_no_order_of_posts_edits_and_deletions_leaves_a_text_behind(
    desk: Desk, seed: int
) -> None:
    choose = random.Random(seed)
    shown: dict[int, str] = {}
    gone: list[str] = []
    for number in range(400):
        name = f"<{seed}:{number}>"
        text = (name * choose.choice([1, 2, 5, 20, 100, 400]))[:16_000]
        what = choose.choice(["post", "post", "edit", "delete"])
        if what == "post" or not shown:
            shown[(await desk.post(text)).seq] = name
            continue
        seq = choose.choice(list(shown))
        gone.append(shown.pop(seq))
        if what == "edit":
            await desk.ledger.submit(desk.ana, Edit(room="lobby", seq=seq, text=text))
            shown[seq] = name
        else:
            await desk.ledger.submit(desk.ana, Delete(room="lobby", seq=seq))
    await until(lambda: not found(desk, gone))
    # Nor do they come back when pages that are held in memory are written again.
    for seq, name in shown.items():
        await desk.ledger.submit(desk.ana, Edit(room="lobby", seq=seq, text=f"{name}!"))
    assert found(desk, gone) == set()
    await desk.close()
    assert found(desk, gone) == set()
    assert found(desk, list(shown.values())) == set(shown.values())
    with opened(desk.path) as driver:
        assert driver.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def found(desk: Desk, names: list[str]) -> set[str]:
    held = b"".join(file.read_bytes() for file in desk.path.parent.iterdir())
    return {name for name in names if name.encode() in held}
