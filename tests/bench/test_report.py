"""Verdicts: a figure is good only when it was reached and nothing went wrong on the way."""

import io

from rich.console import Console

from bench.report import KB, Bound, Row, print_table

MILLION = Bound("at least", 1_000_000)
SIX_TIMES = Bound("at least", 6, times_peer=True)
TWICE = Bound("at most", 2, times_peer=True)


def test_every_bound_has_to_hold() -> None:
    row = Row("deliveries/s", "/s", 1_200_000, (MILLION, SIX_TIMES), peer=150_000)
    assert row.ok is True
    assert row.ratio == 8
    assert Row("deliveries/s", "/s", 1_200_000, (MILLION, SIX_TIMES), peer=250_000).ok is False


def test_without_a_peer_only_absolute_bounds_count() -> None:
    assert Row("deliveries/s", "/s", 1_200_000, (MILLION, SIX_TIMES)).ok is True
    assert Row("deliveries/s", "/s", 900_000, (MILLION, SIX_TIMES)).ok is False
    assert Row("p99", "ms", 3, (TWICE,)).ok is None


def test_at_most_counts_downwards() -> None:
    assert Row("p99", "ms", 4, (TWICE,), peer=2).ok is True
    assert Row("p99", "ms", 4.1, (TWICE,), peer=2).ok is False


def test_a_fault_spoils_the_best_figure() -> None:
    row = Row("p99", "ms", 1, (TWICE,), peer=2, faults=("3 deliveries lost",))
    assert row.ok is False
    assert row.cells()[-1] == "NO: 3 deliveries lost"


def test_the_table_shows_figures_bounds_and_verdicts() -> None:
    page = io.StringIO()
    rows = [
        Row("deliveries/s", "/s", 1_200_000, (MILLION, SIX_TIMES), peer=150_000),
        Row("memory", "KB", 12.5 * KB, (Bound("at most", 16 * KB),)),
    ]
    print_table(rows, "figures", Console(file=page, width=132))
    text = page.getvalue()
    assert "1,200,000/s" in text
    assert "≥ 1,000,000/s and ≥ 6 × peer" in text
    assert "8.00" in text
    assert "12.5 KB" in text
    assert "≤ 16.0 KB" in text
