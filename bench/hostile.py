"""Hostile: one client floods the server in many ways, while a few bystanders post.

For each flood a server is started with its limits on. The bystanders are measured before the flood
and during it; the server's memory is read before the flood, at its peak, and a minute later, when
nobody is connected. During that minute the server is idle, so the next flood starts meanwhile.
"""

import asyncio
import shutil
import signal
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import uvloop
from rich.table import Table

from bench import flooder, people
from bench.bystanders import ON_SOCKETS, OVER_HTTP, Bystanders
from bench.context import Context
from bench.errors import BenchError
from bench.floods import FLOODS, SOURCE, Flood, Target, VisitorKind
from bench.report import MB, Bound, Row, console
from bench.server import Server, free_port
from bench.storm import quantile
from bench.visitors import PASSWORD, Browser, VisitStats, visit
from hubbub.model.messages import TEXT_MAX

#: The bounds for the bystanders and the memory.
P99_MAX_MS = 100
P99_RATIO_MAX = 3
PEAK_MAX = 2.0
AFTER_MAX = 1.1
#: How long a server may still be busy after a flood has ended.
IDLE_WITHIN_S = 5.0
WARM_UP_S = 0.5
#: Passwords are slow to check on purpose, so visitors at a higher rate would delay each other.
VISITS_MIN_S = 3.5

FLOODERS = 4
NEWCOMERS = 20
OWNERS_TRIES = 10
LONG_MESSAGES = 100
SHORT_MESSAGES = 10


class Outcome(msgspec.Struct, kw_only=True):
    """The measured values of one flood."""

    flood: str
    p50_quiet_ms: float = 0
    p99_quiet_ms: float = 0
    p50_ms: float = 0
    p99_ms: float = 0
    #: How late the bystanders' process itself was, before the flood and during it.
    late_quiet_ms: float = 0
    late_ms: float = 0
    posts: int = 0
    lost: int = 0
    disconnected: int = 0
    #: Whether it was still busy long after the flood.
    is_busy: bool = False
    idle_bytes: int = 0
    peak_bytes: int = 0
    after_bytes: int = 0
    visits: int = 0
    visits_succeeded: int = 0
    visits_p50_s: float = 0
    visits_max_s: float = 0
    visits_first_failure: str = ""
    connects: int = 0
    rejected: int = 0
    rounds: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    flood_cpu_s: float = 0
    server_cpu_s: float = 0
    #: How long the server was ready to run while other processes used its core.
    waited_quiet_s: float = 0
    waited_s: float = 0
    #: The error that ended the measurement, if any.
    failure: str = ""

    @property
    def ratio(self) -> float:
        return self.p99_ms / self.p99_quiet_ms if self.p99_quiet_ms else 0.0

    @property
    def peak_ratio(self) -> float:
        return self.peak_bytes / self.idle_bytes if self.idle_bytes else 0.0

    @property
    def after_ratio(self) -> float:
        return self.after_bytes / self.idle_bytes if self.idle_bytes else 0.0

    def faults(self) -> list[str]:
        """The bounds that were missed."""
        if self.failure:
            return [self.failure]
        judged = (
            (self.p99_ms > P99_MAX_MS, f"p99 above {P99_MAX_MS} ms"),
            (self.ratio > P99_RATIO_MAX, f"p99 above {P99_RATIO_MAX} × quiet"),
            (self.lost > 0, f"{self.lost} posts lost"),
            (self.disconnected > 0, f"{self.disconnected} bystanders disconnected"),
            (self.is_busy, f"still busy {IDLE_WITHIN_S:.0f} s later"),
            (self.peak_ratio > PEAK_MAX, f"peak above {PEAK_MAX:g} × idle"),
            (self.after_ratio > AFTER_MAX, f"memory kept: {self.after_ratio:.2f} × idle"),
            (
                self.visits_succeeded < self.visits,
                f"only {self.visits_succeeded} of {self.visits} signed in",
            ),
        )
        return [words for is_broken, words in judged if is_broken]


@dataclass(frozen=True)
class Dataset:
    """A data folder with all accounts, and their roles in a flood."""

    data: Path
    bystanders: tuple[str, ...]
    flooders: tuple[str, ...]
    long_room: str
    other_room: str
    #: Names of the visitors before the flood, and during it.
    earlier: tuple[str, ...]
    later: tuple[str, ...]
    owner: str

    @classmethod
    def create(cls, data: Path) -> "Dataset":
        # People with even numbers are in the first room, the others in the second.
        talking = range(1, 1 + 2 * (ON_SOCKETS + OVER_HTTP), 2)
        flooding = range(2, 2 + 2 * FLOODERS, 2)
        first = max(talking.stop, flooding.stop)
        tokens = people.settle(data, first + 2 * NEWCOMERS + 1, PASSWORD)
        long_room, other_room = people.gather(
            data, len(tokens), rooms=2, each=1, messages=SHORT_MESSAGES
        )
        people.say(data, "x" * TEXT_MAX, long_room, LONG_MESSAGES)
        names = [people.name_of(number) for number in range(len(tokens))]
        return cls(
            data=data,
            bystanders=tuple(tokens[number] for number in talking),
            flooders=tuple(tokens[number] for number in flooding),
            long_room=long_room,
            other_room=other_room,
            earlier=tuple(names[first : first + NEWCOMERS]),
            later=tuple(names[first + NEWCOMERS : -1]),
            owner=names[-1],
        )

    def target(self, port: int) -> Target:
        return Target(port, self.flooders, self.long_room, self.other_room, self.owner)


@dataclass(frozen=True)
class FloodedServer:
    """A server after its flood, until its memory is measured again."""

    outcome: Outcome
    server: Server
    stack: ExitStack
    due: float

    def finish(self) -> None:
        time.sleep(max(0.0, self.due - time.monotonic()))
        try:
            self.outcome.after_bytes = self.server.memory_bytes()
            self.stack.close()
        except (BenchError, OSError) as error:
            self.outcome.failure = _first_line(error)


def measure(context: Context) -> list[Row]:
    dataset = Dataset.create(context.folder / "hostile")
    chosen = [flood for flood in FLOODS if _is_chosen(flood, context)]
    if not chosen:
        raise BenchError(f"No flood has such a name. Floods: {', '.join(f.name for f in FLOODS)}.")
    outcomes: list[Outcome] = []
    settling: deque[FloodedServer] = deque()
    with ExitStack() as servers:
        for flood in chosen:
            outcome = Outcome(flood=flood.name)
            outcomes.append(outcome)
            stack = servers.enter_context(ExitStack())
            try:
                server = _flood_server(context, dataset, flood, outcome, stack)
                if outcome.is_busy:  # so that the next flood does not share the core with it
                    server.interrupt(signal.SIGKILL)
                    stack.close()
                else:
                    due = time.monotonic() + context.pace.settle_s
                    settling.append(FloodedServer(outcome, server, stack, due))
            except (BenchError, OSError, TimeoutError) as error:
                outcome.failure = _first_line(error)
                _close_failed(stack)
            context.print(_summary(outcome))
            while settling and settling[0].due <= time.monotonic():
                settling.popleft().finish()
        while settling:
            settling.popleft().finish()
    for outcome in outcomes:
        context.record("hostile", context.hubbub, outcome)
    console().print(table_of(outcomes))
    return rows_of(outcomes)


def _is_chosen(flood: Flood, context: Context) -> bool:
    if context.floods:
        return any(word in flood.name for word in context.floods)
    return flood.quick or not context.pace.few_floods


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:80]


def _close_failed(stack: ExitStack) -> None:
    """Close a server that has failed already, and ignore further errors."""
    try:
        stack.close()
    except BenchError:
        return


def _flood_server(
    context: Context, dataset: Dataset, flood: Flood, outcome: Outcome, stack: ExitStack
) -> Server:
    """Start a server, flood it, and return it once it is idle or has stayed busy too long."""
    data = dataset.data.with_name(f"{dataset.data.name}-{free_port()}")
    shutil.copytree(dataset.data, data)
    stack.callback(shutil.rmtree, data, ignore_errors=True)
    more = ("--trusted-proxies", f"{SOURCE}.0/24")
    hubbub = replace(context.hubbub, more=more, open_files=flood.open_files)
    server = stack.enter_context(hubbub.serving(data))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_measure_flood(context, dataset, flood, outcome, server, data / "flood"))
    try:
        server.wait_until_idle(IDLE_WITHIN_S)
    except BenchError:
        outcome.is_busy = True
    if server.process.poll() is not None:
        raise BenchError(f"the server ended: {server.log_tail()}")
    return server


async def _measure_flood(
    context: Context, dataset: Dataset, flood: Flood, outcome: Outcome, server: Server, folder: Path
) -> None:
    target = dataset.target(server.port)
    quiet_s, flood_s = context.pace.quiet_s, context.pace.flood_s
    if flood.visit is not VisitorKind.NONE:
        quiet_s, flood_s = max(quiet_s, VISITS_MIN_S), max(flood_s, VISITS_MIN_S)
    command = flooder.command_of(flood, target, folder, flood_s)
    bystanders = Bystanders(server.port, dataset.bystanders)
    await bystanders.connect()
    earlier, later = await _visitors(dataset, flood, server.port)
    await bystanders.post_for(WARM_UP_S)
    waited = server.waited_s()
    quiet, before = await asyncio.gather(bystanders.post_for(quiet_s), visit(earlier, quiet_s))
    if before.succeeded < before.wanted:
        raise BenchError(f"Some visitors failed before the flood: {before.first_failure}")
    outcome.idle_bytes = server.memory_bytes()
    server.reset_peak()
    used = server.cpu_s()
    outcome.waited_quiet_s, waited = server.waited_s() - waited, server.waited_s()
    talk, visits, flooded = await asyncio.gather(
        bystanders.post_for(flood_s),
        visit(later, flood_s),
        flooder.run(command, flood_s),
    )
    outcome.server_cpu_s = server.cpu_s() - used
    outcome.waited_s = server.waited_s() - waited
    outcome.peak_bytes = server.peak_memory_bytes()
    outcome.disconnected = bystanders.closed_count
    bystanders.close()
    outcome.p50_quiet_ms, outcome.p99_quiet_ms = _quantiles(quiet.latencies_ms(ON_SOCKETS))
    outcome.p50_ms, outcome.p99_ms = _quantiles(talk.latencies_ms(ON_SOCKETS))
    outcome.late_quiet_ms, outcome.late_ms = (
        quantile(quiet.late_ms, 0.99),
        quantile(talk.late_ms, 0.99),
    )
    outcome.posts, outcome.lost = len(talk.began), talk.lost(ON_SOCKETS)
    _note_visits(outcome, visits)
    outcome.connects, outcome.rejected = flooded.connects, flooded.rejected
    outcome.rounds, outcome.flood_cpu_s = flooded.rounds, flooded.cpu_s
    outcome.bytes_out, outcome.bytes_in = flooded.bytes_out, flooded.bytes_in


def _quantiles(taken_ms: Sequence[float]) -> tuple[float, float]:
    return quantile(taken_ms, 0.5), quantile(taken_ms, 0.99)


def _note_visits(outcome: Outcome, visits: VisitStats) -> None:
    outcome.visits, outcome.visits_succeeded = visits.wanted, visits.succeeded
    outcome.visits_first_failure = visits.first_failure
    if visits.succeeded:
        outcome.visits_p50_s = quantile(visits.taken_s, 0.5)
        outcome.visits_max_s = quantile(visits.taken_s, 1)


Visitors = list[tuple[Browser, str]]


async def _visitors(dataset: Dataset, flood: Flood, port: int) -> tuple[Visitors, Visitors]:
    """The visitors before the flood and during it; both do the same, so they are comparable."""
    if flood.visit is VisitorKind.NONE:
        return [], []
    wanted = NEWCOMERS if flood.visit is VisitorKind.NEWCOMERS else OWNERS_TRIES
    earlier = [(Browser(port, n), name) for n, name in enumerate(dataset.earlier[:wanted])]
    if flood.visit is VisitorKind.NEWCOMERS:
        later = [(Browser(port, wanted + n), name) for n, name in enumerate(dataset.later)]
        return earlier, later
    # The owner has signed in with this browser before, so it has a device cookie.
    owner = Browser(port, wanted)
    await owner.visit(dataset.owner)
    await owner.sign_out()
    return earlier, [(owner, dataset.owner)] * wanted


def _summary(outcome: Outcome) -> str:
    if outcome.failure:
        return f"  {outcome.flood}: {outcome.failure}"
    visits = (
        f"; {outcome.visits_succeeded} of {outcome.visits} signed in, "
        f"p50 {outcome.visits_p50_s:.2f}, max {outcome.visits_max_s:.2f} s "
        f"{outcome.visits_first_failure}"
        if outcome.visits
        else ""
    )
    return (
        f"  {outcome.flood}: p99 {outcome.p99_quiet_ms:.1f} → {outcome.p99_ms:.1f} ms "
        f"(p50 {outcome.p50_quiet_ms:.1f} → {outcome.p50_ms:.1f}), {outcome.lost} lost; "
        f"{outcome.idle_bytes / MB:.0f} → {outcome.peak_bytes / MB:.0f} MB; "
        f"{outcome.connects:,} connects, {outcome.rejected:,} disconnected or refused, "
        f"{outcome.bytes_out / MB:.1f} MB out, {outcome.bytes_in / MB:.1f} in; "
        f"CPU: server {outcome.server_cpu_s:.1f}, flood {outcome.flood_cpu_s:.1f} s; "
        f"waited for its core {outcome.waited_quiet_s:.1f} → {outcome.waited_s:.1f} s; "
        f"late {outcome.late_quiet_ms:.1f} → {outcome.late_ms:.1f} ms{visits}"
    )


def table_of(outcomes: Sequence[Outcome]) -> Table:
    table = Table(title="Floods", title_justify="left")
    table.add_column("flood")
    for name in ("p99 quiet", "flooded", "ratio", "lost", "RSS idle/peak/after, MB", "closed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("passed?")
    for outcome in outcomes:
        faults = outcome.faults()
        sizes = (outcome.idle_bytes, outcome.peak_bytes, outcome.after_bytes)
        table.add_row(
            outcome.flood,
            f"{outcome.p99_quiet_ms:.1f} ms",
            f"{outcome.p99_ms:.1f} ms",
            f"{outcome.ratio:.1f}",
            f"{outcome.lost}",
            " / ".join(f"{size / MB:.0f}" if size else "–" for size in sizes),
            f"{outcome.rejected:,}",
            f"NO: {'; '.join(faults)}" if faults else "yes",
            style="red" if faults else None,
        )
    return table


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """The worst values of all floods, with their bounds."""
    whole = [outcome for outcome in outcomes if not outcome.failure]
    failures = tuple(f"{each.flood}: {each.failure}" for each in outcomes if each.failure)

    def worst(what: str, unit: str, most: float, of: str) -> Row:
        found = max(whole, key=lambda outcome: float(getattr(outcome, of)), default=None)
        value = float(getattr(found, of)) if found else 0.0
        named = f"{what}, worst of {len(outcomes)} floods" + (f" ({found.flood})" if found else "")
        return Row(named, unit, value, (Bound("at most", most),), None, failures)

    refused = sum(outcome.visits - outcome.visits_succeeded for outcome in whole)
    return [
        worst("p99 of the others", "ms", P99_MAX_MS, "p99_ms"),
        worst("the same, to that without it", "×", P99_RATIO_MAX, "ratio"),
        worst("memory, peak to idle", "×", PEAK_MAX, "peak_ratio"),
        worst("memory, a minute later to idle", "×", AFTER_MAX, "after_ratio"),
        worst("posts of the others lost", "", 0, "lost"),
        Row("visitors who could not sign in", "", refused, (Bound("at most", 0),)),
        Row(
            "failed floods",
            "",
            sum(bool(outcome.faults()) for outcome in outcomes),
            (Bound("at most", 0),),
        ),
    ]
