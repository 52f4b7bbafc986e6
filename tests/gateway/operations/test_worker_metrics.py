"""The exchange of metrics between the workers of a server."""

import asyncio
from pathlib import Path

from hubbub.gateway.operations.local_sockets import LocalSocket
from hubbub.gateway.operations.worker_metrics import WorkerMetrics
from hubbub.store.data_folder import DataFolder


async def test_a_worker_that_does_not_answer_is_left_out(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    workers = [WorkerMetrics(folder, n, 4, lambda n=n: b"%d" % n * 100_000) for n in (1, 2)]  # type: ignore[misc]

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    silent = LocalSocket(folder.metrics_socket(3), hang)
    everybody: list[WorkerMetrics | LocalSocket] = [*workers, silent]
    for each in everybody:
        await each.start()
    try:
        fetched = await workers[0].fetch_all()
    finally:
        for each in everybody:
            await each.close()

    assert fetched == {1: b"1" * 100_000, 2: b"2" * 100_000}, (
        "the third hangs, the fourth does not run"
    )


async def test_a_successor_takes_over_the_socket_of_a_worker_that_is_still_stopping(
    tmp_path: Path,
) -> None:
    folder = DataFolder(tmp_path)
    asking, before, after = (
        WorkerMetrics(folder, 1, 2, lambda: b"I"),
        WorkerMetrics(folder, 2, 2, lambda: b"old"),
        WorkerMetrics(folder, 2, 2, lambda: b"new"),
    )
    await before.start()
    await after.start()
    await before.close()

    assert await asking.fetch_all() == {1: b"I", 2: b"new"}
    await after.close()
    assert await asking.fetch_all() == {1: b"I"}
