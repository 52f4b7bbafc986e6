"""Moves the write-ahead log into the database, and overwrites what deleted texts leave behind.

On the writer's own connection, between its transactions (see `docs/decisions/0005-checkpoints.md`).
"""

import contextlib
import math
import time
from collections.abc import Callable

from hubbub.store.engines import database
from hubbub.store.engines.sqlite.errors import FAILURES

TRUNCATE_ABOVE_BYTES = 64 * 1024 * 1024
# The log is moved into the database when it is about so long: 16 MB take some 20 ms, in which
# nothing can be committed. How many batches that is depends on what is written.
LOG_PAGES = 4_096
CHECKPOINT_EVERY = (250, 1_000)  # batches: at least, at most
IDLE_S = 1.0  # without work for so long, the log is moved into the database
SCRUB_EVERY_S = 1.0  # deleted text leaves the log after at most this, even under load
SCRUB_IDLE_S = 0.05  # and after this, if nothing else is to be done
REST_MAX_S = 10.0  # between two checkpoints of a database or a disk that takes none


class Checkpoints(database.Upkeep):
    """Decides between batches whether a checkpoint is due, and of which kind."""

    def __init__(
        self, checkpoint: Callable[[str], tuple[bool, int]], log_bytes: Callable[[], int]
    ) -> None:
        """``checkpoint`` is `Database.checkpoint` in a mode of SQLite's, by the writer."""
        self._run = checkpoint
        self._log_bytes = log_bytes
        self._batches = 0  # since the last checkpoint
        self._pages_a_batch = math.inf  # until the first checkpoint finds out
        self._scrub = False
        self._scrubbed_at = 0.0
        self._rest_s = 0.0  # after a checkpoint that failed: nothing is tried again for so long
        self._rests_until = 0.0

    def patience(self) -> float | None:
        if self._scrub:
            return max(SCRUB_IDLE_S, self._rests_until - time.monotonic())
        return IDLE_S if self._batches else None

    def committed(self, *, erased: bool) -> None:
        self._batches += 1
        self._scrub |= erased

    def tidy(self, *, idle: bool) -> None:
        now = time.monotonic()
        if now < self._rests_until:
            return
        try:
            self._tidy(now, idle=idle)
        except (OSError, *FAILURES):
            self._rest_s = min(REST_MAX_S, 2 * self._rest_s or SCRUB_EVERY_S)
            self._rests_until = now + self._rest_s
        else:
            self._rest_s = 0.0

    def _tidy(self, now: float, *, idle: bool) -> None:
        if self._scrub and (idle or now - self._scrubbed_at >= SCRUB_EVERY_S):
            self._scrubbed_at = now
            if self._checkpoint("TRUNCATE"):
                self._scrub = False
        elif idle or self._batches >= self._checkpoint_every():
            large = self._log_bytes() > TRUNCATE_ABOVE_BYTES
            self._checkpoint("TRUNCATE" if large else "PASSIVE")

    def finish(self) -> None:
        """SQLite does it too with the last connection, but leaves what it moves."""
        with contextlib.suppress(OSError, *FAILURES):
            self._checkpoint("TRUNCATE")

    def _checkpoint(self, mode: str) -> bool:
        batches, self._batches = self._batches, 0
        self.checkpoints += 1
        is_done, pages = self._run(mode)
        if batches and pages:
            self._pages_a_batch = pages / batches
        return is_done

    def _checkpoint_every(self) -> int:
        """How many batches make a log of about the length wanted, as they were lately."""
        least, most = CHECKPOINT_EVERY
        return max(least, min(most, int(LOG_PAGES / self._pages_a_batch)))
