"""Verdicts: a value passes only if all bounds hold and no run had a fault."""

import io

from rich.console import Console

from bench.report import KB, Bound, Row, print_table

MILLION = Bound("at least", 1_000_000)
SIX_TIMES = Bound("at least", 6, times_peer=True)
TWICE = Bound("at most", 2, times_peer=True)


def beside(ratio: float) -> tuple[float, ...]:
    """The ratios of nine pairs of runs with about this ratio."""
    return tuple(ratio * (1 + spread / 100) for spread in range(-4, 5))


def test_every_bound_must_hold() -> None:
    bounds = (MILLION, SIX_TIMES)
    assert Row("deliveries/s", "/s", 1_200_000, bounds, 150_000, (), beside(8)).ok is True
    assert Row("deliveries/s", "/s", 1_200_000, bounds, 250_000, (), beside(4.8)).ok is False
    assert Row("deliveries/s", "/s", 900_000, bounds, 100_000, (), beside(9)).ok is False


def test_without_a_peer_only_absolute_bounds_count() -> None:
    assert Row("deliveries/s", "/s", 1_200_000, (MILLION, SIX_TIMES)).ok is True
    assert Row("deliveries/s", "/s", 900_000, (MILLION, SIX_TIMES)).ok is False
    assert Row("p99", "ms", 3, (TWICE,)).ok is None


def test_at_most_means_that_less_is_better() -> None:
    assert Row("p99", "ms", 3, (TWICE,), 2, (), beside(1.5)).ok is True
    assert Row("p99", "ms", 6, (TWICE,), 2, (), beside(3)).ok is False


def test_a_bound_that_is_not_decided_by_the_runs_is_not_missed() -> None:
    assert Row("p99", "ms", 4, (TWICE,), 2, (), beside(2.0)).ok is None
    assert Row("p99", "ms", 8, (TWICE,), 2, (), (4.0,)).ok is None


def test_a_fault_makes_a_good_result_a_failure() -> None:
    row = Row("p99", "ms", 1, (TWICE,), 2, ("3 deliveries lost",), beside(0.5))
    assert row.ok is False
    assert row.cells()[-1] == "NO: 3 deliveries lost"


def test_the_table_shows_values_bounds_and_verdicts() -> None:
    page = io.StringIO()
    rows = [
        Row("deliveries/s", "/s", 1_200_000, (MILLION, SIX_TIMES), 150_000, (), beside(8)),
        Row("memory", "KB", 12.5 * KB, (Bound("at most", 16 * KB),)),
    ]
    print_table(rows, "figures", Console(file=page, width=160))
    text = page.getvalue()
    assert "1,200,000/s" in text
    assert "≥ 1,000,000/s and ≥ 6 × peer" in text
    assert "8.00 (7.76 to 8.24)" in text
    assert "faster" in text
    assert "12.5 KB" in text
    assert "≤ 16.0 KB" in text
