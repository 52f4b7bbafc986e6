"""Kills and restored copies: nothing that was acknowledged or seen is lost after a kill, and after
a restore no client keeps outdated state."""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from hubbub import client
from hubbub.client import Client, Messages
from hubbub.model.messages import Reset
from tests.support.people import QUICK, WAIT_S, accounts, assert_caught_up, history
from tests.support.server import Server
from tests.support.soak import LIMIT_S, tries

pytestmark = [pytest.mark.long, pytest.mark.timeout(LIMIT_S)]

NAMES = ("ana", "bo", "cy")
KILLS = tries(6, many=20)
POSTERS_PER_PERSON = 2
KILL_AFTER_MAX_S = 0.25  # after the first acknowledgements


class Load:
    """People who post through the client and over HTTP, with the messages that they receive."""

    def __init__(self, server: Server, tokens: dict[str, str]) -> None:
        self.server = server
        self.tokens = tokens
        self.acknowledged: dict[str, int] = {}
        """Text → the seq that was acknowledged."""
        self.seen: dict[str, list[tuple[int, str]]] = {name: [] for name in NAMES}
        self.acks = asyncio.Condition()
        self.has_seen_more = asyncio.Event()
        self.is_over = False

    async def acknowledge(self, text: str, seq: int) -> None:
        self.acknowledged[text] = seq
        async with self.acks:
            self.acks.notify_all()

    async def post(self, person: Client, task: int) -> None:
        number = 0
        while not self.is_over:
            number += 1
            text = f"{person.me.name}, task {task}, message {number}"
            await self.acknowledge(text, (await person.post("lobby", text)).seq)

    async def post_over_http(self, name: str) -> None:
        """Post as a script would, with the same key until there is an answer."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            number = 0
            while not self.is_over:
                number += 1
                text = f"{name}, over HTTP, message {number}"
                seq = None
                while seq is None:
                    seq = await self.try_http(http, text, f"key-{number}")
                await self.acknowledge(text, seq)

    async def try_http(self, http: aiohttp.ClientSession, text: str, key: str) -> int | None:
        try:
            async with http.post(
                f"{self.server.url}/api/rooms/lobby/messages",
                json={"text": text},
                headers={"Idempotency-Key": key},
            ) as answer:
                if answer.status == 201:
                    return int((await answer.json())["seq"])
                assert answer.status == 503, await answer.text()
        except aiohttp.ClientError:
            await asyncio.sleep(0.02)  # between attempts, while there is no server
        return None

    async def watch(self, name: str, messages: Messages) -> None:
        async for message in messages:
            self.seen[name].append((message.seq, message.text))
            self.has_seen_more.set()

    async def until_everybody_has_seen(self, count: int) -> None:
        while any(len(seen) < count for seen in self.seen.values()):
            self.has_seen_more.clear()
            await self.has_seen_more.wait()

    async def until_acknowledged(self, count: int) -> None:
        """Wait for this number of further acknowledgements."""
        async with self.acks:
            before = len(self.acknowledged)
            await self.acks.wait_for(lambda: len(self.acknowledged) >= before + count)


@asynccontextmanager
async def connected(server: Server, tokens: dict[str, str]) -> AsyncIterator[dict[str, Client]]:
    async with AsyncExitStack() as stack:
        people = {}
        for name in NAMES:
            connection = client.connect(server.url, tokens[name], backoff=QUICK, keep=1_000_000)
            people[name] = await stack.enter_async_context(connection)
        yield people


async def start(server: Server) -> None:
    await asyncio.to_thread(server.start)


async def test_acknowledged_and_seen_messages_survive_kills(server: Server) -> None:
    chance = random.Random()
    tokens = await accounts(server, *NAMES, "script")
    load = Load(server, tokens)
    async with connected(server, tokens) as people, asyncio.TaskGroup() as tasks:
        watchers = [
            tasks.create_task(load.watch(name, person.messages("lobby", after=0)))
            for name, person in people.items()
        ]
        posters = [
            tasks.create_task(load.post(person, task))
            for person in people.values()
            for task in range(POSTERS_PER_PERSON)
        ]
        posters.append(tasks.create_task(load.post_over_http("script")))
        for _ in range(KILLS):
            async with asyncio.timeout(WAIT_S):
                await load.until_acknowledged(10)
            await asyncio.sleep(chance.uniform(0, KILL_AFTER_MAX_S))  # a random moment
            server.kill()
            await start(server)
        load.is_over = True
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(*posters)

        truth = await history(server, tokens["ana"], "lobby")
        assert [message["seq"] for message in truth] == list(range(1, len(truth) + 1))
        stored = {message["text"]: message["seq"] for message in truth}
        assert Counter(message["text"] for message in truth).most_common(1)[0][1] == 1
        # Everybody retried until the answer, so exactly the acknowledged messages are stored.
        assert stored == load.acknowledged

        for person in people.values():
            await assert_caught_up(person, "lobby", truth)
        async with asyncio.timeout(WAIT_S):
            await load.until_everybody_has_seen(len(truth))
        for seen in load.seen.values():
            assert seen == [(message["seq"], message["text"]) for message in truth]
        for watcher in watchers:
            watcher.cancel()


async def test_after_a_restore_clients_drop_what_the_database_does_not_have(
    server: Server, tmp_path: Path
) -> None:
    tokens = await accounts(server, *NAMES)
    async with client.connect(server.url, tokens["ana"]) as ana:
        for text in ("one", "two", "three"):
            await ana.post("lobby", text)
        await ana.edit("lobby", 1, "one, edited before the copy")
    assert await asyncio.to_thread(server.stop) == 0
    copy = copy_database(server, tmp_path / "copy.db")

    await start(server)
    async with connected(server, tokens) as people:
        ana, bo = people["ana"], people["bo"]
        epoch = bo.state.epoch
        messages, events = bo.messages("lobby", after=3), bo.events("lobby")
        await ana.edit("lobby", 2, "two, edited after the copy")
        await ana.delete("lobby", 3)
        for text in ("four", "five"):
            await ana.post("lobby", text)
        async with asyncio.timeout(WAIT_S):
            assert [(await anext(messages)).text for _ in range(2)] == ["four", "five"]
        truth = await history(server, tokens["cy"], "lobby")
        for person in people.values():
            await assert_caught_up(person, "lobby", truth)

        server.kill()
        restore(server, copy)
        await start(server)
        async with asyncio.timeout(WAIT_S):
            while not isinstance(await anext(events), Reset):
                pass
        truth = await history(server, tokens["cy"], "lobby")
        texts = [message["text"] for message in truth]
        assert texts == ["one, edited before the copy", "two", "three"]
        for person in people.values():
            async with asyncio.timeout(WAIT_S):
                # Replies arrive after the welcome of the new connection.
                await person.history("lobby")
            assert person.state.epoch != epoch
            await assert_caught_up(person, "lobby", truth)

        await ana.post("lobby", "another four")
        async with asyncio.timeout(WAIT_S):
            assert (await anext(messages)).text == "another four"
        truth = await history(server, tokens["cy"], "lobby")
        for person in people.values():
            await assert_caught_up(person, "lobby", truth)


def copy_database(server: Server, to: Path) -> Path:
    # A stopped server leaves everything in this file.
    assert not (server.data / "hubbub.db-wal").exists()
    shutil.copy(server.data / "hubbub.db", to)
    return to


def restore(server: Server, copy: Path) -> None:
    for file in server.data.glob("hubbub.db*"):
        file.unlink()
    shutil.copy(copy, server.data / "hubbub.db")
