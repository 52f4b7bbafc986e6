"""Rising rates: finds the highest rate that a server sustains.

All rates are on one ladder, 500 x 1.25^rung messages a second, so that runs and programs are
compared at the same rates.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

BASE_PER_S = 500.0
STEP = 1.25
P99_LIMIT_US = 100_000
#: About 50 messages/s, which every chat server should sustain.
LOWEST_RUNG = -10
#: A probe takes every third rung, which doubles the rate each time.
PROBE_RUNGS = 3


class Outcome(Protocol):
    """The values by which a step is judged."""

    @property
    def sent(self) -> int: ...
    @property
    def unsent(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def repeated(self) -> int: ...
    @property
    def wrong(self) -> int: ...
    @property
    def closed(self) -> int: ...
    @property
    def p99_us(self) -> float: ...


Step = TypeVar("Step", bound=Outcome)


def rate(rung: int) -> float:
    """The messages per second on this rung."""
    return BASE_PER_S * STEP**rung


def fault(step: Outcome) -> str | None:
    """Why a step does not count as sustained; None if it does."""
    planned = step.sent + step.unsent
    faults = {
        f"{step.closed} disconnected": step.closed > 0,
        f"{step.lost} deliveries lost": step.lost > 0,
        f"{step.repeated + step.wrong} deliveries repeated": step.repeated + step.wrong > 0,
        # The last message may be cut off by the clock; one in a hundred means a missed rate.
        f"{step.unsent} of {planned} not sent": step.unsent > planned / 100,
        f"p99 {step.p99_us / 1000:.0f} ms": step.p99_us >= P99_LIMIT_US,
    }
    return next((words for words, holds in faults.items() if holds), None)


def probe(attempt: Callable[[float], Step]) -> int:
    """The highest rung (or the lowest) that short attempts in large steps sustained."""
    rung = 0
    while fault(attempt(rate(rung))) is None:
        rung += PROBE_RUNGS
    return max(rung - PROBE_RUNGS, LOWEST_RUNG)


def ascend(attempt: Callable[[float], Step], start: int) -> Step | None:
    """Go up rung by rung from `start` until a step fails, and return the last sustained one.

    If the first step fails, go down until one is sustained. None if none is.
    """
    best: Step | None = None
    rung = start
    while rung >= LOWEST_RUNG:
        step = attempt(rate(rung))
        if fault(step) is None:
            best = step
            if rung < start:
                return best
            rung += 1
        elif best is not None:
            return best
        else:
            rung -= 1
    return None
