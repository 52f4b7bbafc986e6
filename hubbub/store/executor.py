"""The ledger: the one place where threads and the event loop meet.

One writer thread takes all commands that wait, has them carried out in order inside one
transaction, commits, and hands the results back in one call. There is no timer: while one batch
is on its way to disk the next one grows, so a lone message waits for one sync and ten thousand
share it. Reads run on a few reader threads, each in a snapshot of its own.
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
from hubbub.model.quotas import USUAL, Quotas
from hubbub.store.engines.database import MEND, Connection, Database, Upkeep
from hubbub.store.engines.row_checks import ImpossibleRow
from hubbub.store.tx import Tx

BATCH_MAX = 1_000  # commands in one transaction: bounds how long the first of them waits
WAITING_MAX = 20_000  # commands; above it new ones are answered `busy`
READING_MAX = 2_000  # queries waiting for a reader; likewise
READERS = 2

log = structlog.get_logger()
T = TypeVar("T")


OnDone = Callable[[Reply | HubbubError], None]


class Job:
    """One command on its way through the writer, and what to call with its reply."""

    __slots__ = ("actor", "command", "on_done")

    def __init__(self, actor: Actor, command: Command, on_done: OnDone) -> None:
        self.actor = actor
        self.command = command
        self.on_done = on_done


# What carries out a batch: one result for each command, in order. It raises only for a bug or
# a failure of the database.
Result = Outcome[Any] | HubbubError
Execute = Callable[[Tx, list[tuple[Actor, Command]]], list[Result]]
Answer = Callable[[Tx, Actor, Query], Reply]
MayShare = Callable[[list[tuple[Actor, Command]]], bool]
Clock = Callable[[], Millis]


def wall_clock() -> Millis:
    return time.time_ns() // 1_000_000


def future_for(loop: asyncio.AbstractEventLoop) -> tuple[OnDone, asyncio.Future[Reply]]:
    """What to hand to the ledger, and what to wait for."""
    done: asyncio.Future[Reply] = loop.create_future()

    def on_done(result: Reply | HubbubError) -> None:
        if done.done():
            return
        if isinstance(result, HubbubError):
            done.set_exception(result)
        else:
            done.set_result(result)

    return on_done, done


class ExecutorMetrics:
    """What the ledger counts, for `/metrics`."""

    def __init__(self) -> None:
        self.batches = 0
        self.commands = 0
        self.commit_s = 0.0
        self.failures = 0
        self.queries: Counter[str] = Counter()


class CommandExecutor:
    """Carries commands out, one transaction at a time, and answers queries."""

    def __init__(
        self,
        database: Database,
        execute: Execute,
        answer: Answer,
        show: Callable[[list[Effect]], None],
        *,
        quotas: Quotas = USUAL,
        clock: Clock = wall_clock,
        before_showing: Callable[[int], None] = lambda raised: None,
        may_share: MayShare = lambda batch: False,
        node: str = "",
        journaled: Callable[[Entry], None] = lambda entry: None,
    ) -> None:
        """``show`` gets what each committed command means for the others, after its reply.

        ``before_showing`` is called on the writer thread with how many revs are about to be.
        On a shared database what all nodes must hear is not shown but written to the journal in
        ``node``'s name, and handed to ``journaled``; ``may_share`` says which batches may be
        carried out beside another node's.
        """
        self._database = database
        self._execute_commands = execute
        self._answer = answer
        self._show = show
        self._quotas = quotas
        self._clock = clock
        self._before_showing = before_showing
        self._may_share = may_share
        self._node = node
        self._journaled = journaled
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop
        self._writer: Connection
        self._upkeep = Upkeep()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="hubbub-reader")
        self._reader = threading.local()
        self._connections: list[Connection] = []
        self._reading = 0
        self._committing = False  # whether the last transaction has come so far
        self._named: set[str] = set()  # the kinds of damage that the log has told of
        self._failing = threading.Lock()  # over those, and the count of failures
        self._thread = threading.Thread(target=self._run, name="hubbub-writer", daemon=True)
        self._closing = False
        self.waiting = 0
        self.metrics = ExecutorMetrics()

    @property
    def checkpoints(self) -> int:
        return self._upkeep.checkpoints

    def start(self) -> None:
        """Open the database and begin; call it on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._writer = self._database.writer()
        self._upkeep = self._database.upkeep(self._writer)
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
        self._upkeep.finish()
        self._writer.close()
        self._database.close()

    def put(self, job: Job) -> None:
        """Queue a command; ``job.on_done`` is called on the loop, in commit order.

        Raises Busy if too many wait already; then nothing is done.
        """
        if self.waiting >= WAITING_MAX or self._closing:
            raise Busy()
        self.waiting += 1
        self._queue.put(job)

    async def submit(self, actor: Actor, command: Command) -> Any:
        """Carry a command out and wait for its reply, which is after its commit.

        Raises HubbubError. If the caller is cancelled the command is carried out all the same.
        """
        on_done, done = future_for(self._loop)
        self.put(Job(actor, command, on_done))
        try:
            return await done
        finally:
            del on_done, done  # which hold an error that would hold this frame

    async def ask(self, actor: Actor, query: Query) -> Reply:
        """Answer a query from one snapshot. Raises HubbubError."""
        self.metrics.queries[query.word()] += 1
        return await self.read(lambda tx: self._answer(tx, actor, query))

    async def ask_each(self, asked: list[tuple[Actor, Query]]) -> list[Reply | HubbubError]:
        """Answer several queries from one snapshot; a refusal is the answer to its own only."""
        self.metrics.queries.update(query.word() for _, query in asked)
        return await self.read(lambda tx: [self._answered(tx, *each) for each in asked])

    def _answered(self, tx: Tx, actor: Actor, query: Query) -> Reply | HubbubError:
        try:
            return self._answer(tx, actor, query)
        except HubbubError as error:
            return error.as_value()

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
                return self._looked(connection, function)
            finally:
                connection.rollback()
        except Exception as error:
            if self._database.has_failed(error):
                raise self._unavailable(error, "reading failed") from error
            raise

    def _looked(self, db: Connection, function: Callable[[Tx], T]) -> T:
        """What the function makes of this snapshot.

        If it comes to grief, it reads the same once more with every row checked: a bug is raised
        only if it was not the rows.
        """
        try:
            return function(Tx(db, self._clock()))
        except HubbubError:
            raise
        except Exception as error:
            if self._database.has_failed(error):
                raise
            with db.suspecting():
                self._look_again(db, function)
            if damage := self._database.find_damage(db):
                raise ImpossibleRow(damage) from error
            raise

    def _look_again(self, db: Connection, function: Callable[[Tx], Any]) -> None:
        """Raises only if it is the database."""
        try:
            function(Tx(db, self._clock()))
        except Exception as error:
            if self._database.has_failed(error):
                raise

    def _run(self) -> None:
        """The writer thread."""
        while (batch := self._take()) is not None:
            if batch:
                if self._closing:
                    self._writer.hurry()
                results, entries = self._run_batch(batch)
                self._loop.call_soon_threadsafe(self._deliver, batch, results, entries)
            try:
                self._upkeep.tidy(idle=not batch)
            except Exception:
                # Without this thread nothing is ever written again.
                log.exception("looking after the database failed")

    def _take(self) -> list[Job] | None:
        """All that waits, up to a bound; nothing when idle; None at the end."""
        try:
            first = self._queue.get(timeout=self._upkeep.patience())
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
                return self._failed(batch, error), []
            # One command met a bug or a damaged page: find it, and let the others be.
            entries.clear()
            with self._writer.suspecting():
                results = [self._alone(job, entries) for job in batch]
            is_damaged = any(isinstance(each, Unavailable) and each.is_damage for each in results)
            if not has_failed and not is_damaged:
                log.error("a batch failed; its commands ran one by one", exc_info=error)
            return results, entries

    def _is_undone_damage(self, error: Exception) -> bool:
        """Whether it met a damaged page before the commit, so that nothing of it can be there."""
        return not self._committing and self._database.unavailable(error).is_damage

    def _alone(self, job: Job, entries: list[Entry]) -> Result:
        before = len(entries)
        try:
            return self._run_transaction([job], entries)[0]
        except Exception as error:
            del entries[before:]
            if self._database.has_failed(error):
                return self._failed([job], error)[0]
            if damage := self._database.find_damage(self._writer):
                return self._failed([job], ImpossibleRow(damage))[0]
            log.exception("a command failed", command=job.command.word())
            return HubbubError()

    def _run_transaction(self, batch: list[Job], entries: list[Entry]) -> list[Result]:
        """Carry out and commit; what stands in the journal is added to ``entries``."""
        db = self._writer
        commands = [(job.actor, job.command) for job in batch]
        is_shared = self._database.is_shared
        self._committing = False
        try:
            db.begin(alone=not (is_shared and self._may_share(commands)))
            tx = Tx(db, self._clock(), quotas=self._quotas)
            results = self._execute_commands(tx, commands)
            if is_shared and (effects := _for_all_nodes(results)):
                entries.append(tx.append_to_journal(self._node, effects))
            started = time.perf_counter()
            self._committing = True
            db.commit()
        except BaseException:
            with contextlib.suppress(*self._database.failures):
                db.rollback()
            raise
        self.metrics.commit_s += time.perf_counter() - started
        self.metrics.batches += 1
        self.metrics.commands += len(batch)
        self._upkeep.committed(erased=tx.erased)
        if tx.raised:
            self._before_showing(tx.raised)
        return results

    def _failed(self, batch: list[Job], error: Exception) -> list[Result]:
        """Never run again by us: whether it was done is unknown; the nonce of a retry settles."""
        answer = self._unavailable(error, "the database failed", commands=len(batch))
        return [answer] * len(batch)

    def _unavailable(self, error: Exception, what: str, **more: int) -> Unavailable:
        """What to answer after a failure, which is counted and logged: damage only once."""
        answer = self._database.unavailable(error)
        why = self._database.why_failed(error)
        with self._failing:
            self.metrics.failures += 1
            is_known = answer.is_damage and why in self._named
            if answer.is_damage:
                self._named.add(why)
        if not answer.is_damage:
            log.error(what, error=why, **more)
        elif not is_known:
            log.error("the database is damaged", error=why, do=MEND)
        return answer

    def _deliver(self, batch: list[Job], results: list[Result], entries: list[Entry]) -> None:
        self.waiting -= len(batch)
        for job, result in zip(batch, results, strict=True):
            try:
                job.on_done(result if isinstance(result, HubbubError) else result.reply)
            except Exception:
                # A bug in answering one command: what was committed is shown all the same.
                log.exception("a result was not delivered", command=job.command.word())
            try:
                if not isinstance(result, HubbubError):
                    self._show(result.effects)
            except Exception:
                log.exception("a result was not shown", command=job.command.word())
        for entry in entries:
            self._journaled(entry)


def _for_all_nodes(results: list[Result]) -> tuple[Journaled, ...]:
    """What stands in the journal, taken out of what is shown."""
    found: list[Journaled] = []
    for result in results:
        if isinstance(result, HubbubError) or not result.effects:
            continue
        others: list[Effect] = []
        for effects in result.effects:
            if isinstance(effects, JOURNALED):
                found.append(effects)
            else:
                others.append(effects)
        result.effects = others
    return tuple(found)
