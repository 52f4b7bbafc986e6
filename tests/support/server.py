"""A real server in its own process, which a test starts, stops or kills."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.support import forks
from tests.support.forks import inherited_environment

HOST = "127.0.0.1"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
POLL_S = 0.01
PORTS = 20_000, 32_000
# Not seeded, unlike `random`, which each test may seed.
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """A port that stays free for the servers of a test, however often they start.

    It is below the range for outgoing connections. The UDP port with the same number, which no
    server uses, stays bound until this process ends, so that other test processes skip it.
    """
    while True:
        port = _RANDOM.randrange(*PORTS)
        with (
            socket.socket(type=socket.SOCK_DGRAM) as twin,
            socket.socket() as probe,
            suppress(OSError),
        ):
            twin.bind((HOST, port))
            probe.bind((HOST, port))
            twin.detach()
            return port


class Server:
    """``hubbub try`` (or another ``command``) on a folder; it can be started repeatedly.

    Limits are off unless ``limits``, as tests send faster than people.
    """

    def __init__(
        self,
        data: Path,
        *options: str,
        command: str = "try",
        limits: bool = False,
        environment: Mapping[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
        host: str = HOST,
        module: tuple[str, ...] = ("hubbub",),
    ) -> None:
        self.data = data
        self.host = host
        self.port = free_port()
        self._command = command
        self._options = (*options, *(() if limits else ("--no-limits",)))
        self.environment = environment or {}
        self._wrapper = wrapper
        self._module = module
        self._process: forks.Process | None = None
        self._log = data.with_name(f"{data.name}.log")
        self._output = data.with_name(f"{data.name}.out")

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://{self.host}:{self.port}/ws"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def log(self) -> str:
        """Its stderr since the first start."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def output(self) -> str:
        """Its stdout since the latest start."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def launch(self) -> forks.Process:
        """Start the process without waiting until it is ready."""
        assert self._process is None, "it is already running"
        arguments = ("--host", self.host, "--port", str(self.port), "--data", str(self.data))
        line = (self._command, *arguments, *self._options)
        env = {**inherited_environment(), **self.environment}
        with (
            self._log.open("ab") as log,
            self._output.open("wb") as output,
            Path(os.devnull).open("rb") as nothing,
        ):
            if self._wrapper or self._module != ("hubbub",):
                own = (*self._wrapper, sys.executable, "-m", *self._module, *line)
                self._process = subprocess.Popen(
                    own, stdin=nothing, stdout=output, stderr=log, env=env
                )
            else:
                self._process = forks.start(line, stdin=nothing, stdout=output, stderr=log, env=env)
        return self._process

    def start(self) -> "Server":
        """Start, and wait until it is ready."""
        process = self.launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            assert process.poll() is None, f"it ended with {process.returncode}:\n{self.log}"
            assert time.monotonic() < deadline, f"it is not ready:\n{self.log}"
            time.sleep(POLL_S)
        return self

    def is_ready(self) -> bool:
        connection = HTTPConnection(self.host, self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Wait until it has ended, and return its exit code."""
        assert self._process
        code = self._process.wait(timeout_s)
        self._process = None
        return code

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Send SIGTERM, as a service manager does; wait, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """Send SIGKILL, if it is running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None
