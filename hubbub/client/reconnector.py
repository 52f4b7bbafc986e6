"""Reconnector: reconnects, and keeps the client's state up to date."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from hubbub.client.backoff import CLOSE_POLICY, CLOSE_SIGN_IN_AGAIN, Backoff
from hubbub.client.state import ClientState
from hubbub.client.transport import Disconnected, Transport, open_transport
from hubbub.model.accounts import About, Welcome
from hubbub.model.base import Command, Event
from hubbub.model.errors import (
    Forbidden,
    HubbubError,
    Malformed,
    NotFound,
    NotMember,
    SignInRequired,
    WrongHost,
)
from hubbub.model.messages import Reset, Synced
from hubbub.model.reading import Behind, Notice

# An upgrade refused with one of these statuses is retried; with another 4xx it is not.
_RETRYABLE_STATUSES = frozenset({408, 425, 429})
_UPGRADE_ERRORS: dict[int, type[HubbubError]] = {
    401: SignInRequired,
    403: Forbidden,
    404: NotFound,
    421: WrongHost,
}
_SYNC_PROGRESS = (Behind, Synced)  # not news themselves, unlike the changes that they announce

log = logging.getLogger("hubbub.client")


class Closed(HubbubError):
    """The ``async with`` block of this client has ended."""

    code = "closed"
    title = "This client has been closed."


class Reconnector:
    """Keeps one `Transport` open, and replaces it until the server refuses the client.

    ``on_news`` is called for each event that is news; ``wake_readers`` whenever the state has
    changed, and at the end.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        token: str,
        backoff: Backoff,
        state: ClientState,
        on_news: Callable[[Event], None],
        wake_readers: Callable[[], None],
    ) -> None:
        self._session = session
        self._url = url
        self._token = token
        self._backoff = backoff
        self._state = state
        self._on_news = on_news
        self._wake_readers = wake_readers
        self._transport: Transport | None = None
        self._end: HubbubError | None = None
        self._connected_or_ended = asyncio.Event()
        self._is_welcome = False
        self._failures = 0
        self._retry_after_s: float | None = None
        self._changed = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return self._transport is not None

    async def wait_connected(self) -> Transport:
        """Wait for the connection, and return it. Raises the error that ended the client."""
        while self._transport is None:
            self.check()
            await self._connected_or_ended.wait()
        return self._transport

    def on_lost(self, transport: Transport) -> None:
        """This transport has failed."""
        if self._transport is transport:
            self._transport = None
            self._connected_or_ended.clear()

    def check(self) -> None:
        """Raise the error that ended the client, if it has ended."""
        if self._end is not None:
            raise self._end

    async def send(self, command: Command) -> None:
        """Send a command that has no reply; without a connection it is lost."""
        if self._transport is None:
            return
        try:
            await self._transport.send(command)
        except Disconnected:
            log.debug("“%s” was lost with the connection", command.word())

    def pause_s(self, error: HubbubError) -> float:
        """The delay before the next try, with jitter."""
        return (error.retry_after or 1.0) * (1 + self._backoff.random() / 2)

    async def run(self) -> None:
        """Connect repeatedly until the server refuses the client for good."""
        try:
            while True:
                code = await self._connect()
                delay_s = self._backoff.delay_s(self._failures, self._retry_after_s, code)
                self._failures += 1
                self._retry_after_s = None
                log.info("no connection to %s; retrying in %.1f s", self._url, delay_s)
                await asyncio.sleep(delay_s)
        except HubbubError as error:
            self._finish(error)
        except msgspec.DecodeError as error:
            self._finish(Malformed(f"{self._url} sends frames of another protocol: {error}."))
        finally:
            self._finish(Closed())

    def _finish(self, error: HubbubError) -> None:
        """Stop retrying; all waiting and later calls raise the first error."""
        self._end = self._end or error
        self._transport = None
        self._connected_or_ended.set()
        self._wake_readers()

    async def _connect(self) -> int | None:
        """Connect once, serve the connection to its end, and return its close code.

        Raises HubbubError if the server refuses this client or its token.
        """
        try:
            transport = await open_transport(
                self._session, self._url, self._token, self._on_event, self._on_reply
            )
        except aiohttp.WSServerHandshakeError as error:
            self._on_upgrade_refused(error)
            return None
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("%s cannot be reached: %s", self._url, str(error) or "no answer")
            return None
        await self._serve(transport)
        if transport.close_code == CLOSE_SIGN_IN_AGAIN:
            raise SignInRequired("This session has ended. Sign in again.")
        if transport.close_code == CLOSE_POLICY:
            raise Forbidden("The server has closed the connection for good.")
        return transport.close_code

    def _on_upgrade_refused(self, error: aiohttp.WSServerHandshakeError) -> None:
        if 400 <= error.status < 500 and error.status not in _RETRYABLE_STATUSES:
            raise _UPGRADE_ERRORS.get(error.status, HubbubError)() from error
        after = error.headers.get("Retry-After", "") if error.headers else ""
        self._retry_after_s = float(after) if after.isdecimal() else None
        log.warning("%s refused the connection (%d)", self._url, error.status)

    async def _serve(self, transport: Transport) -> None:
        """Read until the connection ends, and meanwhile keep the state synced."""
        sync_task = asyncio.create_task(self._keep_synced(transport))
        try:
            await transport.read()
        finally:
            self.on_lost(transport)
            self._is_welcome = False
            self._state.on_disconnected()
            sync_task.cancel()
            (outcome,) = await asyncio.gather(sync_task, return_exceptions=True)
            await transport.close()
        if isinstance(outcome, Exception):
            raise outcome

    async def _keep_synced(self, transport: Transport) -> None:
        """Send hello, and request missing changes until the connection ends."""
        try:
            await self._send_hello(transport)
            while True:
                await self._request_missing(transport)
        except Disconnected:
            return  # the reading task notices it, too
        except HubbubError as error:
            if error.status in (401, 403):
                raise
            self._retry_after_s = error.retry_after
        finally:
            await transport.close()

    async def _send_hello(self, transport: Transport) -> None:
        await transport.ask(self._state.hello())
        self._failures = 0
        self._transport = transport
        self._connected_or_ended.set()
        # Its reply comes after all events of the welcome.
        await transport.ask(About())
        self._state.on_welcome_complete()
        self._wake_readers()

    async def _request_missing(self, transport: Transport) -> None:
        self._changed.clear()
        query = self._state.next_query()
        if query is None:
            await self._changed.wait()
            return
        try:
            await transport.ask(query)
        except Disconnected:
            raise
        except HubbubError as error:
            is_gone = isinstance(error, NotFound | Forbidden | NotMember)
            self._state.on_refused(query, gone=is_gone)
            if not is_gone:
                await asyncio.sleep(self.pause_s(error))
        self._on_change()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Notice) and event.retry_after is not None:
            self._retry_after_s = event.retry_after
        # Events before the welcome are already part of it.
        if self._is_welcome and self._state.apply(event) and not isinstance(event, _SYNC_PROGRESS):
            self._on_news(event)
        self._on_change()

    def _on_reply(self, command: Command, reply: Any) -> None:
        if isinstance(reply, Welcome):
            self._welcome(reply)
        else:
            self._state.on_reply(command, reply)
        self._on_change()

    def _welcome(self, welcome: Welcome) -> None:
        known, before = self._state.epoch, list(self._state.rooms)
        self._state.on_welcome(welcome)
        self._is_welcome = True
        if known not in (None, welcome.epoch):
            for room in before:
                self._on_news(Reset(room=room))

    def _on_change(self) -> None:
        self._changed.set()
        self._wake_readers()
