"""Password hashing on a small thread pool, with a fair queue."""

import asyncio
import contextlib
import os
import secrets
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hubbub.model.errors import Busy

CONCURRENT_MAX = 2  # each takes 19 MiB
WAITING_MAX = 32  # above it, a job of the largest branch of the queue gets Busy
WAITING_PER_BRANCH_MAX = 8  # for one address or account; above it, a new job gets Busy

# OWASP's parameters for Argon2id with the least memory, plus one more pass. Two hashes at once take
# no more than half as much memory as an idle server, so sign-ins cannot double it.
_hasher = PasswordHasher(time_cost=3, memory_cost=19_456, parallelism=1)

QueuePath = tuple[str, ...]
"""A job's branches in the queue: "known" or "unknown", then an account or network."""


def _lower_priority() -> None:
    """Lower this thread's priority, so that on few cores messages come first."""
    if sys.platform == "linux":  # other systems have one priority per process
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def hash_password(password: str) -> str:
    """Hash with Argon2id. Takes some 40 ms and 19 MiB, so it must not run on the loop."""
    return _hasher.hash(password)


def password_is_right(password_hash: str | None, password: str) -> bool:
    """Check a password. None instead of a hash is always wrong, but takes the same time."""
    try:
        _hasher.verify(password_hash or _dummy_hash(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return password_hash is not None


_dummy_hashes: list[str] = []


def _dummy_hash() -> str:
    if not _dummy_hashes:
        _dummy_hashes.append(_hasher.hash(secrets.token_urlsafe()))
    return _dummy_hashes[0]


class PasswordQueue:
    """Hashes and checks passwords. Jobs whose caller has disconnected are dropped."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(
            CONCURRENT_MAX, thread_name_prefix="hubbub-argon2", initializer=_lower_priority
        )
        self._queue = FairQueue()
        self._running = 0

    def start(self) -> None:
        """Make the dummy hash, so that the first sign-in with an unknown name takes no longer."""
        self._pool.submit(_dummy_hash)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> int:
        return self._queue.size

    async def hash(self, password: str, path: QueuePath, is_gone: Callable[[], bool]) -> str:
        """Raises Busy if too many wait, ConnectionResetError if the caller has disconnected."""
        return str(await self._run(PasswordJob(path, is_gone), hash_password, password))

    async def is_right(
        self, password_hash: str | None, password: str, path: QueuePath, is_gone: Callable[[], bool]
    ) -> bool:
        """Raises Busy if too many wait, ConnectionResetError if the caller has disconnected."""
        job = PasswordJob(path, is_gone)
        return bool(await self._run(job, password_is_right, password_hash, password))

    async def _run(self, job: "PasswordJob", function: Callable[..., Any], *args: Any) -> Any:
        self._enter(job)
        self._start_next()
        try:
            await job.turn
        except asyncio.CancelledError:
            if job.turn.cancelled():
                self._queue.remove(job)
            else:
                self._on_finished()  # it had just got its turn
            raise
        loop = asyncio.get_running_loop()
        running = self._pool.submit(function, *args)

        def on_finished(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, as the server has stopped
                loop.call_soon_threadsafe(self._on_finished)

        running.add_done_callback(on_finished)
        return await asyncio.wrap_future(running)

    def _enter(self, job: "PasswordJob") -> None:
        """Raises Busy."""
        is_full = self._queue.size >= WAITING_MAX
        if is_full or self._queue.size_of(job.path) >= WAITING_PER_BRANCH_MAX:
            for other in self._queue.jobs():
                if other.is_gone():
                    self._queue.remove(other)
                    other.turn.set_exception(ConnectionResetError("the client disconnected"))
        if self._queue.size_of(job.path) >= WAITING_PER_BRANCH_MAX:
            raise _busy()
        self._queue.push(job)
        if self._queue.size > WAITING_MAX:
            last = self._queue.last_of_largest(job.path)
            self._queue.remove(last)
            if last is job:
                raise _busy()
            last.turn.set_exception(_busy())

    def _on_finished(self) -> None:
        self._running -= 1
        self._start_next()

    def _start_next(self) -> None:
        while self._running < CONCURRENT_MAX and (job := self._queue.next()):
            if job.is_gone():
                job.turn.set_exception(ConnectionResetError("the client disconnected"))
            else:
                self._running += 1
                job.turn.set_result(None)


def _busy() -> Busy:
    return Busy("Many people are signing in. Try again in a moment.", retry_after=3)


class PasswordJob:
    """A place in the queue; ``turn`` is done when the job may run."""

    __slots__ = ("is_gone", "path", "turn")

    def __init__(self, path: QueuePath, is_gone: Callable[[], bool]) -> None:
        self.path = path
        self.is_gone = is_gone
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class FairQueue:
    """A tree of jobs. Branches take turns, and so do the branches of each branch."""

    __slots__ = ("_branches", "_jobs", "size")

    def __init__(self) -> None:
        self.size = 0
        self._branches: OrderedDict[str, FairQueue] = OrderedDict()
        self._jobs: deque[PasswordJob] = deque()

    def push(self, job: PasswordJob, depth: int = 0) -> None:
        self.size += 1
        if depth == len(job.path):
            self._jobs.append(job)
        else:
            self._branches.setdefault(job.path[depth], FairQueue()).push(job, depth + 1)

    def next(self) -> PasswordJob | None:
        """Remove and return the next job; None if there is none."""
        if not self.size:
            return None
        self.size -= 1
        if self._jobs:
            return self._jobs.popleft()
        key, branch = next(iter(self._branches.items()))
        job = branch.next()
        if branch.size:
            self._branches.move_to_end(key)
        else:
            del self._branches[key]
        return job

    def remove(self, job: PasswordJob, depth: int = 0) -> None:
        """Remove this job, which must be in the queue."""
        self.size -= 1
        if depth == len(job.path):
            self._jobs.remove(job)
            return
        branch = self._branches[job.path[depth]]
        branch.remove(job, depth + 1)
        if not branch.size:
            del self._branches[job.path[depth]]

    def size_of(self, path: QueuePath) -> int:
        if not path:
            return self.size
        branch = self._branches.get(path[0])
        return branch.size_of(path[1:]) if branch else 0

    def last_of_largest(self, path: QueuePath) -> PasswordJob:
        """The latest job of the largest branch; of equally large ones, prefer this path."""
        if not self._branches:
            return self._jobs[-1]
        most = max(branch.size for branch in self._branches.values())
        largest = [key for key, branch in self._branches.items() if branch.size == most]
        key = path[0] if path and path[0] in largest else largest[0]
        return self._branches[key].last_of_largest(path[1:] if path and key == path[0] else ())

    def jobs(self) -> list[PasswordJob]:
        branches = self._branches.values()
        return [*self._jobs, *(job for branch in branches for job in branch.jobs())]
