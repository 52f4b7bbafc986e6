"""What may happen to a cluster, each while people talk; used by the tests and by `table`."""

import asyncio
import random
import signal
import time
from typing import NamedTuple

import aiohttp

from hubbub import __version__
from hubbub.store.schema.migrations import HEAD
from tests.support.conversation import Crowd, Fault
from tests.support.release import NEXT, VERSION, release
from tests.support.server import Server

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


async def _version(node: Server) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{node.url}/api/about") as answer:
        return str((await answer.json())["version"])


async def _restart(node: Server) -> None:
    assert await asyncio.to_thread(node.stop) == 0
    await asyncio.to_thread(node.start)


async def nodes_restarted_one_by_one(crowd: Crowd) -> None:
    for node in crowd.cluster.nodes:
        await _moment()
        await _restart(node)
        await crowd.new_acks(10)


async def next_release_comes(crowd: Crowd) -> None:
    """To one node after another; it widens the schema."""
    first, *others = crowd.cluster.nodes
    first.environment = coming = release(crowd.cluster.folder / "next", works_with=HEAD)
    await _restart(first)
    assert (await _version(first), crowd.cluster.schema()) == (VERSION, NEXT)
    await crowd.new_acks(20)
    # The others go on beside it, and come back if they have to.
    for node in others:
        await _restart(node)
        assert await _version(node) == __version__
        await crowd.new_acks(20)
    for node in others:
        node.environment = coming
        await _restart(node)
        await crowd.new_acks(10)
    assert crowd.cluster.schema() == NEXT


class Scene(NamedTuple):
    """A fault, and the cluster that it needs."""

    fault: Fault
    far: bool = False
    bad_bus: str | None = None


# As long as the table has them; tests are shorter.
ALL: dict[str, Scene] = {
    "none": Scene(nothing),
    "a node is killed (`kill -9`) and started again": Scene(node_killed),
    "a node is frozen (`SIGSTOP`) for 7 s in a transaction": Scene(node_frozen_in_a_transaction),
    "a node is cut off from all for 20 s": Scene(node_cut_off(20), far=True),
    "NATS is stopped for 10 s": Scene(nats_away(10)),
    "NATS is frozen (`SIGSTOP`) for 10 s": Scene(nats_frozen(10)),
    "NATS is restarted": Scene(nats_restarted),
    "NATS is cut off for 10 s": Scene(nats_cut_off(10)),
    "NATS is 300 ms late": Scene(nats_delayed(0.3, 200)),
    "20 % lost on the bus, 20 % twice, 30 % out of order": Scene(nothing, bad_bus="0.2,0.2,0.3"),
    "everything lost on the bus": Scene(nothing, bad_bus="1,0,0"),
    "PostgreSQL is restarted (fast)": Scene(postgres_restarted(fast=True)),
    "PostgreSQL is restarted (immediate)": Scene(postgres_restarted(fast=False)),
    "all nodes are restarted, one after another": Scene(nodes_restarted_one_by_one),
    "a release with another schema, one node after another": Scene(next_release_comes),
}
