"""A foreign program in its own process, which a test starts, pauses, stops or kills."""

import signal
import subprocess
import time
from collections.abc import Callable

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
POLL_S = 0.01


class Program:
    """The base class of foreign servers; each defines how it is started and stopped."""

    STOP_SIGNAL = signal.SIGTERM
    KILL_SIGNAL = signal.SIGKILL

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def _started(
        self,
        launch: Callable[[], "subprocess.Popen[bytes]"],
        is_ready: Callable[[], bool],
        read_log: Callable[[], str] = str,
    ) -> None:
        """Launch it, and wait until it is ready."""
        assert self._process is None, "it is already running"
        process = self._process = launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready():
            assert process.poll() is None, f"it ended:\n{read_log()}"
            assert time.monotonic() < deadline, f"it is not ready:\n{read_log()}"
            time.sleep(POLL_S)

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def stop(self) -> None:
        self.signal(self.STOP_SIGNAL)
        self._wait()

    def kill(self) -> None:
        """Kill it, if it is running."""
        if self._process is not None:
            self.signal(self.KILL_SIGNAL)
            self._wait()

    def _wait(self) -> None:
        assert self._process
        self._process.wait(STOP_TIMEOUT_S)
        self._process = None
