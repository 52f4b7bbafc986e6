"""Comparing two commits: values of consecutive runs are paired, and pairs give the verdict."""

from pathlib import Path

from bench.context import Context, Pace
from bench.errors import BenchError
from bench.report import Bound, Row
from bench.server import Hubbub
from bench.turns import compare, pair

BASE = Hubbub(["base"], name="base", root=Path("/nowhere"))


def context(folder: Path, runs: int = 9) -> Context:
    return Context(Hubbub(["this"]), None, folder, Pace(runs=runs))


def test_runs_alternate_and_are_compared_in_pairs(tmp_path: Path) -> None:
    order: list[str] = []

    def scenario(on: Context) -> list[Row]:
        order.append(on.hubbub.name)
        weather = 1 + len(order) // 4  # the machine becomes slower over time
        cost = weather * (1.5 if on.hubbub.root is None else 1.0)
        return [Row("cost", "µs", cost, (Bound("at most", 100),))]

    (row,) = compare(context(tmp_path), BASE, {"one": scenario})
    assert order[:4] == ["hubbub", "base", "base", "hubbub"]
    assert (order.count("hubbub"), order.count("base")) == (9, 9)
    assert row.to_peer is not None
    assert row.to_peer.middle == 1.5
    assert "slower" in row.cells()
    assert row.ok is False


def test_equal_results_pass(tmp_path: Path) -> None:
    costs = iter([1.0, 1.2, 1.3, 0.9, 1.1, 1.0, 1.2, 0.8, 1.0, 1.1, 0.9, 1.3, 1.0, 1.1] * 2)

    def scenario(_on: Context) -> list[Row]:
        return [Row("cost", "µs", next(costs), ())]

    (row,) = compare(context(tmp_path), BASE, {"one": scenario})
    assert "no difference shown" in row.cells()
    assert row.ok is not False


def test_a_bound_against_a_peer_does_not_apply_to_another_commit() -> None:
    row = Row("deliveries/s", "/s", 9.0, (Bound("at least", 6, times_peer=True),))
    (paired,) = pair([[row]] * 9, [[row]] * 9)
    assert [bound.value for bound in paired.bounds] == [0.91]
    assert paired.ok is True


def test_a_fault_in_any_run_is_reported() -> None:
    good = Row("cost", "µs", 1.0, ())
    bad = Row("cost", "µs", 1.0, (), faults=("3 lost",))
    (paired,) = pair([[good], [bad]], [[good], [good]])
    assert paired.ok is False
    assert paired.faults == ("3 lost",)


def test_scenarios_that_the_base_cannot_run_are_skipped(tmp_path: Path) -> None:
    def new(on: Context) -> list[Row]:
        if on.hubbub.root is not None:
            raise BenchError("there is no such function")
        return [Row("new", "µs", 1.0, ())]

    def old(_on: Context) -> list[Row]:
        return [Row("old", "µs", 1.0, ())]

    rows = compare(context(tmp_path, runs=1), BASE, {"new": new, "old": old})
    assert [row.what for row in rows] == ["old"]
