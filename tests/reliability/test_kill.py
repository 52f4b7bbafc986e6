"""The plug is pulled, again and again, and databases come back from copies: nothing that anyone
has seen or had acknowledged is lost, and no client keeps what is no longer true."""

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
from tests.support.people import QUICK, WAIT_S, accounts, equals, history
from tests.support.server import Server
from tests.support.soak import LIMIT_S, tries

pytestmark = [pytest.mark.long, pytest.mark.timeout(LIMIT_S)]

NAMES = ("ana", "bo", "cy")
KILLS = tries(6, many=20)
POSTS_AT_ONCE = 2  # of each person
UNDER_LOAD_S = 0.25  # at most, after the first acknowledgement


class Crowd:
    """People who post through the client, one who posts over HTTP, and what they were told."""

    def __init__(self, server: Server, tokens: dict[str, str]) -> None:
        self.server = server
        self.tokens = tokens
        self.acked: dict[str, int] = {}
        """Text → the seq that was acknowledged."""
        self.seen: dict[str, list[tuple[int, str]]] = {name: [] for name in NAMES}
        self.acks = asyncio.Condition()
        self.sight = asyncio.Event()
        self.is_over = False

    async def note(self, text: str, seq: int) -> None:
        self.acked[text] = seq
        async with self.acks:
            self.acks.notify_all()

    async def post(self, one: Client, which: int) -> None:
        number = 0
        while not self.is_over:
            number += 1
            text = f"{one.me.name}, task {which}, message {number}"
            await self.note(text, (await one.post("lobby", text)).seq)

    async def post_over_http(self, name: str) -> None:
        """As any script would: the same key until there is an answer."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            number = 0
            while not self.is_over:
                number += 1
                text = f"{name}, over HTTP, message {number}"
                seq = None
                while seq is None:
                    seq = await self.try_http(http, text, f"key-{number}")
                await self.note(text, seq)

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
            await asyncio.sleep(0.02)  # between attempts, as there is no server
        return None

    async def watch(self, name: str, messages: Messages) -> None:
        async for message in messages:
            self.seen[name].append((message.seq, message.text))
            self.sight.set()

    async def everyone_has_seen(self, count: int) -> None:
        while any(len(seen) < count for seen in self.seen.values()):
            self.sight.clear()
            await self.sight.wait()

    async def new_acks(self, least: int) -> None:
        """Wait until posts are being acknowledged."""
        async with self.acks:
            before = len(self.acked)
            await self.acks.wait_for(lambda: len(self.acked) >= before + least)


@asynccontextmanager
async def connected(server: Server, tokens: dict[str, str]) -> AsyncIterator[dict[str, Client]]:
    async with AsyncExitStack() as stack:
        people = {}
        for name in NAMES:
            one = client.connect(server.url, tokens[name], backoff=QUICK, keep=1_000_000)
            people[name] = await stack.enter_async_context(one)
        yield people


async def start(server: Server) -> None:
    await asyncio.to_thread(server.start)


async def test_what_was_acknowledged_or_seen_outlives_kills_again_and_again(server: Server) -> None:
    chance = random.Random()
    tokens = await accounts(server, *NAMES, "script")
    crowd = Crowd(server, tokens)
    async with connected(server, tokens) as people, asyncio.TaskGroup() as tasks:
        watchers = [
            tasks.create_task(crowd.watch(name, one.messages("lobby", after=0)))
            for name, one in people.items()
        ]
        posters = [
            tasks.create_task(crowd.post(one, which))
            for one in people.values()
            for which in range(POSTS_AT_ONCE)
        ]
        posters.append(tasks.create_task(crowd.post_over_http("script")))
        for _ in range(KILLS):
            async with asyncio.timeout(WAIT_S):
                await crowd.new_acks(10)
            await asyncio.sleep(chance.uniform(0, UNDER_LOAD_S))  # a moment nobody has chosen
            server.kill()
            await start(server)
        crowd.is_over = True
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(*posters)

        truth = await history(server, tokens["ana"], "lobby")
        assert [message["seq"] for message in truth] == list(range(1, len(truth) + 1))
        stored = {message["text"]: message["seq"] for message in truth}
        assert Counter(message["text"] for message in truth).most_common(1)[0][1] == 1
        # Everyone has gone on until the answer came, so nothing else was stored either.
        assert stored == crowd.acked

        for one in people.values():
            await equals(one, "lobby", truth)
        async with asyncio.timeout(WAIT_S):
            await crowd.everyone_has_seen(len(truth))
        for seen in crowd.seen.values():
            assert seen == [(message["seq"], message["text"]) for message in truth]
        for watcher in watchers:
            watcher.cancel()


async def test_no_client_keeps_what_a_restored_database_does_not_know(
    server: Server, tmp_path: Path
) -> None:
    tokens = await accounts(server, *NAMES)
    async with client.connect(server.url, tokens["ana"]) as ana:
        for text in ("one", "two", "three"):
            await ana.post("lobby", text)
        await ana.edit("lobby", 1, "one, edited before the copy")
    assert await asyncio.to_thread(server.stop) == 0
    kept = copied(server, tmp_path / "copy.db")

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
        for one in people.values():
            await equals(one, "lobby", truth)

        server.kill()
        put_back(server, kept)
        await start(server)
        async with asyncio.timeout(WAIT_S):
            while not isinstance(await anext(events), Reset):
                pass
        truth = await history(server, tokens["cy"], "lobby")
        texts = [message["text"] for message in truth]
        assert texts == ["one, edited before the copy", "two", "three"]
        for one in people.values():
            async with asyncio.timeout(WAIT_S):
                # Any answer comes after the welcome of the new connection.
                await one.history("lobby")
            assert one.state.epoch != epoch
            await equals(one, "lobby", truth)

        await ana.post("lobby", "another four")
        async with asyncio.timeout(WAIT_S):
            assert (await anext(messages)).text == "another four"
        truth = await history(server, tokens["cy"], "lobby")
        for one in people.values():
            await equals(one, "lobby", truth)


def copied(server: Server, to: Path) -> Path:
    # A server that has stopped leaves everything in this one file.
    assert not (server.data / "hubbub.db-wal").exists()
    shutil.copy(server.data / "hubbub.db", to)
    return to


def put_back(server: Server, kept: Path) -> None:
    for file in server.data.glob("hubbub.db*"):
        file.unlink()
    shutil.copy(kept, server.data / "hubbub.db")
