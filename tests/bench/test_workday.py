"""The working day against a server whose faults are known: it has to find exactly those."""

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
from bench.workload import SOURCE, Rates, Worked
from tests.support.load import needs_compiler

pytestmark = needs_compiler

TEAM = 4
ROOMS = 2
PEOPLE = 8
TEAMS = PEOPLE // TEAM
SECONDS = 0.5

Event = dict[str, Any]
#: How often the n-th event of its kind is written to a person.
Times = Callable[[str, int, int], int]


def once(_kind: str, _nth: int, _person: int) -> int:
    return 1


class Chat:
    """Speaks enough of the JSON WebSocket for a working day; `times` are its faults."""

    def __init__(self, times: Times = once) -> None:
        self.times = times
        self.here: dict[int, web.WebSocketResponse] = {}
        self.changes: defaultdict[str, list[Event]] = defaultdict(list)
        self.seqs: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.told: Counter[tuple[str, int]] = Counter()
        self.haves: list[dict[str, int]] = []
        for person in range(TEAMS):
            for room in self.rooms(person):
                self.change(room, {"on": "message", "room": room, "seq": 1, "text": "old"})
                self.seqs[room] = 1

    def rooms(self, person: int) -> list[str]:
        return [f"room-{person % TEAMS + turn * TEAMS:03}" for turn in range(ROOMS)]

    def change(self, room: str, event: Event) -> int:
        """`on`, `room` and `seq` come first, as from the server."""
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
        if self.here.get(person) is socket:
            del self.here[person]
        return socket

    async def do(self, person: int, socket: web.WebSocketResponse, said: Event, nr: int) -> None:
        self.done[said["do"]] += 1
        match said["do"]:
            case "hello":
                await self.hello(person, socket, nr, said.get("rooms", {}))
            case "post":
                room = said["room"]
                self.seqs[room] += 1
                event = {"on": "message", "seq": self.seqs[room], "text": said["text"]}
                await self.changed(person, socket, nr, room, event)
            case "react":
                event = {"on": "marks", "seq": said["seq"]}
                await self.changed(person, socket, nr, said["room"], event)
            case "read":
                await self.send(socket, {"re": nr, "ok": {"room": said["room"], "rev": 99_999}})
            case "typing":
                await self.tell(person, {"on": "typing", "room": said["room"]})
            case "active":
                await self.tell(person, {"on": "presence", "user": str(person)})

    async def hello(
        self, person: int, socket: web.WebSocketResponse, nr: int, have: dict[str, int]
    ) -> None:
        if have:
            self.haves.append(have)
        await self.send(socket, {"re": nr, "ok": {"epoch": "e1"}})
        self.here[person] = socket
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
        await self.tell(person, self.changes[room][-1])

    async def tell(self, person: int, event: Event) -> None:
        for other in range(person % TEAMS, PEOPLE, TEAMS):
            self.told[event["on"], other] += 1
            if socket := self.here.get(other):
                for _ in range(self.times(event["on"], self.told[event["on"], other], other)):
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
async def serving(chat: Chat) -> AsyncIterator[int]:
    app = web.Application()
    app.add_routes([web.get("/ws", chat.enter), web.get("/ws/echo", echo)])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def worked(chat: Chat, folder: Path, *days: Rates) -> list[Worked]:
    """The results of the load on each of these days, one after another."""
    tokens = folder / "tokens"
    tokens.write_text("".join(f"token-{number}\n" for number in range(PEOPLE)))
    arguments = (str(tokens), str(PEOPLE), str(TEAM), str(ROOMS))
    pipe = asyncio.subprocess.PIPE
    async with serving(chat) as port:
        process = await asyncio.create_subprocess_exec(
            str(build(SOURCE)), str(port), *arguments, stdin=pipe, stdout=pipe
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"people {PEOPLE}\n".encode())
        assert b'"people":8' in await process.stdout.readline()
        seen = []
        for rates in days:
            line = f"step {SECONDS} " + " ".join(map(str, rates)) + "\n"
            process.stdin.write(line.encode())
            seen.append(msgspec.json.decode(await process.stdout.readline(), type=Worked))
        process.stdin.close()
        assert await process.wait() == 0
    return seen


ALL = Rates(post=40, typing=40, read=40, react=8, active=20, reconnect=0)
POSTS = Rates(post=40)


async def test_a_day_without_fault_is_found_without_fault(tmp_path: Path) -> None:
    chat = Chat()
    (seen,) = await worked(chat, tmp_path, ALL)
    assert seen.lost == ()
    assert seen.missed == 0
    did = {"post": 20, "typing": 20, "read": 20, "react": 4, "active": 10, "hello": PEOPLE}
    assert chat.done == did
    assert {kind: seen.sent(kind) for kind in did if kind != "hello"} == {
        kind: count for kind, count in did.items() if kind != "hello"
    }
    assert (seen.messages, seen.marks) == (20 * TEAM, 4 * TEAM)
    assert (seen.typing, seen.presence) == (20 * TEAM, 10 * TEAM)
    assert 0 < seen.p50_us <= seen.p99_us <= seen.max_us
    assert 0 < seen.pause_p99_us <= seen.pause_max_us


async def test_people_who_come_back_miss_nothing_and_nothing_is_counted_for_them_twice(
    tmp_path: Path,
) -> None:
    chat = Chat()
    days = (ALL._replace(reconnect=20), ALL._replace(reconnect=20))
    for seen in await worked(chat, tmp_path, *days):
        assert seen.lost == ()
        assert seen.sent_reconnect > 0
        assert 0 < seen.back_p50_us <= seen.back_max_us
    assert chat.done["hello"] == PEOPLE + len(chat.haves)
    assert all(have["lobby"] == 7 for have in chat.haves)
    assert max(have["room-000"] for have in chat.haves if "room-000" in have) > 1


@pytest.mark.parametrize(
    ("kind", "changes", "fleeting"),
    [("message", 1, 0), ("marks", 1, 0), ("typing", 0, 1), ("presence", 0, 1)],
)
async def test_one_lost_delivery_is_one_lost_delivery(
    tmp_path: Path, kind: str, changes: int, fleeting: int
) -> None:
    def loses(told: str, nth: int, person: int) -> int:
        return 0 if (told, nth, person) == (kind, 2, 3) else 1

    rates = Rates(post=0 if kind == "marks" else 40, react=24, typing=40, active=40)
    (seen,) = await worked(Chat(loses), tmp_path, rates)
    assert (seen.changes_lost, seen.fleeting_lost) == (changes, fleeting)
    assert (seen.repeated, seen.unanswered, seen.closed) == (0, 0, 0)
    assert seen.fault


@pytest.mark.parametrize("kind", ["message", "typing"])
async def test_a_delivery_that_comes_twice_is_noticed(tmp_path: Path, kind: str) -> None:
    def repeats(told: str, nth: int, person: int) -> int:
        return 2 if (told, nth, person) == (kind, 2, 3) else 1

    (seen,) = await worked(Chat(repeats), tmp_path, Rates(post=40, typing=40))
    assert (seen.changes_lost, seen.fleeting_lost, seen.repeated) == (0, 0, 1)


async def test_one_lost_and_another_twice_do_not_cancel_out(tmp_path: Path) -> None:
    def both(told: str, nth: int, person: int) -> int:
        return {2: 0, 3: 2}.get(nth, 1) if (told, person) == ("message", 3) else 1

    (seen,) = await worked(Chat(both), tmp_path, POSTS)
    assert (seen.changes_lost, seen.repeated) == (1, 1)


async def test_what_a_step_lost_is_not_lost_by_the_next(tmp_path: Path) -> None:
    def loses(told: str, nth: int, person: int) -> int:
        return 0 if (told, nth, person) == ("message", 2, 3) else 1

    first, second = await worked(Chat(loses), tmp_path, POSTS, POSTS)
    assert (first.changes_lost, second.changes_lost) == (1, 0)
    assert second.lost == ()


async def test_a_command_without_a_reply_is_noticed(tmp_path: Path) -> None:
    class Silent(Chat):
        async def send(self, socket: web.WebSocketResponse, event: Event) -> None:
            if event.get("re") is None or self.done["read"] != 3:
                await super().send(socket, event)

    (seen,) = await worked(Silent(), tmp_path, Rates(read=20))
    assert seen.unanswered == 1


async def test_an_acknowledged_post_that_nobody_receives_is_lost_for_everybody(
    tmp_path: Path,
) -> None:
    class Forgetful(Chat):
        async def tell(self, person: int, event: Event) -> None:
            if self.done["post"] != 20:  # the last one
                await super().tell(person, event)

    (seen,) = await worked(Forgetful(), tmp_path, POSTS)
    assert seen.changes_lost == TEAM


async def test_a_disconnection_and_its_code_are_reported(tmp_path: Path) -> None:
    class Unkind(Chat):
        async def tell(self, person: int, event: Event) -> None:
            await super().tell(person, event)
            if self.done["post"] == 20:
                await self.here[0].close(code=WSCloseCode.TRY_AGAIN_LATER)

    (seen,) = await worked(Unkind(), tmp_path, POSTS)
    assert (seen.closed, seen.close_code) == (1, WSCloseCode.TRY_AGAIN_LATER)
    assert seen.fault == "1 disconnected"
