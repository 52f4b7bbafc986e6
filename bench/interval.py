"""Statistics of paired measurements: the median of their ratios, and its interval.

Two programs alternate on one machine, and each pair of consecutive runs gives one ratio, so a
disturbance slows both sides of a pair. The interval is the distribution-free one of a median: of n
ordered ratios the k-th from either end, with the largest k that still covers the true median in
95 % of all cases (P = 1 - 2·Bin(n, ½)(k - 1)). With nine pairs these are the second and the
eighth, with a coverage of 96.1 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Literal, TypeVar

#: The least probability that an interval contains the true median.
COVERAGE = 0.95

Better = Literal["higher", "lower"]
Side = TypeVar("Side")


@dataclass(frozen=True)
class Interval:
    """The median of some ratios and its interval, which is missing if there are too few."""

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
        """None if the limit is within the interval, or there is no interval."""
        if self.low is None or self.high is None:
            return None
        return True if self.high <= limit else False if self.low > limit else None

    def is_at_least(self, limit: float) -> bool | None:
        if self.low is None or self.high is None:
            return None
        return True if self.low >= limit else False if self.high < limit else None

    def verdict(self, better: Better) -> str:
        """The verdict of a comparison; a ratio of 1 means that both are alike."""
        if self.low is None or self.high is None or self.low <= 1 <= self.high:
            return "no difference shown"
        return "faster" if (self.low > 1) == (better == "higher") else "slower"

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.middle:.2f} (too few for an interval)"
        return f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """The ratio of each pair; a pair in which the other value is 0 is left out."""
    return tuple(one / other for one, other in zip(ours, theirs, strict=True) if other)


def order(sides: Sequence[Side], run: int) -> Sequence[Side]:
    """A B, B A, A B, …, so that a machine that becomes slower or faster favours no side."""
    return sides[:: -1 if run % 2 else 1]


def coverage(count: int, rank: int) -> float:
    """The probability that the true median is between the rank-th values from either end."""
    return 1.0 - 2 * sum(comb(count, below) for below in range(rank)) / float(2**count)


def _rank(count: int) -> int:
    """The largest rank with the coverage; 0 for fewer than six values."""
    fitting = (rank for rank in range(count // 2, 0, -1) if coverage(count, rank) >= COVERAGE)
    return next(fitting, 0)
