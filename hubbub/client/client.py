"""Client: a persistent connection and its commands."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet

import aiohttp

from hubbub.client import http, replies
from hubbub.client.backoff import Backoff
from hubbub.client.feeds import Events, Messages, Reader
from hubbub.client.reconnector import Reconnector
from hubbub.client.room import ClientRoomState
from hubbub.client.state import KEEP, ClientState
from hubbub.client.transport import Disconnected, NotSent
from hubbub.model.accounts import Auth, Hello, Me, SignInAsGuest
from hubbub.model.base import Command, Event
from hubbub.model.blocks import Block
from hubbub.model.errors import (
    Busy,
    Invalid,
    NotMember,
    RateLimited,
    Unavailable,
)
from hubbub.model.marks import React
from hubbub.model.messages import (
    PAGE_LATEST,
    Changed,
    Delete,
    Edit,
    History,
    MessageKind,
    Page,
    Post,
    Posted,
    Typing,
)
from hubbub.model.reading import Read, ReadMarker
from hubbub.model.rooms import Join, Joined, Leave

IN_FLIGHT_MAX = 64  # concurrent commands, as many as the server accepts; further ones wait


class Client:
    """Created by `connect`. It reconnects and catches up automatically.

    Calls without a connection wait for the next one; bound them with ``asyncio.timeout``. Once the
    server has ended the session (signed out, locked out), all calls and iterators raise its error.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, token: str, backoff: Backoff, keep: int
    ) -> None:
        self.url = url
        self.state = ClientState(keep)
        """The state of my rooms; see `ClientState`."""
        self._session = session
        self._token = token
        self._reconnector = Reconnector(
            session, url, token, backoff, self.state, self._on_news, self._wake_readers
        )
        self._in_flight = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._readers: WeakSet[Reader] = WeakSet()

    @property
    def me(self) -> Me:
        """My own profile."""
        assert self.state.me  # set by the first welcome
        return self.state.me

    @property
    def rooms(self) -> Mapping[str, ClientRoomState]:
        """My rooms by id, each with its latest messages."""
        return self.state.rooms

    # Messages

    async def post(
        self,
        room: str,
        text: str,
        *,
        nonce: str | None = None,
        reply_to: int | None = None,
        kind: MessageKind = "text",
    ) -> Posted:
        """Post a message; return its seq, rev and time once it is on the server's disk.

        A message is posted exactly once: it is sent again with the same nonce, over reconnects,
        until the server has acknowledged or refused it. Give your own nonce to repeat a post
        after a restart of your program. Posts awaited one after another stay in order. Raises
        NotMember, Invalid, TooLarge, Forbidden …
        """
        nonce = nonce or secrets.token_hex(12)
        command = Post(room=room, text=text, nonce=nonce, reply_to=reply_to, kind=kind)
        reply: Posted = await self.do(command)
        return reply

    async def edit(self, room: str, seq: int, text: str) -> Changed:
        """Change the text of my own message. Raises NotFound if it was deleted, Forbidden."""
        reply: Changed = await self.do(Edit(room=room, seq=seq, text=text))
        return reply

    async def delete(self, room: str, seq: int) -> Changed:
        """Delete my own message, or anyone's as a moderator. Raises NotFound, Forbidden."""
        reply: Changed = await self.do(Delete(room=room, seq=seq))
        return reply

    async def react(self, room: str, seq: int, emoji: str, *, on: bool = True) -> Changed:
        """Add a reaction to a message, or remove it. Raises Invalid if it is not an emoji."""
        reply: Changed = await self.do(React(room=room, seq=seq, emoji=emoji, on=on))
        return reply

    async def history(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int = PAGE_LATEST,
    ) -> Page:
        """A page of at most 200 messages, oldest first: the latest, or relative to a seq."""
        command = History(room=room, before=before, after=after, around=around, limit=limit)
        reply: Page = await self.do(command)
        return reply

    def messages(self, room: str, after: int | None = None) -> Messages:
        """The messages of a room, for ``async for``: from now on, or all after a seq.

        Each message comes once, in order of seq and in its current state, including my own
        posts; a deleted one comes as a tombstone (``deleted``, no text). None is left out, however
        slow the reader is and even over reconnects. For edits and deletes of earlier messages see
        `events`. The iterator ends when I leave the room. After the server's database was
        restored from a copy, it continues after the last message at the next connection.

        Raises NotMember if I am not in the room.
        """
        known = self.state.rooms.get(room)
        if known is None:
            raise NotMember(f"Join #{room} before you listen there.")
        now = max(known.seq, known.acked)
        reader = Messages(self, room, now if after is None else after)
        self._readers.add(reader)
        return reader

    def events(self, room: str | None = None) -> Events:
        """Events from now on, of one room or of all, for ``async for``; see `Events`."""
        reader = Events(self, room)
        self._readers.add(reader)
        return reader

    # Rooms and oneself

    async def join(self, room: str) -> Joined:
        """Become a member (as a guest: be present); return the room and its latest messages."""
        reply: Joined = await self.do(Join(room=room))
        return reply

    async def leave(self, room: str) -> None:
        """Stop being a member; a direct room is only hidden. Raises LastOwner, NotMember."""
        await self.do(Leave(room=room))

    async def block(self, user: str, *, on: bool = True) -> Changed:
        """Stop somebody from adding me to rooms and from direct messages, or allow it again."""
        reply: Changed = await self.do(Block(user=user, on=on))
        return reply

    async def read(self, room: str, seq: int, *, back: bool = False) -> ReadMarker:
        """Set my read marker. The reply may take two seconds, as the server batches markers."""
        reply: ReadMarker = await self.do(Read(room=room, seq=seq, back=back))
        return reply

    async def typing(self, room: str) -> None:
        """Tell others that I am typing; repeat it every 3 seconds. Lost without a connection."""
        await self.do(Typing(room=room))

    async def caught_up(self) -> None:
        """Wait until there is a connection and no known change is missing."""
        reader = Reader()
        self._readers.add(reader)
        while True:
            reader.clear()
            self.check()
            if self._reconnector.is_connected and self.state.is_settled:
                return
            await reader.wait()

    # Anything

    async def do(self, command: Command) -> Any:
        """Execute any command of the protocol; return its reply, of the type in `REPLIES`.

        After temporary refusals (``busy``, ``rate_limited``) it is retried. If the outcome is
        unknown (a lost connection, ``unavailable``), queries and idempotent commands
        (`may_repeat`) are retried, and other commands raise. Raises HubbubError, by the server's
        code; Disconnected.
        """
        if isinstance(command, Hello | Auth):
            raise Invalid(f"The client sends “{command.word()}” itself.")
        self.check()
        if type(command) in replies.OVER_HTTP:
            return await http.ask(self._session, self.url, command, self._token)
        if type(command) in replies.UNANSWERED:
            return await self._reconnector.send(command)
        async with self._in_flight:
            return await self._ask(command)

    async def _ask(self, command: Command) -> Any:
        while True:
            transport = await self._reconnector.wait_connected()
            try:
                return await transport.ask(command)
            except NotSent:
                self._reconnector.on_lost(transport)
            except Disconnected:
                self._reconnector.on_lost(transport)
                if not replies.may_repeat(command):
                    raise
            except (Busy, RateLimited, Unavailable) as error:
                if isinstance(error, Unavailable) and not replies.may_repeat(command):
                    raise
                await asyncio.sleep(self._reconnector.pause_s(error))

    def check(self) -> None:
        """Raise the error that ended this client, if it has ended."""
        self._reconnector.check()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep a connection while inside; entering waits for the first welcome."""
        task = asyncio.create_task(self._reconnector.run())
        try:
            await self._reconnector.wait_connected()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not task.cancelled():
                task.result()  # raises unexpected errors

    # Called by the Reconnector

    def _on_news(self, event: Event) -> None:
        for reader in self._readers:
            if isinstance(reader, Events):
                reader.add(event)

    def _wake_readers(self) -> None:
        for reader in self._readers:
            reader.wake()


@asynccontextmanager
async def connect(
    url: str,
    token: str | None = None,
    *,
    name: str | None = None,
    backoff: Backoff | None = None,
    keep: int = KEEP,
) -> AsyncIterator[Client]:
    """A connected `Client`, for ``async with``.

    ``url`` is the server's address (``https://chat.example.org``). ``token`` comes from `sign_in`;
    without one the client is a guest with the name ``~name``. ``keep`` is the number of latest
    messages of each room in memory. ``backoff`` sets the delays of reconnects.

    Waits for the first connection without a limit (``asyncio.timeout`` sets one). Raises
    SignInRequired or Forbidden if the server refuses it.
    """
    url = url.rstrip("/")
    async with http.session() as session:
        if token is None:
            guest = await http.ask(session, url, SignInAsGuest(name=name))
            token = guest.token
        client = Client(session, url, token, backoff or Backoff(), keep)
        async with client.running():
            yield client
