"""``python -m bench.cluster``: the cost of a delivery on one, two and three nodes.

The nodes are workers of one server: separate processes with a bus between them, as on separate
machines. PostgreSQL and NATS come from the wheels that the tests use. Only CPU time, bytes and
counts are measured, as the speed of three nodes on two cores says nothing about three machines.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench import machine
from bench.chatting import CLIENTS, SENDERS, TEXT_BYTES
from bench.errors import BenchError
from bench.loadgen import BUILT, TEXT_SOCKET, Load, build
from bench.server import Hubbub, Server
from tests.support.postgres import Postgres

RATE_PER_S = 500.0
WARM_UP_S = 2.0
NODES = (1, 2, 3)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The costs of one topology."""

    what: str
    nodes: int
    messages: int
    deliveries: int
    lost: int
    p50_ms: float
    p99_ms: float
    #: CPU time of all nodes and the bus, for each delivery.
    cpu_us: float
    #: Bytes and messages published on the bus, for each chat message.
    bus_bytes: float
    bus_messages: float
    #: PostgreSQL's CPU time for each message, and the duration of commits.
    database_us: float
    commit_ms: float
    batch: float


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables, as the URL of a database has a password."""
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]


def _total(metrics: dict[str, float], name: str, label: str = "") -> float:
    """The sum of a metric over all workers."""
    return sum(
        value for key, value in metrics.items() if key.partition("{")[0] == name and label in key
    )


def _measure(
    what: str, server: Server, postgres: Postgres | None, nodes: int, seconds: float
) -> Cost:
    load = Load(server, TEXT_SOCKET, None)
    with load.chat(clients=CLIENTS, senders=SENDERS, size=TEXT_BYTES) as step:
        step(RATE_PER_S, WARM_UP_S)
        before, began = server.metrics(), machine.cpu_s(postgres.pid) if postgres else 0.0
        result = step(RATE_PER_S, seconds)
        after, ended = server.metrics(), machine.cpu_s(postgres.pid) if postgres else 0.0

    def increase(name: str, label: str = "") -> float:
        return _total(after, name, label) - _total(before, name, label)

    sent = max(result.sent, 1)
    batches = max(increase("hubbub_executor_batches_total"), 1)
    return Cost(
        what=what,
        nodes=nodes,
        messages=result.sent,
        deliveries=result.deliveries,
        lost=result.lost,
        p50_ms=result.p50_us / 1000,
        p99_ms=result.p99_us / 1000,
        cpu_us=result.server_us_per_delivery,
        bus_bytes=increase("hubbub_bus_published_bytes_total") / sent,
        bus_messages=increase("hubbub_bus_messages_total", 'result="published"') / sent,
        database_us=(ended - began) / sent * 1e6,
        commit_ms=increase("hubbub_executor_commit_seconds_total") / batches * 1000,
        batch=increase("hubbub_executor_commands_total") / batches,
    )


def measure(command: list[str], folder: Path, seconds: float, runs: int) -> list[Cost]:
    hubbub = Hubbub(command)
    costs: list[Cost] = []
    for run in range(runs):
        with hubbub.serving(folder / f"sqlite-{run}") as server:
            costs.append(_measure("SQLite, one process", server, None, 1, seconds))
        for nodes in NODES:
            postgres = Postgres(durable=True).start()
            try:
                with (
                    _environment(
                        HUBBUB_DATABASE=postgres.url(postgres.database()),
                        HUBBUB_WORKERS=str(nodes),
                    ),
                    hubbub.serving(folder / f"nodes-{nodes}-{run}") as server,
                ):
                    what = f"PostgreSQL, {nodes} node{'s' if nodes > 1 else ''}"
                    costs.append(_measure(what, server, postgres, nodes, seconds))
            finally:
                postgres.close()
            print(f"  {costs[-1].what}: {costs[-1].cpu_us:.2f} µs for each delivery", flush=True)
    return costs


def _median(costs: list[Cost], field: str) -> float:
    values = sorted(float(getattr(cost, field)) for cost in costs)
    return values[len(values) // 2]


COLUMNS = {
    "cpu_us": ("CPU per delivery", "{:.2f} µs"),
    "p50_ms": ("p50", "{:.2f} ms"),
    "p99_ms": ("p99", "{:.2f} ms"),
    "bus_bytes": ("to the bus per message", "{:.0f} bytes"),
    "bus_messages": ("in bus messages", "{:.2f}"),
    "database_us": ("PostgreSQL CPU per message", "{:.0f} µs"),
    "commit_ms": ("commit", "{:.2f} ms"),
    "batch": ("commands in it", "{:.1f}"),
    "lost": ("lost", "{:.0f}"),
}


def print_costs(costs: list[Cost], console: Console) -> None:
    table = Table(title=f"{RATE_PER_S:.0f} messages/s to {CLIENTS} clients", title_justify="left")
    table.add_column("")
    for name, _ in COLUMNS.values():
        table.add_column(name, justify="right")
    for what in dict.fromkeys(cost.what for cost in costs):
        runs = [cost for cost in costs if cost.what == what]
        cells = [form.format(_median(runs, field)) for field, (_, form) in COLUMNS.items()]
        table.add_row(what, *cells)
    console.print(table)
    one, two = (
        _median([cost for cost in costs if cost.what.startswith(f"PostgreSQL, {n}")], "cpu_us")
        for n in (1, 2)
    )
    print(f"Two nodes and their bus use {two / one:.2f} × the CPU of one (at most 1.3).")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="for each (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="the median counts (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run")
    args = parser.parse_args()
    try:
        machine.raise_open_files()
        machine.pin_to_load_core()
        build()
        BUILT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="cluster-", dir=BUILT) as folder:
            command = [sys.executable, "-m", "hubbub"]
            costs = measure(command, Path(folder), args.seconds, args.runs)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console()
    print_costs(costs, console if console.is_terminal else Console(width=160))
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
