"""Iterators over what happens: each message once and in order, or events as they come."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from hubbub.model.accounts import MeChanged
from hubbub.model.base import Event
from hubbub.model.errors import Forbidden, NotFound, NotMember
from hubbub.model.messages import PAGE_MAX, Message
from hubbub.model.reading import Behind, RoomHead

if TYPE_CHECKING:
    from hubbub.client.client import Client

EVENTS_MAX = 1_000  # waiting for one reader; above it they are replaced by one `behind`


def room_of(event: Event) -> str | None:
    """The room that an event is about, if it is about one."""
    if isinstance(event, MeChanged):
        return event.room.room if event.room else None
    room: str | None = getattr(event, "room", None)
    return room


class Reader:
    """Somebody who waits until the client knows more than before."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()

    def look(self) -> None:
        """Call before looking at what there is: what comes after it ends `woken`."""
        self._news.clear()

    async def woken(self) -> None:
        await self._news.wait()


class Messages(Reader):
    """The messages of a room after ``seq``, each once, by rising seq, without a hole.

    Nothing waits in a queue: it remembers only how far it is, takes what comes next from what the
    client keeps, and asks for pages of history where that does not reach back. So a reader may
    be as slow as it likes, over any number of reconnects, and still gets everything.
    """

    def __init__(self, client: "Client", room: str, after: int) -> None:
        super().__init__()
        self.seq = after
        """The message that was given last."""
        self._client = client
        self._room = room
        self._epoch = client.state.epoch
        self._page: deque[Message] = deque()  # at most one page

    def __aiter__(self) -> "Messages":
        return self

    async def __anext__(self) -> Message:
        while True:
            self.look()
            self._client.check()
            room = self._client.state.rooms.get(self._room)
            if room is None:
                raise StopAsyncIteration
            if self._epoch != self._client.state.epoch:
                # The numbers of what the restored database has lost are given out again.
                self._epoch = self._client.state.epoch
                self.seq = min(self.seq, room.seq_at_welcome)
                self._page.clear()
            if not self._page:
                self._page.extend(room.after(self.seq, PAGE_MAX))
            if self._page:
                return self._next(self._page.popleft())
            if room.seq > self.seq and room.is_settled:
                await self._read_back()
            else:
                await self.woken()

    def _next(self, message: Message) -> Message:
        self.seq = message.seq
        return message

    async def _read_back(self) -> None:
        """The next page from the server, as what is kept does not reach back to it."""
        epoch = self._epoch
        try:
            page = await self._client.history(self._room, after=self.seq, limit=PAGE_MAX)
        except (Forbidden, NotFound, NotMember) as error:
            raise StopAsyncIteration from error
        if epoch == self._client.state.epoch:
            self._page.extend(page.messages)


class Events(Reader):
    """What happens, as it comes: new messages, edits, deletes, people, everything that is news.

    Over a reconnect changes come as they are then, each once. At most 1,000 events wait; a reader
    who lets more come up gets, in their place, one `Behind` with the heads of the rooms: look at
    `Client.rooms` for what is true now.
    """

    def __init__(self, client: "Client", room: str | None) -> None:
        super().__init__()
        self._client = client
        self._room = room
        self._waiting: deque[Event] = deque()

    def offer(self, event: Event) -> None:
        if self._room is not None and room_of(event) != self._room:
            return
        if len(self._waiting) >= EVENTS_MAX:
            self._waiting.clear()
            event = Behind(rooms=self._heads())
        self._waiting.append(event)

    def _heads(self) -> dict[str, RoomHead]:
        return {
            room.room: RoomHead(seq=room.seq, rev=room.rev)
            for room in self._client.state.rooms.values()
            if self._room in (None, room.room)
        }

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> Event:
        while not self._waiting:
            self.look()
            self._client.check()
            await self.woken()
        return self._waiting.popleft()
