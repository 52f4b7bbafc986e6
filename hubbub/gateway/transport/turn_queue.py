"""A queue of connections that have sent more than is handled in one turn of the loop.

They are served round-robin. Together they get a few milliseconds of each turn of the loop, however
many they are and however much they send, so that a short message from anybody else is answered at
once.
"""

import asyncio
from time import perf_counter
from typing import Protocol

TURN_S = 0.004  # of each turn of the loop, for all connections in the queue


class ReadBuffer:
    """Bytes that wait to be parsed. They are taken in slices, without copying the rest."""

    __slots__ = ("_data", "_offset")

    def __init__(self) -> None:
        self._data = b""
        self._offset = 0

    def __len__(self) -> int:
        return len(self._data) - self._offset

    def add(self, data: bytes) -> None:
        self._data = self._data[self._offset :] + data if self else data
        self._offset = 0

    def take(self, size: int) -> bytes:
        """Remove and return the next ``size`` bytes, or fewer if there are not as many."""
        piece = self._data[self._offset : self._offset + size]
        self._offset += len(piece)
        if not self:
            self.clear()
        return piece

    def clear(self) -> None:
        self._data, self._offset = b"", 0


class TurnTaker(Protocol):
    """A connection that can be in the queue."""

    def take_turn(self) -> None:
        """Do a bounded part of the work, and join the queue again if there is more."""


class TurnQueue:
    """Connections in the order of their turns; each is in it once."""

    def __init__(self) -> None:
        self._queue: dict[TurnTaker, None] = {}
        self._is_scheduled = False

    def add(self, connection: TurnTaker) -> None:
        """Call ``take_turn`` once, in a later turn of the loop."""
        self._queue.setdefault(connection)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def remove(self, connection: TurnTaker) -> None:
        """Remove a connection, if it is in the queue."""
        self._queue.pop(connection, None)

    def _run(self) -> None:
        self._is_scheduled = False
        ends_at = perf_counter() + TURN_S
        for _ in range(len(self._queue)):
            if not self._queue:
                break
            first = next(iter(self._queue))
            del self._queue[first]
            first.take_turn()
            if perf_counter() >= ends_at:
                break
        if self._queue and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._run)
