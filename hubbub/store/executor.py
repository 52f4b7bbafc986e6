"""The command executor: group commit on one writer thread, queries on reader threads.

The writer thread takes all waiting commands, executes them in order inside one transaction,
commits, and hands the results to the event loop in one call. There is no timer: the next batch
grows while the present one is being synced, so a single message waits for one sync and ten
thousand messages share one. Each query runs in its own snapshot.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from hubbub.model.accounts import Actor
from hubbub.model.base import Command, Millis, Query, Reply
from hubbub.model.errors import Busy, HubbubError, Unavailable
from hubbub.model.outcome import JOURNALED, Effect, Entry, Journaled, Outcome
from hubbub.model.quotas import DEFAULT_QUOTAS, Quotas
from hubbub.store.engines.database import REPAIR_HINT, Connection, Database, Upkeep
from hubbub.store.engines.row_checks import CorruptRow
from hubbub.store.tx import Tx

BATCH_MAX = 1_000  # commands in one transaction: bounds how long the first of them waits
WAITING_MAX = 20_000  # queued commands; further ones are refused with `busy`
READING_MAX = 2_000  # queries that run or wait for a reader thread; likewise
READERS = 2

log = structlog.get_logger()
T = TypeVar("T")


OnDone = Callable[[Reply | HubbubError], None]


class Job:
    """A queued command, and the callback for its result."""

    __slots__ = ("actor", "command", "on_done")

    def __init__(self, actor: Actor, command: Command, on_done: OnDone) -> None:
        self.actor = actor
        self.command = command
        self.on_done = on_done


# `Execute` runs a batch and returns one result for each command, in order. It raises only for a bug
# or a failure of the database.
Result = Outcome[Any] | HubbubError
Execute = Callable[[Tx, list[tuple[Actor, Command]]], list[Result]]
Answer = Callable[[Tx, Actor, Query], Reply]
CanRunConcurrently = Callable[[list[tuple[Actor, Command]]], bool]
Clock = Callable[[], Millis]


def wall_clock() -> Millis:
    return time.time_ns() // 1_000_000


def future_for(loop: asyncio.AbstractEventLoop) -> tuple[OnDone, asyncio.Future[Reply]]:
    """A callback for `Job`, and the future that it resolves."""
    future: asyncio.Future[Reply] = loop.create_future()

    def on_done(result: Reply | HubbubError) -> None:
        if future.done():
            return
        if isinstance(result, HubbubError):
            future.set_exception(result)
        else:
            future.set_result(result)

    return on_done, future


class ExecutorMetrics:
    """The executor's counters, for `/metrics`."""

    def __init__(self) -> None:
        self.batches = 0
        self.commands = 0
        self.commit_s = 0.0
        self.failures = 0
        self.queries: Counter[str] = Counter()


class CommandExecutor:
    """Executes commands, one transaction at a time, and answers queries."""

    def __init__(
        self,
        database: Database,
        execute: Execute,
        answer: Answer,
        publish: Callable[[list[Effect]], None],
        *,
        quotas: Quotas = DEFAULT_QUOTAS,
        clock: Clock = wall_clock,
        before_publish: Callable[[int], None] = lambda revs: None,
        can_run_concurrently: CanRunConcurrently = lambda batch: False,
        node: str = "",
        on_journal_entry: Callable[[Entry], None] = lambda entry: None,
    ) -> None:
        """``publish`` gets the effects of each committed command, after its reply.

        ``before_publish`` is called on the writer thread with the number of revs in a batch.
        On a shared database, effects for all nodes are not published but written to the journal
        under the name ``node``, and handed to ``on_journal_entry``; ``can_run_concurrently`` says
        which batches may be executed while another node executes one.
        """
        self._database = database
        self._execute_commands = execute
        self._answer = answer
        self._publish = publish
        self._quotas = quotas
        self._clock = clock
        self._before_publish = before_publish
        self._can_run_concurrently = can_run_concurrently
        self._node = node
        self._on_journal_entry = on_journal_entry
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop
        self._writer: Connection
        self._upkeep = Upkeep()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="hubbub-reader")
        self._thread_local = threading.local()
        self._connections: list[Connection] = []
        self._pending_reads = 0
        self._has_begun_commit = False  # of the last transaction
        self._logged_damage: set[str] = set()  # kinds of damage, each of which is logged once
        self._failure_lock = threading.Lock()  # guards these, and the count of failures
        self._thread = threading.Thread(target=self._run, name="hubbub-writer", daemon=True)
        self._closing = False
        self.waiting = 0
        self.metrics = ExecutorMetrics()

    @property
    def checkpoints(self) -> int:
        return self._upkeep.checkpoints

    def start(self) -> None:
        """Open the database and start the writer thread; call it on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._writer = self._database.writer()
        self._upkeep = self._database.upkeep(self._writer)
        self._thread.start()

    async def drain(self) -> None:
        """Refuse new commands, and wait until all queued ones have been answered."""
        self._closing = True
        if self._thread.is_alive():
            self._queue.put(None)
            await self._loop.run_in_executor(None, self._thread.join)
        # The callbacks of the last batch are already scheduled; they run before this returns.
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Execute the queued commands, then close the database."""
        await self.drain()
        await self._loop.run_in_executor(None, self._readers.shutdown)
        for connection in self._connections:
            connection.close()
        self._upkeep.finish()
        self._writer.close()
        self._database.close()

    def put(self, job: Job) -> None:
        """Queue a command; ``job.on_done`` is called on the event loop, in commit order.

        Raises Busy if too many commands are queued.
        """
        if self.waiting >= WAITING_MAX or self._closing:
            raise Busy()
        self.waiting += 1
        self._queue.put(job)

    async def submit(self, actor: Actor, command: Command) -> Any:
        """Execute a command and return its reply, after the commit.

        Raises HubbubError. The command is executed even if the caller is cancelled.
        """
        on_done, future = future_for(self._loop)
        self.put(Job(actor, command, on_done))
        try:
            return await future
        finally:
            del on_done, future  # breaks the cycle of an error, its traceback and this frame

    async def ask(self, actor: Actor, query: Query) -> Reply:
        """Answer a query from a snapshot. Raises HubbubError."""
        self.metrics.queries[query.word()] += 1
        return await self.read(lambda tx: self._answer(tx, actor, query))

    async def ask_each(self, queries: list[tuple[Actor, Query]]) -> list[Reply | HubbubError]:
        """Answer several queries from one snapshot, each with a reply or its own error."""
        self.metrics.queries.update(query.word() for _, query in queries)
        return await self.read(lambda tx: [self._answer_or_error(tx, *each) for each in queries])

    def _answer_or_error(self, tx: Tx, actor: Actor, query: Query) -> Reply | HubbubError:
        try:
            return self._answer(tx, actor, query)
        except HubbubError as error:
            return error.as_value()

    async def read(self, function: Callable[[Tx], T]) -> T:
        """Run a function on a reader thread's snapshot.

        Raises HubbubError; Busy if too many queries wait.
        """
        if self._pending_reads >= READING_MAX:
            raise Busy()
        self._pending_reads += 1
        try:
            return await self._loop.run_in_executor(self._readers, self._read, function)
        finally:
            self._pending_reads -= 1

    def _read(self, function: Callable[[Tx], T]) -> T:
        try:
            connection: Connection | None = getattr(self._thread_local, "connection", None)
            if connection is None:
                connection = self._thread_local.connection = self._database.reader()
                self._connections.append(connection)
            connection.begin_snapshot()
            try:
                return self._read_snapshot(connection, function)
            finally:
                connection.rollback()
        except Exception as error:
            if self._database.has_failed(error):
                raise self._unavailable(error, "reading failed") from error
            raise

    def _read_snapshot(self, db: Connection, function: Callable[[Tx], T]) -> T:
        """Call the function with this snapshot.

        If that fails, call it again with checks of every row: damaged rows raise CorruptRow, and
        only otherwise does the original error count as a bug.
        """
        try:
            return function(Tx(db, self._clock()))
        except HubbubError:
            raise
        except Exception as error:
            if self._database.has_failed(error):
                raise
            with db.checking_rows():
                self._require_sound_rows(db, function)
            if damage := self._database.find_damage(db):
                raise CorruptRow(damage) from error
            raise

    def _require_sound_rows(self, db: Connection, function: Callable[[Tx], Any]) -> None:
        """Raises CorruptRow or an error of the driver, and ignores other errors."""
        try:
            function(Tx(db, self._clock()))
        except Exception as error:
            if self._database.has_failed(error):
                raise

    def _run(self) -> None:
        """The writer thread."""
        while (batch := self._take_batch()) is not None:
            if batch:
                if self._closing:
                    self._writer.shorten_lock_timeout()
                results, entries = self._run_batch(batch)
                self._loop.call_soon_threadsafe(self._deliver, batch, results, entries)
            try:
                self._upkeep.tidy(idle=not batch)
            except Exception:
                # The writer thread must survive, or nothing could be written any more.
                log.exception("database maintenance failed")

    def _take_batch(self) -> list[Job] | None:
        """The queued jobs, at most `BATCH_MAX`; an empty list when idle; None at the end."""
        try:
            first = self._queue.get(timeout=self._upkeep.idle_timeout_s())
        except queue.Empty:
            return []
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH_MAX:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            batch.append(job)
        return batch

    def _run_batch(self, batch: list[Job]) -> tuple[list[Result], list[Entry]]:
        entries: list[Entry] = []
        try:
            return self._run_transaction(batch, entries), entries
        except Exception as error:
            has_failed = self._database.has_failed(error)
            if has_failed and not self._is_undone_damage(error):
                return self._refuse_all(batch, error), []
            # A command has hit a bug or a damaged page: run them one by one, so that only it fails.
            entries.clear()
            with self._writer.checking_rows():
                results = [self._run_single(job, entries) for job in batch]
            is_damaged = any(isinstance(each, Unavailable) and each.is_damage for each in results)
            if not has_failed and not is_damaged:
                log.error("a batch failed; its commands were run one by one", exc_info=error)
            return results, entries

    def _is_undone_damage(self, error: Exception) -> bool:
        """Whether the batch hit a damaged page before its commit, so that it was not stored."""
        return not self._has_begun_commit and self._database.to_unavailable(error).is_damage

    def _run_single(self, job: Job, entries: list[Entry]) -> Result:
        before = len(entries)
        try:
            return self._run_transaction([job], entries)[0]
        except Exception as error:
            del entries[before:]
            if self._database.has_failed(error):
                return self._refuse_all([job], error)[0]
            if damage := self._database.find_damage(self._writer):
                return self._refuse_all([job], CorruptRow(damage))[0]
            log.exception("a command failed", command=job.command.word())
            return HubbubError()

    def _run_transaction(self, batch: list[Job], entries: list[Entry]) -> list[Result]:
        """Execute and commit a batch, and add its journal entry, if any, to ``entries``."""
        db = self._writer
        commands = [(job.actor, job.command) for job in batch]
        is_shared = self._database.is_shared
        self._has_begun_commit = False
        try:
            db.begin(exclusive=not (is_shared and self._can_run_concurrently(commands)))
            tx = Tx(db, self._clock(), quotas=self._quotas)
            results = self._execute_commands(tx, commands)
            if is_shared and (effects := _take_journaled(results)):
                entries.append(tx.append_to_journal(self._node, effects))
            started = time.perf_counter()
            self._has_begun_commit = True
            db.commit()
        except BaseException:
            with contextlib.suppress(*self._database.failures):
                db.rollback()
            raise
        self.metrics.commit_s += time.perf_counter() - started
        self.metrics.batches += 1
        self.metrics.commands += len(batch)
        self._upkeep.on_commit(erased=tx.erased)
        if tx.revs_issued:
            self._before_publish(tx.revs_issued)
        return results

    def _refuse_all(self, batch: list[Job], error: Exception) -> list[Result]:
        """The same error for all commands of a batch whose outcome is unknown.

        The batch is not run again: clients retry, with a nonce.
        """
        answer = self._unavailable(error, "the database failed", commands=len(batch))
        return [answer] * len(batch)

    def _unavailable(self, error: Exception, what: str, **more: int) -> Unavailable:
        """The error to return for a failure, which is counted and logged (damage only once)."""
        answer = self._database.to_unavailable(error)
        why = self._database.failure_text(error)
        with self._failure_lock:
            self.metrics.failures += 1
            is_known = answer.is_damage and why in self._logged_damage
            if answer.is_damage:
                self._logged_damage.add(why)
        if not answer.is_damage:
            log.error(what, error=why, **more)
        elif not is_known:
            log.error("the database is damaged", error=why, do=REPAIR_HINT)
        return answer

    def _deliver(self, batch: list[Job], results: list[Result], entries: list[Entry]) -> None:
        self.waiting -= len(batch)
        for job, result in zip(batch, results, strict=True):
            try:
                job.on_done(result if isinstance(result, HubbubError) else result.reply)
            except Exception:
                # A bug in one callback: the committed effects must be published nevertheless.
                log.exception("a reply was not delivered", command=job.command.word())
            try:
                if not isinstance(result, HubbubError):
                    self._publish(result.effects)
            except Exception:
                log.exception("effects were not published", command=job.command.word())
        for entry in entries:
            self._on_journal_entry(entry)


def _take_journaled(results: list[Result]) -> tuple[Journaled, ...]:
    """Remove the effects that belong in the journal from the results, and return them."""
    found: list[Journaled] = []
    for result in results:
        if isinstance(result, HubbubError) or not result.effects:
            continue
        others: list[Effect] = []
        for effect in result.effects:
            if isinstance(effect, JOURNALED):
                found.append(effect)
            else:
                others.append(effect)
        result.effects = others
    return tuple(found)
