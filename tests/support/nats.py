"""A real NATS server from the wheel, in a process of its own."""

import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.program import Program
from tests.support.server import HOST, free_port


class Nats(Program):
    """A server that can be restarted; its port and password stay the same."""

    def __init__(self, settings: str = "") -> None:
        super().__init__()
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self._folder = Path(tempfile.mkdtemp(prefix="hubbub-nats-"))
        self._config = self._folder / "nats.conf"
        self._config.write_text(
            f'listen: "{HOST}:{self.port}"\n'
            f'authorization {{ user: hubbub, password: "{self.password}" }}\n'
            f"{settings}\n"
        )

    def url(self, *, port: int | None = None) -> str:
        """The server's address; ``port`` replaces its own with that of a proxy."""
        return f"nats://hubbub:{self.password}@{HOST}:{port or self.port}"

    def start(self) -> "Nats":
        self._started(self._launch, self._answers)
        return self

    def _launch(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [Path(sys.executable).with_name("nats-server"), "--config", self._config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
