"""Failures of disk and database: nothing acknowledged is lost, and the server recovers."""

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
from tests.support.chat import RestApi, Sockets
from tests.support.server import HOST, Server
from tests.support.sqlite import opened
from tests.support.waiting import until

TIMEOUT_S = 60
STOP_TIMEOUT_S = 5.0
POLL_S = 0.02
DISK_BYTES = 2 * 1024 * 1024


class Lobby:
    """The lobby, and the messages that the server has acknowledged there."""

    def __init__(self, server: Server) -> None:
        self.api = RestApi(server, "ana", "bo")
        self.acknowledged: dict[int, str] = {}
        self._written = 0

    def post(self, size: int = 10, nonce: str | None = None) -> dict[str, Any]:
        """Post a new message; returns the acknowledgement or the error."""
        self._written += 1
        text = f"{self._written} ".ljust(size, "x")
        body = {"text": text} if nonce is None else {"text": text, "nonce": nonce}
        status, answer = self._request(body)
        if status == 201:
            assert answer["seq"] not in self.acknowledged, "a seq was used twice"
            self.acknowledged[answer["seq"]] = text.rstrip()
            return answer
        assert status == 503, answer
        assert answer["code"] == "unavailable"
        assert answer["retry_after"] > 0
        return answer

    def _request(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST with a longer timeout than the server's for a locked database."""
        connection = HTTPConnection(HOST, self.api.server.port, timeout=TIMEOUT_S)
        token = self.api.tokens["ana"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            path = "/api/rooms/lobby/messages"
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def post_until(self, is_accepted: bool, size: int = 10) -> dict[str, Any]:
        """Post until a message is accepted, or until one is refused; returns the last answer."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            answer = self.post(size)
            if ("seq" in answer) is is_accepted:
                return answer
            assert time.monotonic() < deadline, f"the last answer was {answer}"
            time.sleep(0 if size > 10 else POLL_S)

    def read(self) -> dict[int, str]:
        """The latest messages by seq, as another person sees them."""
        page = self.api.ok("GET", "rooms/lobby/messages?limit=200", by="bo")
        return {one["seq"]: one["text"] for one in page["messages"]}

    def assert_complete(self) -> None:
        """Exactly the acknowledged messages are stored, without gaps."""
        stored = self.read()
        first, last = min(stored), max(stored)
        assert list(stored) == list(range(first, last + 1)), "a gap"
        latest = {seq: text for seq, text in self.acknowledged.items() if seq >= first}
        assert latest == stored
        assert "Traceback" not in self.api.server.log


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 2 MB."""
    with disk.mount_small(tmp_path / "small", DISK_BYTES) as folder:
        yield folder


def fill(file: Path) -> None:
    """Fill the disk."""
    with file.open("wb", buffering=0) as ballast:
        for size in (65_536, 4_096, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"\0" * size)


async def test_on_a_full_disk_reading_works_and_writing_resumes_when_there_is_room(
    small_disk: Path, make_server: MakeServer
) -> None:
    server = make_server(data=small_disk / "data").start()
    lobby = Lobby(server)
    async with Sockets.of(lobby.api) as sockets:
        bo = await sockets.json("bo")
        for _ in range(5):
            lobby.post()
        fill(small_disk / "ballast")
        # The existing log file can still take a few messages.
        refused = lobby.post_until(is_accepted=False, size=16_000)
        assert "full" in refused["detail"]
        # A short text may still fit.
        lobby.post_until(is_accepted=False)
        assert (
            lobby.api.request("POST", "sign-up", {"name": "cy", "password": "12345678"})[0] == 503
        )

        lobby.assert_complete()
        late = await sockets.json("bo")
        assert late.messages("lobby"), "new connections can read, too"
        assert server.is_ready()

        (small_disk / "ballast").unlink()
        last = lobby.post_until(is_accepted=True)
        lobby.api.sign_up("cy")
        await bo.event("message", seq=last["seq"])
        lobby.assert_complete()
        received = [(event["seq"], event["text"]) for event in bo.of("message")]
        assert received == sorted(lobby.acknowledged.items()), "others get each stored message once"

    server.kill()
    server.start()
    lobby.assert_complete()
    lobby.post()
    assert server.stop() == 0


async def test_a_server_whose_disk_is_full_stops_cleanly_and_starts(
    small_disk: Path, make_server: MakeServer
) -> None:
    server = make_server(data=small_disk / "data").start()
    lobby = Lobby(server)
    lobby.post()
    fill(small_disk / "ballast")
    lobby.post_until(is_accepted=False, size=16_000)

    assert server.stop() == 0
    (small_disk / "ballast").unlink()
    server.start()
    lobby.assert_complete()


@contextlib.contextmanager
def failing_syncs(pid: int, log: Path) -> Iterator[None]:
    """In this context, each sync of the process fails with an I/O error."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed, with which this test makes the disk fail")
    calls = "fsync,fdatasync"
    options = ("-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO", "-o", str(log))
    with subprocess.Popen(
        [strace, "-f", "-p", str(pid), *options], stderr=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stderr
        line = tracer.stderr.readline()
        if "attached" not in line:
            pytest.skip(f"strace is not allowed to trace other processes here: {line.strip()}")
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(TIMEOUT_S)


async def test_with_a_failing_disk_nothing_is_acknowledged_or_published(
    server: Server, tmp_path: Path
) -> None:
    lobby = Lobby(server)
    async with Sockets.of(lobby.api) as sockets:
        bo = await sockets.json("bo")
        lobby.post()
        await bo.event("message", seq=1)
        with failing_syncs(server.pid, tmp_path / "strace.log"):
            for _ in range(3):
                assert "seq" not in lobby.post(), "acknowledged without a sync"
            assert "seq" not in lobby.post(nonce="once")
            assert "INJECTED" in (tmp_path / "strace.log").read_text()
            assert max(lobby.read()) == 1, "reading works"
            await bo.do("rooms")  # earlier events arrive before this reply
            assert len(bo.of("message")) == 1

        last = lobby.post_until(is_accepted=True)
        lobby.post(nonce="once")
        await bo.event("message", seq=last["seq"] + 1)
        lobby.assert_complete()
        assert [event["seq"] for event in bo.of("message")] == sorted(lobby.acknowledged)

    server.kill()
    server.start()
    lobby.assert_complete()


@pytest.fixture
def other_program(server: Server) -> Iterator[apsw.Connection]:
    """Another program's connection to the server's database."""
    with opened(server.data / "hubbub.db") as connection:
        yield connection


async def test_while_another_program_locks_the_database_reading_works_and_writing_waits(
    server: Server, other_program: apsw.Connection
) -> None:
    lobby = Lobby(server)
    lobby.post()
    other_program.execute("BEGIN EXCLUSIVE")
    refused = asyncio.create_task(asyncio.to_thread(lobby.post))
    while not refused.done():
        assert max(await asyncio.to_thread(lobby.read)) == 1
        await asyncio.sleep(POLL_S)
    assert "locked" in refused.result()["detail"]

    waiting = asyncio.create_task(asyncio.to_thread(lobby.post))
    assert max(await asyncio.to_thread(lobby.read)) == 1
    other_program.execute("ROLLBACK")
    assert "seq" in await waiting
    lobby.assert_complete()


async def test_a_locked_database_does_not_delay_a_stop(
    server: Server, other_program: apsw.Connection
) -> None:
    api = RestApi(server, "ana")
    async with Sockets.of(api) as sockets:
        ana = await sockets.json("ana")
        other_program.execute("BEGIN IMMEDIATE")
        # The first post waits for the lock, and the others wait for the first.
        posts = [await ana.send("post", room="lobby", text=f"{n}") for n in range(3)]
        await ana.do("me")
        assert await asyncio.to_thread(server.stop, STOP_TIMEOUT_S) == 0

        for number in posts:
            assert (await ana.reply(number))["error"]["code"] == "unavailable"
        assert ana.of("notice")


async def test_a_server_works_without_a_reader_of_its_log(
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

    lobby = Lobby(server)
    lobby.post()
    with opened(server.data / "hubbub.db") as other_program:
        other_program.execute("DROP TABLE messages")  # a failure, which is logged
    assert "seq" not in lobby.post()
    assert server.is_ready()
    assert server.stop() == 0
