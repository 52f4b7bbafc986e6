"""What is measured: one function per promise, each returns its rows of the table."""

from collections.abc import Callable
from statistics import median

from bench import day, hostile, interval, ramp, reacting, steady, storm
from bench.chatting import CLIENTS, TEXT_BYTES, attempts, chatting
from bench.context import Stage
from bench.loadgen import HTTP_DOOR, JSON_DOOR, TEXT_DOOR, Door, Load
from bench.report import KB, MB, Bound, Row
from bench.server import Program

HTTP_CONNECTIONS = 16
#: Memory per connection is the slope between these, so that the server's own does not count.
FEW_IDLE = 1_000
MANY_IDLE = 3_000
MEMBERS = 5_000
#: Messages in the room that they come to: a welcome to an empty one would be no welcome.
HISTORY = 100
#: Connections on their way at once: a crowd that comes back after a restart.
CROWD = 100
#: What a database holds when a server is started on it: people, and seconds of posting.
STORED_PEOPLE = 1_000
STORED_SECONDS = 2.0
STARTS = 5


def _ceiling(stage: Stage, scenario: str, program: Program, door: Door, people: int) -> int:
    """A rung just below what short steps found sustained, so that a ramp has few steps."""
    with stage.serving(program, door, people) as load, chatting(load) as step:
        name = f"{scenario}-probe"
        found = ramp.probe(attempts(stage, name, program, step, stage.pace.probe_s))
    return max(found - 1, ramp.LOWEST_RUNG)


def _ramps(
    stage: Stage, scenario: str, programs: tuple[Program, ...], door: Door, people: int, runs: int
) -> dict[str, list[float]]:
    """The most deliveries/s that were sustained, per program and run."""
    best: dict[str, list[float]] = {program.name: [] for program in programs}
    doors = {program.name: stage.door(program, door) for program in programs}
    start = {
        program.name: _ceiling(stage, scenario, program, doors[program.name], people)
        for program in programs
    }
    for run in range(runs):
        for program in interval.order(programs, run):
            stage.say(f"  run {run + 1} of {runs}: {program.name}")
            with (
                stage.serving(program, doors[program.name], people) as load,
                chatting(load) as step,
            ):
                attempt = attempts(stage, scenario, program, step, stage.pace.step_s)
                top = ramp.climb(attempt, start[program.name])
            best[program.name].append(0.0 if top is None else top.deliveries_per_s)
    return best


def text_ramp(stage: Stage) -> list[Row]:
    runs = stage.pace.runs if stage.peer else stage.pace.runs_alone
    best = _ramps(stage, "ramp", stage.programs, TEXT_DOOR, 0, runs)
    ours, theirs = best[stage.hubbub.name], best.get("peer", [])
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


def json_ramp(stage: Stage) -> list[Row]:
    best = _ramps(stage, "json", (stage.hubbub,), JSON_DOOR, CLIENTS, stage.pace.runs_alone)
    return [
        Row(
            "deliveries/s, JSON, signed in, durable",
            "/s",
            median(best[stage.hubbub.name]),
            (Bound("at least", 800_000),),
        )
    ]


def http_posts(stage: Stage) -> list[Row]:
    rates, faults = [], set()
    for _ in range(stage.pace.runs_alone):
        with stage.serving(stage.hubbub, HTTP_DOOR, CLIENTS) as load:
            load.post(connections=HTTP_CONNECTIONS, seconds=stage.pace.warm_up_s, size=TEXT_BYTES)
            result = load.post(
                connections=HTTP_CONNECTIONS, seconds=stage.pace.step_s, size=TEXT_BYTES
            )
        stage.keep("post", stage.hubbub, result)
        stage.say(
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


def idle_memory(stage: Stage) -> list[Row]:
    with (
        stage.serving(stage.hubbub, JSON_DOOR, MEMBERS) as load,
        load.connected(clients=FEW_IDLE, at_once=CROWD),
    ):
        load.server.wait_until_idle()
        few = load.server.memory_bytes()
        with load.connected(clients=MANY_IDLE - FEW_IDLE, at_once=CROWD, skip=FEW_IDLE):
            load.server.wait_until_idle()
            many = load.server.memory_bytes()
    each = (many - few) / (MANY_IDLE - FEW_IDLE)
    stage.say(f"  {few / MB:.1f} MB with {FEW_IDLE:,}, {many / MB:.1f} MB with {MANY_IDLE:,}")
    bounds = (Bound("at most", 16 * KB),)
    return [Row("memory per idle JSON connection", "KB", each, bounds)]


def crowd(stage: Stage) -> list[Row]:
    with stage.serving(stage.hubbub, JSON_DOOR, MEMBERS) as load:
        Load(load.server, HTTP_DOOR, load.tokens).post(
            connections=1, seconds=60, size=TEXT_BYTES, most=HISTORY
        )
        before = load.server.cpu_s()
        with load.connected(clients=MEMBERS, at_once=CROWD) as result:
            used = load.server.cpu_s() - before
    stage.keep("connect", stage.hubbub, result)
    stage.say(
        f"  {result.connect_s:.2f} s, {result.bytes_in / MEMBERS / KB:.1f} KB for each, "
        f"server {used:.1f} s of CPU"
    )
    faults = (f"{result.closed} disconnected",) if result.closed else ()
    what = f"{MEMBERS:,} members of one room have their welcome"
    return [Row(what, "s", result.connect_s, (Bound("at most", 10),), faults=faults)]


def start(stage: Stage) -> list[Row]:
    taken, held = [], []
    with stage.data(STORED_PEOPLE) as (data, tokens):
        with stage.hubbub.serving(data) as server:  # fills the database, warms the page cache
            Load(server, HTTP_DOOR, tokens).post(
                connections=HTTP_CONNECTIONS, seconds=STORED_SECONDS, size=TEXT_BYTES
            )
        for _ in range(STARTS):
            with stage.hubbub.serving(data) as server:
                server.wait_until_idle()
                taken.append(server.ready_s)
                held.append(server.memory_bytes())
            stage.say(f"  ready after {taken[-1]:.3f} s, idle at {held[-1] / MB:.1f} MB")
    return [
        Row("cold start to /readyz", "s", median(taken), (Bound("at most", 1),)),
        Row("idle memory", "MB", median(held), (Bound("at most", 70 * MB),)),
    ]


SCENARIOS: dict[str, Callable[[Stage], list[Row]]] = {
    "ramp": text_ramp,
    "steady": steady.measure,
    "json": json_ramp,
    "post": http_posts,
    "memory": idle_memory,
    "connect": crowd,
    "day": day.measure,
    "react": reacting.measure,
    "storm": storm.measure,
    "hostile": hostile.measure,
    "start": start,
}
