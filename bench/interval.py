"""Statistics of paired measurements: the median of their ratios, and its interval.

Two programs take turns on one machine, and each pair of runs that stood beside each other gives
one ratio, so what slows the machine for a while slows both sides of a pair. The interval is the
distribution-free one of a median: of n ordered ratios the k-th from either end, with the largest
k that still covers the true median in 95 % of all cases, whatever the distribution
(P = 1 - 2·Bin(n, ½)(k - 1)). With nine pairs these are the second and the eighth, and 96.1 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Literal, TypeVar

#: How often an interval has to hold what is really so.
COVERAGE = 0.95

Better = Literal["higher", "lower"]
Side = TypeVar("Side")


@dataclass(frozen=True)
class Interval:
    """The median of some ratios and its interval; without one where there are too few."""

    middle: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Interval":
        ordered = sorted(values)
        rank = _rank(len(ordered))
        if not rank:
            return cls(median(ordered), None, None)
        return cls(median(ordered), ordered[rank - 1], ordered[-rank])

    def is_at_most(self, limit: float) -> bool | None:
        """None when the limit lies within the interval, or there is none."""
        if self.low is None or self.high is None:
            return None
        return True if self.high <= limit else False if self.low > limit else None

    def is_at_least(self, limit: float) -> bool | None:
        if self.low is None or self.high is None:
            return None
        return True if self.low >= limit else False if self.high < limit else None

    def verdict(self, better: Better) -> str:
        """Of what is compared with something else: its ratio to that is 1 if they are alike."""
        if self.low is None or self.high is None or self.low <= 1 <= self.high:
            return "no difference shown"
        return "faster" if (self.low > 1) == (better == "higher") else "slower"

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.middle:.2f} (too few for an interval)"
        return f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Pair by pair; a pair in which the other measured nothing gives none."""
    return tuple(one / other for one, other in zip(ours, theirs, strict=True) if other)


def order(sides: Sequence[Side], run: int) -> Sequence[Side]:
    """A B, B A, A B, …: a machine that becomes slower or quicker meanwhile favours nobody."""
    return sides[:: -1 if run % 2 else 1]


def coverage(count: int, rank: int) -> float:
    """How often the rank-th of so many from either end have the true median between them."""
    return 1.0 - 2 * sum(comb(count, below) for below in range(rank)) / float(2**count)


def _rank(count: int) -> int:
    """0 when there are too few, which is below six."""
    fitting = (rank for rank in range(count // 2, 0, -1) if coverage(count, rank) >= COVERAGE)
    return next(fitting, 0)
