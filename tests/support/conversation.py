"""People who talk through all nodes of a cluster, and whether anything of it was lost."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import aiohttp

from hubbub import client
from hubbub.client import Client, Messages
from hubbub.model.errors import HubbubError
from hubbub.model.rooms import CreateRoom
from tests.support.cluster import Cluster
from tests.support.people import QUICK, accounts, equals, history
from tests.support.proxy import Balancer
from tests.support.server import HOST
from tests.support.waiting import until

NAMES = ("ana", "bo", "cy", "dee", "eva", "flo")
READER = "tess"  # at the plain-text door
PAUSE_S = 0.02  # between two posts of a person
AGAIN_AFTER_S = 0.05  # between two attempts of one who has no client that does it
WAIT_S = 60


class ConversationResult(NamedTuple):
    """What a fault did to those who talked meanwhile."""

    acknowledged: int
    lost: int
    doubled: int
    silence_s: float
    """The longest time in which somebody heard nothing of the others and of themselves."""


class Crowd:
    """Whoever posts does so until told to stop, and until the answer has come."""

    def __init__(self, cluster: Cluster, tokens: dict[str, str]) -> None:
        self.cluster = cluster
        self.tokens = tokens
        self.people: dict[str, Client] = {}
        self.back_room = ""
        """A private one, where what was said is edited and deleted."""
        self.acked: dict[str, int] = {}
        """Text → the seq that was acknowledged."""
        self.seen: dict[str, list[tuple[int, str]]] = {name: [] for name in NAMES}
        self.lines: list[str] = []
        """What was heard at the plain-text door."""
        self.silence_s = 0.0
        self.is_over = False
        # Seq in the back room → the text that was acknowledged last, None once deleted; without
        # those of which an acknowledgement is missing.
        self._meant: dict[int, str | None] = {}
        self._acks = asyncio.Condition()
        self._heard_at: dict[str, float] = {}

    async def new_acks(self, least: int) -> None:
        """Wait until so many more posts have been acknowledged."""
        async with asyncio.timeout(WAIT_S), self._acks:
            before = len(self.acked)
            await self._acks.wait_for(lambda: len(self.acked) >= before + least)

    # Saying

    async def talk(self, one: Client) -> None:
        number = 0
        while not self.is_over:
            number += 1
            text = f"{one.me.name}, message {number}"
            await self._note(text, (await one.post("lobby", text)).seq)
            await asyncio.sleep(PAUSE_S)

    async def talk_over_http(self, url: str, name: str) -> None:
        """As any script would: the same key until there is an answer."""
        async with aiohttp.ClientSession(headers=self._bearer(name)) as http:
            number = 0
            while not self.is_over:
                number += 1
                text = f"{name}, over HTTP, message {number}"
                seq = None
                while seq is None:
                    seq = await _try_http(http, url, text, f"key-{number}")
                await self._note(text, seq)
                await asyncio.sleep(PAUSE_S)

    async def _note(self, text: str, seq: int) -> None:
        self.acked[text] = seq
        async with self._acks:
            self._acks.notify_all()

    async def change_ones_mind(self, one: Client) -> None:
        """Post, edit, delete. What is not acknowledged may have been done, or not."""
        while not self.is_over:
            try:
                seq = (await one.post(self.back_room, f"said by {one.me.name}")).seq
                text = f"meant by {one.me.name}, in place of {seq}"
                await one.edit(self.back_room, seq, text)
                self._meant[seq] = text
                if random.random() < 0.3:
                    del self._meant[seq]
                    await one.delete(self.back_room, seq)
                    self._meant[seq] = None
            except (HubbubError, client.Disconnected):
                pass
            await asyncio.sleep(PAUSE_S)

    # Hearing

    def _heard(self, name: str) -> None:
        now = time.monotonic()
        self.silence_s = max(self.silence_s, now - self._heard_at.get(name, now))
        self._heard_at[name] = now

    async def watch(self, name: str, messages: Messages) -> None:
        async for message in messages:
            self._heard(name)
            self.seen[name].append((message.seq, message.text))

    async def read_plain_text(self, url: str) -> None:
        """As somebody with `websocat` would, who comes back to where they were."""
        async with aiohttp.ClientSession(headers=self._bearer(READER)) as http:
            while True:
                # Nobody changes or deletes anything there, so each line is the next message.
                where = f"{url}/ws?room=lobby&after={len(self.lines)}"
                try:
                    async with http.ws_connect(where, timeout=aiohttp.ClientWSTimeout(1)) as socket:
                        async for frame in socket:
                            self._take_line(frame.data)
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(AGAIN_AFTER_S)

    def _take_line(self, line: str) -> None:
        if not line.startswith("* "):
            self._heard(READER)
            self.lines.append(line)

    def _bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    # The end

    async def judged(self) -> ConversationResult:
        """Everyone has stopped: is what each knows what the database has?"""
        node = self.cluster.nodes[0]
        truth = await history(node, self.tokens["ana"], "lobby")
        assert [message["seq"] for message in truth] == list(range(1, len(truth) + 1))
        stored = Counter(message["text"] for message in truth)
        kept = {message["text"]: message["seq"] for message in truth}
        lost = sum(kept.get(text) != seq for text, seq in self.acked.items())
        doubled = sum(count - 1 for count in stored.values())
        shown = [(message["seq"], message["text"]) for message in truth]
        for name, one in self.people.items():
            await _ends_with(one, "lobby", truth)
            await until(lambda: len(self.seen[name]) >= len(truth))  # noqa: B023 - awaited here
            lost += len(set(shown) - set(self.seen[name]))
            doubled += len(self.seen[name]) - len(set(self.seen[name]))
            assert self.seen[name] == sorted(self.seen[name]), f"{name} saw them out of order"
        await until(lambda: len(self.lines) >= len(truth))
        lines = [f"{message['by']}: {message['text']}" for message in truth]
        assert self.lines == lines, "what was heard at the plain-text door is not what was said"
        return ConversationResult(
            len(self.acked), lost + await self._changes_lost(), doubled, self.silence_s
        )

    async def _changes_lost(self) -> int:
        truth = await history(self.cluster.nodes[0], self.tokens["ana"], self.back_room)
        for one in self.people.values():
            await _ends_with(one, self.back_room, truth)
        texts = {one["seq"]: None if one.get("deleted") else one["text"] for one in truth}
        return sum(texts[seq] != text for seq, text in self._meant.items())


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
    await asyncio.sleep(AGAIN_AFTER_S)
    return None


Fault = Callable[[Crowd], Awaitable[None]]


async def talk_through(
    cluster: Cluster, fault: Fault, *, before: int = 30, after: int = 60
) -> ConversationResult:
    """Have everybody talk, let something happen, and see what became of what was said.

    So many posts are acknowledged ``before`` and ``after`` it.
    """
    tokens = await accounts(cluster.nodes[0], *NAMES, READER, "script")
    crowd = Crowd(cluster, tokens)
    async with AsyncExitStack() as stack:
        near = [node.port for node in cluster.nodes if node.host == HOST]
        balancer = await stack.enter_async_context(Balancer(near))
        for number, name in enumerate(NAMES):
            # Half of them keep to a node, the others come in wherever they are sent.
            url = cluster.nodes[number % len(cluster.nodes)].url if number % 2 else balancer.url
            one = client.connect(url, tokens[name], backoff=QUICK, keep=1_000_000)
            crowd.people[name] = await stack.enter_async_context(one)
        await _furnish(crowd)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        listeners = [
            tasks.create_task(crowd.watch(name, one.messages("lobby", after=0)))
            for name, one in crowd.people.items()
        ]
        listeners.append(tasks.create_task(crowd.read_plain_text(balancer.url)))
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
        for listener in listeners:
            listener.cancel()
    return figures


async def _furnish(crowd: Crowd) -> None:
    """The back room, which everybody knows before they begin."""
    ana = crowd.people["ana"]
    made = await ana.do(CreateRoom(title="Back room", kind="private", members=NAMES[1:]))
    crowd.back_room = made.room.room
    await until(lambda: all(crowd.back_room in one.rooms for one in crowd.people.values()))
