"""What the workers of one server tell each other: their figures, through sockets in its folder."""

import asyncio
from collections.abc import Callable

import structlog

from hubbub.gateway.operations.local_sockets import LocalSocket, address_of
from hubbub.store.data_folder import DataFolder

ANSWER_WITHIN_S = 1.0

log = structlog.get_logger()


class Workers:
    """The ``count`` workers of this folder, of which this process is the one of this ``number``."""

    def __init__(
        self, folder: DataFolder, number: int, count: int, own: Callable[[], bytes]
    ) -> None:
        self._folder = folder
        self._number = number
        self._count = count
        self._own = own
        self._socket = LocalSocket(folder.metrics_socket(number), self._tell)

    async def start(self) -> None:
        """Raises OSError."""
        await self._socket.start()

    async def close(self) -> None:
        await self._socket.close()

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._own())

    async def ask_all(self) -> dict[int, bytes]:
        """The figures of each, by its number. Who does not answer within 1 s is left out."""
        others = [number for number in range(1, self._count + 1) if number != self._number]
        answers = await asyncio.gather(*map(self._ask, others))
        told = {number: each for number, each in zip(others, answers, strict=True) if each}
        return {self._number: self._own(), **told}

    async def _ask(self, worker: int) -> bytes:
        """Empty if it does not answer: it starts, has died, or hangs."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                with address_of(self._folder.metrics_socket(worker)) as address:
                    reader, writer = await asyncio.open_unix_connection(address)
                try:
                    return await reader.read()
                finally:
                    writer.close()
        except OSError as error:  # TimeoutError is one
            why = str(error) or "no answer"
            log.warning("a worker does not tell its figures", other=worker, error=why)
            return b""
