"""Everyday rates: what a delivery costs and how late it is, beside the peer's."""

from collections.abc import Callable
from statistics import median

from bench import interval, ramp
from bench.chatting import attempts, chatting
from bench.context import Stage
from bench.loadgen import TEXT_DOOR, ChatResult
from bench.report import Bound, Row
from bench.server import Program

RATES_PER_S = (100.0, 500.0, 2_000.0)
#: What is promised is promised at this rate; the others stand beside it.
PROMISED_PER_S = 500.0
P99_TIMES_PEER = 2.0
CPU_TIMES_PEER = 0.7

Results = dict[str, dict[float, list[ChatResult]]]


def measure(stage: Stage) -> list[Row]:
    runs = stage.pace.runs if stage.peer else stage.pace.runs_alone
    results: Results = {
        program.name: {rate: [] for rate in RATES_PER_S} for program in stage.programs
    }
    for run in range(runs):
        for program in interval.order(stage.programs, run):
            _one_run(stage, program, results[program.name])
    return [
        row
        for rate in RATES_PER_S
        for row in _rows(
            rate, results[stage.hubbub.name][rate], results.get("peer", {}).get(rate, [])
        )
    ]


def _one_run(stage: Stage, program: Program, results: dict[float, list[ChatResult]]) -> None:
    door = stage.door(program, TEXT_DOOR)
    with stage.serving(program, door) as load, chatting(load) as step:
        step(PROMISED_PER_S, stage.pace.warm_up_s)
        attempt = attempts(stage, "steady", program, step, stage.pace.step_s)
        for rate in RATES_PER_S:
            results[rate].append(attempt(rate))


def _rows(rate: float, ours: list[ChatResult], theirs: list[ChatResult]) -> list[Row]:
    faults = tuple(fault for fault in map(ramp.fault, ours) if fault)

    def row(what: str, unit: str, most: float, of: Callable[[ChatResult], float]) -> Row:
        own, others = list(map(of, ours)), list(map(of, theirs))
        promised = (Bound("at most", most, times_peer=True),)
        return Row(
            f"{what} at {rate:,.0f} messages/s",
            unit,
            median(own),
            promised if rate == PROMISED_PER_S else (),
            median(others) if others else None,
            faults,
            interval.ratios(own, others) if others else (),
        )

    return [
        row("p99", "ms", P99_TIMES_PEER, lambda result: result.p99_us / 1000),
        row("CPU per delivery", "µs", CPU_TIMES_PEER, lambda result: result.server_us_per_delivery),
    ]
