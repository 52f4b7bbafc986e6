"""The working day with a server of known faults: it must report exactly these."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import WSCloseCode, WSMsgType, web

from bench.loadgen import build
from bench.workload import SOURCE, Rates, StepResult
from tests.support.load import needs_compiler

pytestmark = needs_compiler

TEAM = 4
ROOMS = 2
PEOPLE = 8
TEAMS = PEOPLE // TEAM
SECONDS = 0.5

Event = dict[str, Any]
#: How often the n-th event of its kind is sent to a person.
Times = Callable[[str, int, int], int]


def once(_kind: str, _nth: int, _person: int) -> int:
    return 1


class FaultyServer:
    """Implements enough of the JSON WebSocket for a working day; `times` defines its faults."""

    def __init__(self, times: Times = once) -> None:
        self.times = times
        self.sockets: dict[int, web.WebSocketResponse] = {}
        self.changes: defaultdict[str, list[Event]] = defaultdict(list)
        self.seqs: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.sent: Counter[tuple[str, int]] = Counter()
        self.haves: list[dict[str, int]] = []
        for person in range(TEAMS):
            for room in self.rooms(person):
                self.change(room, {"on": "message", "room": room, "seq": 1, "text": "old"})
                self.seqs[room] = 1

    def rooms(self, person: int) -> list[str]:
        return [f"room-{person % TEAMS + turn * TEAMS:03}" for turn in range(ROOMS)]

    def change(self, room: str, event: Event) -> int:
        """Add a change; the fields `on`, `room` and `rev` come first, as from the server."""
        rev = len(self.changes[room]) + 1
        self.changes[room].append({"on": event["on"], "room": room, "rev": rev, **event})
        return rev

    async def enter(self, request: web.Request) -> web.WebSocketResponse:
        person = int(request.headers["Authorization"].rpartition("-")[2])
        socket = web.WebSocketResponse(protocols=("hubbub.v1",), compress=False)
        await socket.prepare(request)
        async for message in socket:
            command = msgspec.json.decode(message.data)
            await self.do(person, socket, command, command.get("id"))
        if self.sockets.get(person) is socket:
            del self.sockets[person]
        return socket

    async def do(self, person: int, socket: web.WebSocketResponse, command: Event, nr: int) -> None:
        self.done[command["do"]] += 1
        match command["do"]:
            case "hello":
                await self.hello(person, socket, nr, command.get("rooms", {}))
            case "post":
                room = command["room"]
                self.seqs[room] += 1
                event = {"on": "message", "seq": self.seqs[room], "text": command["text"]}
                await self.changed(person, socket, nr, room, event)
            case "react":
                event = {"on": "marks", "seq": command["seq"]}
                await self.changed(person, socket, nr, command["room"], event)
            case "read":
                await self.send(socket, {"re": nr, "ok": {"room": command["room"], "rev": 99_999}})
            case "typing":
                await self.broadcast(person, {"on": "typing", "room": command["room"]})
            case "active":
                await self.broadcast(person, {"on": "presence", "user": str(person)})

    async def hello(
        self, person: int, socket: web.WebSocketResponse, nr: int, have: dict[str, int]
    ) -> None:
        if have:
            self.haves.append(have)
        await self.send(socket, {"re": nr, "ok": {"epoch": "e1"}})
        self.sockets[person] = socket
        for room in self.rooms(person):
            for event in self.changes[room][have.get(room, 0) :]:
                await self.send(socket, event)
            through = len(self.changes[room])
            await self.send(socket, {"on": "synced", "room": room, "through": through})
        await self.send(socket, {"on": "synced", "room": "lobby", "through": 7})

    async def changed(
        self, person: int, socket: web.WebSocketResponse, nr: int, room: str, event: Event
    ) -> None:
        rev = self.change(room, event)
        await self.send(socket, {"re": nr, "ok": {"seq": event["seq"], "rev": rev}})
        await self.broadcast(person, self.changes[room][-1])

    async def broadcast(self, person: int, event: Event) -> None:
        for other in range(person % TEAMS, PEOPLE, TEAMS):
            self.sent[event["on"], other] += 1
            if socket := self.sockets.get(other):
                for _ in range(self.times(event["on"], self.sent[event["on"], other], other)):
                    await self.send(socket, event)

    async def send(self, socket: web.WebSocketResponse, event: Event) -> None:
        if not socket.closed:
            await socket.send_str(msgspec.json.encode(event).decode())


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


@asynccontextmanager
async def serving(server: FaultyServer) -> AsyncIterator[int]:
    app = web.Application()
    app.add_routes([web.get("/ws", server.enter), web.get("/ws/echo", echo)])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def run_days(server: FaultyServer, folder: Path, *days: Rates) -> list[StepResult]:
    """Run the load for each of these rates in turn, and return the results."""
    tokens = folder / "tokens"
    tokens.write_text("".join(f"token-{number}\n" for number in range(PEOPLE)))
    arguments = (str(tokens), str(PEOPLE), str(TEAM), str(ROOMS))
    pipe = asyncio.subprocess.PIPE
    async with serving(server) as port:
        process = await asyncio.create_subprocess_exec(
            str(build(SOURCE)), str(port), *arguments, stdin=pipe, stdout=pipe
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"people {PEOPLE}\n".encode())
        assert b'"people":8' in await process.stdout.readline()
        result = []
        for rates in days:
            line = f"step {SECONDS} " + " ".join(map(str, rates)) + "\n"
            process.stdin.write(line.encode())
            result.append(msgspec.json.decode(await process.stdout.readline(), type=StepResult))
        process.stdin.close()
        assert await process.wait() == 0
    return result


ALL = Rates(post=40, typing=40, read=40, react=8, active=20, reconnect=0)
POSTS = Rates(post=40)


async def test_a_faultless_day_is_reported_without_faults(tmp_path: Path) -> None:
    server = FaultyServer()
    (result,) = await run_days(server, tmp_path, ALL)
    assert result.lost == ()
    assert result.missed == 0
    did = {"post": 20, "typing": 20, "read": 20, "react": 4, "active": 10, "hello": PEOPLE}
    assert server.done == did
    assert {kind: result.sent(kind) for kind in did if kind != "hello"} == {
        kind: count for kind, count in did.items() if kind != "hello"
    }
    assert (result.messages, result.marks) == (20 * TEAM, 4 * TEAM)
    assert (result.typing, result.presence) == (20 * TEAM, 10 * TEAM)
    assert 0 < result.p50_us <= result.p99_us <= result.max_us
    assert 0 < result.pause_p99_us <= result.pause_max_us


async def test_reconnected_people_miss_nothing_and_count_nothing_twice(
    tmp_path: Path,
) -> None:
    server = FaultyServer()
    days = (ALL._replace(reconnect=20), ALL._replace(reconnect=20))
    for result in await run_days(server, tmp_path, *days):
        assert result.lost == ()
        assert result.sent_reconnect > 0
        assert 0 < result.back_p50_us <= result.back_max_us
    assert server.done["hello"] == PEOPLE + len(server.haves)
    assert all(have["lobby"] == 7 for have in server.haves)
    assert max(have["room-000"] for have in server.haves if "room-000" in have) > 1


@pytest.mark.parametrize(
    ("kind", "changes", "fleeting"),
    [("message", 1, 0), ("marks", 1, 0), ("typing", 0, 1), ("presence", 0, 1)],
)
async def test_one_lost_delivery_is_counted_once(
    tmp_path: Path, kind: str, changes: int, fleeting: int
) -> None:
    def loses(sent: str, nth: int, person: int) -> int:
        return 0 if (sent, nth, person) == (kind, 2, 3) else 1

    rates = Rates(post=0 if kind == "marks" else 40, react=24, typing=40, active=40)
    (result,) = await run_days(FaultyServer(loses), tmp_path, rates)
    assert (result.changes_lost, result.fleeting_lost) == (changes, fleeting)
    assert (result.repeated, result.unanswered, result.closed) == (0, 0, 0)
    assert result.fault


@pytest.mark.parametrize("kind", ["message", "typing"])
async def test_a_duplicate_delivery_is_counted(tmp_path: Path, kind: str) -> None:
    def repeats(sent: str, nth: int, person: int) -> int:
        return 2 if (sent, nth, person) == (kind, 2, 3) else 1

    (result,) = await run_days(FaultyServer(repeats), tmp_path, Rates(post=40, typing=40))
    assert (result.changes_lost, result.fleeting_lost, result.repeated) == (0, 0, 1)


async def test_a_lost_and_a_duplicate_delivery_do_not_cancel_out(tmp_path: Path) -> None:
    def both(sent: str, nth: int, person: int) -> int:
        return {2: 0, 3: 2}.get(nth, 1) if (sent, person) == ("message", 3) else 1

    (result,) = await run_days(FaultyServer(both), tmp_path, POSTS)
    assert (result.changes_lost, result.repeated) == (1, 1)


async def test_losses_of_one_step_do_not_count_for_the_next(tmp_path: Path) -> None:
    def loses(sent: str, nth: int, person: int) -> int:
        return 0 if (sent, nth, person) == ("message", 2, 3) else 1

    first, second = await run_days(FaultyServer(loses), tmp_path, POSTS, POSTS)
    assert (first.changes_lost, second.changes_lost) == (1, 0)
    assert second.lost == ()


async def test_a_command_without_a_reply_is_counted(tmp_path: Path) -> None:
    class Silent(FaultyServer):
        async def send(self, socket: web.WebSocketResponse, event: Event) -> None:
            if event.get("re") is None or self.done["read"] != 3:
                await super().send(socket, event)

    (result,) = await run_days(Silent(), tmp_path, Rates(read=20))
    assert result.unanswered == 1


async def test_an_acknowledged_post_that_nobody_receives_is_lost_for_everybody(
    tmp_path: Path,
) -> None:
    class Forgetful(FaultyServer):
        async def broadcast(self, person: int, event: Event) -> None:
            if self.done["post"] != 20:  # the last one
                await super().broadcast(person, event)

    (result,) = await run_days(Forgetful(), tmp_path, POSTS)
    assert result.changes_lost == TEAM


async def test_a_disconnection_and_its_code_are_reported(tmp_path: Path) -> None:
    class Unkind(FaultyServer):
        async def broadcast(self, person: int, event: Event) -> None:
            await super().broadcast(person, event)
            if self.done["post"] == 20:
                await self.sockets[0].close(code=WSCloseCode.TRY_AGAIN_LATER)

    (result,) = await run_days(Unkind(), tmp_path, POSTS)
    assert (result.closed, result.close_code) == (1, WSCloseCode.TRY_AGAIN_LATER)
    assert result.fault == "1 disconnected"
