"""The workers of one server exchange their metrics through sockets in its data folder."""

import asyncio
from collections.abc import Callable

import structlog

from hubbub.gateway.operations.local_sockets import LocalSocket, address_of
from hubbub.store.data_folder import DataFolder

ANSWER_WITHIN_S = 1.0

log = structlog.get_logger()


class WorkerMetrics:
    """Serves the metrics of worker ``number`` of ``count``, and fetches those of the others."""

    def __init__(
        self, folder: DataFolder, number: int, count: int, pack_own: Callable[[], bytes]
    ) -> None:
        """``pack_own`` returns this worker's metrics, as `metrics.pack` makes them."""
        self._folder = folder
        self._number = number
        self._count = count
        self._pack_own = pack_own
        self._socket = LocalSocket(folder.metrics_socket(number), self._send_own)

    async def start(self) -> None:
        """Raises OSError."""
        await self._socket.start()

    async def close(self) -> None:
        await self._socket.close()

    async def _send_own(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._pack_own())

    async def fetch_all(self) -> dict[int, bytes]:
        """The metrics of each worker that answers within 1 s, by its number."""
        others = [number for number in range(1, self._count + 1) if number != self._number]
        answers = await asyncio.gather(*map(self._fetch, others))
        fetched = {number: packed for number, packed in zip(others, answers, strict=True) if packed}
        return {self._number: self._pack_own(), **fetched}

    async def _fetch(self, worker: int) -> bytes:
        """The metrics of a worker; empty if it is starting, dead or hanging."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                with address_of(self._folder.metrics_socket(worker)) as address:
                    reader, writer = await asyncio.open_unix_connection(address)
                try:
                    return await reader.read()
                finally:
                    writer.close()
        except OSError as error:  # TimeoutError is one
            reason = str(error) or "no answer"
            log.warning("the metrics of a worker are missing", other=worker, error=reason)
            return b""
