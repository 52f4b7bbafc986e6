"""This commit and another take turns at whole scenarios; every figure is compared pair by pair."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from bench import interval
from bench.context import Stage
from bench.errors import BenchError
from bench.report import Bound, Row
from bench.server import Hubbub

#: A change for the worse by more than this, shown by the whole interval, fails `--check`.
WORSE = 1.1

Scenario = Callable[[Stage], list[Row]]


def compare(stage: Stage, base: Hubbub, scenarios: dict[str, Scenario]) -> list[Row]:
    """Rows whose `peer` is the base. A scenario that the base has no means for is left out."""
    sides = {
        "this": replace(stage, peer=None, folder=stage.folder / "this"),
        "base": replace(stage, peer=None, folder=stage.folder / "base", hubbub=base),
    }
    for name, side in sides.items():
        side.pace = replace(stage.pace, runs_alone=1)
        (stage.folder / name).mkdir()
    rows: list[Row] = []
    for name, scenario in scenarios.items():
        stage.say(f"{name}:")
        try:
            rows += _turns(stage, name, scenario, sides)
        except BenchError as error:
            stage.say(f"  {name} is left out: {error}")
        for side in sides.values():  # accounts that the next scenario has no use for
            shutil.rmtree(side.folder)
            side.folder.mkdir()
    return rows


def _turns(stage: Stage, name: str, scenario: Scenario, sides: dict[str, Stage]) -> list[Row]:
    taken: dict[str, list[list[Row]]] = {side: [] for side in sides}
    for run in range(stage.pace.runs):
        for side in interval.order(list(sides), run):
            stage.say(f"  run {run + 1} of {stage.pace.runs}, {name}: {side}")
            taken[side].append(scenario(sides[side]))
    return pair(taken["this"], taken["base"])


def pair(ours: Sequence[Sequence[Row]], theirs: Sequence[Sequence[Row]]) -> list[Row]:
    """One row for each that both have: medians, and the ratios of the runs beside each other."""
    named = [{row.what: row for row in run} for run in theirs]
    rows = []
    for first in ours[0]:
        own = [row for run in ours for row in run if row.what == first.what]
        other = [run[first.what] for run in named if first.what in run]
        if len(own) != len(ours) or len(other) != len(ours):
            continue
        own_figures = [row.measured for row in own]
        other_figures = [row.measured for row in other]
        rows.append(
            replace(
                first,
                bounds=_bounds(first),
                measured=median(own_figures),
                peer=median(other_figures),
                ratios=interval.ratios(own_figures, other_figures),
                faults=tuple(dict.fromkeys(fault for row in own for fault in row.faults)),
            )
        )
    return rows


def _bounds(row: Row) -> tuple[Bound, ...]:
    """Its own, but those beside a peer; and what is not to become worse."""
    own = tuple(bound for bound in row.bounds if not bound.times_peer)
    if row.better == "higher":
        return (*own, Bound("at least", round(1 / WORSE, 2), times_peer=True))
    return (*own, Bound("at most", WORSE, times_peer=True))
