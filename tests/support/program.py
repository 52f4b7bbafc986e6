"""A program of somebody else's in a process of its own: waited for, frozen, stopped, killed."""

import signal
import subprocess
import time
from collections.abc import Callable

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
POLL_S = 0.01


class Program:
    """What the tests' servers have in common. Each says how it starts, and how it is ended."""

    ENDS_BY = signal.SIGTERM
    """Cleanly."""
    DIES_BY = signal.SIGKILL

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def _started(
        self,
        launch: Callable[[], "subprocess.Popen[bytes]"],
        answers: Callable[[], bool],
        last_words: Callable[[], str] = str,
    ) -> None:
        """Launch it, and wait until it answers."""
        assert self._process is None, "it runs already"
        process = self._process = launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers():
            assert process.poll() is None, f"it ended:\n{last_words()}"
            assert time.monotonic() < deadline, f"it is not ready:\n{last_words()}"
            time.sleep(POLL_S)

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def stop(self) -> None:
        self.signal(self.ENDS_BY)
        self._wait()

    def kill(self) -> None:
        """The plug. A no-op if it does not run."""
        if self._process is not None:
            self.signal(self.DIES_BY)
            self._wait()

    def _wait(self) -> None:
        assert self._process
        self._process.wait(STOP_TIMEOUT_S)
        self._process = None
