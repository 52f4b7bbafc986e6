"""Faults of a cluster, each injected during a conversation; used by the tests and by `table`."""

import asyncio
import random
import signal
import time
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp

from hubbub import __version__
from hubbub.store.schema.migrations import HEAD
from tests.support.conversation import Conversation, Fault
from tests.support.release import NEXT, VERSION, release
from tests.support.server import Server

FREEZE_S = 7.0  # longer than PostgreSQL lets a transaction idle


async def _random_pause() -> None:
    """Wait for a random time, so that the fault comes at any point."""
    await asyncio.sleep(random.uniform(0, 0.3))


async def nothing(conversation: Conversation) -> None:
    """No fault, for comparison."""
    await conversation.wait_for_acks(100)


async def node_killed(conversation: Conversation) -> None:
    node = random.choice(conversation.cluster.nodes)
    await _random_pause()
    node.kill()
    await conversation.wait_for_acks(20)
    await asyncio.to_thread(node.start)


def nats_stopped(for_s: float) -> Fault:
    async def fault(conversation: Conversation) -> None:
        await _random_pause()
        await asyncio.to_thread(conversation.cluster.nats.stop)
        await asyncio.sleep(for_s)
        await asyncio.to_thread(conversation.cluster.nats.start)

    return fault


async def nats_restarted(conversation: Conversation) -> None:
    await nats_stopped(0)(conversation)


def nats_frozen(for_s: float) -> Fault:
    async def fault(conversation: Conversation) -> None:
        await _random_pause()
        conversation.cluster.nats.signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        conversation.cluster.nats.signal(signal.SIGCONT)

    return fault


def nats_cut_off(for_s: float) -> Fault:
    async def fault(conversation: Conversation) -> None:
        proxy = conversation.cluster.bus_proxy
        await _random_pause()
        proxy.is_closed = True
        proxy.cut()
        await asyncio.sleep(for_s)
        proxy.is_closed = False

    return fault


def nats_delayed(by_s: float, posts: int) -> Fault:
    async def fault(conversation: Conversation) -> None:
        conversation.cluster.bus_proxy.delay_s = by_s
        await conversation.wait_for_acks(posts)
        conversation.cluster.bus_proxy.delay_s = 0

    return fault


def postgres_restarted(*, fast: bool) -> Fault:
    async def fault(conversation: Conversation) -> None:
        postgres = conversation.cluster.postgres
        await _random_pause()
        await asyncio.to_thread(postgres.stop if fast else postgres.kill)
        await asyncio.to_thread(postgres.start)

    return fault


async def node_frozen_in_a_transaction(conversation: Conversation) -> None:
    """Freeze a node that holds locks, for longer than PostgreSQL allows."""
    node = random.choice(conversation.cluster.nodes)
    deadline = time.monotonic() + 30
    while True:
        await _random_pause()
        node.signal(signal.SIGSTOP)
        await asyncio.sleep(0.05)  # what the node has sent reaches the database
        if await asyncio.to_thread(_is_in_a_transaction, conversation):
            break
        node.signal(signal.SIGCONT)
        assert time.monotonic() < deadline, "no node was found in a transaction"
    await asyncio.sleep(FREEZE_S)
    node.signal(signal.SIGCONT)


def node_cut_off(for_s: float) -> Fault:
    """Drop all packets of the remote node, without an error to either side."""

    async def fault(conversation: Conversation) -> None:
        network = conversation.cluster.network
        await _random_pause()
        await asyncio.to_thread(network.cut)
        await asyncio.sleep(for_s)
        await asyncio.to_thread(network.reconnect)

    return fault


def _is_in_a_transaction(conversation: Conversation) -> bool:
    """Whether a writer has been in a transaction, with the writers' lock, for unusually long."""
    rows = conversation.cluster.postgres.execute(
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


async def nodes_restarted_one_by_one(conversation: Conversation) -> None:
    for node in conversation.cluster.nodes:
        await _random_pause()
        await _restart(node)
        await conversation.wait_for_acks(10)


async def rolling_upgrade(conversation: Conversation) -> None:
    """Upgrade one node after another to a release that extends the schema."""
    first, *others = conversation.cluster.nodes
    first.environment = environment = release(conversation.cluster.folder / "next", works_with=HEAD)
    await _restart(first)
    assert (await _version(first), conversation.cluster.schema()) == (VERSION, NEXT)
    await conversation.wait_for_acks(20)
    # The other nodes go on beside it, and still start on the new schema.
    for node in others:
        await _restart(node)
        assert await _version(node) == __version__
        await conversation.wait_for_acks(20)
    for node in others:
        node.environment = environment
        await _restart(node)
        await conversation.wait_for_acks(10)
    assert conversation.cluster.schema() == NEXT


def beside_another_commit(environment: Mapping[str, str]) -> Fault:
    """Run another commit on two nodes, one after another, and then this one again."""

    async def run(conversation: Conversation) -> None:
        present: Mapping[str, str] = {}
        for chosen in (environment, present):
            for node in conversation.cluster.nodes[:2]:
                node.environment = chosen
                await _restart(node)
                assert (await _version(node) == __version__) is (chosen is present)
                await conversation.wait_for_acks(20)

    return run


class FaultCase(NamedTuple):
    """A fault and the cluster that it needs."""

    fault: Fault
    needs_remote_node: bool = False
    fault_odds: str | None = None


# With the durations of the table in the docs; the tests use shorter ones.
FAULTS: dict[str, FaultCase] = {
    "none": FaultCase(nothing),
    "a node is killed (`kill -9`) and started again": FaultCase(node_killed),
    "a node is frozen (`SIGSTOP`) for 7 s in a transaction": FaultCase(
        node_frozen_in_a_transaction
    ),
    "a node is cut off from all for 20 s": FaultCase(node_cut_off(20), needs_remote_node=True),
    "NATS is stopped for 10 s": FaultCase(nats_stopped(10)),
    "NATS is frozen (`SIGSTOP`) for 10 s": FaultCase(nats_frozen(10)),
    "NATS is restarted": FaultCase(nats_restarted),
    "NATS is cut off for 10 s": FaultCase(nats_cut_off(10)),
    "NATS is 300 ms late": FaultCase(nats_delayed(0.3, 200)),
    "20 % lost on the bus, 20 % twice, 30 % out of order": FaultCase(
        nothing, fault_odds="0.2,0.2,0.3"
    ),
    "everything lost on the bus": FaultCase(nothing, fault_odds="1,0,0"),
    "PostgreSQL is restarted (fast)": FaultCase(postgres_restarted(fast=True)),
    "PostgreSQL is restarted (immediate)": FaultCase(postgres_restarted(fast=False)),
    "all nodes are restarted, one after another": FaultCase(nodes_restarted_one_by_one),
    "a release with another schema, one node after another": FaultCase(rolling_upgrade),
}
