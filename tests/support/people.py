"""Accounts for tests, the stored messages of a room, and metrics, over HTTP."""

import asyncio
from typing import Any

import aiohttp
import msgspec

from hubbub import client
from hubbub.client import Client, ClientRoomState
from hubbub.model.messages import Message
from tests.support.server import Server

PASSWORD = "three words do"
WAIT_S = 30
QUICK = client.Backoff(first_s=0.02, longest_s=0.2)


async def accounts(server: Server, *names: str) -> dict[str, str]:
    """Create accounts; return their tokens by name."""
    signed = [await client.sign_up(server.url, name, PASSWORD) for name in names]
    return {name: one.token for name, one in zip(names, signed, strict=True)}


async def history(server: Server, token: str, room: str) -> list[dict[str, Any]]:
    """All messages of a room as stored in the database, oldest first."""
    found: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        more = True
        while more:
            after = found[-1]["seq"] if found else 0
            url = f"{server.url}/api/rooms/{room}/messages?after={after}&limit=200"
            async with http.get(url) as answer:
                page = await answer.json()
                assert answer.status == 200, page
            found += page["messages"]
            more = page["more_after"]
    return found


async def metric(server: Server, name: str) -> float:
    """The value of one of the server's metrics."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


SHAPE = ("seq", "rev", "by", "text", "deleted", "marks_rev", "reactions", "pinned", "replies")


def comparable(messages: list[Message] | list[dict[str, Any]]) -> list[dict[str, object]]:
    """The fields of messages that must be the same in every source."""
    plain = [msgspec.json.decode(msgspec.json.encode(one)) for one in messages]
    return [{name: one.get(name) for name in SHAPE} for one in plain]


async def assert_caught_up(one: Client, room: str, truth: list[dict[str, Any]]) -> None:
    """Wait until a client has caught up; then it must agree with the database."""
    revs = [max(message["rev"], message.get("marks_rev", 0)) for message in truth]
    async with asyncio.timeout(WAIT_S):
        await one.caught_up()
        # The last events of other people may still be on their way.
        while (one.rooms[room].have or 0) < max(revs, default=0):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)
    state: ClientRoomState = one.rooms[room]
    kept = [message for message in truth if message["seq"] >= state.start]
    assert comparable(state.messages) == comparable(kept)
    assert state.have == max(revs, default=0)
