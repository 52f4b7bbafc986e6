"""A scenario of three people in one room, each with a separate network connection."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from hypothesis import strategies as st

from hubbub import client
from hubbub.client import Client
from hubbub.model.base import Command
from hubbub.model.errors import NotFound
from hubbub.model.marks import Pin, React
from hubbub.model.messages import Post
from hubbub.model.rooms import CreateRoom, Join
from tests.support.people import QUICK
from tests.support.proxy import Proxy
from tests.support.server import Server

NAMES = ("ana", "bo", "cy")
ROOM_NAMES = (f"room-{nth}" for nth in range(10_000))

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *["post", "post", "posts", "edit", "edit", "delete"],
                *["react", "react", "take back", "pin", "answer", "answer", "follow"],
                *["cut", "post and cut", "freeze"],
            ]
        ),
        st.integers(0, len(NAMES) - 1),
        st.integers(0, 1_000),
    ),
    min_size=5,
    max_size=40,
)


MARKS: dict[str, Callable[[str, int], Command]] = {
    "react": lambda room, seq: React(room=room, seq=seq, emoji="👍🎉😂"[seq % 3]),
    "take back": lambda room, seq: React(room=room, seq=seq, emoji="👍🎉😂"[seq % 3], on=False),
    "pin": lambda room, seq: Pin(room=room, seq=seq),
    "answer": lambda room, seq: Post(
        room=f"{room}.{seq}", text="so it is", nonce=secrets.token_hex(8)
    ),
    "follow": lambda room, seq: Join(room=f"{room}.{seq}"),
}


class Scenario:
    """Three people in one room, each with a separate network connection."""

    def __init__(self, room: str, people: list[tuple[Client, Proxy]]) -> None:
        self.room = room
        self.people = people
        self.mine: list[list[int]] = [[] for _ in people]
        self.texts: list[str] = []
        self.tasks: list[asyncio.Task[object]] = []

    def step(self, who: int, what: str, pick: int) -> None:
        one, proxy = self.people[who]
        mine = self.mine[who]
        if what in ("post", "posts", "post and cut"):
            for _ in range(8 if what == "posts" else 1):
                text = f"text {len(self.texts)}"
                self.texts.append(text)
                self.tasks.append(asyncio.create_task(self.post(who, text)))
        elif what in ("edit", "delete") and mine:
            self.tasks.append(asyncio.create_task(self.change(one, what, mine, pick)))
        elif what in MARKS and self.texts:
            seq = 1 + pick % len(self.texts)
            self.tasks.append(asyncio.create_task(self.mark(one, what, seq)))
        elif what == "freeze":
            self.tasks.append(asyncio.create_task(self.freeze(proxy)))
        if what in ("cut", "post and cut"):
            proxy.cut()

    async def post(self, who: int, text: str) -> None:
        posted = await self.people[who][0].post(self.room, text)
        self.mine[who].append(posted.seq)

    async def change(self, one: Client, what: str, mine: list[int], pick: int) -> None:
        seq = mine[pick % len(mine)]
        try:
            if what == "edit":
                await one.edit(self.room, seq, f"edited {pick}")
            else:
                await one.delete(self.room, seq)
        except NotFound:
            pass  # it has been deleted meanwhile

    async def mark(self, one: Client, what: str, seq: int) -> None:
        """Change a message's marks; it may not be posted yet, or be deleted already."""
        with contextlib.suppress(NotFound):
            await one.do(MARKS[what](self.room, seq))

    async def freeze(self, proxy: Proxy) -> None:
        """Freeze the connection while other tasks run for a while."""
        with proxy.frozen():
            for _ in range(20):
                await asyncio.sleep(0)


@asynccontextmanager
async def run_scenario(server: Server, tokens: dict[str, str]) -> AsyncIterator[Scenario]:
    async with AsyncExitStack() as stack:
        people = []
        for name in NAMES:
            proxy = await stack.enter_async_context(Proxy(server.port))
            connected = client.connect(proxy.url, tokens[name], backoff=QUICK, keep=10_000)
            people.append((await stack.enter_async_context(connected), proxy))
        room = await new_room(people[0][0])
        for one, _ in people:
            await one.join(room)
        scenario = Scenario(room, people)
        try:
            yield scenario
        finally:
            # A failed scenario leaves tasks whose errors would appear in another test's log.
            for task in scenario.tasks:
                task.cancel()
            await asyncio.gather(*scenario.tasks, return_exceptions=True)


async def new_room(owner: Client) -> str:
    name = next(ROOM_NAMES)
    await owner.do(CreateRoom(title=name, room=name))
    return name
