"""A worker that hangs is killed, so that another can replace it."""

import os
import sys
from collections.abc import Iterator

import pytest

from hubbub.cli.processes import supervisor
from hubbub.cli.processes.supervisor import ChildProcess
from hubbub.cli.processes.worker import WorkerConfig
from hubbub.model.settings import Settings, Worker

WORKER = """
import socket, sys, time
parent = socket.socket(fileno=0)
parent.recv(65536)
parent.sendall(b'{"type":"Ready","greeting":"hi"}\\n')
for _ in range(%d):
    time.sleep(0.05)
    parent.sendall(b'{"type":"Alive"}\\n')
%s
"""


@pytest.fixture
def lock() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


async def child(
    monkeypatch: pytest.MonkeyPatch, lock: int, heartbeats: int, then: str
) -> ChildProcess:
    monkeypatch.setattr(
        supervisor, "_command", lambda _: [sys.executable, "-c", WORKER % (heartbeats, then)]
    )
    made = await ChildProcess.start(WorkerConfig(Settings(), Worker(1, lock, False)))
    assert await made.wait_ready() == "hi"
    return made


async def test_a_worker_without_heartbeats_is_killed(
    monkeypatch: pytest.MonkeyPatch, lock: int
) -> None:
    monkeypatch.setattr(supervisor, "REPORT_TIMEOUT_S", 0.5)
    hanging = await child(monkeypatch, lock, 2, "time.sleep(1000)")
    assert await hanging.wait_ended() == "exit code -9"


async def test_a_worker_with_heartbeats_is_not_killed(
    monkeypatch: pytest.MonkeyPatch, lock: int
) -> None:
    monkeypatch.setattr(supervisor, "REPORT_TIMEOUT_S", 20)
    alive = await child(monkeypatch, lock, 20, "sys.exit(3)")
    assert await alive.wait_ended() == "exit code 3"
