"""One worker: a process that serves beside others, started by `hubbub.cli.processes.supervisor`.

Its standard input is a socket to its parent. It reads there what it is to do, and says there when
it is ready, or why it cannot go on. When the socket ends, the parent is gone, whatever became of
it, and the worker stops.
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

BEATS_EVERY_S = 2.0
STOP_WITHIN_S = 8.0
"""A clean stop takes 5 s at most. What lasts longer hangs, and is ended."""

FAILED = 1


class WorkerConfig(msgspec.Struct, frozen=True):
    """What a worker is to do. Over the socket, as arguments can be read by everybody.

    The worker may be of another version than its parent, which has been there for longer: what is
    new has a default, and what is gone is left aside.
    """

    settings: Settings
    worker: Worker


class Ready(msgspec.Struct, frozen=True, tag="Ready"):
    """It serves. ``greeting`` is what there is to say to whoever started the server."""

    greeting: str


class Failed(msgspec.Struct, frozen=True, tag="Failed"):
    """It cannot go on; ``sentence`` says why and what to do."""

    sentence: str


class Heartbeat(msgspec.Struct, frozen=True, tag="Alive"):
    """Its event loop turns: said every `BEATS_EVERY_S`, as one that hangs says nothing."""


Report = Ready | Failed | Heartbeat


def line_of(said: WorkerConfig | Report) -> bytes:
    return msgspec.json.encode(said, enc_hook=str) + b"\n"


def _path(kind: type, given: Any) -> Path:
    assert kind is Path
    return Path(given)


report_of = msgspec.json.Decoder[Report](Report).decode
config_of = msgspec.json.Decoder(WorkerConfig, dec_hook=_path).decode


def main() -> None:
    """Serve as the parent says, until it says stop or is gone."""
    parent = _take_stdin()
    config = config_of(_line(parent))
    threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
    from hubbub.cli import serving

    def announce(app: "App") -> None:
        said = serving.greeting(app.settings, app.dispatcher.about(), app.owner_link)
        _say(parent, Ready(said))
        beating.append(asyncio.get_running_loop().create_task(_beat(parent)))

    beating: list[asyncio.Task[None]] = []  # the loop itself holds it only weakly
    try:
        serving.serve(config.settings, announce, config.worker)
    except HubbubError as error:
        _say(parent, Failed(error.message))
        sys.exit(FAILED)


def _take_stdin() -> socket.socket:
    """The socket to the parent; standard input itself is empty from now on."""
    parent = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    return parent


def _line(parent: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        if not (more := parent.recv(65_536)):
            sys.exit(FAILED)  # the parent is gone already
        line += more
    return line


def _say(parent: socket.socket, said: Report) -> None:
    with contextlib.suppress(OSError):  # it will be noticed soon enough
        parent.sendall(line_of(said))


async def _beat(parent: socket.socket) -> None:
    """Never waits: a parent that does not listen any more must not hold the worker up."""
    while True:
        with contextlib.suppress(OSError):
            parent.send(line_of(Heartbeat()), socket.MSG_DONTWAIT)
        await asyncio.sleep(BEATS_EVERY_S)


def _stop_with(parent: socket.socket) -> None:
    """On a thread: wait for the parent's end, then stop as if it had said so."""
    with contextlib.suppress(OSError):
        while parent.recv(1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN_S)
    os._exit(FAILED)


if __name__ == "__main__":
    main()
