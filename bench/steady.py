"""Everyday rates: the cost and latency of a delivery, compared with the peer's."""

from collections.abc import Callable
from statistics import median

from bench import interval, ramp
from bench.chatting import attempts, chatting
from bench.context import Context
from bench.loadgen import TEXT_SOCKET, ChatResult
from bench.report import Bound, Row
from bench.server import Program

RATES_PER_S = (100.0, 500.0, 2_000.0)
#: The bounds apply at this rate; the others are only shown.
PROMISED_PER_S = 500.0
P99_TIMES_PEER = 2.0
CPU_TIMES_PEER = 0.7

Results = dict[str, dict[float, list[ChatResult]]]


def measure(context: Context) -> list[Row]:
    runs = context.pace.runs if context.peer else context.pace.runs_alone
    results: Results = {
        program.name: {rate: [] for rate in RATES_PER_S} for program in context.programs
    }
    for run in range(runs):
        for program in interval.order(context.programs, run):
            _one_run(context, program, results[program.name])
    return [
        row
        for rate in RATES_PER_S
        for row in _rows(
            rate, results[context.hubbub.name][rate], results.get("peer", {}).get(rate, [])
        )
    ]


def _one_run(context: Context, program: Program, results: dict[float, list[ChatResult]]) -> None:
    endpoint = context.endpoint(program, TEXT_SOCKET)
    with context.serving(program, endpoint) as load, chatting(load) as step:
        step(PROMISED_PER_S, context.pace.warm_up_s)
        attempt = attempts(context, "steady", program, step, context.pace.step_s)
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
