"""A real NATS server, from the wheel, in a process of its own."""

import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.server import HOST, free_port

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
POLL_S = 0.01


class Nats:
    """It may be started again and again, always on the same port and with the same password."""

    def __init__(self, settings: str = "") -> None:
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self._folder = Path(tempfile.mkdtemp(prefix="hubbub-nats-"))
        self._config = self._folder / "nats.conf"
        self._config.write_text(
            f'listen: "{HOST}:{self.port}"\n'
            f'authorization {{ user: hubbub, password: "{self.password}" }}\n'
            f"{settings}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, *, port: int | None = None) -> str:
        """``port`` is a proxy's, if not the server's own."""
        return f"nats://hubbub:{self.password}@{HOST}:{port or self.port}"

    def start(self) -> "Nats":
        assert self._process is None, "it runs already"
        program = Path(sys.executable).with_name("nats-server")
        self._process = subprocess.Popen(
            [program, "--config", self._config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert self._process.poll() is None, "NATS ended"
            assert time.monotonic() < deadline, "NATS is not ready"
            time.sleep(POLL_S)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def stop(self) -> None:
        self.signal(signal.SIGTERM)
        self._wait()

    def kill(self) -> None:
        """The plug. A no-op if it does not run."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._wait()

    def _wait(self) -> None:
        assert self._process
        self._process.wait(STOP_TIMEOUT_S)
        self._process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
