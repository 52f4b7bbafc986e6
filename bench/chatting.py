"""The measured chat: clients in one room, some of whom send at a fixed rate."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from bench import ramp
from bench.context import Context
from bench.loadgen import ChatResult, Load, Step
from bench.server import Program

CLIENTS = 200
SENDERS = 20
TEXT_BYTES = 120


def chatting(load: Load) -> AbstractContextManager[Step]:
    return load.chat(clients=CLIENTS, senders=SENDERS, size=TEXT_BYTES)


def _summary(result: ChatResult) -> str:
    saturated = result.load_cpu_s > 0.95 * result.seconds
    words = [
        f"{result.rate:8,.0f} msg/s  {result.deliveries_per_s:10,.0f} deliveries/s",
        f"p50 {result.p50_us / 1000:6.2f} ms  p99 {result.p99_us / 1000:7.2f} ms",
        f"{result.server_us_per_delivery:5.2f} µs CPU each",
        ramp.fault(result) or "",
        f"notice of the server: {result.first_notice}" if result.lost and result.notices else "",
        "the load generator is at its limit" if saturated else "",
    ]
    return "  ".join(word for word in words if word)


def attempts(
    context: Context, scenario: str, program: Program, step: Step, seconds: float
) -> Callable[[float], ChatResult]:
    def attempt(rate: float) -> ChatResult:
        result = step(rate, seconds)
        context.print(f"  {program.name:7} {_summary(result)}")
        context.record(scenario, program, result)
        return result

    return attempt
