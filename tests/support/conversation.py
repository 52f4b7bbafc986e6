"""Clients that post through all nodes of a cluster, and a check that nothing is lost."""

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
from tests.support.people import QUICK, accounts, assert_caught_up, history
from tests.support.proxy import Balancer
from tests.support.server import HOST
from tests.support.waiting import until

NAMES = ("ana", "bo", "cy", "dee", "eva", "flo")
READER = "tess"  # a plain-text client
PAUSE_S = 0.02  # between two posts of a person
RETRY_AFTER_S = 0.05  # between two attempts of clients that do not retry by themselves
TIMEOUT_S = 60


class ConversationResult(NamedTuple):
    """The effect of a fault on a conversation."""

    acknowledged: int
    lost: int
    duplicated: int
    silence_s: float
    """The longest time in which some client received nothing."""


class Conversation:
    """The clients. Each one posts until it is told to stop and its last post is acknowledged."""

    def __init__(self, cluster: Cluster, tokens: dict[str, str]) -> None:
        self.cluster = cluster
        self.tokens = tokens
        self.people: dict[str, Client] = {}
        self.back_room = ""
        """A private room in which messages are edited and deleted."""
        self.acknowledged_seqs: dict[str, int] = {}
        """Text → the seq that was acknowledged."""
        self.seen: dict[str, list[tuple[int, str]]] = {name: [] for name in NAMES}
        self.lines: list[str] = []
        """The messages that the plain-text client received."""
        self.silence_s = 0.0
        self.is_stopping = False
        # Seq in the back room → the text that was acknowledged last, None once deleted. Messages
        # with an unknown outcome are left out.
        self._expected_texts: dict[int, str | None] = {}
        self._acknowledged = asyncio.Condition()
        self._received_at: dict[str, float] = {}

    async def wait_for_acks(self, count: int) -> None:
        """Wait until this many more posts have been acknowledged."""
        async with asyncio.timeout(TIMEOUT_S), self._acknowledged:
            before = len(self.acknowledged_seqs)
            await self._acknowledged.wait_for(lambda: len(self.acknowledged_seqs) >= before + count)

    # Posting

    async def post_messages(self, person: Client) -> None:
        number = 0
        while not self.is_stopping:
            number += 1
            text = f"{person.me.name}, message {number}"
            await self._on_acknowledged(text, (await person.post("lobby", text)).seq)
            await asyncio.sleep(PAUSE_S)

    async def post_over_http(self, url: str, name: str) -> None:
        """Post as a script does, which retries with the same key until there is an answer."""
        async with aiohttp.ClientSession(headers=self._bearer(name)) as http:
            number = 0
            while not self.is_stopping:
                number += 1
                text = f"{name}, over HTTP, message {number}"
                seq = None
                while seq is None:
                    seq = await _try_http(http, url, text, f"key-{number}")
                await self._on_acknowledged(text, seq)
                await asyncio.sleep(PAUSE_S)

    async def _on_acknowledged(self, text: str, seq: int) -> None:
        self.acknowledged_seqs[text] = seq
        async with self._acknowledged:
            self._acknowledged.notify_all()

    async def edit_and_delete(self, person: Client) -> None:
        """Post, edit and delete; a change without acknowledgement may have been made or not."""
        while not self.is_stopping:
            try:
                seq = (await person.post(self.back_room, f"posted by {person.me.name}")).seq
                text = f"edited by {person.me.name}, in place of {seq}"
                await person.edit(self.back_room, seq, text)
                self._expected_texts[seq] = text
                if random.random() < 0.3:
                    del self._expected_texts[seq]
                    await person.delete(self.back_room, seq)
                    self._expected_texts[seq] = None
            except (HubbubError, client.Disconnected):
                pass
            await asyncio.sleep(PAUSE_S)

    # Receiving

    def _on_received(self, name: str) -> None:
        now = time.monotonic()
        self.silence_s = max(self.silence_s, now - self._received_at.get(name, now))
        self._received_at[name] = now

    async def watch(self, name: str, messages: Messages) -> None:
        async for message in messages:
            self._on_received(name)
            self.seen[name].append((message.seq, message.text))

    async def read_plain_text(self, url: str) -> None:
        """Read as a person with `websocat` does, who reconnects after the last message."""
        async with aiohttp.ClientSession(headers=self._bearer(READER)) as http:
            while True:
                # Nothing is edited or deleted there, so each line is the next message.
                address = f"{url}/ws?room=lobby&after={len(self.lines)}"
                try:
                    async with http.ws_connect(
                        address, timeout=aiohttp.ClientWSTimeout(1)
                    ) as socket:
                        async for frame in socket:
                            self._on_line(frame.data)
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(RETRY_AFTER_S)

    def _on_line(self, line: str) -> None:
        if not line.startswith("* "):
            self._on_received(READER)
            self.lines.append(line)

    def _bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    # Checking

    async def check(self) -> ConversationResult:
        """Check that every client, after all have stopped, agrees with the database."""
        node = self.cluster.nodes[0]
        truth = await history(node, self.tokens["ana"], "lobby")
        assert [message["seq"] for message in truth] == list(range(1, len(truth) + 1))
        stored = Counter(message["text"] for message in truth)
        stored_seqs = {message["text"]: message["seq"] for message in truth}
        lost = sum(stored_seqs.get(text) != seq for text, seq in self.acknowledged_seqs.items())
        duplicated = sum(count - 1 for count in stored.values())
        stored_messages = [(message["seq"], message["text"]) for message in truth]
        for name, person in self.people.items():
            await _assert_ends_with(person, "lobby", truth)
            await until(lambda: len(self.seen[name]) >= len(truth))  # noqa: B023 - awaited here
            lost += len(set(stored_messages) - set(self.seen[name]))
            duplicated += len(self.seen[name]) - len(set(self.seen[name]))
            assert self.seen[name] == sorted(self.seen[name]), f"{name} saw them out of order"
        await until(lambda: len(self.lines) >= len(truth))
        lines = [f"{message['by']}: {message['text']}" for message in truth]
        assert self.lines == lines, "the plain-text client received other messages than were posted"
        return ConversationResult(
            len(self.acknowledged_seqs),
            lost + await self._changes_lost(),
            duplicated,
            self.silence_s,
        )

    async def _changes_lost(self) -> int:
        truth = await history(self.cluster.nodes[0], self.tokens["ana"], self.back_room)
        for person in self.people.values():
            await _assert_ends_with(person, self.back_room, truth)
        texts = {
            message["seq"]: None if message.get("deleted") else message["text"] for message in truth
        }
        return sum(texts[seq] != text for seq, text in self._expected_texts.items())


async def _assert_ends_with(person: Client, room: str, truth: list[dict[str, Any]]) -> None:
    """Wait for a client's last change, which its node may receive a second later, then compare."""
    head = max((message["rev"] for message in truth), default=0)
    await until(lambda: person.rooms[room].have == head)
    await assert_caught_up(person, room, truth)


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
    await asyncio.sleep(RETRY_AFTER_S)
    return None


Fault = Callable[[Conversation], Awaitable[None]]


async def run_conversation(
    cluster: Cluster, fault: Fault, *, before: int = 30, after: int = 60
) -> ConversationResult:
    """Inject a fault into a conversation, and check what the clients have received.

    ``before`` and ``after`` are the numbers of posts acknowledged before and after the fault.
    """
    tokens = await accounts(cluster.nodes[0], *NAMES, READER, "script")
    conversation = Conversation(cluster, tokens)
    async with AsyncExitStack() as stack:
        near = [node.port for node in cluster.nodes if node.host == HOST]
        balancer = await stack.enter_async_context(Balancer(near))
        for number, name in enumerate(NAMES):
            # Half of them stay with one node, the others connect through the balancer.
            url = cluster.nodes[number % len(cluster.nodes)].url if number % 2 else balancer.url
            connection = client.connect(url, tokens[name], backoff=QUICK, keep=1_000_000)
            conversation.people[name] = await stack.enter_async_context(connection)
        await _create_back_room(conversation)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        listeners = [
            tasks.create_task(conversation.watch(name, person.messages("lobby", after=0)))
            for name, person in conversation.people.items()
        ]
        listeners.append(tasks.create_task(conversation.read_plain_text(balancer.url)))
        posters = [
            tasks.create_task(conversation.post_messages(person))
            for person in conversation.people.values()
        ]
        posters.append(tasks.create_task(conversation.post_over_http(balancer.url, "script")))
        posters += [
            tasks.create_task(conversation.edit_and_delete(conversation.people[name]))
            for name in ("bo", "cy")
        ]
        await conversation.wait_for_acks(before)
        await fault(conversation)
        await conversation.wait_for_acks(after)
        conversation.is_stopping = True
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.gather(*posters)
        result = await conversation.check()
        for listener in listeners:
            listener.cancel()
    return result


async def _create_back_room(conversation: Conversation) -> None:
    """Create the back room, and wait until every client has it."""
    ana = conversation.people["ana"]
    created = await ana.do(CreateRoom(title="Back room", kind="private", members=NAMES[1:]))
    conversation.back_room = created.room.room
    await until(
        lambda: all(
            conversation.back_room in person.rooms for person in conversation.people.values()
        )
    )
