"""Workers of one server tell each other their figures."""

import asyncio
from pathlib import Path

from hubbub.gateway.operations.local_sockets import LocalSocket
from hubbub.gateway.operations.worker_metrics import Workers
from hubbub.store.data_folder import DataFolder


async def test_who_does_not_answer_is_left_out(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    workers = [Workers(folder, n, 4, lambda n=n: b"%d" % n * 100_000) for n in (1, 2)]  # type: ignore[misc]

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    silent = LocalSocket(folder.metrics_socket(3), hang)
    everybody: list[Workers | LocalSocket] = [*workers, silent]
    for each in everybody:
        await each.start()
    try:
        told = await workers[0].ask_all()
    finally:
        for each in everybody:
            await each.close()

    assert told == {1: b"1" * 100_000, 2: b"2" * 100_000}, (
        "the third hangs, the fourth is not there"
    )


async def test_a_successor_takes_the_place_of_one_who_has_not_left_yet(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    asking, before, after = (
        Workers(folder, 1, 2, lambda: b"I"),
        Workers(folder, 2, 2, lambda: b"old"),
        Workers(folder, 2, 2, lambda: b"new"),
    )
    await before.start()
    await after.start()
    await before.close()

    assert await asking.ask_all() == {1: b"I", 2: b"new"}
    await after.close()
    assert await asking.ask_all() == {1: b"I"}
