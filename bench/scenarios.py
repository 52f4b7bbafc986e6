"""The scenarios: one function per promise, each returning its rows of the table."""

from collections.abc import Callable
from statistics import median

from bench import day, hostile, interval, ramp, reacting, steady, storm
from bench.chatting import CLIENTS, TEXT_BYTES, attempts, chatting
from bench.context import Context
from bench.loadgen import HTTP_API, JSON_SOCKET, TEXT_SOCKET, Endpoint, Load
from bench.report import KB, MB, Bound, Row
from bench.server import Program

HTTP_CONNECTIONS = 16
#: Memory per connection is the slope between these, which excludes the server's own memory.
FEW_IDLE = 1_000
MANY_IDLE = 3_000
MEMBERS = 5_000
#: Messages in the room that they join, as the welcome of an empty room would be too small.
HISTORY = 100
#: Connections being opened at the same time, as after a restart.
CONCURRENT_CONNECTS = 100
#: The contents of the database at a cold start: people, and seconds of posting.
STORED_PEOPLE = 1_000
STORED_SECONDS = 2.0
STARTS = 5


def _start_rung(
    context: Context, scenario: str, program: Program, endpoint: Endpoint, people: int
) -> int:
    """A rung just below the one that short steps sustained, so that a ramp needs few steps."""
    with context.serving(program, endpoint, people) as load, chatting(load) as step:
        name = f"{scenario}-probe"
        found = ramp.probe(attempts(context, name, program, step, context.pace.probe_s))
    return max(found - 1, ramp.LOWEST_RUNG)


def _ramps(
    context: Context,
    scenario: str,
    programs: tuple[Program, ...],
    endpoint: Endpoint,
    people: int,
    runs: int,
) -> dict[str, list[float]]:
    """The highest sustained deliveries/s, by program and run."""
    best: dict[str, list[float]] = {program.name: [] for program in programs}
    endpoints = {program.name: context.endpoint(program, endpoint) for program in programs}
    start = {
        program.name: _start_rung(context, scenario, program, endpoints[program.name], people)
        for program in programs
    }
    for run in range(runs):
        for program in interval.order(programs, run):
            context.print(f"  run {run + 1} of {runs}: {program.name}")
            with (
                context.serving(program, endpoints[program.name], people) as load,
                chatting(load) as step,
            ):
                attempt = attempts(context, scenario, program, step, context.pace.step_s)
                top = ramp.ascend(attempt, start[program.name])
            best[program.name].append(0.0 if top is None else top.deliveries_per_s)
    return best


def text_ramp(context: Context) -> list[Row]:
    runs = context.pace.runs if context.peer else context.pace.runs_alone
    best = _ramps(context, "ramp", context.programs, TEXT_SOCKET, 0, runs)
    ours, theirs = best[context.hubbub.name], best.get("peer", [])
    return [
        Row(
            "deliveries/s, plain text, durable",
            "/s",
            median(ours),
            (Bound("at least", 1_000_000), Bound("at least", 6, times_peer=True)),
            median(theirs) if theirs else None,
            ratios=interval.ratios(ours, theirs) if theirs else (),
        )
    ]


def json_ramp(context: Context) -> list[Row]:
    best = _ramps(context, "json", (context.hubbub,), JSON_SOCKET, CLIENTS, context.pace.runs_alone)
    return [
        Row(
            "deliveries/s, JSON, signed in, durable",
            "/s",
            median(best[context.hubbub.name]),
            (Bound("at least", 800_000),),
        )
    ]


def http_posts(context: Context) -> list[Row]:
    rates, faults = [], set()
    for _ in range(context.pace.runs_alone):
        with context.serving(context.hubbub, HTTP_API, CLIENTS) as load:
            load.post(connections=HTTP_CONNECTIONS, seconds=context.pace.warm_up_s, size=TEXT_BYTES)
            result = load.post(
                connections=HTTP_CONNECTIONS, seconds=context.pace.step_s, size=TEXT_BYTES
            )
        context.record("post", context.hubbub, result)
        context.print(
            f"  {result.posts_per_s:8,.0f} posts/s  p50 {result.p50_us / 1000:.2f} ms  "
            f"p99 {result.p99_us / 1000:.2f} ms  "
            f"{result.server_cpu_s / max(result.acknowledged, 1) * 1e6:.0f} µs CPU each  "
            f"{result.refused} refused"
        )
        rates.append(result.posts_per_s)
        if result.refused:
            faults.add(f"{result.refused} refused ({result.first_refusal})")
        if result.closed:
            faults.add(f"{result.closed} disconnected")
    what = f"durable HTTP posts/s, {HTTP_CONNECTIONS} connections"
    bounds = (Bound("at least", 5_000),)
    return [Row(what, "/s", median(rates), bounds, faults=tuple(sorted(faults)))]


def idle_memory(context: Context) -> list[Row]:
    with (
        context.serving(context.hubbub, JSON_SOCKET, MEMBERS) as load,
        load.connected(clients=FEW_IDLE, at_once=CONCURRENT_CONNECTS),
    ):
        load.server.wait_until_idle()
        few = load.server.memory_bytes()
        with load.connected(
            clients=MANY_IDLE - FEW_IDLE, at_once=CONCURRENT_CONNECTS, skip=FEW_IDLE
        ):
            load.server.wait_until_idle()
            many = load.server.memory_bytes()
    each = (many - few) / (MANY_IDLE - FEW_IDLE)
    context.print(f"  {few / MB:.1f} MB with {FEW_IDLE:,}, {many / MB:.1f} MB with {MANY_IDLE:,}")
    bounds = (Bound("at most", 16 * KB),)
    return [Row("memory per idle JSON connection", "KB", each, bounds)]


def connect_members(context: Context) -> list[Row]:
    with context.serving(context.hubbub, JSON_SOCKET, MEMBERS) as load:
        Load(load.server, HTTP_API, load.tokens).post(
            connections=1, seconds=60, size=TEXT_BYTES, most=HISTORY
        )
        before = load.server.cpu_s()
        with load.connected(clients=MEMBERS, at_once=CONCURRENT_CONNECTS) as result:
            used = load.server.cpu_s() - before
    context.record("connect", context.hubbub, result)
    context.print(
        f"  {result.connect_s:.2f} s, {result.bytes_in / MEMBERS / KB:.1f} KB for each, "
        f"server {used:.1f} s of CPU"
    )
    faults = (f"{result.closed} disconnected",) if result.closed else ()
    what = f"{MEMBERS:,} members of one room connect"
    return [Row(what, "s", result.connect_s, (Bound("at most", 10),), faults=faults)]


def start(context: Context) -> list[Row]:
    ready_s, memory = [], []
    with context.data(STORED_PEOPLE) as (data, tokens):
        with context.hubbub.serving(data) as server:  # fills the database and warms the page cache
            Load(server, HTTP_API, tokens).post(
                connections=HTTP_CONNECTIONS, seconds=STORED_SECONDS, size=TEXT_BYTES
            )
        for _ in range(STARTS):
            with context.hubbub.serving(data) as server:
                server.wait_until_idle()
                ready_s.append(server.ready_s)
                memory.append(server.memory_bytes())
            context.print(f"  ready after {ready_s[-1]:.3f} s, idle at {memory[-1] / MB:.1f} MB")
    return [
        Row("cold start to /readyz", "s", median(ready_s), (Bound("at most", 1),)),
        Row("idle memory", "MB", median(memory), (Bound("at most", 70 * MB),)),
    ]


SCENARIOS: dict[str, Callable[[Context], list[Row]]] = {
    "ramp": text_ramp,
    "steady": steady.measure,
    "json": json_ramp,
    "post": http_posts,
    "memory": idle_memory,
    "connect": connect_members,
    "day": day.measure,
    "react": reacting.measure,
    "storm": storm.measure,
    "hostile": hostile.measure,
    "start": start,
}
