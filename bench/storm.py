"""A mass reconnect: ten thousand people are connected when the server ends and restarts.

They reconnect as real clients do, each to the lobby and a few smaller rooms, and have missed the
last messages; the first of them continue to post. It is measured with `kill -9` and with SIGTERM,
from the signal until the last client is up to date.
"""

import asyncio
import itertools
import math
import random
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from bench import people
from bench.context import Context
from bench.report import KB, Bound, Row
from bench.returning import Client, Clients, PostFailed, ReturnStats
from bench.server import Hubbub, free_port
from hubbub.model.names import LOBBY

MEMBERS = 9_500
GUESTS = 500
ROOMS = 300
ROOMS_EACH = 3
#: Messages in each room before, and the number of them that everybody misses.
MESSAGES_BEFORE = 60
MISSED_IN_LOBBY = 20
MISSED_IN_ROOM = 5
#: Posts per second by clients that are back; one in ten goes to the lobby and so to everybody.
POSTS_PER_S = 20
POSTERS = 20
LOBBY_EVERY = 10
RETURN_TIMEOUT_S = 180.0
MISSED_TEXT = "while you were away"
SHUTDOWNS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM}


class ReconnectResult(msgspec.Struct, frozen=True, kw_only=True):
    """The measured values of one mass reconnect."""

    clients: int
    missing: int
    #: From the signal until a new server was ready, and until all were up to date.
    ready_s: float
    all_back_s: float
    half_back_s: float
    posts: int
    posts_failed: int
    posts_p50_ms: float
    posts_p99_ms: float
    posts_max_ms: float
    connects: int
    syncs: int
    bytes_in: int
    #: Reads of the new server's database.
    room_reads: int
    history_queries: int
    profile_queries: int
    server_cpu_s: float


@dataclass(frozen=True)
class Dataset:
    """A data folder with all accounts and rooms."""

    data: Path
    tokens: list[str]
    rooms: list[str]

    @classmethod
    def create(
        cls, data: Path, members: int = MEMBERS, guests: int = GUESTS, rooms: int = ROOMS
    ) -> "Dataset":
        tokens = people.settle(data, members)
        ids = people.gather(data, members, rooms, min(ROOMS_EACH, rooms), MESSAGES_BEFORE)
        return cls(data, [*tokens, *people.guests(data, guests)], ids)


def measure(context: Context) -> list[Row]:
    context.print(f"  making {MEMBERS:,} accounts in {ROOMS} rooms, and {GUESTS} guests")
    dataset = Dataset.create(context.folder / "storm")
    rows: list[Row] = []
    for name, how in SHUTDOWNS.items():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(_restart(context.hubbub, dataset, how))
        context.record(f"storm, {name}", context.hubbub, result)
        context.print(_summary(name, result))
        rows += _rows(name, result)
    return rows


async def _restart(hubbub: Hubbub, dataset: Dataset, how: signal.Signals) -> ReconnectResult:
    port = free_port()
    clients = Clients(port, dataset.tokens)
    with ExitStack() as stack:
        before = await asyncio.to_thread(stack.enter_context, hubbub.serving(dataset.data, port))
        clients.connect_all()
        await clients.wait_all(RETURN_TIMEOUT_S)
        await post_missed_messages(clients, dataset.rooms)
        stats = clients.reset_stats()
        await asyncio.to_thread(before.interrupt, how)
        server = await asyncio.to_thread(stack.enter_context, hubbub.serving(dataset.data, port))
        ready_s = stats.now_s
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(post_while_returning(clients))
            await clients.wait_all(RETURN_TIMEOUT_S)
            missing = clients.missing
            clients.stop_posting()
        metrics = await asyncio.to_thread(server.metrics)
        cpu_s = server.cpu_s()
        await clients.leave()
        return _result_of(stats, missing, ready_s, metrics, cpu_s)


async def post_missed_messages(clients: Clients, rooms: Sequence[str]) -> None:
    """Post messages that the clients do not record, as if they were lost with the server."""
    someone = {room: client for client in clients.members() for room in client.have}
    for room in (LOBBY, *rooms):
        for _ in range(MISSED_IN_LOBBY if room == LOBBY else MISSED_IN_ROOM):
            await clients.post_for_all(someone[room], room, MISSED_TEXT)
    clients.posters.clear()


async def post_while_returning(clients: Clients) -> None:
    """Let the first clients that are back post in the lobby and in their rooms."""
    async with asyncio.TaskGroup() as posts:
        for number in itertools.count():
            await asyncio.sleep(1 / POSTS_PER_S)
            if clients.is_posting_over:
                return
            if first := list(itertools.islice(clients.members(), POSTERS)):
                client = first[number % len(first)]
                smaller = [room for room in client.have if room != LOBBY]
                room = LOBBY if number % LOBBY_EVERY == 0 else random.choice(smaller)
                posts.create_task(_timed_post(clients, client, room))


async def _timed_post(clients: Clients, client: Client, room: str) -> None:
    began = time.perf_counter()
    try:
        await clients.post(client, room, "I am back")
    except PostFailed:
        clients.stats.failed_posts += 1
    else:
        clients.stats.posts_ms.append((time.perf_counter() - began) * 1000)


def _result_of(
    stats: ReturnStats, missing: int, ready_s: float, metrics: dict[str, float], cpu_s: float
) -> ReconnectResult:
    def asked(query: str) -> int:
        return int(metrics[f'hubbub_executor_queries_total{{query="{query}"}}'])

    return ReconnectResult(
        clients=len(stats.back_s) + missing,
        missing=missing,
        ready_s=ready_s,
        half_back_s=quantile(stats.back_s, 0.5),
        all_back_s=quantile(stats.back_s, 1),
        posts=len(stats.posts_ms),
        posts_failed=stats.failed_posts,
        posts_p50_ms=quantile(stats.posts_ms, 0.5),
        posts_p99_ms=quantile(stats.posts_ms, 0.99),
        posts_max_ms=quantile(stats.posts_ms, 1),
        connects=stats.connects,
        syncs=stats.syncs,
        bytes_in=stats.bytes_in,
        room_reads=int(metrics["hubbub_room_reads_total"]),
        history_queries=asked("sync") + asked("history"),
        profile_queries=asked("me"),
        server_cpu_s=cpu_s,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies; infinite if there are none."""
    found = sorted(values)
    return found[min(int(len(found) * share), len(found) - 1)] if found else math.inf


def _summary(name: str, result: ReconnectResult) -> str:
    return (
        f"  {name}: ready after {result.ready_s:.2f} s, half are back after "
        f"{result.half_back_s:.2f}, all after {result.all_back_s:.2f}; "
        f"server {result.server_cpu_s:.1f} s of CPU\n"
        f"    {result.connects:,} connects, {result.syncs:,} syncs, "
        f"{result.bytes_in / result.clients / KB:.1f} KB for each\n"
        f"    {result.posts} posts meanwhile, {result.posts_failed} failed: "
        f"p50 {result.posts_p50_ms:.1f}, p99 {result.posts_p99_ms:.1f}, "
        f"max {result.posts_max_ms:.1f} ms\n"
        f"    reads: {result.room_reads} rooms, {result.history_queries} histories, "
        f"{result.profile_queries:,} profiles"
    )


def _rows(name: str, result: ReconnectResult) -> list[Row]:
    who = f"{result.clients:,} reconnect after {name}"
    faults = tuple(
        f"{count} {what}"
        for count, what in (
            (result.missing, "are not back"),
            (result.posts_failed, "posts failed"),
        )
        if count
    )
    reads = result.room_reads + result.history_queries
    return [
        Row(
            f"{who}: all up to date", "s", result.all_back_s, (Bound("at most", 15),), None, faults
        ),
        Row(f"{who}: p99 of posts meanwhile", "ms", result.posts_p99_ms, (Bound("at most", 250),)),
        Row(f"{who}: reads of {ROOMS + 1} rooms", "", reads, (Bound("at most", ROOMS + 10),)),
    ]
