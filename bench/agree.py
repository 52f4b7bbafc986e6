"""Two load generators side by side on one server: do they see the same, and at what cost?

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
from bench.context import Stage
from bench.errors import BenchError
from bench.loadgen import TEXT_DOOR, build
from bench.server import HOST, Server
from bench.steady import PROMISED_PER_S

NUMBER = re.compile(r'"?(\w+)"?[=:]([0-9.]+)')


@dataclass(frozen=True)
class Seen:
    """What one generator said of one run, and the CPU it took from start to end."""

    deliveries: float
    expected: float
    p50_ms: float
    p99_ms: float
    load_cpu_s: float
    server_cpu_s: float


def numbers(text: str) -> dict[str, float]:
    """Every ``name=value`` and ``"name":value`` in what a generator printed."""
    return {name: float(value) for name, value in NUMBER.findall(text)}


def compare(stage: Stage, other: Path) -> None:
    """Alternates the two on one server and prints the medians."""
    program = stage.peer or stage.hubbub
    door = stage.door(program, TEXT_DOOR)
    theirs = build(other, flags=("-O2",))
    rate, seconds = f"{PROMISED_PER_S:g}", f"{stage.pace.step_s:g}"
    seen: dict[str, list[Seen]] = {"own": [], "other": []}
    with stage.data() as (data, _), program.serving(data) as server:
        scale = (str(CLIENTS), str(SENDERS), rate, seconds, str(TEXT_BYTES))
        named = zip(("--clients", "--senders", "--rate", "--seconds", "--size"), scale, strict=True)
        port = str(server.port)
        commands = {
            "own": [str(build()), "chat", "--port", port, *door.arguments(), *sum(named, ())],
            "other": [str(theirs), HOST, port, door.path, *scale],
        }
        for _ in range(stage.pace.runs):
            for name, command in commands.items():
                seen[name].append(_run(command, server))
                stage.say(f"  {name:6} {_words([seen[name][-1]])}")
    stage.say("medians")
    for name, runs in seen.items():
        stage.say(f"  {name:6} {_words(runs)}")


def _run(command: Sequence[str], server: Server) -> Seen:
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
    said = numbers(printed)
    return Seen(
        deliveries=said["deliveries"],
        expected=said["expected"],
        p50_ms=said["p50_us"] / 1000,
        p99_ms=said["p99_us"] / 1000,
        load_cpu_s=used.ru_utime + used.ru_stime,
        server_cpu_s=server.cpu_s() - before,
    )


def _words(runs: Sequence[Seen]) -> str:
    missing = sum(run.expected - run.deliveries for run in runs)
    return (
        f"{median(run.deliveries for run in runs):9,.0f} deliveries ({missing:,.0f} missing)  "
        f"p50 {median(run.p50_ms for run in runs):6.2f} ms  "
        f"p99 {median(run.p99_ms for run in runs):7.2f} ms  "
        f"load {median(run.load_cpu_s for run in runs):5.2f} s CPU  "
        f"server {median(run.server_cpu_s for run in runs):5.2f} s CPU"
    )
