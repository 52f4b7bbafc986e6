"""Servers under test: each runs alone on its core, is measured from outside, and stops cleanly."""

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
#: A server is idle if it used less than this share of its core over IDLE_WINDOW_S.
IDLE_SHARE = 0.05
IDLE_WINDOW_S = 0.5
IDLE_TIMEOUT_S = 60


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    #: From the start of the process until it was ready.
    ready_s: float

    def cpu_s(self) -> float:
        """CPU time used so far. Raises BenchError if the server has ended."""
        try:
            return machine.cpu_s(self.process.pid)
        except OSError as error:
            raise BenchError(f"The server ended.\n{self.log_tail()}") from error

    def waited_s(self) -> float:
        return machine.waited_s(self.process.pid)

    def memory_bytes(self) -> int:
        return machine.memory_bytes(self.process.pid)

    def reset_peak(self) -> None:
        machine.reset_peak(self.process.pid)

    def peak_memory_bytes(self) -> int:
        return machine.peak_memory_bytes(self.process.pid)

    def metrics(self) -> dict[str, float]:
        """The values in `/metrics`, by name with labels."""
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def interrupt(self, signal_number: signal.Signals) -> None:
        """Send it a signal while it is busy, and wait until it has ended."""
        self.process.send_signal(signal_number)
        self.process.wait(timeout=STOP_TIMEOUT_S)

    def wait_until_idle(self, timeout_s: float = IDLE_TIMEOUT_S) -> None:
        """Wait until earlier work is done, so that measurements are comparable."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            before = self.cpu_s()
            time.sleep(IDLE_WINDOW_S)
            if self.cpu_s() - before <= IDLE_SHARE * IDLE_WINDOW_S:
                return
        raise BenchError(f"The server was still busy after {timeout_s:.0f} s without requests.")

    def log_tail(self) -> str:
        """The last lines of its log, for error messages."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


@dataclass(frozen=True)
class Hubbub:
    """Hubbub's command, by default without limits, which would distort the measurements.

    `more` are options of `serve`. `open_files` limits the server's descriptors. `root` is the
    source folder of another commit.
    """

    command: Sequence[str]
    name: str = "hubbub"
    more: Sequence[str] = ("--no-limits",)
    open_files: int | None = None
    root: Path | None = None

    @contextmanager
    def serving(self, data: Path, port: int | None = None) -> Iterator[Server]:
        port = port or free_port()
        arguments = ["--host", HOST, "--port", str(port), "--data", str(data)]
        policy = ["--registration", "open", "--guests", *self.more]
        command = [*self.command, "serve", *arguments, *policy]
        if self.open_files is not None:
            # Set before it starts, as a server may read its limit only then.
            limited = f'ulimit -n {self.open_files}; exec "$@"'
            command = ["sh", "-c", limited, "sh", *command]
        with _running(command, port, data, _is_ready, self.root) as server:
            yield server


@dataclass(frozen=True)
class Peer:
    """Another chat server, which takes no arguments and has a fixed port."""

    binary: Path
    port: int = 8080
    path: str = "/ws"
    name: str = "peer"

    @contextmanager
    def serving(self, data: Path) -> Iterator[Server]:
        if _is_listening(self.port):
            raise BenchError(f"Port {self.port}, which the peer needs, is in use.")
        with _running([str(self.binary)], self.port, data, _is_listening) as server:
            yield server


Program = Hubbub | Peer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_ready(port: int) -> bool:
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
    with log.open("ab") as output, machine.on_server_core():
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=root,
            # Ctrl-C must only reach the benchmark, which then stops the server.
            start_new_session=True,
        )
    try:
        ready_s = _wait_until_ready(process, port, log, began, is_ready)
        yield Server(process, port, log, ready_s)
        if process.returncode is None:  # otherwise it was interrupted
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
    """Stop the server. Raises BenchError if it does not stop, which would be a defect."""
    if process.poll() is not None:
        raise BenchError(f"The server ended by itself:\n{log.read_text(errors='replace')[-2000:]}")
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"The server did not stop within {STOP_TIMEOUT_S} s.") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    # It is the leader of its own session, so this also reaches its children.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
