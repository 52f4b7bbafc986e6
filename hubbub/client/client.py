"""Client: a connection that stays, and what can be done with it."""

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

IN_FLIGHT_MAX = 64  # commands at once, as many as the server takes; the next one waits its turn


class Client:
    """Made by `connect`. It comes back by itself, and catches up by itself.

    Whatever is called while there is no connection waits for the next one; bound it with
    ``asyncio.timeout`` if it should not wait for ever. Once the server has said not to come back
    (signed out, locked out), every call and every iterator raises that error.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, token: str, backoff: Backoff, keep: int
    ) -> None:
        self.url = url
        self.state = ClientState(keep)
        """What is known of my rooms; see `ClientState`."""
        self._session = session
        self._token = token
        self._reconnector = Reconnector(
            session, url, token, backoff, self.state, self._happened, self._wake
        )
        self._in_flight = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._readers: WeakSet[Reader] = WeakSet()

    @property
    def me(self) -> Me:
        """My own profile."""
        assert self.state.me  # there since the first welcome
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
        """Say something; its seq, rev and time once it is on the server's disk.

        Exactly once: the nonce is made here, and the post is sent again with it, over reconnects,
        until the server has acknowledged it or refused it for good. Give a nonce of your own to
        go on with a post after a restart of your program. Posts awaited one after another stay
        in order. Raises NotMember, Invalid, TooLarge, Forbidden …
        """
        nonce = nonce or secrets.token_hex(12)
        command = Post(room=room, text=text, nonce=nonce, reply_to=reply_to, kind=kind)
        reply: Posted = await self.do(command)
        return reply

    async def edit(self, room: str, seq: int, text: str) -> Changed:
        """Change the text of my own message. Raises NotFound if it is gone, Forbidden."""
        reply: Changed = await self.do(Edit(room=room, seq=seq, text=text))
        return reply

    async def delete(self, room: str, seq: int) -> Changed:
        """Delete my own message, or as a moderator anyone's. Raises NotFound, Forbidden."""
        reply: Changed = await self.do(Delete(room=room, seq=seq))
        return reply

    async def react(self, room: str, seq: int, emoji: str, *, on: bool = True) -> Changed:
        """Add a reaction to a message, or take it back. Raises Invalid for what is no emoji."""
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
        """A page of at most 200 messages, oldest first: the latest, or where it is said."""
        command = History(room=room, before=before, after=after, around=around, limit=limit)
        reply: Page = await self.do(command)
        return reply

    def messages(self, room: str, after: int | None = None) -> Messages:
        """The messages of a room, for ``async for``: from now on, or all after a seq.

        Each comes once, by rising seq, as it is when it comes: one that has been deleted by then
        as a tombstone (``deleted``, no text), one's own posts too. However slow the reader and
        whatever happens to the connection, none is left out. Edits and deletes of what has come
        already: see `events`. It ends when I am no longer in the room. After a restore of the
        server's database from a copy it goes on from where that stands when we come back.

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
        """What happens from now on, in a room or everywhere, for ``async for``; see `Events`."""
        reader = Events(self, room)
        self._readers.add(reader)
        return reader

    # Rooms and oneself

    async def join(self, room: str) -> Joined:
        """Become a member (a guest: be present); the room with its latest messages."""
        reply: Joined = await self.do(Join(room=room))
        return reply

    async def leave(self, room: str) -> None:
        """Stop being a member; a direct room is only hidden. Raises LastOwner, NotMember."""
        await self.do(Leave(room=room))

    async def block(self, user: str, *, on: bool = True) -> Changed:
        """Keep somebody from adding me to rooms and writing to me alone, or let them again."""
        reply: Changed = await self.do(Block(user=user, on=on))
        return reply

    async def read(self, room: str, seq: int, *, back: bool = False) -> ReadMarker:
        """I have read up to here. The answer may take two seconds: markers are collected."""
        reply: ReadMarker = await self.do(Read(room=room, seq=seq, back=back))
        return reply

    async def typing(self, room: str) -> None:
        """I am writing; say it again every 3 seconds. Lost without a connection."""
        await self.do(Typing(room=room))

    async def caught_up(self) -> None:
        """Wait until there is a connection, and everything that was heard of is here."""
        reader = Reader()
        self._readers.add(reader)
        while True:
            reader.look()
            self.check()
            if self._reconnector.is_up and self.state.is_settled:
                return
            await reader.woken()

    # Anything

    async def do(self, command: Command) -> Any:
        """Have any command of the protocol carried out; its reply as `REPLIES` has it.

        Refusals that pass (``busy``, ``rate_limited``) are waited out. Where the outcome is
        unknown (the connection was lost, ``unavailable``) a query is asked again, and so is a
        command that does no harm when done twice (`may_repeat`); any other raises. Raises
        HubbubError, by the server's code; Disconnected.
        """
        if isinstance(command, Hello | Auth):
            raise Invalid(f"The client itself says “{command.word()}”.")
        self.check()
        if type(command) in replies.OVER_HTTP:
            return await http.ask(self._session, self.url, command, self._token)
        if type(command) in replies.TOLD:
            return await self._reconnector.tell(command)
        async with self._in_flight:
            return await self._ask(command)

    async def _ask(self, command: Command) -> Any:
        while True:
            transport = await self._reconnector.transport()
            try:
                return await transport.ask(command)
            except NotSent:
                self._reconnector.lost(transport)
            except Disconnected:
                self._reconnector.lost(transport)
                if not replies.may_repeat(command):
                    raise
            except (Busy, RateLimited, Unavailable) as error:
                if isinstance(error, Unavailable) and not replies.may_repeat(command):
                    raise
                await asyncio.sleep(self._reconnector.pause_s(error))

    def check(self) -> None:
        """Raises the error with which this client has ended, if it has."""
        self._reconnector.check()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connected, from the first welcome on, until left."""
        line = asyncio.create_task(self._reconnector.run())
        try:
            await self._reconnector.transport()
            yield
        finally:
            line.cancel()
            await asyncio.gather(line, return_exceptions=True)
            if not line.cancelled():
                line.result()  # what is none of ours is raised here

    # What the line tells

    def _happened(self, event: Event) -> None:
        for reader in self._readers:
            if isinstance(reader, Events):
                reader.offer(event)

    def _wake(self) -> None:
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

    ``url`` is where people find the server (``https://chat.example.org``), ``token`` what
    `sign_in` gave; without one we are a guest, called ``~name``. ``keep`` is how many of the
    latest messages of each room are kept in memory. ``backoff`` says how soon we come back.

    Waits for the first connection, however long that takes (``asyncio.timeout`` bounds it). Raises
    SignInRequired or Forbidden if the server does not let us in.
    """
    url = url.rstrip("/")
    async with http.session() as session:
        if token is None:
            guest = await http.ask(session, url, SignInAsGuest(name=name))
            token = guest.token
        client = Client(session, url, token, backoff or Backoff(), keep)
        async with client.running():
            yield client
