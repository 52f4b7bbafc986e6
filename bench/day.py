"""A working day: the usual load of a server.

People are connected, each in twenty rooms of two hundred members, and a few of them are active:
they post, type, read, react, go idle, return, reload the page. Measured are the cost of each
action, the latency of all together, and the number of people that the server can serve.
"""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench import base, machine
from bench.context import Context
from bench.errors import BenchError
from bench.report import MB, Bound, Row
from bench.workload import Rates, StepResult, Workload, workload

PEOPLE = 5_000
FEW_PEOPLE = 1_000  # with --quick
TEAM = 200
ROOMS_EACH = 20
#: Messages in each room at the start.
MESSAGES_BEFORE = 10
#: Per second for 5,000 people: each posts every four minutes and sets a read marker every two.
DAY = Rates(post=20, typing=30, read=42, react=4, active=3, reconnect=1)
#: The least rate of an action measured alone; 10 a second still do not overlap.
ALONE_PER_S = 10.0
#: The factor between the numbers of people of two steps.
GROWTH = 1.25
PEOPLE_MAX = 30_000
#: Descriptors of a server other than connections.
OTHER_FILES = 400
#: The most server CPU for each action, in µs.
COSTS = Rates(post=4_500, typing=3_500, read=2_000, react=4_500, active=6_000, reconnect=14_000)


def measure(context: Context) -> list[Row]:
    start = FEW_PEOPLE if context.pace.few_people else PEOPLE
    steps = ladder(start, start if context.pace.few_people else _people_max())
    with _server_with_accounts(context, steps[-1]) as office:
        context.print(_connected(office, start))
        rows = _costs(context, office, start)
        base_steps = [_work(context, office, start) for _ in range(context.pace.runs_alone)]
        capacity = _find_capacity(context, office, steps, base_steps)
    return [*rows, *_rows(start, base_steps), _capacity_row(start, capacity)]


def _people_max() -> int:
    return min(PEOPLE_MAX, machine.open_files() - OTHER_FILES)


def ladder(start: int, most: int) -> list[int]:
    """The number of people in each step, in whole teams."""
    steps = [start]
    while (more := math.ceil(steps[-1] * GROWTH / TEAM) * TEAM) <= most:
        steps.append(more)
    return steps


@contextmanager
def _server_with_accounts(context: Context, people: int) -> Iterator[Workload]:
    """A server with so many accounts, none of them connected yet."""

    def make(folder: Path) -> list[str]:
        rooms = people // TEAM * ROOMS_EACH
        context.print(f"  making {people:,} accounts in {rooms:,} rooms")
        made: list[str] = base.call_people(context.hubbub, "settle", folder, people)
        base.call_people(
            context.hubbub, "gather", folder, people, rooms, ROOMS_EACH, MESSAGES_BEFORE
        )
        return made

    with (
        context.copy_of(f"day-{people}", make) as (data, tokens),
        context.hubbub.serving(data) as server,
    ):
        if tokens is None:
            raise BenchError("The accounts have no tokens.")
        with workload(server, tokens, people, TEAM, ROOMS_EACH) as office:
            yield office


def _connected(office: Workload, people: int) -> str:
    connected = office.connect(people)
    return f"  {people:,} people are connected after {connected.connect_s:.1f} s"


def _costs(context: Context, office: Workload, people: int) -> list[Row]:
    """The cost of each action alone, minus the cost of the same people when idle."""
    idle = office.work(context.pace.step_s, Rates())
    context.record("day, idle", context.hubbub, idle)
    idle_share = idle.server_cpu_s / idle.seconds
    context.print(f"  all people idle: {idle_share:.1%} of a core")
    rows = []
    for kind, rate in DAY.times(people / PEOPLE)._asdict().items():
        alone = Rates()._replace(**{kind: max(rate, ALONE_PER_S)})
        worked = office.work(context.pace.step_s, alone)
        context.record(f"day, {kind}", context.hubbub, worked)
        used_s = worked.server_cpu_s - idle_share * worked.seconds
        cost_us = max(used_s, 0) / max(worked.sent(kind), 1) * 1e6
        context.print(f"  {kind:9} {worked.sent(kind):5} × {cost_us:7,.0f} µs of server CPU")
        bounds = (Bound("at most", getattr(COSTS, kind)),)
        rows.append(Row(f"day: CPU of one {kind}", "µs", cost_us, bounds, None, worked.lost[:1]))
    return rows


def _work(context: Context, office: Workload, people: int) -> StepResult:
    worked = office.work(context.pace.step_s, DAY.times(people / PEOPLE))
    context.record("day", context.hubbub, worked)
    context.print(f"  {_summary(worked)}")
    return worked


def _summary(worked: StepResult) -> str:
    used = worked.server_cpu_s / worked.seconds
    words = [
        f"{worked.people:6,} people",
        f"p50 {worked.p50_us / 1000:6.2f}, p99 {worked.p99_us / 1000:7.2f} ms",
        f"pause {worked.pause_max_us / 1000:6.1f} ms",
        f"server {used:4.0%} of a core, {worked.memory_bytes / MB:.0f} MB",
        f"load {worked.load_cpu_s / worked.seconds:4.0%}",
        worked.fault or "",
    ]
    return "  ".join(word for word in words if word)


def _find_capacity(
    context: Context, office: Workload, steps: list[int], base_steps: list[StepResult]
) -> int:
    """The most people without a fault; 0 if there was one in the first steps.

    A step with a late p99 is repeated once, as another program may have used the core; a step
    with losses is not.
    """
    if all(worked.fault for worked in base_steps) or any(worked.lost for worked in base_steps):
        return 0
    for fewer, people in itertools.pairwise(steps):
        try:
            context.print(_connected(office, people))
            worked = _work(context, office, people)
            if worked.fault and not worked.lost:
                worked = _work(context, office, people)
        except BenchError as error:  # some could not connect
            context.print(f"  {str(error).splitlines()[0]}")
            return fewer
        if worked.fault:
            return fewer
    context.print("  The limit of open files, or of this benchmark, is reached.")
    return steps[-1]


def _rows(people: int, base_steps: list[StepResult]) -> list[Row]:
    faults = tuple(fault for worked in base_steps for fault in worked.lost)
    share = median(worked.server_cpu_s / worked.seconds for worked in base_steps)

    def row(what: str, unit: str, measured: float, most: float) -> Row:
        return Row(f"day of {people:,}: {what}", unit, measured, (Bound("at most", most),))

    def ms(field: str) -> float:
        return float(median(getattr(worked, field) for worked in base_steps)) / 1000

    return [
        replace(row("p50 from post to receipt", "ms", ms("p50_us"), 10), faults=faults),
        replace(row("p99 from post to receipt", "ms", ms("p99_us"), 100), faults=faults),
        row("longest pause of the loop", "ms", ms("pause_max_us"), 100),
        row("CPU of a second", "ms", share * 1000, 350),
        row("memory", "MB", base_steps[-1].memory_bytes, 200 * MB),
    ]


def _capacity_row(start: int, capacity: int) -> Row:
    bounds = (Bound("at least", min(start, PEOPLE)),)
    return Row("day: people served", "", capacity, bounds)
