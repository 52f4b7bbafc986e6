"""Bad days of disk and database: nothing acknowledged is lost, and it all mends itself."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.conftest import MakeServer
from tests.support import disk
from tests.support.chat import House, Visitors
from tests.support.server import HOST, Server
from tests.support.sqlite import opened
from tests.support.waiting import until

WITHIN_S = 60
STOPS_WITHIN_S = 5.0
POLL_S = 0.02
FULL = 2 * 1024 * 1024


class Room:
    """The lobby, and what the server has acknowledged there."""

    def __init__(self, server: Server) -> None:
        self.house = House(server, "ana", "bo")
        self.acknowledged: dict[int, str] = {}
        self._written = 0

    def post(self, size: int = 10, nonce: str | None = None) -> dict[str, Any]:
        """A new message; the error if it was not taken, or else what was acknowledged."""
        self._written += 1
        text = f"{self._written} ".ljust(size, "x")
        body = {"text": text} if nonce is None else {"text": text, "nonce": nonce}
        status, answer = self._ask(body)
        if status == 201:
            assert answer["seq"] not in self.acknowledged, "a number given twice"
            self.acknowledged[answer["seq"]] = text.rstrip()
            return answer
        assert status == 503, answer
        assert answer["code"] == "unavailable"
        assert answer["retry_after"] > 0
        return answer

    def _ask(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """With more patience than the server has with a locked database."""
        connection = HTTPConnection(HOST, self.house.server.port, timeout=WITHIN_S)
        token = self.house.tokens["ana"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            path = "/api/rooms/lobby/messages"
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def post_until(self, taken: bool, size: int = 10) -> dict[str, Any]:
        """Post until it is taken, or until it is not; the last answer."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            answer = self.post(size)
            if ("seq" in answer) is taken:
                return answer
            assert time.monotonic() < deadline, f"still: {answer}"
            time.sleep(0 if size > 10 else POLL_S)

    def read(self) -> dict[int, str]:
        """The latest messages by their number, as another person sees them."""
        page = self.house.ok("GET", "rooms/lobby/messages?limit=200", by="bo")
        return {one["seq"]: one["text"] for one in page["messages"]}

    def assert_whole(self) -> None:
        """Everything acknowledged is there and nothing else, with no hole between."""
        kept = self.read()
        assert list(kept) == list(range(max(kept) - len(kept) + 1, max(kept) + 1)), "a hole"
        latest = {seq: text for seq, text in self.acknowledged.items() if seq >= min(kept)}
        assert latest == kept
        assert "Traceback" not in self.house.server.log


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 2 MB."""
    with disk.small(tmp_path / "small", FULL) as folder:
        yield folder


def fill(file: Path) -> None:
    """Take all the room that is left."""
    with file.open("wb", buffering=0) as ballast:
        for size in (65_536, 4_096, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"\0" * size)


async def test_on_a_full_disk_reading_goes_on_and_writing_does_again_when_there_is_room(
    small_disk: Path, make_server: MakeServer
) -> None:
    server = make_server(data=small_disk / "data").start()
    room = Room(server)
    async with Visitors.of(room.house) as visitors:
        bo = await visitors.json("bo")
        for _ in range(5):
            room.post()
        fill(small_disk / "ballast")
        # The log that is there already takes a little more.
        refused = room.post_until(taken=False, size=16_000)
        assert "full" in refused["detail"]
        # A short text may still fit where a long one did not.
        room.post_until(taken=False)
        assert room.house.api("POST", "sign-up", {"name": "cy", "password": "12345678"})[0] == 503

        room.assert_whole()
        late = await visitors.json("bo")
        assert late.messages("lobby"), "who comes now can read, too"
        assert server.is_ready()

        (small_disk / "ballast").unlink()
        last = room.post_until(taken=True)
        room.house.sign_up("cy")
        await bo.event("message", seq=last["seq"])
        room.assert_whole()
        heard = [(event["seq"], event["text"]) for event in bo.of("message")]
        assert heard == sorted(room.acknowledged.items()), "seen by others: what was kept, once"

    server.kill()
    server.start()
    room.assert_whole()
    room.post()
    assert server.stop() == 0


async def test_a_server_whose_disk_is_full_stops_cleanly_and_starts(
    small_disk: Path, make_server: MakeServer
) -> None:
    server = make_server(data=small_disk / "data").start()
    room = Room(server)
    room.post()
    fill(small_disk / "ballast")
    room.post_until(taken=False, size=16_000)

    assert server.stop() == 0
    (small_disk / "ballast").unlink()
    server.start()
    room.assert_whole()


@contextlib.contextmanager
def failing_syncs(pid: int, log: Path) -> Iterator[None]:
    """Every sync of this process fails with an I/O error, as long as this lasts."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed, which makes the disk fail for this test")
    calls = "fsync,fdatasync"
    what = ("-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO", "-o", str(log))
    with subprocess.Popen(
        [strace, "-f", "-p", str(pid), *what], stderr=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stderr
        said = tracer.stderr.readline()
        if "attached" not in said:
            pytest.skip(f"strace may not look into another process here: {said.strip()}")
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(WITHIN_S)


async def test_nothing_is_acknowledged_or_shown_that_a_failing_disk_did_not_take(
    server: Server, tmp_path: Path
) -> None:
    room = Room(server)
    async with Visitors.of(room.house) as visitors:
        bo = await visitors.json("bo")
        room.post()
        await bo.event("message", seq=1)
        with failing_syncs(server.pid, tmp_path / "strace.log"):
            for _ in range(3):
                assert "seq" not in room.post(), "acknowledged without a sync"
            assert "seq" not in room.post(nonce="once")
            assert "INJECTED" in (tmp_path / "strace.log").read_text()
            assert max(room.read()) == 1, "reading goes on"
            await bo.do("rooms")  # whatever was sent before has come before the answer
            assert len(bo.of("message")) == 1

        last = room.post_until(taken=True)
        room.post(nonce="once")
        await bo.event("message", seq=last["seq"] + 1)
        room.assert_whole()
        assert [event["seq"] for event in bo.of("message")] == sorted(room.acknowledged)

    server.kill()
    server.start()
    room.assert_whole()


@pytest.fixture
def stranger(server: Server) -> Iterator[apsw.Connection]:
    """Another program at the server's database."""
    with opened(server.data / "hubbub.db") as connection:
        yield connection


async def test_while_another_program_locks_the_database_reading_goes_on_and_writing_waits(
    server: Server, stranger: apsw.Connection
) -> None:
    room = Room(server)
    room.post()
    stranger.execute("BEGIN EXCLUSIVE")
    refused = asyncio.create_task(asyncio.to_thread(room.post))
    while not refused.done():
        assert max(await asyncio.to_thread(room.read)) == 1
        await asyncio.sleep(POLL_S)
    assert "locked" in refused.result()["detail"]

    patient = asyncio.create_task(asyncio.to_thread(room.post))
    assert max(await asyncio.to_thread(room.read)) == 1
    stranger.execute("ROLLBACK")
    assert "seq" in await patient
    room.assert_whole()


async def test_a_locked_database_does_not_hold_a_stop_up(
    server: Server, stranger: apsw.Connection
) -> None:
    house = House(server, "ana")
    async with Visitors.of(house) as visitors:
        ana = await visitors.json("ana")
        stranger.execute("BEGIN IMMEDIATE")
        # The first waits for the lock, and the others wait for the first.
        posts = [await ana.tell("post", room="lobby", text=f"{n}") for n in range(3)]
        await ana.do("me")
        assert await asyncio.to_thread(server.stop, STOPS_WITHIN_S) == 0

        for number in posts:
            assert (await ana.reply(number))["error"]["code"] == "unavailable"
        assert ana.of("notice")


async def test_a_server_goes_on_when_nobody_reads_what_it_says_any_more(
    make_server: MakeServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    server = make_server(wrapper=("sh", "-c", f'exec "$@" >{log} 2>&1', "sh"))
    server.launch()
    await until((server.data / "hubbub.lock").exists)
    os.close(reader)
    await until(server.is_ready)

    room = Room(server)
    room.post()
    with opened(server.data / "hubbub.db") as stranger:
        stranger.execute("DROP TABLE messages")  # a failure, which is logged
    assert "seq" not in room.post()
    assert server.is_ready()
    assert server.stop() == 0
