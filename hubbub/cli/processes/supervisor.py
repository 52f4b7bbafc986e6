"""Several processes that serve as one: the parent, which starts, watches and ends them."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec
import structlog
import typer

import hubbub
from hubbub import logs
from hubbub.cli.processes.backoff import Backoff
from hubbub.cli.processes.nats_server import NatsProcess
from hubbub.cli.processes.worker import (
    STOP_WITHIN_S,
    Failed,
    Heartbeat,
    Ready,
    Report,
    WorkerConfig,
    line_of,
    report_of,
)
from hubbub.model.errors import HubbubError
from hubbub.model.settings import Settings, Worker
from hubbub.store.data_folder import DataFolder

HANGS_AFTER_S = 30.0  # without a word; a worker says every two seconds that it is there

log = structlog.get_logger()


class WorkerError(HubbubError):
    """A worker ended when it should serve; the message says why."""

    code = "worker"
    title = "A worker ended."


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises HubbubError if not all workers can start."""
    logs.setup(settings.log_format)
    # The parent only waits: it needs neither uvloop nor any part of the server.
    asyncio.run(Supervisor(settings).run())


class ChildProcess:
    """One worker's process, from its start to its end."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer  # whose end tells the worker to stop

    @classmethod
    async def start(cls, config: WorkerConfig) -> "ChildProcess":
        ours, theirs = socket.socketpair()
        # First, so that there is no moment in which the process is there and nobody's.
        reader, writer = await asyncio.open_connection(sock=ours)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *_command(config.worker.number),
                stdin=theirs.fileno(),
                pass_fds=(config.worker.lock,),
                # Ctrl-C in a terminal is for the parent, which then stops all of them.
                start_new_session=True,
            )
        writer.write(line_of(config))
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> str:
        """Wait until it serves; its greeting. Raises WorkerError if it does not come to that."""
        said = await self._said()
        if isinstance(said, Ready):
            return said.greeting
        await self.stop()
        if isinstance(said, Failed):
            raise WorkerError(said.sentence)
        code = self._process.returncode
        raise WorkerError(f"A worker ended at its start, with exit code {code}; its log tells why.")

    async def ended(self) -> str:
        """Wait for its end, which comes to one that hangs as well; why it ended."""
        try:
            said = await self._last_word()
        except TimeoutError:
            log.error("a worker hangs and is killed", pid=self.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            said = None
        code = await self._process.wait()
        self._writer.close()
        return said.sentence if isinstance(said, Failed) else f"exit code {code}"

    async def _last_word(self) -> Report | None:
        """Listen until it ends. Raises TimeoutError if it says nothing for too long."""
        while True:
            async with asyncio.timeout(HANGS_AFTER_S):
                said = await self._said()
            if not isinstance(said, Heartbeat):
                return said

    async def _said(self) -> Report | None:
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        return report_of(line) if line.endswith(b"\n") else None

    async def stop(self) -> None:
        """Ask it to stop, and see that it does. Nothing if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._process.wait()
        except TimeoutError:
            log.error("a worker does not stop and is killed", pid=self.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._writer.close()


def _command(number: int) -> list[str]:
    """How a worker is started. The number is only for those who list processes."""
    home = Path(hubbub.__file__).parents[1]
    # Nothing is to be taken from the folder that somebody happens to be in, unless we are there.
    isolated = [] if home == Path.cwd() else ["-P"]
    return [sys.executable, *isolated, "-m", "hubbub.cli.processes.worker", str(number)]


class WorkerProcess:
    """The place of one worker, over all processes that have it."""

    def __init__(self, number: int, settings: Settings, lock: int) -> None:
        self._number = number
        self._settings = settings
        self._lock = lock
        self._child: ChildProcess | None = None
        self._children: set[ChildProcess] = set()  # for a moment there are two
        self._changing = asyncio.Lock()
        self._backoff = Backoff()

    async def start(self, *, greets: bool = False) -> str:
        """Start a worker, and wait until it serves; its greeting. Raises WorkerError."""
        worker = Worker(self._number, self._lock, greets)
        child = await ChildProcess.start(WorkerConfig(self._settings, worker))
        self._children.add(child)
        try:
            greeting = await child.ready()
        except WorkerError:
            self._children.discard(child)
            raise
        self._child = child
        return greeting

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    async def keep(self) -> None:
        """Start another whenever the worker ends. Until cancelled."""
        while True:
            child = self._child
            assert child
            why = await child.ended()
            async with self._changing:
                if child is self._child:
                    self._children.discard(child)
                    log.error("a worker ended", worker=self._number, pid=child.pid, error=why)
                    await self._start_again()

    async def _start_again(self) -> None:
        while True:
            await self._backoff.wait()
            try:
                await self.start()
            except WorkerError as error:
                log.error(
                    "a worker cannot be started again", worker=self._number, error=error.message
                )
            else:
                log.info("a worker is there again", worker=self._number, pid=self.pid)
                return

    async def replace(self) -> None:
        """Let the worker go once another serves in its place. Raises WorkerError; then it stays."""
        async with self._changing:
            before = self._child
            await self.start()
            if before:
                await before.stop()
                self._children.discard(before)
            log.info("a worker is new", worker=self._number, pid=self.pid)

    async def stop(self) -> None:
        await asyncio.gather(*(child.stop() for child in self._children))


class Supervisor:
    """All workers and the bus between them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = DataFolder(settings.data)
        self._bus = NatsProcess(settings.data) if settings.bus is None else None
        self._slots: list[WorkerProcess] = []
        self._stopping = asyncio.Event()
        self._renewal = asyncio.Event()
        self._had_terminal = _has_terminal()

    async def run(self) -> None:
        """Serve until a signal. Raises HubbubError if it cannot start."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        self._folder.prepare()
        self._folder.hold()
        work = asyncio.create_task(self._work())
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, stop):
                task.cancel()
            [ended, _] = await asyncio.gather(work, stop, return_exceptions=True)
            await self._stop()
        if isinstance(ended, Exception):
            raise ended

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                settings = self._settings
                if self._bus:
                    await self._bus.start()
                    group.create_task(self._bus.keep())
                    settings = msgspec.structs.replace(settings, bus=self._bus.url)
                await self._start(settings)
                for slot in self._slots:
                    group.create_task(slot.keep())
                group.create_task(self._renew())
        except ExceptionGroup as errors:
            raise _first_of(errors) from errors

    async def _start(self, settings: Settings) -> None:
        """The first worker alone: what hinders it would hinder all, and is to be said once."""
        lock = self._folder.locked
        self._slots = [WorkerProcess(n + 1, settings, lock) for n in range(settings.workers)]
        greeting = await self._slots[0].start(greets=True)
        async with asyncio.TaskGroup() as group:
            for slot in self._slots[1:]:
                group.create_task(slot.start())
        self._renewal.clear()
        with contextlib.suppress(OSError):  # whoever reads it may have gone
            typer.echo(greeting)
        pids = {f"worker_{n}": slot.pid for n, slot in enumerate(self._slots, 1)}
        log.info("all processes serve", **pids, **({"bus": self._bus.pid} if self._bus else {}))

    def _hang_up(self) -> None:
        """SIGHUP: somebody wants new workers, unless it says that the terminal was closed."""
        if self._had_terminal and not _has_terminal():
            self._stopping.set()
        else:
            self._renewal.set()

    async def _renew(self) -> None:
        """When asked, replace one worker after the other. Until cancelled."""
        while True:
            await self._renewal.wait()
            self._renewal.clear()
            log.info("restarting the workers one by one")
            try:
                for slot in self._slots:
                    await slot.replace()
            except WorkerError as error:
                log.error(
                    "a new worker cannot start: the others stay as they are", error=error.message
                )
            else:
                log.info("all workers are new")

    async def _stop(self) -> None:
        """All workers at once, and then what they need."""
        await asyncio.gather(*(slot.stop() for slot in self._slots))
        if self._bus:
            await self._bus.stop()
        for number in range(1, self._settings.workers + 1):
            self._folder.metrics_socket(number).unlink(missing_ok=True)
        self._folder.release()


def _first_of(errors: ExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
