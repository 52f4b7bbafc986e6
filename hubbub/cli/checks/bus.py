"""Checks of the bus between servers, and of the nodes on it."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.cli.checks.postgres import SERVING_CONNECTIONS, Connections
from hubbub.cli.processes import nats_server
from hubbub.live.cluster.bus import BusError
from hubbub.live.cluster.envelopes import Heartbeat, decode
from hubbub.live.cluster.nats import NatsBus, without_password
from hubbub.model.base import Millis
from hubbub.model.settings import Settings

LISTEN_S = 2.0  # each node sends a heartbeat once a second
SLOW_S = 0.25
CLOCKS_APART_MS = 2_000
CLOCKS_FAR_APART_MS = 60_000
USE_NTP = "Synchronise the clocks of all machines with NTP."


class Node(NamedTuple):
    """A server on the bus. ``ahead_ms`` compares its clock with this machine's."""

    epoch: str
    version: str
    ahead_ms: Millis


class BusTraffic(NamedTuple):
    lag_s: float
    nodes: dict[str, Node]


def check_bus(settings: Settings, epoch: str | None, *, is_running: bool) -> Iterator[Finding]:
    """Check the bus of the settings. ``epoch`` is the chat's, None if unknown."""
    assert settings.bus
    try:
        traffic = asyncio.run(listen(settings.bus))
    except BusError as error:
        yield refused("bus", error)
        return
    yield latency(without_password(settings.bus), traffic.lag_s)
    ours = {name: one for name, one in traffic.nodes.items() if epoch in (None, one.epoch)}
    yield nodes(ours, is_running=is_running)
    if ours:
        yield clocks(ours)
    if len(ours) < len(traffic.nodes):
        yield other_chats(len({one.epoch for one in traffic.nodes.values()} - {epoch}))


async def listen(url: str, duration_s: float = LISTEN_S) -> BusTraffic:
    """Connect, and collect heartbeats for a while. Raises BusError."""
    found: dict[str, Node] = {}

    def received(_subject: str, payload: bytes) -> None:
        try:
            envelope = decode(payload)
        except msgspec.MsgspecError:
            return  # another program's, or of a version with another format
        for one in envelope.items:
            if isinstance(one, Heartbeat) and one.leaves:
                found.pop(envelope.node, None)
            elif isinstance(one, Heartbeat):
                ahead_ms = one.now - time.time_ns() // 1_000_000
                if known := found.get(envelope.node):
                    # A delayed heartbeat looks like one from a clock that is behind.
                    ahead_ms = max(ahead_ms, known.ahead_ms)
                found[envelope.node] = Node(one.epoch, one.version, ahead_ms)

    client = NatsBus(url, "hubbub doctor")
    client.on_message = received
    client.subscribe("hubbub.*.nodes")
    await client.start()
    await asyncio.sleep(duration_s)
    await client.stop()
    return BusTraffic(client.metrics.lag_s, found)


def latency(address: str, lag_s: float) -> Finding:
    summary = f"{address} answers in {lag_s * 1000:.1f} ms"
    if lag_s > SLOW_S:
        return warning(
            "bus",
            f"{summary}: messages reach people on other servers late.",
            "Check the network between them, and the processor load of both.",
        )
    return ok("bus", f"{summary}.")


def nodes(ours: dict[str, Node], *, is_running: bool) -> Finding:
    """The nodes of this chat. ``is_running``: a server on this machine should be one of them."""
    versions = Counter(one.version for one in ours.values())
    if not ours and is_running:
        return warning(
            "nodes",
            "A server uses this data folder, but no server of this chat is on the bus.",
            "Was it started with this --bus? Its log says whether it has lost the connection.",
        )
    if len(versions) > 1:
        summary = ", ".join(f"{count} × {version}" for version, count in sorted(versions.items()))
        return warning(
            "nodes",
            f"Servers of several versions share the database ({summary}).",
            "Finish the update: restart those of the older version, one by one.",
        )
    if not ours:
        return ok("nodes", "No server of this chat is on the bus.")
    [version] = versions
    return ok("nodes", f"Servers on the bus: {len(ours)}, of version {version}.")


def clocks(ours: dict[str, Node]) -> Finding:
    name, node = max(ours.items(), key=lambda item: abs(item[1].ahead_ms))
    direction = "ahead of" if node.ahead_ms > 0 else "behind"
    summary = f"The clock of node {name} is {abs(node.ahead_ms) / 1000:.1f} s {direction} this one"
    if abs(node.ahead_ms) > CLOCKS_FAR_APART_MS:
        return problem("node clocks", f"{summary}: its messages carry wrong times.", USE_NTP)
    if abs(node.ahead_ms) > CLOCKS_APART_MS:
        return warning("node clocks", f"{summary}.", USE_NTP)
    return ok("node clocks", "The clocks of all nodes agree with this machine's.")


def other_chats(count: int) -> Finding:
    return warning(
        "other chats",
        f"{count} other chats use this bus; they do not get each other's messages.",
        "Give each chat its own NATS server or NATS account.",
    )


def without_bus(settings: Settings, found: Connections | None) -> Finding:
    """Without --bus: whether one is needed. ``found`` are the database's connections."""
    has_other_servers = found is not None and found.ours > SERVING_CONNECTIONS * settings.workers
    if has_other_servers:
        return warning(
            "bus",
            "Other servers seem to use the same database: without --bus people get messages from "
            "other servers late, and do not see who is online there.",
            "Start a NATS server, and give all servers its address with --bus.",
        )
    if settings.workers > 1:
        try:
            nats_server.program()
        except BusError as error:
            return refused("bus", error)
        return ok("bus", "The workers start their own bus.")
    return ok("bus", "A single server needs none.")
