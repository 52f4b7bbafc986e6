"""Deleted texts are erased from all files of the data folder."""

import asyncio
import random
import threading

import pytest

from hubbub.model.messages import Delete, Edit, Post
from hubbub.model.rooms import CreateRoom, DeleteRoom
from hubbub.store.tx import Tx
from tests.support.executor import BLOCK_TIMEOUT_S, ExecutorHarness
from tests.support.sqlite import opened
from tests.support.waiting import until

# A line, about a page of the database, and the longest possible text.
LENGTHS = [1, 200, 2_000]


def in_folder(harness: ExecutorHarness, text: str) -> bool:
    """Whether any file of the data folder, such as the write-ahead log, has these bytes."""
    return any(text.encode() in file.read_bytes() for file in harness.path.parent.iterdir())


async def until_erased(harness: ExecutorHarness, text: str) -> None:
    await until(lambda: not in_folder(harness, text))


@pytest.mark.parametrize("times", LENGTHS)
async def test_deleted_and_replaced_texts_are_in_no_file(
    harness: ExecutorHarness, times: int
) -> None:
    secret, draft, kept = "<secret>" * times, "<draft>" * times, "<kept>" * times
    for text in (secret, draft, kept):
        await harness.post(text)
    assert in_folder(harness, "<secret>")
    await harness.executor.submit(harness.ana, Delete(room="lobby", seq=1))
    await harness.executor.submit(harness.ana, Edit(room="lobby", seq=2, text="final"))
    await until_erased(harness, "<secret>")
    await until_erased(harness, "<draft>")
    assert in_folder(harness, "<kept>")
    assert harness.on_disk() == ["", "final", kept]


async def test_a_text_deleted_after_a_checkpoint_is_in_no_file(
    harness: ExecutorHarness,
) -> None:
    await harness.post("<secret>")
    assert harness.writer.checkpoint("TRUNCATE")
    assert b"<secret>" in harness.path.read_bytes()
    await harness.executor.submit(harness.ana, Delete(room="lobby", seq=1))
    await until_erased(harness, "<secret>")


async def test_the_texts_of_a_deleted_room_are_in_no_file(harness: ExecutorHarness) -> None:
    await harness.executor.submit(harness.ana, CreateRoom(title="Tea"))
    for number in range(300):
        await harness.executor.submit(harness.ana, Post(room="tea", text=f"<secret> {number}"))
    await harness.executor.submit(harness.ana, DeleteRoom(room="tea"))
    await until_erased(harness, "<secret>")


async def test_a_deleted_text_is_erased_under_load(
    harness: ExecutorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.store.engines.sqlite.checkpoints.SCRUB_EVERY_S", 0.02)
    writing = True

    async def write() -> None:
        while writing:
            await harness.post("something else")

    await harness.post("<secret>")
    task = asyncio.ensure_future(write())
    await harness.executor.submit(harness.ana, Delete(room="lobby", seq=1))
    await until_erased(harness, "<secret>")
    writing = False
    await task


async def test_a_deleted_text_is_erased_after_the_last_reader_has_finished(
    harness: ExecutorHarness,
) -> None:
    await harness.post("<secret>")
    reading, done = threading.Event(), threading.Event()

    def read(tx: Tx) -> str:
        tx.total_rev()  # the first read begins the snapshot
        reading.set()
        assert done.wait(BLOCK_TIMEOUT_S)
        return tx.messages_after(1, 0, 1)[0].text

    task = asyncio.ensure_future(harness.executor.read(read))
    await asyncio.get_running_loop().run_in_executor(None, reading.wait, BLOCK_TIMEOUT_S)
    harness.writer._driver.execute("PRAGMA busy_timeout = 20")
    await harness.executor.submit(harness.ana, Delete(room="lobby", seq=1))
    await harness.post("posting goes on")
    assert in_folder(harness, "<secret>")
    done.set()
    assert await task == "<secret>"
    await until_erased(harness, "<secret>")


async def test_a_deleted_text_is_erased_if_the_server_stops_immediately(
    harness: ExecutorHarness,
) -> None:
    await harness.post("<secret>")
    await harness.executor.submit(harness.ana, Delete(room="lobby", seq=1))
    await harness.close()
    assert not in_folder(harness, "<secret>")


# Each of these seeds moves rows between pages, which leaves copies: without `erasure`, texts would
# remain in the files.
@pytest.mark.parametrize("seed", [0, 20, 27])
async def test_random_posts_edits_and_deletions_leave_no_deleted_text(
    harness: ExecutorHarness, seed: int
) -> None:
    choose = random.Random(seed)
    present: dict[int, str] = {}
    deleted: list[str] = []
    for number in range(400):
        name = f"<{seed}:{number}>"
        text = (name * choose.choice([1, 2, 5, 20, 100, 400]))[:16_000]
        action = choose.choice(["post", "post", "edit", "delete"])
        if action == "post" or not present:
            present[(await harness.post(text)).seq] = name
            continue
        seq = choose.choice(list(present))
        deleted.append(present.pop(seq))
        if action == "edit":
            await harness.executor.submit(harness.ana, Edit(room="lobby", seq=seq, text=text))
            present[seq] = name
        else:
            await harness.executor.submit(harness.ana, Delete(room="lobby", seq=seq))
    await until(lambda: not texts_in_files(harness, deleted))
    # They must not return when cached pages are written again.
    for seq, name in present.items():
        await harness.executor.submit(harness.ana, Edit(room="lobby", seq=seq, text=f"{name}!"))
    assert texts_in_files(harness, deleted) == set()
    await harness.close()
    assert texts_in_files(harness, deleted) == set()
    assert texts_in_files(harness, list(present.values())) == set(present.values())
    with opened(harness.path) as driver:
        assert driver.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def texts_in_files(harness: ExecutorHarness, names: list[str]) -> set[str]:
    content = b"".join(file.read_bytes() for file in harness.path.parent.iterdir())
    return {name for name in names if name.encode() in content}
