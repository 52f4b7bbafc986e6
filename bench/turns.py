"""Compares this commit with another: whole scenarios alternate, and values are paired."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from bench import interval
from bench.context import Context
from bench.errors import BenchError
from bench.report import Bound, Row
from bench.server import Hubbub

#: `--check` fails if the whole interval shows a change for the worse by more than this.
WORSE = 1.1

Scenario = Callable[[Context], list[Row]]


def compare(context: Context, base: Hubbub, scenarios: dict[str, Scenario]) -> list[Row]:
    """Rows whose `peer` is the base. A scenario that the base cannot run is skipped."""
    sides = {
        "this": replace(context, peer=None, folder=context.folder / "this"),
        "base": replace(context, peer=None, folder=context.folder / "base", hubbub=base),
    }
    for name, side in sides.items():
        side.pace = replace(context.pace, runs_alone=1)
        (context.folder / name).mkdir()
    rows: list[Row] = []
    for name, scenario in scenarios.items():
        context.print(f"{name}:")
        try:
            rows += _turns(context, name, scenario, sides)
        except BenchError as error:
            context.print(f"  {name} is skipped: {error}")
        for side in sides.values():  # the next scenario needs other accounts
            shutil.rmtree(side.folder)
            side.folder.mkdir()
    return rows


def _turns(context: Context, name: str, scenario: Scenario, sides: dict[str, Context]) -> list[Row]:
    taken: dict[str, list[list[Row]]] = {side: [] for side in sides}
    for run in range(context.pace.runs):
        for side in interval.order(list(sides), run):
            context.print(f"  run {run + 1} of {context.pace.runs}, {name}: {side}")
            taken[side].append(scenario(sides[side]))
    return pair(taken["this"], taken["base"])


def pair(ours: Sequence[Sequence[Row]], theirs: Sequence[Sequence[Row]]) -> list[Row]:
    """One row for each value that both sides have, with medians and the ratios of paired runs."""
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
    """The row's absolute bounds, and one against a change for the worse."""
    own = tuple(bound for bound in row.bounds if not bound.times_peer)
    if row.better == "higher":
        return (*own, Bound("at least", round(1 / WORSE, 2), times_peer=True))
    return (*own, Bound("at most", WORSE, times_peer=True))
