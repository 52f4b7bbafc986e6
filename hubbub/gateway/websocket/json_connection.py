"""The JSON door: one object a frame, for the web client and for bots."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Self

import msgspec
from aiohttp import web

from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.websocket.connection import Connection
from hubbub.live.client import Client
from hubbub.live.hub import LOOKS_MAX
from hubbub.live.room import Room
from hubbub.model.accounts import About, Actor, Auth, Hello, Me, Mine, MyProfile, Welcome
from hubbub.model.base import Command, Done, Query, Reply, Value
from hubbub.model.commands import HTTP_ONLY
from hubbub.model.errors import (
    Busy,
    Conflict,
    HubbubError,
    NotFound,
    NotMember,
    SignInRequired,
    Unavailable,
    UnknownCommand,
)
from hubbub.model.messages import PAGE_LATEST, Message, Reset, Sync, Synced, Typing
from hubbub.model.names import LOBBY
from hubbub.model.reading import Active
from hubbub.model.rooms import Join, Joined, Leave, MyRoom, Unwatch, Watch
from hubbub.wire import json
from hubbub.wire.frames import CLOSE_SIGN_IN_AGAIN, text_frame

HELLO_BYTES = 256 * 1024  # of changes after the welcome; the other rooms get their heads only
AUTH_WITHIN_S = 20.0
WATCHED_MAX = 20  # rooms at a time that are only watched

Operation = Callable[[], Awaitable[Reply | None]]


class JsonConnection(Connection):
    """A connection that speaks JSON. It begins with ``hello``, or with ``auth`` and ``hello``."""

    dialect = "json"

    def __init__(self, dispatcher: Dispatcher, address: str) -> None:
        super().__init__(dispatcher, address)
        self._actor: Actor | None = None
        self._token: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._auth_by = 0.0  # on the loop's clock
        self._greeted = False
        self._watched: set[str] = set()

    @classmethod
    async def opened(
        cls, dispatcher: Dispatcher, request: web.Request, address: str, token: str | None
    ) -> Self:
        door = cls(dispatcher, address)
        if token:
            door._actor = await dispatcher.identify_arrival(token)
            door._token = token
        return door

    async def begin(self) -> None:
        if self._actor is not None:
            # A good deal may have happened since the upgrade began.
            self._enter(await self.dispatcher.still(self._actor, self._token))
        else:
            self._auth_by = asyncio.get_running_loop().time() + AUTH_WITHIN_S
            self._expect_auth()

    def _enter(self, actor: Actor) -> None:
        self.admit(actor)
        self._expect_no_auth()

    def _expect_auth(self) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_at(
            self._auth_by, self.close, CLOSE_SIGN_IN_AGAIN, "Sign in first."
        )

    def _expect_no_auth(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    @property
    def is_stranger(self) -> bool:
        return self._actor is None and self.client is None

    def leave(self) -> None:
        self._expect_no_auth()
        super().leave()

    # Commands

    def take(self, data: str) -> None:
        number, command = json.decode(data)
        if isinstance(command, HubbubError):
            # Not raised: it would hold this frame, and the frame it.
            self._refuse_at_once(command, number, len(data))
            return
        try:
            self._execute(command)
        except HubbubError as error:
            self._refuse_at_once(error, number, len(data))

    def _refuse_at_once(self, error: HubbubError, number: int | None, size: int) -> None:
        self.refuse(error, number)
        self.charge(size)

    def _execute(self, command: Command) -> None:
        client = self.client
        self.dispatcher.limit(client.actor if client else None, self.address)
        if isinstance(command, Auth):
            self._task(command, partial(self._auth, command))
        elif client is None:
            raise SignInRequired("Send “auth” with a token first, or a cookie or bearer header.")
        elif command.word() in HTTP_ONLY:
            raise UnknownCommand(f"“{command.word()}” goes over HTTP: see /api/docs.")
        elif way := _HERE.get(type(command)):
            way(self, client, command)
        elif isinstance(command, Query):
            self._task(command, partial(self._ask, client, command))
        else:
            self._put(client, command)

    def _put(self, client: Client, command: Command) -> None:
        """A change: on its way to the ledger at once, in the order in which it came."""
        number = command.id

        def then(result: Reply | HubbubError) -> None:
            self._reply(number, result)
            self.answered()

        self.dispatcher.put(client.actor, command, then)
        self.started()

    def _task(self, command: Command, operation: Operation) -> None:
        """Something that waits for a reader."""
        self.started()
        self.run(partial(self._answer, command.id, operation))

    async def _answer(self, number: int | None, operation: Operation) -> None:
        try:
            async with self.turn():
                reply = await operation()
                if reply is not None:
                    self._reply(number, reply)
        except HubbubError as error:
            self._reply(number, error)
        finally:
            self.answered()

    def _reply(self, number: int | None, result: Reply | Value | HubbubError) -> None:
        if self.closing:
            return
        if isinstance(result, HubbubError):
            self.refuse(result, number)
        else:
            frames = [text_frame(payload) for payload in json.reply(number, result)]
            self.write(b"".join(frames))

    def refuse(self, error: HubbubError, number: int | None = None) -> None:
        self.write(text_frame(json.error(number, error)))

    # What is done here and not in the ledger

    async def _auth(self, command: Auth) -> Reply | None:
        if self.client is not None:
            raise UnknownCommand("You are signed in already.")
        # They have done their part: how long they wait in line now is not up to them. But a token
        # that is not good gives them no more time.
        self._expect_no_auth()
        try:
            self._enter(await self.dispatcher.identify_arrival(command.token))
        except HubbubError:
            if not self.closing:
                self._expect_auth()
            self.charge()
            raise
        return Done()

    async def _ask(self, client: Client, query: Query) -> Reply:
        return await self.dispatcher.execute(client.actor, query)

    def on_hello(self, client: Client, command: Hello) -> None:
        self._task(command, partial(self._hello, client, command))

    def on_about(self, client: Client, command: About) -> None:
        self._reply(command.id, self.dispatcher.about())

    def on_active(self, client: Client, command: Active) -> None:
        self.dispatcher.hub.presence.set_active(client, command.active)

    def on_coming_or_going(self, client: Client, command: Join | Leave) -> None:
        if client.actor.is_guest:
            self._task(command, partial(self._look_in, client, command))
        else:
            self._put(client, command)

    def on_typing(self, client: Client, command: Typing) -> None:
        room = client.rooms.get(command.room)
        home = (room.parent or room.id) if room else ""
        may_write = client.actor.is_guest or (home in client.rooms and home not in self._watched)
        if room is None or not may_write:
            raise NotMember(f"Join #{home or command.room} first.")
        self.dispatcher.hub.presence.typing(client, room)

    async def _look_in(self, client: Client, command: Join | Leave) -> Reply:
        """A guest comes or goes: presence, no membership."""
        if isinstance(command, Leave):
            room = client.rooms.get(command.room)
            if room is None:
                raise NotMember(f"You are not in #{command.room}.")
            self.dispatcher.hub.detach(client, room)
            return Done()
        return await self._hear(client, command)

    async def _hear(self, client: Client, command: Join | Watch) -> Reply:
        """Be told what happens in a room without being a member; not if it is refused."""

        async def ask() -> Joined:
            found = await self.dispatcher.execute(client.actor, command)
            assert isinstance(found, Joined)
            return found

        return await self.dispatcher.hub.enter(client, command.room, ask)

    def on_watch(self, client: Client, command: Watch) -> None:
        self._task(command, partial(self._watch, client, command))

    async def _watch(self, client: Client, command: Watch) -> Reply:
        is_new = command.room not in client.rooms
        if is_new and len(self._watched) >= WATCHED_MAX:
            raise Conflict(f"You watch {WATCHED_MAX} rooms already. Stop watching one.")
        reply = await self._hear(client, command)
        if is_new:
            self._watched.add(command.room)
        return reply

    def on_unwatch(self, client: Client, command: Unwatch) -> None:
        self._task(command, partial(self._unwatch, client, command))

    async def _unwatch(self, client: Client, command: Unwatch) -> Reply:
        if command.room in self._watched:
            found = await self.dispatcher.execute(client.actor, Watch(room=command.room))
            if isinstance(found, Joined) and found.room.role is None:
                self._look_away(client, command.room)
            self._watched.discard(command.room)
        return Done()

    def _look_away(self, client: Client, room_id: str) -> None:
        self._watched.discard(room_id)
        if room := client.rooms.get(room_id):
            self.dispatcher.hub.detach(client, room)

    def on_sync(self, client: Client, command: Sync) -> None:
        """From the ring if it reaches back so far, else from the database."""
        room = client.rooms.get(command.room)
        if room is None:
            self._task(command, partial(self._ask, client, command))
            return
        starts_over = command.after == 0 and room.rev > PAGE_LATEST
        frames = _from_page(room) if starts_over else _from_ring(room, command.after)
        if frames is None:
            self._task(command, partial(self._ask, client, command))
            return
        answer = json.synced(command.id, room.rev, more=False, reset=starts_over)
        self.write(b"".join([*frames, text_frame(answer)]))

    # Hello

    async def _hello(self, client: Client, command: Hello) -> None:
        """Who I am and where I am, and what has changed since I last knew.

        Attach before writing the heads, in one turn of the loop: what is committed before is in
        the rings, what comes after finds us in the rooms.
        """
        async with self.dispatcher.resuming.turn():
            await self._greet(client, command)

    async def _greet(self, client: Client, command: Hello) -> None:
        hub = self.dispatcher.hub
        for _ in range(LOOKS_MAX):
            with hub.look(client.key) as pending:
                mine = await self._mine(client, command)
                rooms, damaged = await self._live_rooms(mine)
            # Somebody brought me in or put me out while I was looking: look again.
            if (
                not pending.is_stale
                and len(rooms) + len(damaged) == len(mine.rooms)
                and all(hub.still_holds(pending, room) for room in rooms.values())
            ):
                break
        else:
            raise Busy()
        if self.closing:
            return
        for room in rooms.values():
            hub.attach(client, room)
        hub.note_rev(client.key, mine.me.rev)
        known = command.rooms if command.epoch == self.dispatcher.epoch else {}
        welcome = Welcome(
            epoch=self.dispatcher.epoch,
            me=mine.me,
            server=self.dispatcher.about(),
            rooms=[_with_head(one, rooms.get(one.room)) for one in mine.rooms],
            gone=[one for one in command.rooms if one not in rooms and one not in damaged],
            presence=hub.presence.seen_by(client),
        )
        frames = [text_frame(payload) for payload in json.reply(command.id, welcome)]
        self.write(b"".join([*frames, *_changes(rooms.values(), known)]))

    async def _live_rooms(self, mine: Mine) -> tuple[dict[str, Room], set[str]]:
        """The live side of my rooms, without those that are gone by now.

        And those that the database cannot read any more, which must not keep me from the others:
        asking for what is in them says why.
        """
        rooms: dict[str, Room] = {}
        damaged: set[str] = set()
        for one in mine.rooms:
            try:
                rooms[one.room] = await self.dispatcher.hub.room(one.room)
                if self.dispatcher.is_shared:
                    # At another node we may have seen more than has come here by now.
                    await self.dispatcher.hub.sequencer.reach(one.room, one.rev)
            except NotFound:
                pass
            except Unavailable as error:
                if not error.is_damage:
                    raise
                damaged.add(one.room)
        return rooms, damaged

    async def _mine(self, client: Client, command: Hello) -> Mine:
        actor = client.actor
        if not actor.is_guest:
            mine = await self.dispatcher.ask_with_others(actor, MyProfile())
            assert isinstance(mine, Mine)
            return mine
        visited = await self.dispatcher.rooms_to_visit({*list(command.rooms)[:50], LOBBY})
        me = Me(name=actor.name, display_name=actor.name, role=actor.role)
        return Mine(me=me, rooms=visited)

    # What the hub asks

    def catch_up(self) -> None:
        if self.client is not None:
            self.dispatcher.hub.queue.settle_rooms_of(self.client)
            heads = self.dispatcher.hub.heads(self.client.missed, self.client.missed_rev)
            self.dispatcher.hub.backpressure.caught_up(self.client)
            if heads.rooms or heads.rev is not None:
                self.client.send(json.event(heads))

    def removed(self, room: str) -> None:
        """The person has been told by an event of their own."""
        self._watched.discard(room)


# What needs the connection itself, or is answered without the ledger.
_HERE: dict[type[Command], Callable[[JsonConnection, Client, Any], None]] = {
    Hello: JsonConnection.on_hello,
    About: JsonConnection.on_about,
    Active: JsonConnection.on_active,
    Typing: JsonConnection.on_typing,
    Sync: JsonConnection.on_sync,
    Watch: JsonConnection.on_watch,
    Unwatch: JsonConnection.on_unwatch,
    Join: JsonConnection.on_coming_or_going,
    Leave: JsonConnection.on_coming_or_going,
}


def _with_head(mine: MyRoom, room: Room | None) -> MyRoom:
    """The room as the hub has it, if it does, which is as far as live events have come."""
    if room is None:
        return mine
    return msgspec.structs.replace(mine, seq=room.seq, rev=room.rev)


def _changes(rooms: Iterable[Room], known: dict[str, int]) -> list[bytes]:
    """The frames that bring rooms up to date, most recent first, as far as they may."""
    found: list[bytes] = []
    left = HELLO_BYTES
    for room in sorted(rooms, key=_latest_at, reverse=True):
        frames = _catch_up(room, known.get(room.id))
        size = sum(map(len, frames))
        if size > left:
            continue
        left -= size
        found += frames
    return found


def _latest_at(room: Room) -> int:
    latest = room.recent_changes.latest(room.seq, 1) if room.recent_changes and room.seq else None
    event = latest[0].event if latest else None
    return event.at if isinstance(event, Message) else 0


def _catch_up(room: Room, have: int | None) -> list[bytes]:
    """What one room needs: nothing, its changes, or to start over with its latest page."""
    if have == room.rev:
        return []
    frames = _from_ring(room, have) if have is not None else None
    if frames is None:
        frames = _from_page(room)
    if frames is None:
        return []
    return [*frames, text_frame(json.event(Synced(room=room.id, through=room.rev)))]


def _from_ring(room: Room, after: int) -> list[bytes] | None:
    """The changes after a rev; None if the ring does not know them."""
    entries = (
        room.recent_changes.after(after) if room.recent_changes and after <= room.rev else None
    )
    return None if entries is None else [entry.frame for entry in entries]


def _from_page(room: Room) -> list[bytes] | None:
    """The room's latest page, to start over with; None if the ring is too short."""
    page = room.page(PAGE_LATEST)
    return None if page is None else [text_frame(json.event(Reset(room=room.id))), page]
