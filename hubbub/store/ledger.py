"""The ledger: the one place where threads and the event loop meet.

One writer thread takes all commands that wait, has them carried out in order inside one
transaction, commits, and hands the results back in one call. There is no timer: while one batch
is on its way to disk the next one grows, so a lone message waits for one sync and ten thousand
share it. Reads run on a few reader threads, each in a snapshot of its own.
"""

import asyncio
import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from hubbub.model.accounts import Actor
from hubbub.model.base import Command, Millis, Query, Reply
from hubbub.model.errors import Busy, HubbubError
from hubbub.model.outcome import Outcome, Told
from hubbub.store.database import (
    FAILURES,
    TRUNCATE_ABOVE_BYTES,
    Connection,
    Database,
    unavailable,
)
from hubbub.store.tx import Tx

BATCH_MAX = 1_000  # commands in one transaction: bounds how long the first of them waits
WAITING_MAX = 20_000  # commands; above it new ones are answered `busy`
READING_MAX = 2_000  # queries waiting for a reader; likewise
READERS = 2
# The log is moved into the database when it is about so long: 16 MB take some 20 ms, in which
# nothing can be committed. How many batches that is depends on what is written.
LOG_PAGES = 4_096
CHECKPOINT_EVERY = (250, 1_000)  # batches: at least, at most
IDLE_S = 1.0  # without work for so long, the log is moved into the database
SCRUB_EVERY_S = 1.0  # deleted text leaves the log after at most this, even under load
CLOSING_WAITS_MS = 500  # for another program's lock, once the server stops

log = structlog.get_logger()
T = TypeVar("T")


Then = Callable[[Reply | HubbubError], None]


class Work:
    """One command on its way through the writer, and what to call with its reply."""

    __slots__ = ("actor", "command", "then")

    def __init__(self, actor: Actor, command: Command, then: Then) -> None:
        self.actor = actor
        self.command = command
        self.then = then


# What carries out a batch: one result for each command, in order. It raises only for a bug or
# a failure of the database.
Result = Outcome[Any] | HubbubError
Carry = Callable[[Tx, list[tuple[Actor, Command]]], list[Result]]
Answer = Callable[[Tx, Actor, Query], Reply]
Clock = Callable[[], Millis]


def wall_clock() -> Millis:
    return time.time_ns() // 1_000_000


def promise(loop: asyncio.AbstractEventLoop) -> tuple[Then, asyncio.Future[Reply]]:
    """What to hand to the ledger, and what to wait for."""
    done: asyncio.Future[Reply] = loop.create_future()

    def then(result: Reply | HubbubError) -> None:
        if done.done():
            return
        if isinstance(result, HubbubError):
            done.set_exception(result)
        else:
            done.set_result(result)

    return then, done


class Figures:
    """What the ledger counts, for `/metrics`."""

    def __init__(self) -> None:
        self.batches = 0
        self.commands = 0
        self.commit_s = 0.0
        self.failures = 0
        self.checkpoints = 0


class Ledger:
    """Carries commands out, one transaction at a time, and answers queries."""

    def __init__(
        self,
        database: Database,
        carry: Carry,
        answer: Answer,
        show: Callable[[list[Told]], None],
        *,
        clock: Clock = wall_clock,
        before_showing: Callable[[int], None] = lambda raised: None,
    ) -> None:
        """``show`` gets what each committed command means for the others, after its reply.

        ``before_showing`` is called on the writer thread with how many revs are about to be.
        """
        self._database = database
        self._carry = carry
        self._answer = answer
        self._show = show
        self._clock = clock
        self._before_showing = before_showing
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop
        self._writer: Connection
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="hubbub-reader")
        self._reader = threading.local()
        self._connections: list[Connection] = []
        self._reading = 0
        self._thread = threading.Thread(target=self._run, name="hubbub-writer", daemon=True)
        self._closing = False
        self._batches_since_checkpoint = 0
        self._pages_a_batch = math.inf  # until the first checkpoint finds out
        self._scrub = False
        self._scrubbed_at = 0.0
        self.waiting = 0
        self.figures = Figures()

    def start(self) -> None:
        """Open the database and begin; call it on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._writer = self._database.writer()
        self._thread.start()

    async def drain(self) -> None:
        """Take nothing more, and wait until all that was taken has been answered."""
        self._closing = True
        if self._thread.is_alive():
            self._queue.put(None)
            await self._loop.run_in_executor(None, self._thread.join)
        # The last results are on their way through the loop, before this.
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Carry out what waits, then close the database."""
        await self.drain()
        await self._loop.run_in_executor(None, self._readers.shutdown)
        for connection in self._connections:
            connection.close()
        # SQLite does it too with the last connection, but leaves what it moves.
        with contextlib.suppress(OSError, *FAILURES):
            self._checkpoint("TRUNCATE")
        self._writer.close()
        self._database.close()

    def put(self, work: Work) -> None:
        """Queue a command; ``work.then`` is called on the loop, in commit order.

        Raises Busy if too many wait already; then nothing is done.
        """
        if self.waiting >= WAITING_MAX or self._closing:
            raise Busy()
        self.waiting += 1
        self._queue.put(work)

    async def submit(self, actor: Actor, command: Command) -> Any:
        """Carry a command out and wait for its reply, which is after its commit.

        Raises HubbubError. If the caller is cancelled the command is carried out all the same.
        """
        then, done = promise(self._loop)
        self.put(Work(actor, command, then))
        return await done

    async def ask(self, actor: Actor, query: Query) -> Reply:
        """Answer a query from one snapshot. Raises HubbubError."""
        return await self.read(lambda tx: self._answer(tx, actor, query))

    async def read(self, function: Callable[[Tx], T]) -> T:
        """Run something on a reader's snapshot. Raises HubbubError; Busy if too many wait."""
        if self._reading >= READING_MAX:
            raise Busy()
        self._reading += 1
        try:
            return await self._loop.run_in_executor(self._readers, self._read, function)
        finally:
            self._reading -= 1

    def _read(self, function: Callable[[Tx], T]) -> T:
        try:
            connection: Connection | None = getattr(self._reader, "connection", None)
            if connection is None:
                connection = self._reader.connection = self._database.reader()
                self._connections.append(connection)
            connection.begin_snapshot()
            try:
                return function(Tx(connection, self._clock()))
            finally:
                connection.rollback()
        except FAILURES as error:
            log.warning("reading failed", error=str(error))
            raise unavailable(error) from error

    def _run(self) -> None:
        """The writer thread."""
        while (batch := self._take()) is not None:
            if batch:
                if self._closing:
                    self._writer.wait_for_lock(CLOSING_WAITS_MS)
                results = self._carry_out(batch)
                self._loop.call_soon_threadsafe(self._deliver, batch, results)
            with contextlib.suppress(OSError, *FAILURES):
                self._tidy(idle=not batch)

    def _take(self) -> list[Work] | None:
        """All that waits, up to a bound; nothing when idle; None at the end."""
        try:
            first = self._queue.get(timeout=self._patience())
        except queue.Empty:
            return []
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH_MAX:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                self._queue.put(None)
                break
            batch.append(work)
        return batch

    def _patience(self) -> float | None:
        """How long to wait for work before tidying up; for ever if there is nothing to tidy."""
        if self._scrub:
            return 0.05
        return IDLE_S if self._batches_since_checkpoint else None

    def _carry_out(self, batch: list[Work]) -> list[Result]:
        try:
            return self._transact(batch)
        except FAILURES as error:
            return self._failed(batch, error)
        except Exception:
            # A bug in one command: find it, and let the others be.
            log.exception("a batch failed; its commands run one by one", size=len(batch))
            return [self._alone(work) for work in batch]

    def _alone(self, work: Work) -> Result:
        try:
            return self._transact([work])[0]
        except FAILURES as error:
            return self._failed([work], error)[0]
        except Exception:
            log.exception("a command failed", command=work.command.word())
            return HubbubError()

    def _transact(self, batch: list[Work]) -> list[Result]:
        db = self._writer
        try:
            db.begin()
            tx = Tx(db, self._clock())
            results = self._carry(tx, [(work.actor, work.command) for work in batch])
            started = time.perf_counter()
            db.commit()
        except BaseException:
            with contextlib.suppress(*FAILURES):
                db.rollback()
            raise
        self.figures.commit_s += time.perf_counter() - started
        self.figures.batches += 1
        self.figures.commands += len(batch)
        self._batches_since_checkpoint += 1
        self._scrub |= tx.erased
        if tx.raised:
            self._before_showing(tx.raised)
        return results

    def _failed(self, batch: list[Work], error: Exception) -> list[Result]:
        """Never run again by us: whether it was done is unknown; the nonce of a retry settles."""
        self.figures.failures += 1
        log.error("the database failed", error=str(error), commands=len(batch))
        return [unavailable(error)] * len(batch)

    def _deliver(self, batch: list[Work], results: list[Result]) -> None:
        self.waiting -= len(batch)
        for work, result in zip(batch, results, strict=True):
            try:
                if isinstance(result, HubbubError):
                    work.then(result)
                else:
                    work.then(result.reply)
                    self._show(result.told)
            except Exception:
                # A bug in telling of one command: what others have committed is shown all the same.
                log.exception("a result was not delivered", command=work.command.word())

    def _tidy(self, *, idle: bool) -> None:
        """Checkpoint between batches, on the writer's own connection (see `Database.writer`)."""
        now = time.monotonic()
        if self._scrub and (idle or now - self._scrubbed_at >= SCRUB_EVERY_S):
            self._scrubbed_at = now
            if self._checkpoint("TRUNCATE"):
                self._scrub = False
        elif idle or self._batches_since_checkpoint >= self._checkpoint_every():
            large = self._database.log_bytes() > TRUNCATE_ABOVE_BYTES
            self._checkpoint("TRUNCATE" if large else "PASSIVE")

    def _checkpoint(self, mode: str) -> bool:
        batches = self._batches_since_checkpoint
        self._batches_since_checkpoint = 0
        self.figures.checkpoints += 1
        is_done, pages = self._database.checkpoint(self._writer, mode)
        if batches and pages:
            self._pages_a_batch = pages / batches
        return is_done

    def _checkpoint_every(self) -> int:
        """How many batches make a log of about the length wanted, as they were lately."""
        least, most = CHECKPOINT_EVERY
        return max(least, min(most, int(LOG_PAGES / self._pages_a_batch)))
