"""Compares two load generators on one server: their results and their CPU time.

The other is a C program with the command line
``load HOST PORT PATH CLIENTS SENDERS RATE SECONDS SIZE`` that prints ``name=value`` pairs.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.chatting import CLIENTS, SENDERS, TEXT_BYTES
from bench.context import Context
from bench.errors import BenchError
from bench.loadgen import TEXT_SOCKET, build
from bench.server import HOST, Server
from bench.steady import PROMISED_PER_S

NUMBER = re.compile(r'"?(\w+)"?[=:]([0-9.]+)')


@dataclass(frozen=True)
class Measurement:
    """The results of one generator in one run, and the CPU time of generator and server."""

    deliveries: float
    expected: float
    p50_ms: float
    p99_ms: float
    load_cpu_s: float
    server_cpu_s: float


def numbers(text: str) -> dict[str, float]:
    """Every ``name=value`` and ``"name":value`` in the output of a generator."""
    return {name: float(value) for name, value in NUMBER.findall(text)}


def compare(context: Context, other: Path) -> None:
    """Alternate the two on one server, and print the medians."""
    program = context.peer or context.hubbub
    endpoint = context.endpoint(program, TEXT_SOCKET)
    theirs = build(other, flags=("-O2",))
    rate, seconds = f"{PROMISED_PER_S:g}", f"{context.pace.step_s:g}"
    results: dict[str, list[Measurement]] = {"own": [], "other": []}
    with context.data() as (data, _), program.serving(data) as server:
        scale = (str(CLIENTS), str(SENDERS), rate, seconds, str(TEXT_BYTES))
        named = zip(("--clients", "--senders", "--rate", "--seconds", "--size"), scale, strict=True)
        port = str(server.port)
        commands = {
            "own": [str(build()), "chat", "--port", port, *endpoint.arguments(), *sum(named, ())],
            "other": [str(theirs), HOST, port, endpoint.path, *scale],
        }
        for _ in range(context.pace.runs):
            for name, command in commands.items():
                results[name].append(_run(command, server))
                context.print(f"  {name:6} {_summary([results[name][-1]])}")
    context.print("medians")
    for name, runs in results.items():
        context.print(f"  {name:6} {_summary(runs)}")


def _run(command: Sequence[str], server: Server) -> Measurement:
    before = server.cpu_s()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if process.stdout is None:
        raise BenchError("A load generator was started without its pipe.")
    with process.stdout:
        printed = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"{command[0]} ended with {process.returncode}.")
    printed_values = numbers(printed)
    return Measurement(
        deliveries=printed_values["deliveries"],
        expected=printed_values["expected"],
        p50_ms=printed_values["p50_us"] / 1000,
        p99_ms=printed_values["p99_us"] / 1000,
        load_cpu_s=used.ru_utime + used.ru_stime,
        server_cpu_s=server.cpu_s() - before,
    )


def _summary(runs: Sequence[Measurement]) -> str:
    missing = sum(run.expected - run.deliveries for run in runs)
    return (
        f"{median(run.deliveries for run in runs):9,.0f} deliveries ({missing:,.0f} missing)  "
        f"p50 {median(run.p50_ms for run in runs):6.2f} ms  "
        f"p99 {median(run.p99_ms for run in runs):7.2f} ms  "
        f"load {median(run.load_cpu_s for run in runs):5.2f} s CPU  "
        f"server {median(run.server_cpu_s for run in runs):5.2f} s CPU"
    )
