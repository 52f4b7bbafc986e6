"""The bus between servers, and who is heard on it."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.cli.checks.postgres import AT_ONCE, Connections
from hubbub.cli.processes import nats_server
from hubbub.live.cluster.bus import BusError
from hubbub.live.cluster.envelopes import Heartbeat, decode
from hubbub.live.cluster.nats import NatsBus, without_password
from hubbub.model.base import Millis
from hubbub.model.settings import Settings

LISTENS_S = 2.0  # each node says once a second that it is there
SLOW_S = 0.25
CLOCKS_APART_MS = 2_000
CLOCKS_FAR_APART_MS = 60_000
KEEP_RIGHT = "Keep the clocks of all machines right with NTP."


class Node(NamedTuple):
    """A server that is heard on the bus. Its clock is so far ahead of this machine's, or behind."""

    epoch: str
    version: str
    ahead_ms: Millis


class BusTraffic(NamedTuple):
    lag_s: float
    nodes: dict[str, Node]


def bus(settings: Settings, epoch: str | None, *, runs: bool) -> Iterator[Finding]:
    """What is found on the bus of the settings. ``epoch`` is the chat's, as far as it is known."""
    assert settings.bus
    try:
        heard = asyncio.run(listen(settings.bus))
    except BusError as error:
        yield refused("bus", error)
        return
    yield carries(without_password(settings.bus), heard.lag_s)
    ours = {name: one for name, one in heard.nodes.items() if epoch in (None, one.epoch)}
    yield nodes(ours, runs=runs)
    if ours:
        yield clocks(ours)
    if len(ours) < len(heard.nodes):
        yield strangers(len({one.epoch for one in heard.nodes.values()} - {epoch}))


async def listen(url: str, listens_s: float = LISTENS_S) -> BusTraffic:
    """Connect, and hear for a while who is there. Raises BusError."""
    heard: dict[str, Node] = {}

    def received(_subject: str, payload: bytes) -> None:
        try:
            envelope = decode(payload)
        except msgspec.MsgspecError:
            return  # of a version that speaks otherwise, or of another program
        for one in envelope.items:
            if isinstance(one, Heartbeat) and one.leaves:
                heard.pop(envelope.node, None)
            elif isinstance(one, Heartbeat):
                ahead_ms = one.now - time.time_ns() // 1_000_000
                if known := heard.get(envelope.node):
                    # What was on its way for longer seems to come from a clock that is behind.
                    ahead_ms = max(ahead_ms, known.ahead_ms)
                heard[envelope.node] = Node(one.epoch, one.version, ahead_ms)

    carrier = NatsBus(url, "hubbub doctor")
    carrier.received = received
    carrier.watch("hubbub.*.nodes")
    await carrier.start()
    await asyncio.sleep(listens_s)
    await carrier.stop()
    return BusTraffic(carrier.metrics.lag_s, heard)


def carries(where: str, lag_s: float) -> Finding:
    told = f"{where} answers in {lag_s * 1000:.1f} ms"
    if lag_s > SLOW_S:
        return warning(
            "bus",
            f"{told}: messages reach people at other servers late.",
            "Is the network between them slow, or one of the two out of processor time?",
        )
    return ok("bus", f"{told}.")


def nodes(ours: dict[str, Node], *, runs: bool) -> Finding:
    """Who of this chat is heard. ``runs``: a server here should be."""
    versions = Counter(one.version for one in ours.values())
    if not ours and runs:
        return warning(
            "nodes",
            "A server has this data folder, but none of this chat is heard on the bus.",
            "Was it started with this --bus? Its log says whether it has lost it.",
        )
    if len(versions) > 1:
        told = ", ".join(f"{count} × {version}" for version, count in sorted(versions.items()))
        return warning(
            "nodes",
            f"Servers of several versions share the database ({told}).",
            "Finish the update: restart those of the older version, one by one.",
        )
    if not ours:
        return ok("nodes", "No server of this chat is heard on the bus.")
    [version] = versions
    return ok("nodes", f"Servers heard on the bus: {len(ours)}, of version {version}.")


def clocks(ours: dict[str, Node]) -> Finding:
    name, node = max(ours.items(), key=lambda item: abs(item[1].ahead_ms))
    direction = "ahead of" if node.ahead_ms > 0 else "behind"
    told = f"The clock of node {name} is {abs(node.ahead_ms) / 1000:.1f} s {direction} this one"
    if abs(node.ahead_ms) > CLOCKS_FAR_APART_MS:
        return problem("node clocks", f"{told}: its messages carry wrong times.", KEEP_RIGHT)
    if abs(node.ahead_ms) > CLOCKS_APART_MS:
        return warning("node clocks", f"{told}.", KEEP_RIGHT)
    return ok("node clocks", "The clocks of all nodes agree with this machine's.")


def strangers(count: int) -> Finding:
    return warning(
        "strangers",
        f"{count} other chats use this bus; they do not hear each other.",
        "Give each chat a NATS, or an account of one, of its own.",
    )


def none(settings: Settings, found: Connections | None) -> Finding:
    """Without --bus: whether one is needed. ``found`` are the database's connections."""
    is_among_others = found is not None and found.ours > AT_ONCE * settings.workers
    if is_among_others:
        return warning(
            "bus",
            "More servers than this one seem to use the database: without --bus their people get "
            "each other's messages late, and do not see who is there.",
            "Start a NATS, and give all servers its address with --bus.",
        )
    if settings.workers > 1:
        try:
            nats_server.program()
        except BusError as error:
            return refused("bus", error)
        return ok("bus", "The workers' bus is started with them.")
    return ok("bus", "None is needed for one server.")
