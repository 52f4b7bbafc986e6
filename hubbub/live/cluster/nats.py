"""NATS as the bus. It is imported only when the settings name a bus.

Reconnecting is done here and not by the library: if the server is frozen, the library waits for
it to take what was written before it makes another connection.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from urllib.parse import unquote, urlsplit

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from hubbub.live.cluster.bus import PAYLOAD_BYTES, BusError, BusMetrics, MessageHandler

CONNECT_TIMEOUT_S = 3
HEARTBEAT_EVERY_S = 1.0
HEARTBEAT_TIMEOUT_S = 2.0  # without an answer the connection counts as lost
RECONNECT_AFTER_S = (0.1, 0.5)  # a random time in this range, so that nodes spread out
OUTGOING_MAX = 10_000  # payloads that wait to be written; further ones are dropped
INCOMING_MAX = 10_000  # payloads of one subject that wait to be read; further ones are dropped
INCOMING_BYTES = 32 * 1024 * 1024
CLOSE_TIMEOUT_S = 2.0

# Everything that the library raises when the server, the network or its own buffers fail.
FAILURES = (OSError, TimeoutError, nats.errors.Error)

log = structlog.get_logger()


class NatsBus:
    """One connection, kept open for as long as the node runs."""

    def __init__(self, url: str, name: str) -> None:
        """``name`` is the client name that the NATS server's tools show."""
        self.metrics = BusMetrics()
        self.on_message: MessageHandler = lambda subject, payload: None
        self.on_connect: Callable[[], None] = lambda: None
        self._url = url
        self._name = name
        self._address = without_password(url)
        self._client: Client | None = None
        self._subjects: set[str] = set()
        self._changed_subjects: set[str] = set()  # subjects to subscribe or unsubscribe
        self._subscriptions: dict[str, Subscription] = {}
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._writer_wakeup = asyncio.Event()
        self._lost = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing_tasks: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    async def start(self) -> None:
        try:
            client = await self._connect()
        except FAILURES as error:
            await asyncio.gather(*self._closing_tasks, return_exceptions=True)
            raise BusError(connection_error(self._address, error)) from error
        if client.max_payload < PAYLOAD_BYTES * 2:
            await client.close()
            raise BusError(
                f"{self._address} takes messages of {client.max_payload} bytes only. "
                f"Set its max_payload to {PAYLOAD_BYTES * 4} or more."
            )
        self._use(client)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep_connected()), loop.create_task(self._write())]

    async def stop(self) -> None:
        """Send what has been published, and disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client:
            with contextlib.suppress(TimeoutError, *FAILURES):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._write_all(client)
                    await client.flush()
            self._abandon(client)
        await asyncio.gather(*self._closing_tasks, return_exceptions=True)

    def subscribe(self, subject: str) -> None:
        self._subjects.add(subject)
        self._mark_changed(subject)

    def unsubscribe(self, subject: str) -> None:
        self._subjects.discard(subject)
        self._mark_changed(subject)

    def _mark_changed(self, subject: str) -> None:
        self._changed_subjects.add(subject)
        self._writer_wakeup.set()

    def publish(self, subject: str, payload: bytes) -> None:
        if self._client is None or len(self._outgoing) >= OUTGOING_MAX:
            self.metrics.dropped += 1
            return
        self._outgoing.append((subject, payload))
        self._writer_wakeup.set()

    # The connection

    async def _connect(self) -> Client:
        client = Client()

        async def on_lost(error: Exception | None = None) -> None:
            if self._client is client:
                self._lost.set()

        async def on_error(error: Exception) -> None:
            """Called by the library for each error; if the connection ends, so is `on_lost`."""
            if isinstance(error, nats.errors.SlowConsumerError):
                self.metrics.dropped += 1

        user, password, token = _credentials(self._url)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await client.connect(
                    self._url,
                    user=user,
                    password=password,
                    token=token,
                    name=self._name,
                    no_echo=True,
                    allow_reconnect=False,
                    connect_timeout=CONNECT_TIMEOUT_S,
                    error_cb=on_error,
                    disconnected_cb=on_lost,
                    closed_cb=on_lost,
                )
        except FAILURES as error:
            self._abandon(client)
            # The library retries by itself; the error it met says more than the timeout does.
            raise client.last_error or error from error
        return client

    def _use(self, client: Client) -> None:
        self._client = client
        self._lost.clear()
        self._subscriptions = {}
        self._changed_subjects = set(self._subjects)
        self._outgoing.clear()  # outdated by now; the other nodes read it from the database
        self._writer_wakeup.set()
        self.on_connect()

    async def _keep_connected(self) -> None:
        """Reconnect whenever the connection is lost, until cancelled."""
        while True:
            client = self._client
            assert client
            await self._heartbeat_until_lost(client)
            log.warning(
                "the bus connection was lost: events from other nodes are delayed",
                bus=self._address,
            )
            self._client = None
            self._abandon(client)
            while not self.is_connected:
                await asyncio.sleep(random.uniform(*RECONNECT_AFTER_S))
                await self._try_to_reconnect()
            log.info("the bus is back", bus=self._address)

    async def _try_to_reconnect(self) -> None:
        try:
            self._use(await self._connect())
        except FAILURES:
            pass  # the server still cannot be reached
        except Exception:
            # Even after an unexpected error of the library the next attempt must follow.
            log.exception("connecting to the bus failed", bus=self._address)

    async def _heartbeat_until_lost(self, client: Client) -> None:
        """Measure the server's answer times until it no longer answers."""
        while True:
            started = time.perf_counter()
            try:
                # The heartbeat finishes even if this task is cancelled: the library cannot handle
                # an answer that is no longer awaited, and would read nothing after it.
                await asyncio.shield(self._start_task(_heartbeat(client)))
            except FAILURES:
                return
            self.metrics.lag_s = time.perf_counter() - started
            with contextlib.suppress(TimeoutError):
                # Not `wait_for`, which until Python 3.12 may lose a cancellation.
                async with asyncio.timeout(HEARTBEAT_EVERY_S):
                    await self._lost.wait()
            if self._lost.is_set():
                return

    def _abandon(self, client: Client) -> None:
        """Close the client in the background, with a timeout as the server may be frozen."""

        async def close() -> None:
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await client.close()

        self._start_task(close())

    def _start_task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start a short task that `stop` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._closing_tasks.add(task)
        task.add_done_callback(self._closing_tasks.discard)
        return task

    # Reading and writing

    async def _write(self) -> None:
        while True:
            await self._writer_wakeup.wait()
            self._writer_wakeup.clear()
            client = self._client
            if client is None:
                continue
            try:
                await self._write_all(client)
            except FAILURES:
                self._lost.set()
            except Exception:
                log.exception("writing to the bus failed", bus=self._address)
                self._lost.set()

    async def _write_all(self, client: Client) -> None:
        while self._changed_subjects:
            await self._update_subscription(client, self._changed_subjects.pop())
        while self._outgoing:
            subject, payload = self._outgoing.popleft()
            await client.publish(subject, payload)
            self.metrics.published += 1
            self.metrics.published_bytes += len(payload)

    async def _update_subscription(self, client: Client, subject: str) -> None:
        """Subscribe or unsubscribe at the server, if that is needed."""
        if subject in self._subjects and subject not in self._subscriptions:
            self._subscriptions[subject] = await client.subscribe(
                subject,
                cb=self._on_message,
                pending_msgs_limit=INCOMING_MAX,
                pending_bytes_limit=INCOMING_BYTES,
            )
        elif subject not in self._subjects and subject in self._subscriptions:
            await self._subscriptions.pop(subject).unsubscribe()

    async def _on_message(self, message: Msg) -> None:
        self.metrics.received += 1
        self.on_message(message.subject, message.data)


def _credentials(url: str) -> tuple[str | None, str | None, str | None]:
    """The user, password and token in a URL, decoded, which the library does not do."""
    parts = urlsplit(url)
    user_or_token = unquote(parts.username) if parts.username else None
    if parts.password is None:
        return None, None, user_or_token
    return user_or_token, unquote(parts.password), None


def _is_no_late_reply(record: logging.LogRecord) -> bool:
    """Drop the library's traceback for the reply to a heartbeat that has already timed out."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.InvalidStateError)


logging.getLogger("nats.aio.client").addFilter(_is_no_late_reply)


async def _heartbeat(client: Client) -> None:
    async with asyncio.timeout(HEARTBEAT_TIMEOUT_S):
        await client.flush(timeout=int(HEARTBEAT_TIMEOUT_S))


def without_password(url: str) -> str:
    """The URL without its user, password and path, for logs and messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def connection_error(address: str, error: Exception) -> str:
    """A message that says why the bus cannot be used, and what to do."""
    reason = str(error).lower()
    if "authorization" in reason or "authentication" in reason:
        return f"{address} refuses the password. Check --bus (or HUBBUB_BUS)."
    cause = error.strerror if isinstance(error, OSError) and error.strerror else None
    if isinstance(error, TimeoutError):
        cause = "it does not answer"
    return (
        f"{address} cannot be reached ({cause or str(error) or type(error).__name__}). "
        "Is --bus right, and is the NATS server running?"
    )
