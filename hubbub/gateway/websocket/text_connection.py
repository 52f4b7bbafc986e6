"""WebSocket connections in plain text: for `websocat`, Postman or a shell script."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self

from aiohttp import web

from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.websocket.connection import Connection
from hubbub.live.client import Client
from hubbub.live.room import Room
from hubbub.model import names
from hubbub.model.accounts import Actor
from hubbub.model.base import Command, Reply
from hubbub.model.blocks import Block
from hubbub.model.errors import Forbidden, HubbubError, Invalid, SignInRequired
from hubbub.model.marks import Pin, Pins, PinsPage, React, Reactions, ReactionsPage
from hubbub.model.messages import PAGE_MAX, History, MessageKind, Page, Post
from hubbub.model.rooms import (
    Direct,
    Join,
    Joined,
    Leave,
    Members,
    MembersPage,
    Rooms,
    RoomsPage,
    UpdateRoom,
    Watch,
)
from hubbub.wire import text

HISTORY_LINES = 20
DRAIN_POLL_S = 0.05
REFUSALS_MAX = 20  # of lines in one frame; then the rest of the frame is dropped
FINISH_WITHIN_S = 2.0

CommandHandler = Callable[["TextConnection", Client, str], Awaitable[None]]


class TextConnection(Connection):
    """A connection that speaks plain text. It is in one room at a time."""

    dialect = "text"

    def __init__(self, dispatcher: Dispatcher, address: str) -> None:
        super().__init__(dispatcher, address)
        self._actor: Actor
        self._token: str | None = None
        self._room: str = names.LOBBY
        self._after: int | None = None
        self._is_catching_up = False
        self._lines_in_progress = 0  # lines that wait for their turn or are executed
        self._unsaved = 0  # messages not committed yet
        self._all_saved: asyncio.Future[None] | None = None
        self._finishing: asyncio.Task[None] | None = None

    @classmethod
    async def from_request(
        cls, dispatcher: Dispatcher, request: web.Request, address: str, token: str | None
    ) -> Self:
        connection = cls(dispatcher, address)
        query = request.query
        if room := query.get("room"):
            connection._room = names.room_or_thread_id(room)
        if after := query.get("after"):
            if not after.isascii() or not after.isdigit():
                raise Invalid("“after” is the number of the last message you have.")
            connection._after = int(after[:16])
        connection._actor = await _identify(dispatcher, query.get("name"), address, token)
        connection._token = token
        return connection

    async def enter(self) -> None:
        # The session may have ended since the upgrade began.
        client = self.admit(await self.dispatcher.reidentify(self._actor, self._token))
        try:
            async with self.dispatcher.welcoming.slot():
                await self._enter_room(client, self._room, self._after)
        except HubbubError as error:
            if self._room == names.LOBBY:
                raise
            self._send(text.error(error))
            await self._enter_room(client, names.LOBBY, None)

    # Lines

    def on_text(self, data: str) -> None:
        client = self.client
        if client is None:
            return
        refusals = 0
        for typed in text.lines(data):
            try:
                self._execute_line(client, text.parse(typed))
            except HubbubError as error:
                self.refuse(error)
                self.charge(len(data))
                refusals += 1
                # The other lines would exceed the rate as well, and errors must not pile up.
                if error.retry_after is not None or refusals >= REFUSALS_MAX:
                    return

    def _execute_line(self, client: Client, line: text.TextMessage | text.SlashCommand) -> None:
        """Execute a line, which counts as one command. Raises HubbubError."""
        self.dispatcher.limit_command(client.actor, self.address)
        if isinstance(line, text.TextMessage) and not self._lines_in_progress:
            self._post(client, line.text)
        else:
            self.on_command_started()
            self._lines_in_progress += 1
            self.run(partial(self._execute_in_order, line))

    def _post(self, client: Client, body: str, kind: MessageKind = "text") -> None:
        def on_done(result: Reply | HubbubError) -> None:
            if isinstance(result, HubbubError) and not self.closing:
                self.refuse(result)
            self._unsaved -= 1
            if self._all_saved is not None and not self._unsaved:
                self._all_saved.set_result(None)
                self._all_saved = None
            self.on_command_done()

        command = Post(room=self._room, text=body, kind=kind)
        self.dispatcher.put(client.actor, command, on_done)
        self._unsaved += 1
        self.on_command_started()

    async def _execute_in_order(self, line: text.TextMessage | text.SlashCommand) -> None:
        """Execute a line after the lines before it: a text after ``/join tea`` is posted there."""
        try:
            async with self.in_order():
                client = self.client
                if client is None:
                    return
                if isinstance(line, text.TextMessage):
                    self._post(client, line.text)
                else:
                    await _HANDLERS[line.word](self, client, line.rest)
        finally:
            self._lines_in_progress -= 1
            self.on_command_done()

    def on_end(self) -> None:
        """Finish the lines sent before the end, so that `echo hi | websocat` works."""
        if self._tasks and not self.closing:
            self._finishing = asyncio.get_running_loop().create_task(self._finish())
        else:
            super().on_end()

    async def _finish(self) -> None:
        # The tasks may be done before this one starts.
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_WITHIN_S)
        super().on_end()

    async def _execute(self, client: Client, command: Command) -> Reply:
        return await self.dispatcher.execute(client.actor, command)

    def refuse(self, error: HubbubError) -> None:
        self._send(text.error(error))

    def _send(self, line: str) -> None:
        self.write(text.frames(line))

    # Commands

    async def on_help(self, client: Client, args: str) -> None:
        self._send(text.help_lines())

    async def on_join(self, client: Client, args: str) -> None:
        await self._enter_room(client, names.room_or_thread_id(args), None)

    async def on_leave(self, client: Client, args: str) -> None:
        """Leave the room for the lobby, or a thread for its room. Members end their membership."""
        if self._room == names.LOBBY:
            raise Invalid("You are in the lobby. /quit closes the connection.")
        left = self._room
        if thread := names.thread_of(left):
            await self._enter_room(client, thread[0], None)
            return
        await self._enter_room(client, names.LOBBY, None)
        if not client.actor.is_guest:
            await self._execute(client, Leave(room=left))

    async def on_rooms(self, client: Client, args: str) -> None:
        page = await self._execute(client, Rooms(q=args))
        assert isinstance(page, RoomsPage)
        rows = [f"#{room.room}  {room.title}" for room in page.rooms]
        more = ["… and more: search with /rooms WORD"] if page.cursor else []
        self._send(text.server("\n".join(["The rooms here:", *rows, *more])))

    async def on_who(self, client: Client, args: str) -> None:
        room = client.rooms.get(self._room)
        present = self.dispatcher.hub.presence.room_states(room) if room else {}
        here = sorted(present)[:PAGE_MAX]
        more = f" and {len(present) - len(here)} more" if len(present) > len(here) else ""
        self._send(text.server(f"Here are {', '.join(here)}{more}"))
        page = await self._execute(client, Members(room=self._room))
        assert isinstance(page, MembersPage)
        away = [member.name for member in page.members if member.name not in present]
        if away:
            more = " and more" if page.more else ""
            self._send(text.server(f"Members who are not here: {', '.join(away)}{more}"))

    async def on_me(self, client: Client, args: str) -> None:
        self._post(client, args, "me")

    async def on_nick(self, client: Client, args: str) -> None:
        """Reconnect as another guest. Earlier messages keep the old name."""
        if not client.actor.is_guest:
            raise Forbidden("Only guests change their name. Yours is your account's.")
        wanted = names.user_name(args.removeprefix("~"))
        actor, _ = self.dispatcher.authenticator.new_guest(wanted, self.address)
        self.dispatcher.hub.disconnect(client)
        new_client = self.admit(actor)
        try:
            await self._enter_room(
                new_client, self._room, None, announcement=f"You are now {actor.name}"
            )
        except HubbubError as error:
            self.refuse(error)
            await self._enter_room(new_client, names.LOBBY, None)

    async def on_history(self, client: Client, args: str) -> None:
        page = await self._get_latest_page(client, args)
        for message in page.messages:
            self._send(text.message(message))
        if not page.messages:
            self._send(text.server("Nothing has been said here yet"))

    async def _get_latest_page(self, client: Client, args: str) -> Page:
        limit = int(args[:6]) if args.isascii() and args.isdigit() else HISTORY_LINES
        return await self._get_page(
            client, History(room=self._room, limit=max(1, min(limit, PAGE_MAX)))
        )

    async def on_numbers(self, client: Client, args: str) -> None:
        for message in (await self._get_latest_page(client, args)).messages:
            self._send(text.numbered(message))

    async def on_react(self, client: Client, args: str) -> None:
        seq, emoji = self._parse_target(client, args)
        command = React(room=self._room, seq=seq, emoji=emoji)
        page = await self._execute(client, Reactions(room=self._room, seq=seq))
        assert isinstance(page, ReactionsPage)
        has_reacted = any(
            reaction.mine and reaction.emoji == command.emoji for reaction in page.reactions
        )
        await self._execute(
            client, React(room=self._room, seq=seq, emoji=emoji, on=not has_reacted)
        )

    async def on_pin(self, client: Client, args: str) -> None:
        seq, _ = self._parse_target(client, args)
        page = await self._get_page(client, History(room=self._room, after=seq - 1, limit=1))
        is_pinned = any(message.seq == seq and message.pinned for message in page.messages)
        await self._execute(client, Pin(room=self._room, seq=seq, on=not is_pinned))

    async def on_pins(self, client: Client, args: str) -> None:
        page = await self._execute(client, Pins(room=self._room))
        assert isinstance(page, PinsPage)
        pinned = [message for message in page.messages if message.room == self._room]
        self._send(text.server("Pinned here:" if pinned else "Nothing is pinned here"))
        for message in pinned:
            self._send(text.numbered(message))

    async def on_thread(self, client: Client, args: str) -> None:
        seq, _ = self._parse_target(client, args)
        await self._enter_room(client, names.thread_id(self._room, seq), None)

    async def on_answer(self, client: Client, args: str) -> None:
        """Post in the thread of a message, which the first answer creates."""
        seq, body = self._parse_target(client, args)
        await self._execute(client, Post(room=names.thread_id(self._room, seq), text=body))

    def _parse_target(self, client: Client, args: str) -> tuple[int, str]:
        """Split off the number at the start; without one, use the number of the latest message."""
        number, _, after = args.partition(" ")
        if number.isascii() and number.isdigit():
            return int(number[:15]), after.strip()
        room = client.rooms.get(self._room)
        if room is None or not room.seq:
            raise Invalid("Nothing has been said here yet.")
        return room.seq, args

    async def on_topic(self, client: Client, args: str) -> None:
        if args:
            await self._execute(client, UpdateRoom(room=self._room, topic=args))
            return
        joined = await self._execute(client, Join(room=self._room))
        assert isinstance(joined, Joined)
        self._send(
            text.server(joined.room.topic or "This room has no topic. Set one with /topic TEXT")
        )

    async def on_msg(self, client: Client, args: str) -> None:
        user, _, body = args.partition(" ")
        if not body.strip():
            raise Invalid("Type /msg USER TEXT.")
        found = await self._execute(client, Direct(users=(user.removeprefix("@"),)))
        assert isinstance(found, Joined)
        await self._execute(client, Post(room=found.room.room, text=body))
        self._send(text.server(f"Sent to {user}"))

    async def on_block(self, client: Client, args: str) -> None:
        await self._execute(client, Block(user=_parse_user(args, "block")))
        self._send(text.server(f"You have blocked {args}. To undo this: /unblock {args}"))

    async def on_unblock(self, client: Client, args: str) -> None:
        await self._execute(client, Block(user=_parse_user(args, "unblock"), on=False))
        self._send(text.server(f"{args} is not blocked"))

    async def on_quit(self, client: Client, args: str) -> None:
        if self._unsaved:
            self._all_saved = asyncio.get_running_loop().create_future()
            await self._all_saved
        self.close(1000, "Bye.")

    # Rooms

    async def _enter_room(
        self, client: Client, room_id: str, after: int | None, announcement: str | None = None
    ) -> None:
        """Enter this room and leave the others. Raises NotFound, and then changes nothing."""
        hub = self.dispatcher.hub
        command: Command = Join(room=room_id)
        last_seq = after

        async def ask() -> Joined:
            nonlocal command, last_seq
            found = await self._execute(client, command)
            assert isinstance(found, Joined)
            # A second try must not restore the membership of somebody who was removed meanwhile.
            command = Watch(room=room_id)
            room = None
            while last_seq is not None and (room is None or room is not hub.rooms.get(room_id)):
                room = await hub.load_room(room_id)
                last_seq = await self._send_messages_after(client, room, last_seq)
            return found

        joined = await hub.enter(client, room_id, ask)
        for other in list(client.rooms.values()):
            if other.id != room_id:
                hub.detach(client, other)
        self._room = room_id
        self._send(text.server(announcement) if announcement else text.current_room(joined.room))

    async def _send_messages_after(self, client: Client, room: Room, after: int) -> int:
        """Send the messages after a seq, up to the room's head. Returns the last seq sent.

        When it returns, no frame of the room is waiting, so live frames follow without a gap.
        """
        self.dispatcher.hub.queue.flush_room(room)
        while after < room.seq and not self.closing:
            page = await self._get_page(client, History(room=room.id, after=after, limit=PAGE_MAX))
            self.dispatcher.hub.queue.flush_room(room)
            for message in page.messages:
                # The database may be ahead of the hub, which sends the rest as live frames.
                if after < message.seq <= room.seq:
                    self._send(text.message(message))
                    after = message.seq
            if not page.messages:
                return after
            await self._wait_until_drained()
            self.dispatcher.hub.queue.flush_room(room)
        return after

    async def _wait_until_drained(self) -> None:
        """Wait until the write buffer has drained. The hub closes clients that never read."""
        while self.is_full and not self.closing:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(DRAIN_POLL_S)

    async def _get_page(self, client: Client, query: History) -> Page:
        page = await self.dispatcher.ask(client.actor, query)
        assert isinstance(page, Page)
        return page

    # ConnectionHandler

    def send_missed(self) -> None:
        """Send pages from the last message that the client got."""
        if self.client is not None and not self._is_catching_up:
            self._is_catching_up = True
            self.run(partial(self._resume, self.client))

    async def _resume(self, client: Client) -> None:
        try:
            room = client.rooms.get(self._room)
            if room is not None:
                self.dispatcher.hub.queue.flush_rooms_of(client)
                await self._send_messages_after(client, room, client.missed.get(room.id, room.seq))
            self.dispatcher.hub.backpressure.resume(client)
        finally:
            self._is_catching_up = False

    def on_removed(self, room: str) -> None:
        if room == self._room and self.client is not None:
            self._send(text.server(f"You are no longer in #{room}"))
            self.run(partial(self._enter_room, self.client, names.LOBBY, None))


_HANDLERS: dict[str, CommandHandler] = {
    "help": TextConnection.on_help,
    "join": TextConnection.on_join,
    "leave": TextConnection.on_leave,
    "rooms": TextConnection.on_rooms,
    "who": TextConnection.on_who,
    "nick": TextConnection.on_nick,
    "me": TextConnection.on_me,
    "history": TextConnection.on_history,
    "react": TextConnection.on_react,
    "pin": TextConnection.on_pin,
    "pins": TextConnection.on_pins,
    "thread": TextConnection.on_thread,
    "answer": TextConnection.on_answer,
    "numbers": TextConnection.on_numbers,
    "topic": TextConnection.on_topic,
    "msg": TextConnection.on_msg,
    "block": TextConnection.on_block,
    "unblock": TextConnection.on_unblock,
    "quit": TextConnection.on_quit,
}


def _parse_user(args: str, word: str) -> str:
    """The handle that follows a command. Raises Invalid."""
    if not 1 <= len(args) <= 64:
        raise Invalid(f"Type /{word} USER.")
    return args


async def _identify(
    dispatcher: Dispatcher, name: str | None, address: str, token: str | None
) -> Actor:
    """The owner of the token, else a new guest. Raises SignInRequired if guests are not allowed."""
    if token:
        return await dispatcher.identify_connection(token)
    try:
        wanted = names.user_name(name.removeprefix("~")) if name else None
        return dispatcher.authenticator.new_guest(wanted, address)[0]
    except Forbidden as error:
        raise SignInRequired(
            "This server does not allow guests. Send “Authorization: Bearer” with a token."
        ) from error
