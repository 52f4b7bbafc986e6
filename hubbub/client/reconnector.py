"""Line: the connection that comes back, and keeps what is known up to date."""

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

# An upgrade refused with one of these may be let through later; with another 4xx it is not.
_PASSING = frozenset({408, 425, 429})
_REFUSED: dict[int, type[HubbubError]] = {
    401: SignInRequired,
    403: Forbidden,
    404: NotFound,
    421: WrongHost,
}
_NOT_TOLD = (Behind, Synced)  # how catching up goes; what it brings is told

log = logging.getLogger("hubbub.client")


class Closed(HubbubError):
    """The ``async with`` of this client has been left."""

    code = "closed"
    title = "This client has been closed."


class Reconnector:
    """At most one `Transport` at a time, and a new one after it until the server wants none.

    ``happened`` is called for each event that is news, ``wake`` whenever more is known than
    before, or nothing will come any more.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        token: str,
        backoff: Backoff,
        state: ClientState,
        happened: Callable[[Event], None],
        wake: Callable[[], None],
    ) -> None:
        self._session = session
        self._url = url
        self._token = token
        self._backoff = backoff
        self._state = state
        self._happened = happened
        self._tell_readers = wake
        self._transport: Transport | None = None
        self._end: HubbubError | None = None
        self._linked_or_ended = asyncio.Event()
        self._is_welcome = False
        self._failures = 0
        self._come_back_after_s: float | None = None
        self._news = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return self._transport is not None

    async def transport(self) -> Transport:
        """The connection, once there is one. Raises the error with which the line has ended."""
        while self._transport is None:
            self.check()
            await self._linked_or_ended.wait()
        return self._transport

    def lost(self, transport: Transport) -> None:
        """This one is of no more use."""
        if self._transport is transport:
            self._transport = None
            self._linked_or_ended.clear()

    def check(self) -> None:
        """Raises the error with which the line has ended, if it has."""
        if self._end is not None:
            raise self._end

    async def tell(self, command: Command) -> None:
        """Send what is not answered, or lose it without a connection."""
        if self._transport is None:
            return
        try:
            await self._transport.tell(command)
        except Disconnected:
            log.debug("“%s” was lost with the connection", command.word())

    def pause_s(self, error: HubbubError) -> float:
        """How long to wait before the next try, jittered."""
        return (error.retry_after or 1.0) * (1 + self._backoff.random() / 2)

    async def run(self) -> None:
        """Connect, again and again, until the server says not to come back."""
        try:
            while True:
                code = await self._connect()
                delay_s = self._backoff.delay_s(self._failures, self._come_back_after_s, code)
                self._failures += 1
                self._come_back_after_s = None
                log.info("no connection to %s; trying again in %.1f s", self._url, delay_s)
                await asyncio.sleep(delay_s)
        except HubbubError as error:
            self._finish(error)
        except msgspec.DecodeError as error:
            self._finish(Malformed(f"{self._url} sends what is not understood here: {error}."))
        finally:
            self._finish(Closed())

    def _finish(self, error: HubbubError) -> None:
        """No further attempt: everyone who waits gets the error, the first one for good."""
        self._end = self._end or error
        self._transport = None
        self._linked_or_ended.set()
        self._tell_readers()

    async def _connect(self) -> int | None:
        """One attempt, and the connection to its end; its close code.

        Raises HubbubError if the server does not want us, or not as who we are.
        """
        try:
            transport = await open_transport(
                self._session, self._url, self._token, self._on_event, self._on_reply
            )
        except aiohttp.WSServerHandshakeError as error:
            self._not_let_in(error)
            return None
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("%s cannot be reached: %s", self._url, str(error) or "no answer")
            return None
        await self._live(transport)
        if transport.close_code == CLOSE_SIGN_IN_AGAIN:
            raise SignInRequired("This session has ended. Sign in again.")
        if transport.close_code == CLOSE_POLICY:
            raise Forbidden("The server has closed the connection for good.")
        return transport.close_code

    def _not_let_in(self, error: aiohttp.WSServerHandshakeError) -> None:
        if 400 <= error.status < 500 and error.status not in _PASSING:
            raise _REFUSED.get(error.status, HubbubError)() from error
        after = error.headers.get("Retry-After", "") if error.headers else ""
        self._come_back_after_s = float(after) if after.isdecimal() else None
        log.warning("%s refused the connection (%d)", self._url, error.status)

    async def _live(self, transport: Transport) -> None:
        """Read until the connection ends, and keep up meanwhile."""
        keeper = asyncio.create_task(self._keep_up(transport))
        try:
            await transport.read()
        finally:
            self.lost(transport)
            self._is_welcome = False
            self._state.disconnected()
            keeper.cancel()
            (outcome,) = await asyncio.gather(keeper, return_exceptions=True)
            await transport.close()
        if isinstance(outcome, Exception):
            raise outcome

    async def _keep_up(self, transport: Transport) -> None:
        """Say hello, and ask for what is missing as long as the connection lasts."""
        try:
            await self._greet(transport)
            while True:
                await self._ask_for_what_is_missing(transport)
        except Disconnected:
            return  # whoever reads has noticed, too
        except HubbubError as error:
            if error.status in (401, 403):
                raise
            self._come_back_after_s = error.retry_after
        finally:
            await transport.close()

    async def _greet(self, transport: Transport) -> None:
        await transport.ask(self._state.hello())
        self._failures = 0
        self._transport = transport
        self._linked_or_ended.set()
        # Its answer comes after all that the welcome brings.
        await transport.ask(About())
        self._state.welcome_over()
        self._tell_readers()

    async def _ask_for_what_is_missing(self, transport: Transport) -> None:
        self._news.clear()
        query = self._state.next_query()
        if query is None:
            await self._news.wait()
            return
        try:
            await transport.ask(query)
        except Disconnected:
            raise
        except HubbubError as error:
            is_gone = isinstance(error, NotFound | Forbidden | NotMember)
            self._state.refused(query, gone=is_gone)
            if not is_gone:
                await asyncio.sleep(self.pause_s(error))
        self._wake()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Notice) and event.retry_after is not None:
            self._come_back_after_s = event.retry_after
        # What comes before the welcome is in it.
        if self._is_welcome and self._state.apply(event) and not isinstance(event, _NOT_TOLD):
            self._happened(event)
        self._wake()

    def _on_reply(self, command: Command, reply: Any) -> None:
        if isinstance(reply, Welcome):
            self._welcome(reply)
        else:
            self._state.replied(command, reply)
        self._wake()

    def _welcome(self, welcome: Welcome) -> None:
        known, before = self._state.epoch, list(self._state.rooms)
        self._state.welcome(welcome)
        self._is_welcome = True
        if known not in (None, welcome.epoch):
            for room in before:
                self._happened(Reset(room=room))

    def _wake(self) -> None:
        self._news.set()
        self._tell_readers()
