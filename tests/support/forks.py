"""Starts ``hubbub`` by a fork of a process that has imported it already.

Python takes half a second of a core to load Hubbub, and the tests start it a thousand times. What
comes of a fork is a process like any other, to be waited for, stopped and killed.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import random
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
# Python and C read these once, when they start.
READ_AT_START = ("PYTHON", "LANG", "LC_", "LD_", "SSL_", "OPENSSL_", "MALLOC_")
REQUEST_MAX_BYTES = 200_000
_NUMBER = struct.Struct("i")


class Fork:
    """A running ``hubbub``, with what tests need of a `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], watcher: socket.socket) -> None:
        """``watcher`` tells the process's number, and its exit code when it has ended."""
        self.args = arguments
        self.returncode: int | None = None
        self._watcher = watcher
        self.pid = self._number()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most ``timeout`` seconds; the exit code."""
        if self.returncode is None:
            # A timeout of zero makes a socket non-blocking, and it then raises another error.
            self._watcher.settimeout(None if timeout is None else max(timeout, 1e-6))
            try:
                self.returncode = self._number()
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._watcher.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _number(self) -> int:
        told = self._watcher.recv(_NUMBER.size)
        assert told, "what starts processes has ended"
        [number] = _NUMBER.unpack(told)
        return int(number)


Process = Fork | subprocess.Popen[bytes]


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hubbub", *arguments]


def start(
    arguments: Sequence[str],
    *,
    stdin: IO[bytes],
    stdout: IO[bytes],
    stderr: IO[bytes],
    env: Mapping[str, str],
    cwd: Path = ROOT,
) -> Process:
    """``python -m hubbub`` with these arguments: a fork, if the environment lets it be one."""
    if _read_at_start(env) != _read_at_start(_environment()):
        line = command_line(*arguments)
        return subprocess.Popen(line, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd)
    request = json.dumps([list(arguments), dict(env), str(cwd)]).encode()
    mine, theirs = socket.socketpair()
    with theirs:
        files = [theirs.fileno(), stdin.fileno(), stdout.fileno(), stderr.fileno()]
        socket.send_fds(_mother(), [request], files)
    return Fork(arguments, mine)


def _environment() -> dict[str, str]:
    """The environment of the process that has imported Hubbub."""
    return {**inherited_environment(), "PYTHONPATH": str(ROOT)}


def inherited_environment() -> dict[str, str]:
    """Without the caller's own settings.

    Compiled modules are kept even if the caller's shell says otherwise: each start would compile
    all of Hubbub again.
    """
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("HUBBUB_") and key != "PYTHONDONTWRITEBYTECODE"
    }


def _read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    """Of these variables, those that a fork cannot change any more."""
    # The checkout is what is installed, so naming its folder makes no difference.
    usual = {"PYTHONPATH": str(ROOT)}
    return usual | {name: env[name] for name in env if name.startswith(READ_AT_START)}


@cache
def _mother() -> socket.socket:
    """A connection to the process that has imported Hubbub, started when it is first needed."""
    ours, hers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REQUEST_MAX_BYTES)
    with hers:
        mother = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks", str(hers.fileno())],
            pass_fds=[hers.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_environment(),
            cwd=ROOT,
        )

    def end() -> None:
        ours.close()
        mother.wait()

    atexit.register(end)
    return ours


# In the process that has imported Hubbub


def _serve(requests: socket.socket) -> None:
    """Fork for each request, and return in the fork; exit when nobody can ask any more."""
    # An interrupt is for the tests to handle; and nobody waits for the watchers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, files, _, _ = socket.recv_fds(requests, REQUEST_MAX_BYTES, 4)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            arguments, env, cwd = json.loads(request)
            _watch(socket.socket(fileno=files[0]))
            for number, file in enumerate(files[1:]):
                os.dup2(file, number)
                os.close(file)
            os.environ.clear()
            os.environ.update(env)
            os.chdir(cwd)
            sys.argv = ["hubbub", *arguments]
            random.seed()
            return
        for file in files:
            os.close(file)


def _watch(asker: socket.socket) -> None:
    """Fork, and return in the child; the parent tells the asker its number and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        asker.close()
        return
    with suppress(BrokenPipeError):
        asker.send(_NUMBER.pack(child))
        _, status = os.waitpid(child, 0)
        asker.send(_NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _import_all() -> None:
    import hubbub

    for module in pkgutil.walk_packages(hubbub.__path__, "hubbub."):
        # The first would run the command; the second is loaded by Alembic alone.
        if not module.name.endswith((".__main__", ".migrations.env")):
            importlib.import_module(module.name)
    gc.freeze()


if __name__ == "__main__":
    from hubbub.cli import main

    _import_all()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    main()
