"""What may happen to a cluster, each while people talk; used by the tests and by `table`."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable

from tests.support.cluster import Crowd

Fault = Callable[[Crowd], Awaitable[None]]

FREEZES_S = 7.0  # a node; longer than PostgreSQL lets a transaction idle


async def _moment() -> None:
    """One that nobody has chosen."""
    await asyncio.sleep(random.uniform(0, 0.3))


async def nothing(crowd: Crowd) -> None:
    """For comparison."""
    await crowd.new_acks(100)


async def node_killed(crowd: Crowd) -> None:
    node = random.choice(crowd.cluster.nodes)
    await _moment()
    node.kill()
    await crowd.new_acks(20)
    await asyncio.to_thread(node.start)


def nats_away(for_s: float) -> Fault:
    async def fault(crowd: Crowd) -> None:
        await _moment()
        await asyncio.to_thread(crowd.cluster.nats.stop)
        await asyncio.sleep(for_s)
        await asyncio.to_thread(crowd.cluster.nats.start)

    return fault


async def nats_restarted(crowd: Crowd) -> None:
    await nats_away(0)(crowd)


def nats_frozen(for_s: float) -> Fault:
    async def fault(crowd: Crowd) -> None:
        await _moment()
        crowd.cluster.nats.signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        crowd.cluster.nats.signal(signal.SIGCONT)

    return fault


def nats_cut_off(for_s: float) -> Fault:
    async def fault(crowd: Crowd) -> None:
        proxy = crowd.cluster.bus_proxy
        await _moment()
        proxy.is_closed = True
        proxy.cut()
        await asyncio.sleep(for_s)
        proxy.is_closed = False

    return fault


def nats_delayed(by_s: float, posts: int) -> Fault:
    async def fault(crowd: Crowd) -> None:
        crowd.cluster.bus_proxy.delay_s = by_s
        await crowd.new_acks(posts)
        crowd.cluster.bus_proxy.delay_s = 0

    return fault


def postgres_restarted(*, fast: bool) -> Fault:
    async def fault(crowd: Crowd) -> None:
        postgres = crowd.cluster.postgres
        await _moment()
        await asyncio.to_thread(postgres.stop if fast else postgres.kill)
        await asyncio.to_thread(postgres.start)

    return fault


async def node_frozen_in_a_transaction(crowd: Crowd) -> None:
    """With its locks held, for longer than PostgreSQL allows."""
    node = random.choice(crowd.cluster.nodes)
    deadline = time.monotonic() + 30
    while True:
        await _moment()
        node.signal(signal.SIGSTOP)
        await asyncio.sleep(0.05)  # what is on its way to the server arrives
        if await asyncio.to_thread(_is_in_a_transaction, crowd):
            break
        node.signal(signal.SIGCONT)
        assert time.monotonic() < deadline, "it was never met in a transaction"
    await asyncio.sleep(FREEZES_S)
    node.signal(signal.SIGCONT)


def node_cut_off(for_s: float) -> Fault:
    """The far one: nothing comes through, and nobody is told."""

    async def fault(crowd: Crowd) -> None:
        network = crowd.cluster.network
        await _moment()
        await asyncio.to_thread(network.cut)
        await asyncio.sleep(for_s)
        await asyncio.to_thread(network.mend)

    return fault


def _is_in_a_transaction(crowd: Crowd) -> bool:
    """Whether a writer sits in a transaction and holds its turn, for longer than it would."""
    rows = crowd.cluster.postgres.execute(
        "SELECT 1 FROM pg_stat_activity JOIN pg_locks USING (pid)"
        " WHERE state = 'idle in transaction' AND locktype = 'advisory' AND granted"
        " AND now() - state_change > interval '30 milliseconds'"
    )
    return bool(rows)


async def nodes_restarted_one_by_one(crowd: Crowd) -> None:
    for node in crowd.cluster.nodes:
        await _moment()
        assert await asyncio.to_thread(node.stop) == 0
        await asyncio.to_thread(node.start)
        await crowd.new_acks(10)


# As long as the table has them; tests are shorter.
ALL: dict[str, Fault] = {
    "none": nothing,
    "a node is killed (`kill -9`) and started again": node_killed,
    "NATS is stopped for 10 s": nats_away(10),
    "NATS is frozen (`SIGSTOP`) for 10 s": nats_frozen(10),
    "NATS is restarted": nats_restarted,
    "NATS is cut off for 10 s": nats_cut_off(10),
    "NATS is 300 ms late": nats_delayed(0.3, 200),
    "PostgreSQL is restarted (fast)": postgres_restarted(fast=True),
    "PostgreSQL is killed (immediate) and started again": postgres_restarted(fast=False),
    "a node is frozen in a transaction for 7 s": node_frozen_in_a_transaction,
    "all nodes are restarted, one after another": nodes_restarted_one_by_one,
}
