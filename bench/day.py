"""A working day: what most servers do most of the time.

People are connected, each in twenty rooms of two hundred, and a few of them do something: they
post, type, read, react, go away, come back, load the page anew. It is measured what each of these
costs the server, how all of it together is served, and for how many people it goes on so.
"""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench import base, machine
from bench.context import Stage
from bench.errors import BenchError
from bench.report import MB, Bound, Row
from bench.workload import Rates, Worked, Workload, workload

PEOPLE = 5_000
FEW_PEOPLE = 1_000  # in a hurry
TEAM = 200
ROOMS_EACH = 20
#: Messages in each room before.
SAID = 10
#: A second, of 5,000 people. As one of them: a post in four minutes, a read marker in two.
DAY = Rates(post=20, typing=30, read=42, react=4, active=3, reconnect=1)
#: Alone, what is rare is done at least so often a second: 10 of anything still never meet.
ALONE_PER_S = 10.0
#: How many more people there are in each further step.
GROWTH = 1.25
MOST_PEOPLE = 30_000
#: Descriptors of a server that are no person's.
OTHER_FILES = 400
#: µs of the server's CPU for each, at most.
COSTS = Rates(post=4_500, typing=3_500, read=2_000, react=4_500, active=6_000, reconnect=14_000)


def measure(stage: Stage) -> list[Row]:
    start = FEW_PEOPLE if stage.pace.few_people else PEOPLE
    steps = ladder(start, start if stage.pace.few_people else _most())
    with _office(stage, steps[-1]) as crowd:
        stage.say(_connected(crowd, start))
        rows = _costs(stage, crowd, start)
        usual = [_work(stage, crowd, start) for _ in range(stage.pace.runs_alone)]
        carried = _carried(stage, crowd, steps, usual)
    return [*rows, *_rows(start, usual), _row_carried(start, carried)]


def _most() -> int:
    return min(MOST_PEOPLE, machine.open_files() - OTHER_FILES)


def ladder(start: int, most: int) -> list[int]:
    """How many people there are in each step, in whole teams."""
    steps = [start]
    while (more := math.ceil(steps[-1] * GROWTH / TEAM) * TEAM) <= most:
        steps.append(more)
    return steps


@contextmanager
def _office(stage: Stage, people: int) -> Iterator[Workload]:
    """A server with accounts for so many, of whom nobody is here yet."""

    def make(folder: Path) -> list[str]:
        rooms = people // TEAM * ROOMS_EACH
        stage.say(f"  making {people:,} accounts in {rooms:,} rooms")
        made: list[str] = base.accounts(stage.hubbub, "settle", folder, people)
        base.accounts(stage.hubbub, "gather", folder, people, rooms, ROOMS_EACH, SAID)
        return made

    with (
        stage.copy_of(f"day-{people}", make) as (data, tokens),
        stage.hubbub.serving(data) as server,
    ):
        if tokens is None:
            raise BenchError("The accounts have no tokens.")
        with workload(server, tokens, people, TEAM, ROOMS_EACH) as crowd:
            yield crowd


def _connected(crowd: Workload, people: int) -> str:
    connected = crowd.connect(people)
    return f"  {people:,} people are here after {connected.connect_s:.1f} s"


def _costs(stage: Stage, crowd: Workload, people: int) -> list[Row]:
    """Each kind by itself, less what the same people cost when they do nothing."""
    idle = crowd.work(stage.pace.step_s, Rates())
    stage.keep("day, idle", stage.hubbub, idle)
    idle_share = idle.server_cpu_s / idle.seconds
    stage.say(f"  nobody does anything: {idle_share:.1%} of a core")
    rows = []
    for kind, rate in DAY.times(people / PEOPLE)._asdict().items():
        alone = Rates()._replace(**{kind: max(rate, ALONE_PER_S)})
        worked = crowd.work(stage.pace.step_s, alone)
        stage.keep(f"day, {kind}", stage.hubbub, worked)
        used_s = worked.server_cpu_s - idle_share * worked.seconds
        cost_us = max(used_s, 0) / max(worked.sent(kind), 1) * 1e6
        stage.say(f"  {kind:9} {worked.sent(kind):5} × {cost_us:7,.0f} µs of server CPU")
        bounds = (Bound("at most", getattr(COSTS, kind)),)
        rows.append(Row(f"day: CPU of one {kind}", "µs", cost_us, bounds, None, worked.lost[:1]))
    return rows


def _work(stage: Stage, crowd: Workload, people: int) -> Worked:
    worked = crowd.work(stage.pace.step_s, DAY.times(people / PEOPLE))
    stage.keep("day", stage.hubbub, worked)
    stage.say(f"  {_words(worked)}")
    return worked


def _words(worked: Worked) -> str:
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


def _carried(stage: Stage, crowd: Workload, steps: list[int], usual: list[Worked]) -> int:
    """The most people for whom nothing gave; 0 when it did for those at the beginning.

    A late p99 has a second chance, as another program may have had the core; a loss has none.
    """
    if all(worked.fault for worked in usual) or any(worked.lost for worked in usual):
        return 0
    for fewer, people in itertools.pairwise(steps):
        try:
            stage.say(_connected(crowd, people))
            worked = _work(stage, crowd, people)
            if worked.fault and not worked.lost:
                worked = _work(stage, crowd, people)
        except BenchError as error:  # some did not get in at all
            stage.say(f"  {str(error).splitlines()[0]}")
            return fewer
        if worked.fault:
            return fewer
    stage.say("  More are not tried: the limit of open files, or of this benchmark.")
    return steps[-1]


def _rows(people: int, usual: list[Worked]) -> list[Row]:
    faults = tuple(fault for worked in usual for fault in worked.lost)
    share = median(worked.server_cpu_s / worked.seconds for worked in usual)

    def row(what: str, unit: str, measured: float, most: float) -> Row:
        return Row(f"day of {people:,}: {what}", unit, measured, (Bound("at most", most),))

    def ms(field: str) -> float:
        return float(median(getattr(worked, field) for worked in usual)) / 1000

    return [
        replace(row("p50 from post to receipt", "ms", ms("p50_us"), 10), faults=faults),
        replace(row("p99 from post to receipt", "ms", ms("p99_us"), 100), faults=faults),
        row("longest pause of the loop", "ms", ms("pause_max_us"), 100),
        row("CPU of a second", "ms", share * 1000, 350),
        row("memory", "MB", usual[-1].memory_bytes, 200 * MB),
    ]


def _row_carried(start: int, carried: int) -> Row:
    bounds = (Bound("at least", min(start, PEOPLE)),)
    return Row("day: people carried", "", carried, bounds)
