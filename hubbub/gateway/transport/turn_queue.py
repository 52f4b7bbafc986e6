"""Connections that have sent more than one of them may cost in a turn of the loop.

Each goes on when the others have had their share, one after another. However many they are and
however much they send, all of them together get a few milliseconds of each turn, so that whoever
sends a line is answered at once.
"""

import asyncio
from time import perf_counter
from typing import Protocol

TURN_S = 0.004  # of each turn of the loop, for all that wait here


class Unread:
    """Bytes that wait to be parsed, taken in slices without copying the rest."""

    __slots__ = ("_at", "_data")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self else data
        self._at = 0

    def take(self, most: int) -> bytes:
        """The next bytes of it, or all that there is."""
        piece = self._data[self._at : self._at + most]
        self._at += len(piece)
        if not self:
            self.clear()
        return piece

    def clear(self) -> None:
        self._data, self._at = b"", 0


class Waiting(Protocol):
    """A connection that waits for another turn."""

    def take_turn(self) -> None:
        """Do a bounded part of what is left, and line up again if that was not all."""


class Turns:
    """The line of those that wait."""

    def __init__(self) -> None:
        self._line: dict[Waiting, None] = {}
        self._is_due = False

    def line_up(self, waiting: Waiting) -> None:
        """Have ``take_turn`` called once, in a later turn of the loop."""
        self._line.setdefault(waiting)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._go_round)

    def leave(self, waiting: Waiting) -> None:
        """It has nothing left to do."""
        self._line.pop(waiting, None)

    def _go_round(self) -> None:
        self._is_due = False
        ends_at = perf_counter() + TURN_S
        for _ in range(len(self._line)):
            if not self._line:
                break
            first = next(iter(self._line))
            del self._line[first]
            first.take_turn()
            if perf_counter() >= ends_at:
                break
        if self._line and not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._go_round)
