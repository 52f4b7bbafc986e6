"""One worker process of several, started by `hubbub.cli.processes.supervisor`.

Its standard input is a socket to its parent. It reads its configuration there, and reports when
it is ready or why it failed. When the socket ends, the parent has ended, and the worker stops.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hubbub.model.errors import HubbubError
from hubbub.model.settings import Settings, Worker

if TYPE_CHECKING:
    from hubbub.app import App

HEARTBEAT_S = 2.0
STOP_TIMEOUT_S = 8.0
"""A clean stop takes at most 5 s. A worker that takes longer hangs, and is killed."""

FAILED = 1


class WorkerConfig(msgspec.Struct, frozen=True):
    """A worker's configuration. It goes over the socket, as everybody can read arguments.

    After an update the worker may be of a newer version than its parent: new fields need defaults,
    and removed ones are ignored.
    """

    settings: Settings
    worker: Worker


class Ready(msgspec.Struct, frozen=True, tag="Ready"):
    """The worker serves. ``greeting`` is the text to print for the operator."""

    greeting: str


class Failed(msgspec.Struct, frozen=True, tag="Failed"):
    """The worker cannot continue; ``sentence`` says why and what to do."""

    sentence: str


class Heartbeat(msgspec.Struct, frozen=True, tag="Alive"):
    """Sent every `HEARTBEAT_S` by the event loop; a worker that hangs sends none."""


Report = Ready | Failed | Heartbeat


def to_line(report: WorkerConfig | Report) -> bytes:
    return msgspec.json.encode(report, enc_hook=str) + b"\n"


def _decode_path(kind: type, given: Any) -> Path:
    assert kind is Path
    return Path(given)


decode_report = msgspec.json.Decoder[Report](Report).decode
decode_config = msgspec.json.Decoder(WorkerConfig, dec_hook=_decode_path).decode


def main() -> None:
    """Serve with the parent's configuration until the parent ends it or has ended."""
    parent = _detach_stdin()
    config = decode_config(_read_line(parent))
    threading.Thread(target=_stop_after_parent, args=(parent,), daemon=True).start()
    from hubbub.cli import serving

    def announce(app: "App") -> None:
        greeting = serving.greeting(app.settings, app.dispatcher.server_info(), app.owner_link)
        _send(parent, Ready(greeting))
        heartbeats.append(asyncio.get_running_loop().create_task(_send_heartbeats(parent)))

    heartbeats: list[asyncio.Task[None]] = []  # the loop itself holds it only weakly
    try:
        serving.serve(config.settings, announce, config.worker)
    except HubbubError as error:
        _send(parent, Failed(error.message))
        sys.exit(FAILED)


def _detach_stdin() -> socket.socket:
    """Take over the socket to the parent from standard input, which is then empty."""
    parent = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    return parent


def _read_line(parent: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        if not (more := parent.recv(65_536)):
            sys.exit(FAILED)  # the parent has already ended
        line += more
    return line


def _send(parent: socket.socket, report: Report) -> None:
    with contextlib.suppress(OSError):  # the thread that reads the socket notices its end
        parent.sendall(to_line(report))


async def _send_heartbeats(parent: socket.socket) -> None:
    """Send heartbeats, never blocking: a parent that stops reading must not stop the worker."""
    while True:
        with contextlib.suppress(OSError):
            parent.send(to_line(Heartbeat()), socket.MSG_DONTWAIT)
        await asyncio.sleep(HEARTBEAT_S)


def _stop_after_parent(parent: socket.socket) -> None:
    """On a thread: wait for the parent's end, then stop as if it had sent SIGTERM."""
    with contextlib.suppress(OSError):
        while parent.recv(1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_TIMEOUT_S)
    os._exit(FAILED)


if __name__ == "__main__":
    main()
