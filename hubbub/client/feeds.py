"""Iterators: over messages, each once and in order, or over events as they come."""

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

EVENTS_MAX = 1_000  # queued for one reader; more are replaced by one `behind` event


def room_of(event: Event) -> str | None:
    """The room of an event, None if it has none."""
    if isinstance(event, MeChanged):
        return event.room.room if event.room else None
    room: str | None = getattr(event, "room", None)
    return room


class Reader:
    """Waits until the client's state changes."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()

    def clear(self) -> None:
        """Call this before reading the state: any later change ends `wait`."""
        self._news.clear()

    async def wait(self) -> None:
        await self._news.wait()


class Messages(Reader):
    """The messages of a room after ``seq``, each once, in order of seq, without a gap.

    There is no queue: the iterator keeps only its position, reads the next messages from the
    client's state, and requests from the server those that it no longer has. So even a slow reader
    gets all messages, over any number of reconnects.
    """

    def __init__(self, client: "Client", room: str, after: int) -> None:
        super().__init__()
        self.seq = after
        """The seq of the last message returned."""
        self._client = client
        self._room = room
        self._epoch = client.state.epoch
        self._page: deque[Message] = deque()  # at most one page

    def __aiter__(self) -> "Messages":
        return self

    async def __anext__(self) -> Message:
        while True:
            self.clear()
            self._client.check()
            room = self._client.state.rooms.get(self._room)
            if room is None:
                raise StopAsyncIteration
            if self._epoch != self._client.state.epoch:
                # The server reuses the seqs of messages that the restored database lost.
                self._epoch = self._client.state.epoch
                self.seq = min(self.seq, room.seq_at_welcome)
                self._page.clear()
            if not self._page:
                self._page.extend(room.after(self.seq, PAGE_MAX))
            if self._page:
                return self._next(self._page.popleft())
            if room.seq > self.seq and room.is_settled:
                await self._load_page()
            else:
                await self.wait()

    def _next(self, message: Message) -> Message:
        self.seq = message.seq
        return message

    async def _load_page(self) -> None:
        """Request the next page, as the client no longer keeps these messages."""
        epoch = self._epoch
        try:
            page = await self._client.history(self._room, after=self.seq, limit=PAGE_MAX)
        except (Forbidden, NotFound, NotMember) as error:
            raise StopAsyncIteration from error
        if epoch == self._client.state.epoch:
            self._page.extend(page.messages)


class Events(Reader):
    """All events that change something: new messages, edits, deletes, people and so on.

    After a reconnect each missed change comes once, in its current state. At most 1,000 events are
    queued; a slower reader gets one `Behind` with the heads of the rooms instead, and finds the
    current state in `Client.rooms`.
    """

    def __init__(self, client: "Client", room: str | None) -> None:
        super().__init__()
        self._client = client
        self._room = room
        self._waiting: deque[Event] = deque()

    def add(self, event: Event) -> None:
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
            self.clear()
            self._client.check()
            await self.wait()
        return self._waiting.popleft()
