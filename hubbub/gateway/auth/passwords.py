"""Hashing passwords: off the loop, few at once, and in turn for all who wait."""

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

AT_ONCE = 2  # each takes 19 MiB
WAITING_MAX = 32  # above it, one of those of whom most are waiting is answered `busy`
WAITING_PER_BRANCH_MAX = 8  # for one address or account

# OWASP's choice for Argon2id with the least memory but two passes, with one more pass. Two at once
# take no more than half of what an idle server does, so that sign-ins cannot double its memory.
_hasher = PasswordHasher(time_cost=3, memory_cost=19_456, parallelism=1)

Path = tuple[str, ...]
"""Whose turn it is: a lane, and in it a network or an account."""


def _step_back() -> None:
    """Lower this thread's priority, so that messages go before passwords on few cores."""
    if sys.platform == "linux":  # elsewhere a priority is the whole process's
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def hash_password(password: str) -> str:
    """Argon2id; takes some 40 ms and 19 MiB, so never on the loop."""
    return _hasher.hash(password)


def password_is_right(password_hash: str | None, password: str) -> bool:
    """Takes the same time when there is no such account."""
    try:
        _hasher.verify(password_hash or _nobodys_hash(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return password_hash is not None


_nobody: list[str] = []


def _nobodys_hash() -> str:
    if not _nobody:
        _nobody.append(_hasher.hash(secrets.token_urlsafe()))
    return _nobody[0]


class PasswordQueue:
    """Hashes and checks passwords. Whoever goes away gives up their place in line."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(
            AT_ONCE, thread_name_prefix="hubbub-argon2", initializer=_step_back
        )
        self._line = FairQueue()
        self._running = 0

    def start(self) -> None:
        """Have the hash of nobody's password ready: making it would give the first unknown away."""
        self._pool.submit(_nobodys_hash)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> int:
        return self._line.size

    async def hash(self, password: str, path: Path, is_gone: Callable[[], bool]) -> str:
        """Raises Busy if too many wait, ConnectionResetError if nobody waits for it any more."""
        return str(await self._run(Job(path, is_gone), hash_password, password))

    async def is_right(
        self, password_hash: str | None, password: str, path: Path, is_gone: Callable[[], bool]
    ) -> bool:
        """Raises Busy if too many wait, ConnectionResetError if nobody waits for it any more."""
        job = Job(path, is_gone)
        return bool(await self._run(job, password_is_right, password_hash, password))

    async def _run(self, job: "Job", function: Callable[..., Any], *args: Any) -> Any:
        self._enter(job)
        self._go_on()
        try:
            await job.turn
        except asyncio.CancelledError:
            if job.turn.cancelled():
                self._line.remove(job)
            else:
                self._finished()  # it was given its turn just now
            raise
        loop = asyncio.get_running_loop()
        running = self._pool.submit(function, *args)

        def finished(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
                loop.call_soon_threadsafe(self._finished)

        running.add_done_callback(finished)
        return await asyncio.wrap_future(running)

    def _enter(self, job: "Job") -> None:
        """Raises Busy."""
        is_full = self._line.size >= WAITING_MAX
        if is_full or self._line.size_of(job.path) >= WAITING_PER_BRANCH_MAX:
            for other in self._line.jobs():
                if other.is_gone():
                    self._line.remove(other)
                    other.turn.set_exception(ConnectionResetError("they left"))
        if self._line.size_of(job.path) >= WAITING_PER_BRANCH_MAX:
            raise _busy()
        self._line.push(job)
        if self._line.size > WAITING_MAX:
            last = self._line.last_of_most(job.path)
            self._line.remove(last)
            if last is job:
                raise _busy()
            last.turn.set_exception(_busy())

    def _finished(self) -> None:
        self._running -= 1
        self._go_on()

    def _go_on(self) -> None:
        while self._running < AT_ONCE and (job := self._line.next()):
            if job.is_gone():
                job.turn.set_exception(ConnectionResetError("they left"))
            else:
                self._running += 1
                job.turn.set_result(None)


def _busy() -> Busy:
    return Busy("Many people are signing in. Try again in a moment.", retry_after=3)


class Job:
    """Somebody's place in line."""

    __slots__ = ("is_gone", "path", "turn")

    def __init__(self, path: Path, is_gone: Callable[[], bool]) -> None:
        self.path = path
        self.is_gone = is_gone
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class FairQueue:
    """Jobs in line: the branches take turns, and so do the branches of each branch."""

    __slots__ = ("_branches", "_jobs", "size")

    def __init__(self) -> None:
        self.size = 0
        self._branches: OrderedDict[str, FairQueue] = OrderedDict()
        self._jobs: deque[Job] = deque()

    def push(self, job: Job, depth: int = 0) -> None:
        self.size += 1
        if depth == len(job.path):
            self._jobs.append(job)
        else:
            self._branches.setdefault(job.path[depth], FairQueue()).push(job, depth + 1)

    def next(self) -> Job | None:
        """Take out the job whose turn it is; None if there is none."""
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

    def remove(self, job: Job, depth: int = 0) -> None:
        """Take out this job, which is in line."""
        self.size -= 1
        if depth == len(job.path):
            self._jobs.remove(job)
            return
        branch = self._branches[job.path[depth]]
        branch.remove(job, depth + 1)
        if not branch.size:
            del self._branches[job.path[depth]]

    def size_of(self, path: Path) -> int:
        if not path:
            return self.size
        branch = self._branches.get(path[0])
        return branch.size_of(path[1:]) if branch else 0

    def last_of_most(self, path: Path) -> Job:
        """The latest job of the largest branch; of equally large ones, of that on this path."""
        if not self._branches:
            return self._jobs[-1]
        most = max(branch.size for branch in self._branches.values())
        largest = [key for key, branch in self._branches.items() if branch.size == most]
        key = path[0] if path and path[0] in largest else largest[0]
        return self._branches[key].last_of_most(path[1:] if path and key == path[0] else ())

    def jobs(self) -> list[Job]:
        branches = self._branches.values()
        return [*self._jobs, *(job for branch in branches for job in branch.jobs())]
