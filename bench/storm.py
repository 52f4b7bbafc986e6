"""A storm: ten thousand people are here when the server is pulled out from under them.

They come back as clients do, each to the lobby and to a few smaller rooms, with what they had
before the last messages; the first of them go on talking. It is measured once with `kill -9` and
once with SIGTERM, from the signal until the last of them is up to date.
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
from bench.context import Stage
from bench.report import KB, Bound, Row
from bench.returning import Crowd, Person, PostFailed, Seen
from bench.server import Hubbub, free_port
from hubbub.model.names import LOBBY

MEMBERS = 9_500
GUESTS = 500
ROOMS = 300
ROOMS_EACH = 3
#: Said in each room before, and what everybody misses of it.
SAID = 60
MISSED_IN_LOBBY = 20
MISSED_IN_ROOM = 5
#: Those who are back talk: so many a second, of which one in ten is for the lobby, where each
#: goes out to everybody.
POSTS_PER_S = 20
POSTERS = 20
LOBBY_EVERY = 10
ALL_HERE_WITHIN_S = 180.0
AWAY = "while you were away"
PULLS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM}


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one."""

    clients: int
    missing: int
    #: From the signal: until a new server answered, and until all were up to date.
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
class Town:
    """A data folder with everybody in it."""

    data: Path
    tokens: list[str]
    rooms: list[str]

    @classmethod
    def built(
        cls, data: Path, members: int = MEMBERS, guests: int = GUESTS, rooms: int = ROOMS
    ) -> "Town":
        tokens = people.settle(data, members)
        ids = people.gather(data, members, rooms, min(ROOMS_EACH, rooms), SAID)
        return cls(data, [*tokens, *people.guests(data, guests)], ids)


def measure(stage: Stage) -> list[Row]:
    stage.say(f"  making {MEMBERS:,} accounts in {ROOMS} rooms, and {GUESTS} guests")
    town = Town.built(stage.folder / "storm")
    rows: list[Row] = []
    for name, how in PULLS.items():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            storm = runner.run(_storm(stage.hubbub, town, how))
        stage.keep(f"storm, {name}", stage.hubbub, storm)
        stage.say(_words(name, storm))
        rows += _rows(name, storm)
    return rows


async def _storm(hubbub: Hubbub, town: Town, how: signal.Signals) -> Storm:
    port = free_port()
    crowd = Crowd(port, town.tokens)
    with ExitStack() as stack:
        before = await asyncio.to_thread(stack.enter_context, hubbub.serving(town.data, port))
        crowd.come()
        await crowd.all_here(ALL_HERE_WITHIN_S)
        await miss(crowd, town.rooms)
        seen = crowd.begin()
        await asyncio.to_thread(before.pull, how)
        server = await asyncio.to_thread(stack.enter_context, hubbub.serving(town.data, port))
        ready_s = seen.now_s
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(talk(crowd))
            await crowd.all_here(ALL_HERE_WITHIN_S)
            missing = crowd.missing
            crowd.stop_talking()
        figures = await asyncio.to_thread(server.figures)
        cpu_s = server.cpu_s()
        await crowd.leave()
        return _storm_of(seen, missing, ready_s, figures, cpu_s)


async def miss(crowd: Crowd, rooms: Sequence[str]) -> None:
    """Something is said of which nobody takes note: it was on its way when the server went."""
    someone = {room: person for person in crowd.members() for room in person.have}
    for room in (LOBBY, *rooms):
        for _ in range(MISSED_IN_LOBBY if room == LOBBY else MISSED_IN_ROOM):
            await crowd.post_for_all(someone[room], room, AWAY)
    crowd.posters.clear()


async def talk(crowd: Crowd) -> None:
    """The first who are back go on talking, in the lobby and in a room of theirs."""
    async with asyncio.TaskGroup() as posts:
        for number in itertools.count():
            await asyncio.sleep(1 / POSTS_PER_S)
            if crowd.has_stopped_talking:
                return
            if first := list(itertools.islice(crowd.members(), POSTERS)):
                person = first[number % len(first)]
                smaller = [room for room in person.have if room != LOBBY]
                room = LOBBY if number % LOBBY_EVERY == 0 else random.choice(smaller)
                posts.create_task(_say(crowd, person, room))


async def _say(crowd: Crowd, person: Person, room: str) -> None:
    began = time.perf_counter()
    try:
        await crowd.post(person, room, "I am back")
    except PostFailed:
        crowd.seen.failed_posts += 1
    else:
        crowd.seen.posts_ms.append((time.perf_counter() - began) * 1000)


def _storm_of(
    seen: Seen, missing: int, ready_s: float, figures: dict[str, float], cpu_s: float
) -> Storm:
    def asked(query: str) -> int:
        return int(figures[f'hubbub_ledger_queries_total{{query="{query}"}}'])

    return Storm(
        clients=len(seen.back_s) + missing,
        missing=missing,
        ready_s=ready_s,
        half_back_s=part(seen.back_s, 0.5),
        all_back_s=part(seen.back_s, 1),
        posts=len(seen.posts_ms),
        posts_failed=seen.failed_posts,
        posts_p50_ms=part(seen.posts_ms, 0.5),
        posts_p99_ms=part(seen.posts_ms, 0.99),
        posts_max_ms=part(seen.posts_ms, 1),
        connects=seen.connects,
        syncs=seen.syncs,
        bytes_in=seen.bytes_in,
        room_reads=int(figures["hubbub_room_reads_total"]),
        history_queries=asked("sync") + asked("history"),
        profile_queries=asked("me"),
        server_cpu_s=cpu_s,
    )


def part(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies; infinite if there are none."""
    found = sorted(values)
    return found[min(int(len(found) * share), len(found) - 1)] if found else math.inf


def _words(name: str, storm: Storm) -> str:
    return (
        f"  {name}: ready after {storm.ready_s:.2f} s, half are back after "
        f"{storm.half_back_s:.2f}, all after {storm.all_back_s:.2f}; "
        f"server {storm.server_cpu_s:.1f} s of CPU\n"
        f"    {storm.connects:,} connects, {storm.syncs:,} syncs, "
        f"{storm.bytes_in / storm.clients / KB:.1f} KB for each\n"
        f"    {storm.posts} posts meanwhile, {storm.posts_failed} failed: "
        f"p50 {storm.posts_p50_ms:.1f}, p99 {storm.posts_p99_ms:.1f}, "
        f"max {storm.posts_max_ms:.1f} ms\n"
        f"    reads: {storm.room_reads} rooms, {storm.history_queries} histories, "
        f"{storm.profile_queries:,} profiles"
    )


def _rows(name: str, storm: Storm) -> list[Row]:
    who = f"{storm.clients:,} come back after {name}"
    faults = tuple(
        f"{count} {what}"
        for count, what in (
            (storm.missing, "are not back"),
            (storm.posts_failed, "posts failed"),
        )
        if count
    )
    reads = storm.room_reads + storm.history_queries
    return [
        Row(f"{who}: all up to date", "s", storm.all_back_s, (Bound("at most", 15),), None, faults),
        Row(f"{who}: p99 of posts meanwhile", "ms", storm.posts_p99_ms, (Bound("at most", 250),)),
        Row(f"{who}: reads of {ROOMS + 1} rooms", "", reads, (Bound("at most", ROOMS + 10),)),
    ]
