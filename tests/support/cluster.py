"""Three nodes on one PostgreSQL and one NATS, and people who talk through all of them."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from hubbub import client
from hubbub.client import Client, Messages
from hubbub.model.errors import HubbubError
from tests.support.nats import Nats
from tests.support.network import Network
from tests.support.people import QUICK, accounts, equals, history
from tests.support.postgres import Postgres
from tests.support.proxy import Balancer, Proxy
from tests.support.server import HOST, Server
from tests.support.waiting import until

NODES = 3
NAMES = ("ana", "bo", "cy", "dee", "eva", "flo")
BACK_ROOM = "back-room"  # where what was said is edited and deleted
PAUSE_S = 0.02  # between two posts of a person
WAIT_S = 60
NO_LIMIT = "1000000:1000000"


class Cluster:
    """The servers of one chat. Each part may be stopped, frozen and started by itself."""

    def __init__(self, folder: Path, bad_bus: str | None = None) -> None:
        """``bad_bus`` says what becomes of what comes over it; see `tests.support.unreliable`."""
        self._module = ("tests.support.unreliable", bad_bus) if bad_bus else ("hubbub",)
        self.postgres = Postgres().start()
        self.nats = Nats().start()
        self.database = self.postgres.database()
        self.folder = folder
        self.nodes: list[Server] = []
        self.bus_proxy: Proxy
        self.network: Network
        """Of the last node, if it is a far one."""

    def node(self, number: int) -> Server:
        """A node that is not yet started; its bus goes through the proxy."""
        return Server(
            self.folder / f"node-{number}",
            *("--database", self.postgres.url(self.database)),
            *("--bus", self.nats.url(port=self.bus_proxy.port)),
            module=self._module,
        )

    def far_node(self, database: Proxy, bus: Proxy) -> Server:
        """The same on a machine of its own, to which these proxies reach."""
        here = f"@{self.network.here}:"
        urls = self.postgres.url(self.database, port=database.port), self.nats.url(port=bus.port)
        there = [url.replace(f"@{HOST}:", here) for url in urls]
        return Server(
            self.folder / "node-far",
            *("--database", there[0], "--bus", there[1]),
            *("--commands-per-user", NO_LIMIT, "--commands-per-address", NO_LIMIT),
            command="serve",
            limits=True,  # which may be off on loopback only
            wrapper=self.network.wrapper,
            host=self.network.there,
        )

    @property
    def logs(self) -> str:
        return "\n".join(f"--- {node.data.name}\n{node.log}" for node in self.nodes)

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
        self.nats.close()
        self.postgres.close()


@asynccontextmanager
async def cluster(
    folder: Path, size: int = NODES, bad_bus: str | None = None
) -> AsyncIterator[Cluster]:
    made = await asyncio.to_thread(Cluster, folder, bad_bus)
    try:
        async with Proxy(made.nats.port) as made.bus_proxy:
            made.nodes = [made.node(number) for number in range(size)]
            # One after another: each finds the schema that the first one has made.
            for node in made.nodes:
                await asyncio.to_thread(node.start)
            yield made
            await asyncio.to_thread(made.close)
    finally:
        made.close()


@asynccontextmanager
async def far_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """The last of the nodes has a network of its own. Raises NotPermittedError."""
    network = await asyncio.to_thread(Network)
    try:
        async with AsyncExitStack() as stack:
            made = await stack.enter_async_context(cluster(folder, NODES - 1))
            made.network = network
            database = await stack.enter_async_context(Proxy(made.postgres.port, network.here))
            bus = await stack.enter_async_context(Proxy(made.nats.port, network.here))
            made.nodes.append(made.far_node(database, bus))
            await asyncio.to_thread(made.nodes[-1].start)
            yield made
            made.nodes[-1].kill()
    finally:
        await asyncio.to_thread(network.close)


class Figures(NamedTuple):
    """What a fault did to those who talked meanwhile."""

    acknowledged: int
    lost: int
    doubled: int
    silence_s: float


class Crowd:
    """People at all nodes, who post until they are told to stop, and what they were told."""

    def __init__(self, made: Cluster, tokens: dict[str, str]) -> None:
        self.cluster = made
        self.tokens = tokens
        self.people: dict[str, Client] = {}
        self.acked: dict[str, int] = {}
        """Text → the seq that was acknowledged."""
        self.seen: dict[str, list[tuple[int, str]]] = {name: [] for name in NAMES}
        self.silence_s = 0.0
        self.is_over = False
        self._acks = asyncio.Condition()
        self._heard_at: dict[str, float] = {}

    async def new_acks(self, least: int) -> None:
        """Wait until so many more posts have been acknowledged."""
        async with asyncio.timeout(WAIT_S), self._acks:
            before = len(self.acked)
            await self._acks.wait_for(lambda: len(self.acked) >= before + least)

    async def talk(self, one: Client) -> None:
        number = 0
        while not self.is_over:
            number += 1
            text = f"{one.me.name}, message {number}"
            await self._note(text, (await one.post("lobby", text)).seq)
            await asyncio.sleep(PAUSE_S)

    async def talk_over_http(self, url: str, name: str) -> None:
        """As any script would: the same key until there is an answer."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            number = 0
            while not self.is_over:
                number += 1
                text = f"{name}, over HTTP, message {number}"
                seq = None
                while seq is None:
                    seq = await _try_http(http, url, text, f"key-{number}")
                await self._note(text, seq)
                await asyncio.sleep(PAUSE_S)

    async def change_ones_mind(self, one: Client) -> None:
        """Post, edit, delete: what is kept is known from the database only."""
        while not self.is_over:
            try:
                posted = await one.post(BACK_ROOM, f"said by {one.me.name}")
                await one.edit(BACK_ROOM, posted.seq, f"meant by {one.me.name}")
                if random.random() < 0.3:
                    await one.delete(BACK_ROOM, posted.seq)
            except (HubbubError, client.Disconnected):
                pass  # an edit whose outcome is unknown is not tried again
            await asyncio.sleep(PAUSE_S)

    async def _note(self, text: str, seq: int) -> None:
        self.acked[text] = seq
        async with self._acks:
            self._acks.notify_all()

    async def watch(self, name: str, messages: Messages) -> None:
        async for message in messages:
            now = time.monotonic()
            self.silence_s = max(self.silence_s, now - self._heard_at.get(name, now))
            self._heard_at[name] = now
            self.seen[name].append((message.seq, message.text))

    async def judged(self) -> Figures:
        """Everyone has stopped: is what each knows what the database has?"""
        node = self.cluster.nodes[0]
        truth = await history(node, self.tokens["ana"], "lobby")
        assert [message["seq"] for message in truth] == list(range(1, len(truth) + 1))
        stored = Counter(message["text"] for message in truth)
        kept = {message["text"]: message["seq"] for message in truth}
        lost = sum(kept.get(text) != seq for text, seq in self.acked.items())
        doubled = sum(count - 1 for count in stored.values())
        for name, one in self.people.items():
            await _ends_with(one, "lobby", truth)
            await until(lambda: len(self.seen[name]) >= len(truth))  # noqa: B023 - awaited here
            shown = [(message["seq"], message["text"]) for message in truth]
            lost += len(set(shown) - set(self.seen[name]))
            doubled += len(self.seen[name]) - len(set(self.seen[name]))
            assert self.seen[name] == sorted(self.seen[name]), f"{name} saw them out of order"
        back = await history(node, self.tokens["ana"], BACK_ROOM)
        for one in self.people.values():
            await _ends_with(one, BACK_ROOM, back)
        return Figures(len(self.acked), lost, doubled, self.silence_s)


async def _ends_with(one: Client, room: str, truth: list[dict[str, Any]]) -> None:
    """A client hears of the last change from its own node, which may hear of it a second later."""
    head = max((message["rev"] for message in truth), default=0)
    await until(lambda: one.rooms[room].have == head)
    await equals(one, room, truth)


async def _try_http(http: aiohttp.ClientSession, url: str, text: str, key: str) -> int | None:
    try:
        async with http.post(
            f"{url}/api/rooms/lobby/messages",
            json={"text": text},
            headers={"Idempotency-Key": key},
            timeout=aiohttp.ClientTimeout(total=5),
        ) as answer:
            if answer.status == 201:
                return int((await answer.json())["seq"])
            assert answer.status == 503, await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        pass
    await asyncio.sleep(0.05)  # between attempts, as nobody is there
    return None


async def talk_through(
    made: Cluster, fault: Callable[["Crowd"], Awaitable[None]], *, before: int = 30, after: int = 60
) -> Figures:
    """Have everybody talk, let something happen, and see what became of what was said.

    So many posts are acknowledged ``before`` and ``after`` it.
    """
    tokens = await accounts(made.nodes[0], *NAMES, "script")
    crowd = Crowd(made, tokens)
    async with AsyncExitStack() as stack:
        near = [node.port for node in made.nodes if node.host == HOST]
        balancer = await stack.enter_async_context(Balancer(near))
        for number, name in enumerate(NAMES):
            # Half of them keep to a node, the others come in wherever they are sent.
            url = made.nodes[number % len(made.nodes)].url if number % 2 else balancer.url
            one = client.connect(url, tokens[name], backoff=QUICK, keep=1_000_000)
            crowd.people[name] = await stack.enter_async_context(one)
        await _furnish(crowd)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        watchers = [
            tasks.create_task(crowd.watch(name, one.messages("lobby", after=0)))
            for name, one in crowd.people.items()
        ]
        talkers = [tasks.create_task(crowd.talk(one)) for one in crowd.people.values()]
        talkers.append(tasks.create_task(crowd.talk_over_http(balancer.url, "script")))
        talkers += [
            tasks.create_task(crowd.change_ones_mind(crowd.people[name])) for name in ("bo", "cy")
        ]
        await crowd.new_acks(before)
        await fault(crowd)
        await crowd.new_acks(after)
        crowd.is_over = True
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(*talkers)
        figures = await crowd.judged()
        for watcher in watchers:
            watcher.cancel()
    return figures


async def _furnish(crowd: Crowd) -> None:
    """A private room for all of them, made once; known to everybody before it begins."""
    headers = {"Authorization": f"Bearer {crowd.tokens['ana']}"}
    url = crowd.cluster.nodes[0].url
    room = {"title": BACK_ROOM, "kind": "public", "members": list(NAMES[1:])}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{url}/api/rooms", json=room) as answer,
    ):
        assert answer.status == 201, await answer.text()
    await until(lambda: all(BACK_ROOM in one.rooms for one in crowd.people.values()))
