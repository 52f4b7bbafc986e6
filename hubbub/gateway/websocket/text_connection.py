"""The plain-text door: for `websocat`, Postman, a shell script."""

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
REFUSALS_MAX = 20  # of the lines in one frame; then those that are left are dropped
LAST_WORDS_WITHIN_S = 2.0

Word = Callable[["TextConnection", Client, str], Awaitable[None]]


class TextConnection(Connection):
    """A connection that speaks plain text. It is in one room at a time."""

    dialect = "text"

    def __init__(self, dispatcher: Dispatcher, address: str) -> None:
        super().__init__(dispatcher, address)
        self._actor: Actor
        self._token: str | None = None
        self._room: str = names.LOBBY
        self._after: int | None = None
        self._catching_up = False
        self._under_way = 0  # lines that wait for their turn
        self._unkept = 0  # messages on their way to the disk, and who waits for the last of them
        self._all_kept: asyncio.Future[None] | None = None
        self._last_words: asyncio.Task[None] | None = None

    @classmethod
    async def opened(
        cls, dispatcher: Dispatcher, request: web.Request, address: str, token: str | None
    ) -> Self:
        door = cls(dispatcher, address)
        query = request.query
        if room := query.get("room"):
            door._room = names.any_room_id(room)
        if after := query.get("after"):
            if not after.isascii() or not after.isdigit():
                raise Invalid("“after” is the number of the last message you have.")
            door._after = int(after[:16])
        door._actor = await _who(dispatcher, query.get("name"), address, token)
        door._token = token
        return door

    async def begin(self) -> None:
        # A good deal may have happened since the upgrade began.
        client = self.admit(await self.dispatcher.still(self._actor, self._token))
        try:
            async with self.dispatcher.resuming.turn():
                await self._enter(client, self._room, self._after)
        except HubbubError as error:
            if self._room == names.LOBBY:
                raise
            self._say(text.error(error))
            await self._enter(client, names.LOBBY, None)

    # What is said

    def take(self, data: str) -> None:
        client = self.client
        if client is None:
            return
        refusals = 0
        for typed in text.lines(data):
            try:
                self._take_line(client, text.parse(typed))
            except HubbubError as error:
                self.refuse(error)
                self.charge(len(data))
                refusals += 1
                # What comes too fast goes on doing so; and answers are not to grow without bound.
                if error.retry_after is not None or refusals >= REFUSALS_MAX:
                    return

    def _take_line(self, client: Client, line: text.TextMessage | text.SlashCommand) -> None:
        """Every line is a command, whatever comes of it. Raises HubbubError."""
        self.dispatcher.limit(client.actor, self.address)
        if isinstance(line, text.TextMessage) and not self._under_way:
            self._post(client, line.text)
        else:
            self.started()
            self._under_way += 1
            self.run(partial(self._in_turn, line))

    def _post(self, client: Client, said: str, kind: MessageKind = "text") -> None:
        def then(result: Reply | HubbubError) -> None:
            if isinstance(result, HubbubError) and not self.closing:
                self.refuse(result)
            self._unkept -= 1
            if self._all_kept is not None and not self._unkept:
                self._all_kept.set_result(None)
                self._all_kept = None
            self.answered()

        command = Post(room=self._room, text=said, kind=kind)
        self.dispatcher.put(client.actor, command, then)
        self._unkept += 1
        self.started()

    async def _in_turn(self, line: text.TextMessage | text.SlashCommand) -> None:
        """As it was typed: what comes after ``/join tea`` is said there."""
        try:
            async with self.turn():
                client = self.client
                if client is None:
                    return
                if isinstance(line, text.TextMessage):
                    self._post(client, line.text)
                else:
                    await _WORDS[line.word](self, client, line.rest)
        finally:
            self._under_way -= 1
            self.answered()

    def ended(self) -> None:
        """Whoever types and goes, as a script does, has said it all the same."""
        if self._tasks and not self.closing:
            self._last_words = asyncio.get_running_loop().create_task(self._finish())
        else:
            super().ended()

    async def _finish(self) -> None:
        # They may have ended before this one began.
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_WORDS_WITHIN_S)
        super().ended()

    async def _do(self, client: Client, command: Command) -> Reply:
        return await self.dispatcher.execute(client.actor, command)

    def refuse(self, error: HubbubError) -> None:
        self._say(text.error(error))

    def _say(self, line: str) -> None:
        self.write(text.frames(line))

    # The words

    async def on_help(self, client: Client, rest: str) -> None:
        self._say(text.help_lines())

    async def on_join(self, client: Client, rest: str) -> None:
        await self._enter(client, names.any_room_id(rest), None)

    async def on_leave(self, client: Client, rest: str) -> None:
        """Back to the lobby, or from a thread to its room; a member stops being one."""
        if self._room == names.LOBBY:
            raise Invalid("You are in the lobby. /quit leaves altogether.")
        left = self._room
        if thread := names.thread_of(left):
            await self._enter(client, thread[0], None)
            return
        await self._enter(client, names.LOBBY, None)
        if not client.actor.is_guest:
            await self._do(client, Leave(room=left))

    async def on_rooms(self, client: Client, rest: str) -> None:
        page = await self._do(client, Rooms(q=rest))
        assert isinstance(page, RoomsPage)
        rows = [f"#{room.room}  {room.title}" for room in page.rooms]
        more = ["… and more: /rooms WORD finds them"] if page.cursor else []
        self._say(text.server("\n".join(["The rooms here:", *rows, *more])))

    async def on_who(self, client: Client, rest: str) -> None:
        room = client.rooms.get(self._room)
        present = self.dispatcher.hub.presence.of_room(room) if room else {}
        here = sorted(present)[:PAGE_MAX]
        more = f" and {len(present) - len(here)} more" if len(present) > len(here) else ""
        self._say(text.server(f"Here are {', '.join(here)}{more}"))
        page = await self._do(client, Members(room=self._room))
        assert isinstance(page, MembersPage)
        away = [member.name for member in page.members if member.name not in present]
        if away:
            more = " and more" if page.more else ""
            self._say(text.server(f"Members who are not here: {', '.join(away)}{more}"))

    async def on_me(self, client: Client, rest: str) -> None:
        self._post(client, rest, "me")

    async def on_nick(self, client: Client, rest: str) -> None:
        """Another guest from here on: what was said before stays the first one's."""
        if not client.actor.is_guest:
            raise Forbidden("Only guests change their name. Yours is your account's.")
        wanted = names.user_name(rest.removeprefix("~"))
        actor, _ = self.dispatcher.authenticator.new_guest(wanted, self.address)
        self.dispatcher.hub.disconnect(client)
        again = self.admit(actor)
        try:
            await self._enter(again, self._room, None, say=f"You are now {actor.name}")
        except HubbubError as error:
            self.refuse(error)
            await self._enter(again, names.LOBBY, None)

    async def on_history(self, client: Client, rest: str) -> None:
        page = await self._last(client, rest)
        for message in page.messages:
            self._say(text.message(message))
        if not page.messages:
            self._say(text.server("Nothing has been said here yet"))

    async def _last(self, client: Client, rest: str) -> Page:
        limit = int(rest[:6]) if rest.isascii() and rest.isdigit() else HISTORY_LINES
        return await self._page(
            client, History(room=self._room, limit=max(1, min(limit, PAGE_MAX)))
        )

    async def on_numbers(self, client: Client, rest: str) -> None:
        for message in (await self._last(client, rest)).messages:
            self._say(text.numbered(message))

    async def on_react(self, client: Client, rest: str) -> None:
        seq, emoji = self._which(client, rest)
        command = React(room=self._room, seq=seq, emoji=emoji)
        page = await self._do(client, Reactions(room=self._room, seq=seq))
        assert isinstance(page, ReactionsPage)
        mine = any(one.mine and one.emoji == command.emoji for one in page.reactions)
        await self._do(client, React(room=self._room, seq=seq, emoji=emoji, on=not mine))

    async def on_pin(self, client: Client, rest: str) -> None:
        seq, _ = self._which(client, rest)
        page = await self._page(client, History(room=self._room, after=seq - 1, limit=1))
        is_pinned = any(message.seq == seq and message.pinned for message in page.messages)
        await self._do(client, Pin(room=self._room, seq=seq, on=not is_pinned))

    async def on_pins(self, client: Client, rest: str) -> None:
        page = await self._do(client, Pins(room=self._room))
        assert isinstance(page, PinsPage)
        pinned = [message for message in page.messages if message.room == self._room]
        self._say(text.server("Pinned here:" if pinned else "Nothing is pinned here"))
        for message in pinned:
            self._say(text.numbered(message))

    async def on_thread(self, client: Client, rest: str) -> None:
        seq, _ = self._which(client, rest)
        await self._enter(client, names.thread_id(self._room, seq), None)

    async def on_answer(self, client: Client, rest: str) -> None:
        """The first answer begins the thread."""
        seq, said = self._which(client, rest)
        await self._do(client, Post(room=names.thread_id(self._room, seq), text=said))

    def _which(self, client: Client, rest: str) -> tuple[int, str]:
        """The message with the number that the rest begins with, else the latest."""
        number, _, after = rest.partition(" ")
        if number.isascii() and number.isdigit():
            return int(number[:15]), after.strip()
        room = client.rooms.get(self._room)
        if room is None or not room.seq:
            raise Invalid("Nothing has been said here yet.")
        return room.seq, rest

    async def on_topic(self, client: Client, rest: str) -> None:
        if rest:
            await self._do(client, UpdateRoom(room=self._room, topic=rest))
            return
        joined = await self._do(client, Join(room=self._room))
        assert isinstance(joined, Joined)
        self._say(
            text.server(joined.room.topic or "This room has no topic. /topic TEXT gives it one")
        )

    async def on_msg(self, client: Client, rest: str) -> None:
        user, _, said = rest.partition(" ")
        if not said.strip():
            raise Invalid("Say /msg USER TEXT.")
        found = await self._do(client, Direct(users=(user.removeprefix("@"),)))
        assert isinstance(found, Joined)
        await self._do(client, Post(room=found.room.room, text=said))
        self._say(text.server(f"Sent to {user}"))

    async def on_block(self, client: Client, rest: str) -> None:
        await self._do(client, Block(user=_named(rest, "block")))
        self._say(text.server(f"You have blocked {rest}. /unblock {rest} takes it back"))

    async def on_unblock(self, client: Client, rest: str) -> None:
        await self._do(client, Block(user=_named(rest, "unblock"), on=False))
        self._say(text.server(f"{rest} is not blocked"))

    async def on_quit(self, client: Client, rest: str) -> None:
        if self._unkept:
            self._all_kept = asyncio.get_running_loop().create_future()
            await self._all_kept
        self.close(1000, "Bye.")

    # Rooms

    async def _enter(
        self, client: Client, room_id: str, after: int | None, say: str | None = None
    ) -> None:
        """Be in this room and no other. Raises NotFound, and leaves all as it was."""
        hub = self.dispatcher.hub
        command: Command = Join(room=room_id)
        shown = after

        async def ask() -> Joined:
            nonlocal command, shown
            found = await self._do(client, command)
            assert isinstance(found, Joined)
            # Whoever is put out while they come in is not made a member once more.
            command = Watch(room=room_id)
            room = None
            while shown is not None and (room is None or room is not hub.rooms.get(room_id)):
                room = await hub.room(room_id)
                shown = await self._show_from(client, room, shown)
            return found

        joined = await hub.enter(client, room_id, ask)
        for other in list(client.rooms.values()):
            if other.id != room_id:
                hub.detach(client, other)
        self._room = room_id
        self._say(text.server(say) if say else text.arrived(joined.room))

    async def _show_from(self, client: Client, room: Room, after: int) -> int:
        """Everything since a seq, up to where live frames go on; the seq of that.

        When it returns, nothing waits in the room that this client would have to be told.
        """
        self.dispatcher.hub.queue.settle(room)
        while after < room.seq and not self.closing:
            page = await self._page(client, History(room=room.id, after=after, limit=PAGE_MAX))
            self.dispatcher.hub.queue.settle(room)
            for message in page.messages:
                # The database may be ahead of the hub, whose live frames bring the rest.
                if after < message.seq <= room.seq:
                    self._say(text.message(message))
                    after = message.seq
            if not page.messages:
                return after
            await self._low_water()
            self.dispatcher.hub.queue.settle(room)
        return after

    async def _low_water(self) -> None:
        """Wait until what was written has gone out, if much. The hub ends who never reads."""
        while self.is_full and not self.closing:  # noqa: ASYNC110 - it has no end to wake us at
            await asyncio.sleep(DRAIN_POLL_S)

    async def _page(self, client: Client, query: History) -> Page:
        page = await self.dispatcher.ask(client.actor, query)
        assert isinstance(page, Page)
        return page

    # What the hub asks

    def catch_up(self) -> None:
        """It has drained: page on from the last line that it got."""
        if self.client is not None and not self._catching_up:
            self._catching_up = True
            self.run(partial(self._go_on_reading, self.client))

    async def _go_on_reading(self, client: Client) -> None:
        try:
            room = client.rooms.get(self._room)
            if room is not None:
                self.dispatcher.hub.queue.settle_rooms_of(client)
                await self._show_from(client, room, client.missed.get(room.id, room.seq))
            self.dispatcher.hub.backpressure.caught_up(client)
        finally:
            self._catching_up = False

    def removed(self, room: str) -> None:
        if room == self._room and self.client is not None:
            self._say(text.server(f"You are no longer in #{room}"))
            self.run(partial(self._enter, self.client, names.LOBBY, None))


_WORDS: dict[str, Word] = {
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


def _named(rest: str, word: str) -> str:
    """The handle that follows a word. Raises Invalid."""
    if not 1 <= len(rest) <= 64:
        raise Invalid(f"Say /{word} USER.")
    return rest


async def _who(dispatcher: Dispatcher, name: str | None, address: str, token: str | None) -> Actor:
    """Oneself with a token, else a guest. Raises SignInRequired where no guests are let in."""
    if token:
        return await dispatcher.identify_arrival(token)
    try:
        wanted = names.user_name(name.removeprefix("~")) if name else None
        return dispatcher.authenticator.new_guest(wanted, address)[0]
    except Forbidden as error:
        raise SignInRequired(
            "This server lets no guests in. Send “Authorization: Bearer” with a token."
        ) from error
