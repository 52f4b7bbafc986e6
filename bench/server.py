"""Servers under test: started alone on their core, watched from outside, stopped cleanly."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench import machine
from bench.errors import BenchError

HOST = "127.0.0.1"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
POLL_S = 0.002
#: A server is idle when it used less than this part of its core over IDLE_WINDOW_S.
IDLE_SHARE = 0.05
IDLE_WINDOW_S = 0.5
IDLE_TIMEOUT_S = 60


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    #: From the start of the process until it said that it was ready.
    ready_s: float

    def cpu_s(self) -> float:
        """CPU used so far, in seconds; raises BenchError when the server has ended."""
        try:
            return machine.cpu_s(self.process.pid)
        except OSError as error:
            raise BenchError(f"The server ended.\n{self.last_words()}") from error

    def waited_s(self) -> float:
        return machine.waited_s(self.process.pid)

    def memory_bytes(self) -> int:
        return machine.memory_bytes(self.process.pid)

    def forget_peak(self) -> None:
        machine.forget_peak(self.process.pid)

    def peak_memory_bytes(self) -> int:
        return machine.peak_memory_bytes(self.process.pid)

    def figures(self) -> dict[str, float]:
        """What `/metrics` tells, by name with its labels."""
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        told = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in told}

    def pull(self, how: signal.Signals) -> None:
        """End it in the middle of everything; returns when it has ended."""
        self.process.send_signal(how)
        self.process.wait(timeout=STOP_TIMEOUT_S)

    def wait_until_idle(self, timeout_s: float = IDLE_TIMEOUT_S) -> None:
        """Memory and pace mean something only when earlier work is done."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            before = self.cpu_s()
            time.sleep(IDLE_WINDOW_S)
            if self.cpu_s() - before <= IDLE_SHARE * IDLE_WINDOW_S:
                return
        raise BenchError(f"The server was still busy after {timeout_s:.0f} s of nothing to do.")

    def last_words(self) -> str:
        """The end of its log, for the person who has to find out what went wrong."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


@dataclass(frozen=True)
class Hubbub:
    """Hubbub's own command, by default without limits: what is measured is the work, not them.

    `more` are options of `serve`. `open_files` is how many descriptors the server may have.
    `root` is the source that it runs from, where that is another commit's.
    """

    command: Sequence[str]
    name: str = "hubbub"
    more: Sequence[str] = ("--no-limits",)
    open_files: int | None = None
    root: Path | None = None

    @contextmanager
    def serving(self, data: Path, port: int | None = None) -> Iterator[Server]:
        port = port or free_port()
        where = ["--host", HOST, "--port", str(port), "--data", str(data)]
        who = ["--registration", "open", "--guests", *self.more]
        command = [*self.command, "serve", *where, *who]
        if self.open_files is not None:
            # Before it starts: a server may look at its limit then and be content.
            limited = f'ulimit -n {self.open_files}; exec "$@"'
            command = ["sh", "-c", limited, "sh", *command]
        with _running(command, port, data, _says_ready, self.root) as server:
            yield server


@dataclass(frozen=True)
class Peer:
    """Another chat server: it takes no arguments and listens where it always does."""

    binary: Path
    port: int = 8080
    path: str = "/ws"
    name: str = "peer"

    @contextmanager
    def serving(self, data: Path) -> Iterator[Server]:
        if _accepts(self.port):
            raise BenchError(f"Port {self.port}, which the peer needs, is in use.")
        with _running([str(self.binary)], self.port, data, _accepts) as server:
            yield server


Program = Hubbub | Peer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _says_ready(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _running(
    command: Sequence[str],
    port: int,
    data: Path,
    is_ready: Callable[[int], bool],
    root: Path | None = None,
) -> Iterator[Server]:
    data.mkdir(parents=True, exist_ok=True)
    log = data.with_name(f"{data.name}.log")
    began = time.monotonic()
    with log.open("ab") as output, machine.on_the_servers_core():
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=root,
            # Control-C is for the benchmark, which then stops the server in its own time.
            start_new_session=True,
        )
    try:
        ready_s = _wait_until_ready(process, port, log, began, is_ready)
        yield Server(process, port, log, ready_s)
        if process.returncode is None:  # else it was pulled
            _stop(process, log)
    finally:
        _kill(process)


def _wait_until_ready(
    process: subprocess.Popen[bytes],
    port: int,
    log: Path,
    began: float,
    is_ready: Callable[[int], bool],
) -> float:
    while not is_ready(port):
        if process.poll() is not None:
            raise BenchError(f"The server did not start:\n{log.read_text(errors='replace')}")
        if time.monotonic() - began > START_TIMEOUT_S:
            raise BenchError(f"The server was not ready after {START_TIMEOUT_S} s.")
        time.sleep(POLL_S)
    return time.monotonic() - began


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    """A server that does not end when asked to is a defect, not a detail of the benchmark."""
    if process.poll() is not None:
        raise BenchError(f"The server ended by itself:\n{log.read_text(errors='replace')[-2000:]}")
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"The server did not stop within {STOP_TIMEOUT_S} s.") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    # It is the leader of a session of its own: this reaches what it started, too.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
