"""Checkpoints: moving the write-ahead log into the database, and erasing deleted texts.

They run on the writer's connection, between its transactions (see
`docs/decisions/0005-checkpoints.md`).
"""

import contextlib
import math
import time
from collections.abc import Callable

from hubbub.store.engines import database
from hubbub.store.engines.sqlite.errors import FAILURES

TRUNCATE_ABOVE_BYTES = 64 * 1024 * 1024
# The log is moved into the database at about this length: 16 MB take some 20 ms, during which
# nothing can be committed. The number of batches in it depends on their size.
LOG_PAGES = 4_096
CHECKPOINT_EVERY = (250, 1_000)  # batches, at least and at most
IDLE_S = 1.0  # after so long without work, the log is moved into the database
SCRUB_EVERY_S = 1.0  # deleted text is erased from the log after at most this, under load
SCRUB_IDLE_S = 0.05  # and after this when idle
BACKOFF_MAX_S = 10.0  # between attempts while checkpoints fail


class Checkpointer(database.Upkeep):
    """Decides between batches whether a checkpoint is due, and of which kind."""

    def __init__(
        self, checkpoint: Callable[[str], tuple[bool, int]], log_bytes: Callable[[], int]
    ) -> None:
        """``checkpoint`` runs `Database.checkpoint` on the writer in one of SQLite's modes."""
        self._run_checkpoint = checkpoint
        self._log_bytes = log_bytes
        self._batches = 0  # since the last checkpoint
        self._pages_per_batch = math.inf  # unknown until the first checkpoint
        self._must_scrub = False
        self._scrubbed_at = 0.0
        self._backoff_s = 0.0  # the pause after a failed checkpoint
        self._backoff_until = 0.0

    def idle_timeout_s(self) -> float | None:
        if self._must_scrub:
            return max(SCRUB_IDLE_S, self._backoff_until - time.monotonic())
        return IDLE_S if self._batches else None

    def on_commit(self, *, erased: bool) -> None:
        self._batches += 1
        self._must_scrub |= erased

    def tidy(self, *, idle: bool) -> None:
        now = time.monotonic()
        if now < self._backoff_until:
            return
        try:
            self._tidy(now, idle=idle)
        except (OSError, *FAILURES):
            self._backoff_s = min(BACKOFF_MAX_S, 2 * self._backoff_s or SCRUB_EVERY_S)
            self._backoff_until = now + self._backoff_s
        else:
            self._backoff_s = 0.0

    def _tidy(self, now: float, *, idle: bool) -> None:
        if self._must_scrub and (idle or now - self._scrubbed_at >= SCRUB_EVERY_S):
            self._scrubbed_at = now
            if self._checkpoint("TRUNCATE"):
                self._must_scrub = False
        elif idle or self._batches >= self._checkpoint_every():
            is_large = self._log_bytes() > TRUNCATE_ABOVE_BYTES
            self._checkpoint("TRUNCATE" if is_large else "PASSIVE")

    def finish(self) -> None:
        """The final checkpoint. SQLite would do it itself, but would not erase deleted texts."""
        with contextlib.suppress(OSError, *FAILURES):
            self._checkpoint("TRUNCATE")

    def _checkpoint(self, mode: str) -> bool:
        batches, self._batches = self._batches, 0
        self.checkpoints += 1
        is_done, pages = self._run_checkpoint(mode)
        if batches and pages:
            self._pages_per_batch = pages / batches
        return is_done

    def _checkpoint_every(self) -> int:
        """How many batches fill a log of `LOG_PAGES`, judging by the latest ones."""
        least, most = CHECKPOINT_EVERY
        return max(least, min(most, int(LOG_PAGES / self._pages_per_batch)))
