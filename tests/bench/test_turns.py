"""Two commits: every figure beside its neighbour in time, and verdicts from nothing else."""

from pathlib import Path

from bench.context import Pace, Stage
from bench.errors import BenchError
from bench.report import Bound, Row
from bench.server import Hubbub
from bench.turns import compare, pair

BASE = Hubbub(["base"], name="base", root=Path("/nowhere"))


def stage(folder: Path, runs: int = 9) -> Stage:
    return Stage(Hubbub(["this"]), None, folder, Pace(runs=runs))


def test_both_take_turns_and_are_compared_pair_by_pair(tmp_path: Path) -> None:
    order: list[str] = []

    def scenario(on: Stage) -> list[Row]:
        order.append(on.hubbub.name)
        weather = 1 + len(order) // 4  # becomes worse all the time
        cost = weather * (1.5 if on.hubbub.root is None else 1.0)
        return [Row("cost", "µs", cost, (Bound("at most", 100),))]

    (row,) = compare(stage(tmp_path), BASE, {"one": scenario})
    assert order[:4] == ["hubbub", "base", "base", "hubbub"]
    assert (order.count("hubbub"), order.count("base")) == (9, 9)
    assert row.to_peer is not None
    assert row.to_peer.middle == 1.5
    assert "slower" in row.cells()
    assert row.ok is False


def test_what_is_as_good_fails_nothing(tmp_path: Path) -> None:
    costs = iter([1.0, 1.2, 1.3, 0.9, 1.1, 1.0, 1.2, 0.8, 1.0, 1.1, 0.9, 1.3, 1.0, 1.1] * 2)

    def scenario(_on: Stage) -> list[Row]:
        return [Row("cost", "µs", next(costs), ())]

    (row,) = compare(stage(tmp_path), BASE, {"one": scenario})
    assert "no difference shown" in row.cells()
    assert row.ok is not False


def test_a_bound_beside_a_peer_is_none_beside_another_commit() -> None:
    row = Row("deliveries/s", "/s", 9.0, (Bound("at least", 6, times_peer=True),))
    (paired,) = pair([[row]] * 9, [[row]] * 9)
    assert [bound.value for bound in paired.bounds] == [0.91]
    assert paired.ok is True


def test_a_fault_of_any_run_is_told() -> None:
    good = Row("cost", "µs", 1.0, ())
    bad = Row("cost", "µs", 1.0, (), faults=("3 lost",))
    (paired,) = pair([[good], [bad]], [[good], [good]])
    assert paired.ok is False
    assert paired.faults == ("3 lost",)


def test_what_the_base_cannot_do_is_left_out_and_the_rest_is_measured(tmp_path: Path) -> None:
    def new(on: Stage) -> list[Row]:
        if on.hubbub.root is not None:
            raise BenchError("there is no such function")
        return [Row("new", "µs", 1.0, ())]

    def old(_on: Stage) -> list[Row]:
        return [Row("old", "µs", 1.0, ())]

    rows = compare(stage(tmp_path, runs=1), BASE, {"new": new, "old": old})
    assert [row.what for row in rows] == ["old"]
