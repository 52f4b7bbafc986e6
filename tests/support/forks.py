"""Starts ``hubbub`` by forking a process that has already imported it.

Importing Hubbub takes half a second of CPU time, and the tests start it a thousand times. A fork
can be waited for, stopped and killed like any other process.
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
# Python and the C library read these only at startup.
STARTUP_VARIABLES = ("PYTHON", "LANG", "LC_", "LD_", "SSL_", "OPENSSL_", "MALLOC_")
REQUEST_MAX_BYTES = 200_000
_NUMBER = struct.Struct("i")


class ForkedProcess:
    """A running ``hubbub`` with the methods of `subprocess.Popen` that tests need."""

    def __init__(self, arguments: Sequence[str], watcher: socket.socket) -> None:
        """``watcher`` sends the pid at once, and the exit code when the process has ended."""
        self.args = arguments
        self.returncode: int | None = None
        self._watcher = watcher
        self.pid = self._receive_number()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most ``timeout`` seconds, and return the exit code."""
        if self.returncode is None:
            # A timeout of zero makes a socket non-blocking, and it then raises another error.
            self._watcher.settimeout(None if timeout is None else max(timeout, 1e-6))
            try:
                self.returncode = self._receive_number()
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

    def _receive_number(self) -> int:
        data = self._watcher.recv(_NUMBER.size)
        assert data, "the fork server has ended"
        [number] = _NUMBER.unpack(data)
        return int(number)


Process = ForkedProcess | subprocess.Popen[bytes]


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
    """Start ``python -m hubbub`` with these arguments, as a fork if the environment allows it."""
    if _startup_variables(env) != _startup_variables(_environment()):
        line = command_line(*arguments)
        return subprocess.Popen(line, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd)
    request = json.dumps([list(arguments), dict(env), str(cwd)]).encode()
    mine, theirs = socket.socketpair()
    with theirs:
        files = [theirs.fileno(), stdin.fileno(), stdout.fileno(), stderr.fileno()]
        socket.send_fds(_fork_server(), [request], files)
    return ForkedProcess(arguments, mine)


def _environment() -> dict[str, str]:
    """The environment of the fork server."""
    return {**inherited_environment(), "PYTHONPATH": str(ROOT)}


def inherited_environment() -> dict[str, str]:
    """The environment without the caller's settings.

    PYTHONDONTWRITEBYTECODE is dropped too: with it each start would compile all of Hubbub again.
    """
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("HUBBUB_") and key != "PYTHONDONTWRITEBYTECODE"
    }


def _startup_variables(env: Mapping[str, str]) -> dict[str, str]:
    """The variables among these that a fork cannot change after startup."""
    # The installed package is the checkout, so PYTHONPATH to it makes no difference.
    usual = {"PYTHONPATH": str(ROOT)}
    return usual | {name: env[name] for name in env if name.startswith(STARTUP_VARIABLES)}


@cache
def _fork_server() -> socket.socket:
    """A connection to the fork server, which is started on first use."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REQUEST_MAX_BYTES)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_environment(),
            cwd=ROOT,
        )

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


# In the fork server


def _serve(requests: socket.socket) -> None:
    """Fork for each request, and return in the fork; exit when the connection has ended."""
    # The tests handle interrupts, and nobody waits for the watcher processes.
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


def _watch(connection: socket.socket) -> None:
    """Fork, and return in the child; the parent sends the child's pid and exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        connection.close()
        return
    with suppress(BrokenPipeError):
        connection.send(_NUMBER.pack(child))
        _, status = os.waitpid(child, 0)
        connection.send(_NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _import_all() -> None:
    import hubbub

    for module in pkgutil.walk_packages(hubbub.__path__, "hubbub."):
        # Importing the first would run the command; only Alembic can load the second.
        if not module.name.endswith((".__main__", ".migrations.env")):
            importlib.import_module(module.name)
    gc.freeze()


if __name__ == "__main__":
    from hubbub.cli import main

    _import_all()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    main()
