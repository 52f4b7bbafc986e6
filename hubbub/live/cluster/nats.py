"""NATS as the bus. Loaded only by those who use it.

Reconnecting is done here and not by the library: with a server that is frozen the library would
wait for it to take what was written before it looks for another connection.
"""

import asyncio
import contextlib
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

from hubbub.live.cluster.bus import PAYLOAD_BYTES, BusError, BusMetrics, Received

CONNECT_WITHIN_S = 3
BEATS_EVERY_S = 1.0
ANSWERS_WITHIN_S = 2.0  # or it is taken for dead
RECONNECT_AFTER_S = (0.1, 0.5)  # at random between them, so that nodes do not come all at once
OUTGOING_MAX = 10_000  # payloads that wait to be written; further ones are dropped
INCOMING_MAX = 10_000  # payloads of one subject that wait to be read; likewise
INCOMING_BYTES = 32 * 1024 * 1024
CLOSES_WITHIN_S = 2.0

# All that the library raises when the server, the network or its own buffers fail.
FAILURES = (OSError, TimeoutError, nats.errors.Error)

log = structlog.get_logger()


class NatsBus:
    """One connection, kept up for as long as the node runs."""

    def __init__(self, url: str, name: str) -> None:
        """``name`` is shown by the server's own tools."""
        self.metrics = BusMetrics()
        self.received: Received = lambda subject, payload: None
        self.connected: Callable[[], None] = lambda: None
        self._url = url
        self._name = name
        self._where = without_password(url)
        self._client: Client | None = None
        self._watched: set[str] = set()
        self._changed: set[str] = set()  # what the server is still to be told of
        self._subscriptions: dict[str, Subscription] = {}
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._awake = asyncio.Event()
        self._lost = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    async def start(self) -> None:
        try:
            client = await self._connect()
        except FAILURES as error:
            await asyncio.gather(*self._ending, return_exceptions=True)
            raise BusError(why_not(self._where, error)) from error
        if client.max_payload < PAYLOAD_BYTES * 2:
            await client.close()
            raise BusError(
                f"{self._where} takes messages of {client.max_payload} bytes only. "
                f"Set its max_payload to {PAYLOAD_BYTES * 4} or more."
            )
        self._use(client)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep_up()), loop.create_task(self._write())]

    async def stop(self) -> None:
        """What was published before is still sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client:
            with contextlib.suppress(TimeoutError, *FAILURES):
                async with asyncio.timeout(CLOSES_WITHIN_S):
                    await self._write_all(client)
                    await client.flush()
            self._abandon(client)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def watch(self, subject: str) -> None:
        self._watched.add(subject)
        self._change(subject)

    def unwatch(self, subject: str) -> None:
        self._watched.discard(subject)
        self._change(subject)

    def _change(self, subject: str) -> None:
        self._changed.add(subject)
        self._awake.set()

    def publish(self, subject: str, payload: bytes) -> None:
        if self._client is None or len(self._outgoing) >= OUTGOING_MAX:
            self.metrics.dropped += 1
            return
        self._outgoing.append((subject, payload))
        self._awake.set()

    # The connection

    async def _connect(self) -> Client:
        client = Client()

        async def lost(error: Exception | None = None) -> None:
            if self._client is client:
                self._lost.set()

        async def failed(error: Exception) -> None:
            """The library tells of each thing that goes wrong; what ends it is told to `lost`."""
            if isinstance(error, nats.errors.SlowConsumerError):
                self.metrics.dropped += 1

        user, password, token = _tokens(self._url)
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await client.connect(
                    self._url,
                    user=user,
                    password=password,
                    token=token,
                    name=self._name,
                    no_echo=True,
                    allow_reconnect=False,
                    connect_timeout=CONNECT_WITHIN_S,
                    error_cb=failed,
                    disconnected_cb=lost,
                    closed_cb=lost,
                )
        except FAILURES as error:
            self._abandon(client)
            # The library tries again by itself; what it met says more than that time is over.
            raise client.last_error or error from error
        return client

    def _use(self, client: Client) -> None:
        self._client = client
        self._lost.clear()
        self._subscriptions = {}
        self._changed = set(self._watched)
        self._outgoing.clear()  # of another time: the database has it
        self._awake.set()
        self.connected()

    async def _keep_up(self) -> None:
        """Notice when the connection is dead, and make another, for ever."""
        while True:
            client = self._client
            assert client
            await self._watch_over(client)
            log.warning("the bus is lost: events of other nodes come late", bus=self._where)
            self._client = None
            self._abandon(client)
            while not self.is_connected:
                await asyncio.sleep(random.uniform(*RECONNECT_AFTER_S))
                await self._try_again()
            log.info("the bus is back", bus=self._where)

    async def _try_again(self) -> None:
        try:
            self._use(await self._connect())
        except FAILURES:
            pass  # it is still away
        except Exception:
            # Whatever the library met: to try for ever is all that is left.
            log.exception("connecting to the bus failed", bus=self._where)

    async def _watch_over(self, client: Client) -> None:
        """Until it does not answer any more."""
        while True:
            started = time.perf_counter()
            try:
                # Ends by itself even if we are told to stop: the library cannot take an answer
                # for which nobody waits any more, and would read nothing after it.
                await asyncio.shield(self._owned(_beat(client)))
            except FAILURES:
                return
            self.metrics.lag_s = time.perf_counter() - started
            with contextlib.suppress(TimeoutError):
                # Not `wait_for`, which until Python 3.12 may forget that it was cancelled.
                async with asyncio.timeout(BEATS_EVERY_S):
                    await self._lost.wait()
            if self._lost.is_set():
                return

    def _abandon(self, client: Client) -> None:
        """Close it, and wait for that no longer than is sensible: the other side may be frozen."""

        async def close() -> None:
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(CLOSES_WITHIN_S):
                    await client.close()

        self._owned(close())

    def _owned(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Something that ends soon, and that a stop waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    # What goes over it

    async def _write(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            client = self._client
            if client is None:
                continue
            try:
                await self._write_all(client)
            except FAILURES:
                self._lost.set()
            except Exception:
                log.exception("writing to the bus failed", bus=self._where)
                self._lost.set()

    async def _write_all(self, client: Client) -> None:
        while self._changed:
            await self._tell(client, self._changed.pop())
        while self._outgoing:
            subject, payload = self._outgoing.popleft()
            await client.publish(subject, payload)
            self.metrics.published += 1
            self.metrics.published_bytes += len(payload)

    async def _tell(self, client: Client, subject: str) -> None:
        """Tell the server whether we want to hear of a subject."""
        if subject in self._watched and subject not in self._subscriptions:
            self._subscriptions[subject] = await client.subscribe(
                subject,
                cb=self._receive,
                pending_msgs_limit=INCOMING_MAX,
                pending_bytes_limit=INCOMING_BYTES,
            )
        elif subject not in self._watched and subject in self._subscriptions:
            await self._subscriptions.pop(subject).unsubscribe()

    async def _receive(self, message: Msg) -> None:
        self.metrics.received += 1
        self.received(message.subject, message.data)


def _tokens(url: str) -> tuple[str | None, str | None, str | None]:
    """User, password and token of an address, decoded, which the library does not do."""
    parts = urlsplit(url)
    name = unquote(parts.username) if parts.username else None
    if parts.password is None:
        return None, None, name
    return name, unquote(parts.password), None


async def _beat(client: Client) -> None:
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        await client.flush(timeout=int(ANSWERS_WITHIN_S))


def without_password(url: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def why_not(where: str, error: Exception) -> str:
    """One sentence on why the bus cannot be used, and what to do."""
    said = str(error).lower()
    if "authorization" in said or "authentication" in said:
        return f"{where} refuses the password. Look at --bus (or HUBBUB_BUS)."
    cause = error.strerror if isinstance(error, OSError) and error.strerror else None
    if isinstance(error, TimeoutError):
        cause = "it does not answer"
    return (
        f"{where} cannot be reached ({cause or str(error) or type(error).__name__}). "
        "Is --bus right, and does it run?"
    )
