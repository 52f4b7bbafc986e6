"""Intervals and verdicts of alternating runs."""

import random
from statistics import median

import pytest

from bench.interval import Interval, coverage, order, ratios


def test_of_nine_the_second_and_the_eighth_have_the_median_between_them() -> None:
    found = Interval.of([9, 1, 8, 2, 7, 3, 6, 4, 5])
    assert (found.middle, found.low, found.high) == (5, 2, 8)
    assert coverage(9, 2) == pytest.approx(0.961, abs=0.0005)


@pytest.mark.parametrize("count", [6, 7, 8, 9, 12, 15, 20])
def test_the_interval_is_the_narrowest_that_covers_95_percent(count: int) -> None:
    found = Interval.of(list(range(1, count + 1)))
    assert found.low is not None
    rank = int(found.low)
    assert found.high == count + 1 - rank
    assert coverage(count, rank) >= 0.95 > coverage(count, rank + 1)


def test_the_interval_has_its_coverage_for_any_distribution() -> None:
    rng = random.Random(5)
    hits = 0
    for _ in range(2000):
        found = Interval.of([rng.lognormvariate(0, 1) for _ in range(9)])  # its median is 1
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 1 <= found.high
    assert 0.94 < hits / 2000 < 0.98


def test_five_are_too_few_for_any_verdict() -> None:
    found = Interval.of([2.0] * 5)
    assert (found.middle, found.low, found.high) == (2.0, None, None)
    assert found.verdict("lower") == "no difference shown"
    assert found.is_at_most(1) is None
    assert found.is_at_least(3) is None
    assert "too few" in str(found)


def test_a_verdict_needs_the_whole_interval_on_one_side() -> None:
    dearer = Interval.of([1.1, 1.2, 1.3, 1.2, 1.1, 1.2, 1.3, 1.4, 0.9])
    assert dearer.verdict("lower") == "slower"
    assert dearer.verdict("higher") == "faster"
    cheaper = Interval.of([0.8, 0.7, 0.9, 0.8, 0.7, 0.8, 0.9, 0.6, 1.3])
    assert cheaper.verdict("lower") == "faster"
    assert cheaper.verdict("higher") == "slower"
    either = Interval.of([0.8, 0.9, 1.2, 1.1, 1.3, 0.9, 1.0, 1.1, 0.7])
    assert either.verdict("lower") == either.verdict("higher") == "no difference shown"


def test_a_bound_inside_the_interval_is_neither_kept_nor_missed() -> None:
    found = Interval(0.7, 0.6, 0.8)
    assert [found.is_at_most(limit) for limit in (0.5, 0.7, 0.8)] == [False, None, True]
    assert [found.is_at_least(limit) for limit in (0.6, 0.7, 0.9)] == [True, None, False]


def test_noise_that_both_sides_share_does_not_hide_a_difference() -> None:
    weather = [1, 3, 1.2, 5, 1, 2, 4, 1.1, 1.5]
    ours, theirs = [0.9 * each for each in weather], weather
    assert median(ours) > min(theirs)
    assert Interval.of(ratios(ours, theirs)).verdict("lower") == "faster"


def test_a_pair_with_a_missing_value_gives_no_ratio() -> None:
    assert ratios([1, 2, 3], [2, 0, 6]) == (0.5, 0.5)


def test_both_sides_go_first_equally_often_or_differ_by_one() -> None:
    orders = ["".join(order("AB", run)) for run in range(9)]
    assert orders[:4] == ["AB", "BA", "AB", "BA"]
    assert abs(orders.count("AB") - orders.count("BA")) == 1
