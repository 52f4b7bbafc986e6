"""WebSocket connections in JSON, one object a frame: for the web client and for bots."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Self

import msgspec
from aiohttp import web

from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.websocket.connection import Connection
from hubbub.live.client import Client
from hubbub.live.hub import ENTER_ATTEMPTS_MAX
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

HELLO_CHANGES_MAX_BYTES = 256 * 1024  # of changes after a welcome; other rooms get their heads only
AUTH_TIMEOUT_S = 20.0
WATCHED_MAX = 20  # rooms that one connection watches at a time

Operation = Callable[[], Awaitable[Reply | None]]


class JsonConnection(Connection):
    """A connection that speaks JSON. It begins with ``hello``, or with ``auth`` and ``hello``."""

    dialect = "json"

    def __init__(self, dispatcher: Dispatcher, address: str) -> None:
        super().__init__(dispatcher, address)
        self._actor: Actor | None = None
        self._token: str | None = None
        self._auth_timer: asyncio.TimerHandle | None = None
        self._auth_by = 0.0  # on the loop's clock
        self._watched: set[str] = set()

    @classmethod
    async def from_request(
        cls, dispatcher: Dispatcher, request: web.Request, address: str, token: str | None
    ) -> Self:
        connection = cls(dispatcher, address)
        if token:
            connection._actor = await dispatcher.identify_connection(token)
            connection._token = token
        return connection

    async def enter(self) -> None:
        if self._actor is not None:
            # The session may have ended since the upgrade began.
            self._on_identified(await self.dispatcher.reidentify(self._actor, self._token))
        else:
            self._auth_by = asyncio.get_running_loop().time() + AUTH_TIMEOUT_S
            self._start_auth_timer()

    def _on_identified(self, actor: Actor) -> None:
        self.admit(actor)
        self._cancel_auth_timer()

    def _start_auth_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._auth_timer = loop.call_at(
            self._auth_by, self.close, CLOSE_SIGN_IN_AGAIN, "Sign in first."
        )

    def _cancel_auth_timer(self) -> None:
        if self._auth_timer:
            self._auth_timer.cancel()
            self._auth_timer = None

    @property
    def is_anonymous(self) -> bool:
        return self._actor is None and self.client is None

    def leave_hub(self) -> None:
        self._cancel_auth_timer()
        super().leave_hub()

    # Commands

    def on_text(self, data: str) -> None:
        number, command = json.decode(data)
        if isinstance(command, HubbubError):
            # Not raised: its traceback would refer to this frame, a reference cycle.
            self._refuse_and_charge(command, number, len(data))
            return
        try:
            self._execute(command)
        except HubbubError as error:
            self._refuse_and_charge(error, number, len(data))

    def _refuse_and_charge(self, error: HubbubError, number: int | None, size: int) -> None:
        self.refuse(error, number)
        self.charge(size)

    def _execute(self, command: Command) -> None:
        client = self.client
        self.dispatcher.limit_command(client.actor if client else None, self.address)
        if isinstance(command, Auth):
            self._run_operation(command, partial(self._auth, command))
        elif client is None:
            raise SignInRequired(
                "Send “auth” with a token first, or connect with a cookie or a bearer token."
            )
        elif command.word() in HTTP_ONLY:
            raise UnknownCommand(f"Use the HTTP API for “{command.word()}”: see /api/docs.")
        elif handler := _HANDLERS.get(type(command)):
            handler(self, client, command)
        elif isinstance(command, Query):
            self._run_operation(command, partial(self._ask, client, command))
        else:
            self._submit(client, command)

    def _submit(self, client: Client, command: Command) -> None:
        """Queue a command that changes something, without waiting: this keeps commands in order."""
        number = command.id

        def on_done(result: Reply | HubbubError) -> None:
            self._reply(number, result)
            self.on_command_done()

        self.dispatcher.put(client.actor, command, on_done)
        self.on_command_started()

    def _run_operation(self, command: Command, operation: Operation) -> None:
        """Run an operation that waits for a reader thread, and send its reply."""
        self.on_command_started()
        self.run(partial(self._answer, command.id, operation))

    async def _answer(self, number: int | None, operation: Operation) -> None:
        try:
            async with self.in_order():
                reply = await operation()
                if reply is not None:
                    self._reply(number, reply)
        except HubbubError as error:
            self._reply(number, error)
        finally:
            self.on_command_done()

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

    # Commands that are not simply executed

    async def _auth(self, command: Auth) -> Reply | None:
        if self.client is not None:
            raise UnknownCommand("You are signed in already.")
        # The time in the admission queue does not count. But an invalid token does not extend the
        # deadline.
        self._cancel_auth_timer()
        try:
            self._on_identified(await self.dispatcher.identify_connection(command.token))
        except HubbubError:
            if not self.closing:
                self._start_auth_timer()
            self.charge()
            raise
        return Done()

    async def _ask(self, client: Client, query: Query) -> Reply:
        return await self.dispatcher.execute(client.actor, query)

    def on_hello(self, client: Client, command: Hello) -> None:
        self._run_operation(command, partial(self._hello, client, command))

    def on_about(self, client: Client, command: About) -> None:
        self._reply(command.id, self.dispatcher.server_info())

    def on_active(self, client: Client, command: Active) -> None:
        self.dispatcher.hub.presence.set_active(client, command.active)

    def on_join_or_leave(self, client: Client, command: Join | Leave) -> None:
        if client.actor.is_guest:
            self._run_operation(command, partial(self._visit_or_leave, client, command))
        else:
            self._submit(client, command)

    def on_typing(self, client: Client, command: Typing) -> None:
        room = client.rooms.get(command.room)
        home = (room.parent or room.id) if room else ""
        may_write = client.actor.is_guest or (home in client.rooms and home not in self._watched)
        if room is None or not may_write:
            raise NotMember(f"Join #{home or command.room} first.")
        self.dispatcher.hub.presence.announce_typing(client, room)

    async def _visit_or_leave(self, client: Client, command: Join | Leave) -> Reply:
        """Join or leave a room as a guest, who is present in it but no member."""
        if isinstance(command, Leave):
            room = client.rooms.get(command.room)
            if room is None:
                raise NotMember(f"You are not in #{command.room}.")
            self.dispatcher.hub.detach(client, room)
            return Done()
        return await self._subscribe(client, command)

    async def _subscribe(self, client: Client, command: Join | Watch) -> Reply:
        """Get the events of a room without being a member. Raises HubbubError if it is refused."""

        async def ask() -> Joined:
            found = await self.dispatcher.execute(client.actor, command)
            assert isinstance(found, Joined)
            return found

        return await self.dispatcher.hub.enter(client, command.room, ask)

    def on_watch(self, client: Client, command: Watch) -> None:
        self._run_operation(command, partial(self._watch, client, command))

    async def _watch(self, client: Client, command: Watch) -> Reply:
        is_new = command.room not in client.rooms
        if is_new and len(self._watched) >= WATCHED_MAX:
            raise Conflict(f"You watch {WATCHED_MAX} rooms already. Stop watching one.")
        reply = await self._subscribe(client, command)
        if is_new:
            self._watched.add(command.room)
        return reply

    def on_unwatch(self, client: Client, command: Unwatch) -> None:
        self._run_operation(command, partial(self._unwatch, client, command))

    async def _unwatch(self, client: Client, command: Unwatch) -> Reply:
        if command.room in self._watched:
            found = await self.dispatcher.execute(client.actor, Watch(room=command.room))
            if isinstance(found, Joined) and found.room.role is None:
                self._unsubscribe(client, command.room)
            self._watched.discard(command.room)
        return Done()

    def _unsubscribe(self, client: Client, room_id: str) -> None:
        self._watched.discard(room_id)
        if room := client.rooms.get(room_id):
            self.dispatcher.hub.detach(client, room)

    def on_sync(self, client: Client, command: Sync) -> None:
        """Answer from memory if the recent changes reach back so far, else from the database."""
        room = client.rooms.get(command.room)
        if room is None:
            self._run_operation(command, partial(self._ask, client, command))
            return
        starts_over = command.after == 0 and room.rev > PAGE_LATEST
        frames = _latest_page(room) if starts_over else _changes_from_memory(room, command.after)
        if frames is None:
            self._run_operation(command, partial(self._ask, client, command))
            return
        answer = json.sync_reply(command.id, room.rev, more=False, reset=starts_over)
        self.write(b"".join([*frames, text_frame(answer)]))

    # Hello

    async def _hello(self, client: Client, command: Hello) -> None:
        """Send the welcome: the profile, the rooms, and what has changed since the client's revs.

        The client is attached to its rooms before the heads are written, in one turn of the loop:
        earlier commits are in the recent changes, later ones reach the client as events.
        """
        async with self.dispatcher.welcoming.slot():
            await self._welcome(client, command)

    async def _welcome(self, client: Client, command: Hello) -> None:
        hub = self.dispatcher.hub
        for _ in range(ENTER_ATTEMPTS_MAX):
            with hub.track_resume(client.key) as pending:
                mine = await self._my_profile(client, command)
                rooms, damaged = await self._live_rooms(mine)
            # Read again if the memberships changed during the read.
            if (
                not pending.is_stale
                and len(rooms) + len(damaged) == len(mine.rooms)
                and all(hub.may_attach(pending, room) for room in rooms.values())
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
            server=self.dispatcher.server_info(),
            rooms=[_with_head(my_room, rooms.get(my_room.room)) for my_room in mine.rooms],
            gone=[room_id for room_id in command.rooms if room_id not in {*rooms, *damaged}],
            presence=hub.presence.visible_to(client),
        )
        frames = [text_frame(payload) for payload in json.reply(command.id, welcome)]
        self.write(b"".join([*frames, *_changes(rooms.values(), known)]))

    async def _live_rooms(self, mine: Mine) -> tuple[dict[str, Room], set[str]]:
        """The hub's rooms of a profile (except those deleted meanwhile), and the damaged rooms.

        Rooms that the database cannot read must not block the others; queries of their contents
        return the error.
        """
        rooms: dict[str, Room] = {}
        damaged: set[str] = set()
        for my_room in mine.rooms:
            try:
                rooms[my_room.room] = await self.dispatcher.hub.load_room(my_room.room)
                if self.dispatcher.is_shared:
                    # The client may have seen later revs at another node.
                    await self.dispatcher.hub.sequencer.wait_for_rev(my_room.room, my_room.rev)
            except NotFound:
                pass
            except Unavailable as error:
                if not error.is_damage:
                    raise
                damaged.add(my_room.room)
        return rooms, damaged

    async def _my_profile(self, client: Client, command: Hello) -> Mine:
        actor = client.actor
        if not actor.is_guest:
            mine = await self.dispatcher.ask_batched(actor, MyProfile())
            assert isinstance(mine, Mine)
            return mine
        visited = await self.dispatcher.list_guest_rooms({*list(command.rooms)[:50], LOBBY})
        me = Me(name=actor.name, display_name=actor.name, role=actor.role)
        return Mine(me=me, rooms=visited)

    # ConnectionHandler

    def send_missed(self) -> None:
        if self.client is not None:
            self.dispatcher.hub.queue.flush_rooms_of(self.client)
            heads = self.dispatcher.hub.heads(self.client.missed, self.client.missed_rev)
            self.dispatcher.hub.backpressure.resume(self.client)
            if heads.rooms or heads.rev is not None:
                self.client.send(json.event(heads))

    def on_removed(self, room: str) -> None:
        self._watched.discard(room)


# Commands that need the connection itself, or are answered without the executor.
_HANDLERS: dict[type[Command], Callable[[JsonConnection, Client, Any], None]] = {
    Hello: JsonConnection.on_hello,
    About: JsonConnection.on_about,
    Active: JsonConnection.on_active,
    Typing: JsonConnection.on_typing,
    Sync: JsonConnection.on_sync,
    Watch: JsonConnection.on_watch,
    Unwatch: JsonConnection.on_unwatch,
    Join: JsonConnection.on_join_or_leave,
    Leave: JsonConnection.on_join_or_leave,
}


def _with_head(mine: MyRoom, room: Room | None) -> MyRoom:
    """A room of the profile with the hub's head, up to which live events have been sent."""
    if room is None:
        return mine
    return msgspec.structs.replace(mine, seq=room.seq, rev=room.rev)


def _changes(rooms: Iterable[Room], known: dict[str, int]) -> list[bytes]:
    """The frames that bring rooms up to date, most recent room first, within the size limit."""
    found: list[bytes] = []
    left = HELLO_CHANGES_MAX_BYTES
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


def _catch_up(room: Room, known_rev: int | None) -> list[bytes]:
    """The frames that one room needs: none, its changes, or a reset with its latest page."""
    if known_rev == room.rev:
        return []
    frames = _changes_from_memory(room, known_rev) if known_rev is not None else None
    if frames is None:
        frames = _latest_page(room)
    if frames is None:
        return []
    return [*frames, text_frame(json.event(Synced(room=room.id, through=room.rev)))]


def _changes_from_memory(room: Room, after: int) -> list[bytes] | None:
    """The changes after a rev; None if they are not in memory."""
    entries = (
        room.recent_changes.after(after) if room.recent_changes and after <= room.rev else None
    )
    return None if entries is None else [entry.frame for entry in entries]


def _latest_page(room: Room) -> list[bytes] | None:
    """A reset and the room's latest page; None if it is not in memory."""
    page = room.page(PAGE_LATEST)
    return None if page is None else [text_frame(json.event(Reset(room=room.id))), page]
