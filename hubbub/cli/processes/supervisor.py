"""The parent of several worker processes: it starts, watches, restarts and stops them."""

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
    STOP_TIMEOUT_S,
    Failed,
    Heartbeat,
    Ready,
    Report,
    WorkerConfig,
    decode_report,
    to_line,
)
from hubbub.model.errors import HubbubError
from hubbub.model.settings import Settings, Worker
from hubbub.store.data_folder import DataFolder

REPORT_TIMEOUT_S = 30.0  # a worker sends a heartbeat every two seconds

log = structlog.get_logger()


class WorkerError(HubbubError):
    """A worker ended instead of serving; the message says why."""

    code = "worker"
    title = "A worker ended."


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises HubbubError if not all workers can start."""
    logs.setup(settings.log_format)
    # The parent only waits, so it needs neither uvloop nor the server's modules.
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
        self._writer = writer  # closing it tells the worker to stop

    @classmethod
    async def start(cls, config: WorkerConfig) -> "ChildProcess":
        ours, theirs = socket.socketpair()
        # Opened before the process starts, so that it never runs without a supervisor.
        reader, writer = await asyncio.open_connection(sock=ours)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *_command(config.worker.number),
                stdin=theirs.fileno(),
                pass_fds=(config.worker.lock,),
                # Ctrl-C in a terminal must only reach the parent, which then stops all workers.
                start_new_session=True,
            )
        writer.write(to_line(config))
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_ready(self) -> str:
        """Wait until it serves, and return its greeting. Raises WorkerError if it fails."""
        report = await self._read_report()
        if isinstance(report, Ready):
            return report.greeting
        await self.stop()
        if isinstance(report, Failed):
            raise WorkerError(report.sentence)
        code = self._process.returncode
        raise WorkerError(f"A worker ended as it started, with exit code {code}. Its log says why.")

    async def wait_ended(self) -> str:
        """Wait for its end and return the reason. A worker that hangs is killed."""
        try:
            report = await self._last_report()
        except TimeoutError:
            log.error("a worker hangs and is killed", pid=self.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            report = None
        code = await self._process.wait()
        self._writer.close()
        return report.sentence if isinstance(report, Failed) else f"exit code {code}"

    async def _last_report(self) -> Report | None:
        """Read the report after the heartbeats. Raises TimeoutError if none comes for too long."""
        while True:
            async with asyncio.timeout(REPORT_TIMEOUT_S):
                report = await self._read_report()
            if not isinstance(report, Heartbeat):
                return report

    async def _read_report(self) -> Report | None:
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        return decode_report(line) if line.endswith(b"\n") else None

    async def stop(self) -> None:
        """Ask it to stop, and kill it if it does not. Does nothing if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            log.error("a worker does not stop and is killed", pid=self.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._writer.close()


def _command(number: int) -> list[str]:
    """The command line of a worker. The number only identifies it in lists of processes."""
    home = Path(hubbub.__file__).parents[1]
    # With -P no module is imported from the current folder, unless Hubbub itself is there.
    isolated = [] if home == Path.cwd() else ["-P"]
    return [sys.executable, *isolated, "-m", "hubbub.cli.processes.worker", str(number)]


class WorkerProcess:
    """One worker, across its restarts as different processes."""

    def __init__(self, number: int, settings: Settings, lock: int) -> None:
        self._number = number
        self._settings = settings
        self._lock = lock
        self._child: ChildProcess | None = None
        self._children: set[ChildProcess] = set()  # two while one replaces the other
        self._replacing = asyncio.Lock()
        self._backoff = Backoff()

    async def start(self, *, makes_owner_link: bool = False) -> str:
        """Start a worker, wait until it serves, and return its greeting. Raises WorkerError."""
        worker = Worker(self._number, self._lock, makes_owner_link)
        child = await ChildProcess.start(WorkerConfig(self._settings, worker))
        self._children.add(child)
        try:
            greeting = await child.wait_ready()
        except WorkerError:
            self._children.discard(child)
            raise
        self._child = child
        return greeting

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    async def watch(self) -> None:
        """Restart the worker whenever it ends, until cancelled."""
        while True:
            child = self._child
            assert child
            why = await child.wait_ended()
            async with self._replacing:
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
                log.info("a worker was restarted", worker=self._number, pid=self.pid)
                return

    async def replace(self) -> None:
        """Stop the worker once a new one serves. Raises WorkerError; then the old one stays."""
        async with self._replacing:
            old = self._child
            await self.start()
            if old:
                await old.stop()
                self._children.discard(old)
            log.info("a worker was replaced", worker=self._number, pid=self.pid)

    async def stop(self) -> None:
        await asyncio.gather(*(child.stop() for child in self._children))


class Supervisor:
    """Runs all workers and the bus between them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = DataFolder(settings.data)
        self._bus = NatsProcess(settings.data) if settings.bus is None else None
        self._workers: list[WorkerProcess] = []
        self._stopping = asyncio.Event()
        self._restart_requested = asyncio.Event()
        self._had_terminal = _has_terminal()

    async def run(self) -> None:
        """Serve until a signal. Raises HubbubError if it cannot start."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        self._folder.prepare()
        self._folder.require_lock()
        serving = asyncio.create_task(self._serve())
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (serving, stop):
                task.cancel()
            [outcome, _] = await asyncio.gather(serving, stop, return_exceptions=True)
            await self._stop()
        if isinstance(outcome, Exception):
            raise outcome

    async def _serve(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                settings = self._settings
                if self._bus:
                    await self._bus.start()
                    group.create_task(self._bus.watch())
                    settings = msgspec.structs.replace(settings, bus=self._bus.url)
                await self._start(settings)
                for worker in self._workers:
                    group.create_task(worker.watch())
                group.create_task(self._restart_on_request())
        except ExceptionGroup as errors:
            raise _first_of(errors) from errors

    async def _start(self, settings: Settings) -> None:
        """Start the first worker alone, so that an error that all would have is reported once."""
        lock = self._folder.lock_file
        self._workers = [WorkerProcess(n + 1, settings, lock) for n in range(settings.workers)]
        greeting = await self._workers[0].start(makes_owner_link=True)
        async with asyncio.TaskGroup() as group:
            for worker in self._workers[1:]:
                group.create_task(worker.start())
        self._restart_requested.clear()
        with contextlib.suppress(OSError):  # stdout may be closed
            typer.echo(greeting)
        pids = {f"worker_{n}": worker.pid for n, worker in enumerate(self._workers, 1)}
        log.info("all workers are serving", **pids, **({"bus": self._bus.pid} if self._bus else {}))

    def _on_hangup(self) -> None:
        """Handle SIGHUP: stop if the terminal was closed, else restart the workers."""
        if self._had_terminal and not _has_terminal():
            self._stopping.set()
        else:
            self._restart_requested.set()

    async def _restart_on_request(self) -> None:
        """Replace the workers one by one whenever a restart is requested, until cancelled."""
        while True:
            await self._restart_requested.wait()
            self._restart_requested.clear()
            log.info("restarting the workers one by one")
            try:
                for worker in self._workers:
                    await worker.replace()
            except WorkerError as error:
                log.error("a new worker cannot start, so the old ones stay", error=error.message)
            else:
                log.info("all workers were replaced")

    async def _stop(self) -> None:
        """Stop all workers at the same time, and then the bus."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))
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
