"""deploy/nginx.conf before three servers of one chat, with nothing that keeps callers to one."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.deploy import nginx as real
from tests.deploy.nginx import NAME, Client, Nginx
from tests.support.chat import TextClient
from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.server import HOST, Server

BACK_WITHIN_S = 60

# One worker starts one nginx.
pytestmark = [
    pytest.mark.xdist_group("nginx"),
    pytest.mark.skipif(real.why_not() is not None, reason=str(real.why_not())),
]


@pytest.fixture
def nodes(postgres: Postgres, tmp_path: Path) -> Iterator[list[Server]]:
    nats = Nats()
    where = ("--database", postgres.url(postgres.database()), "--bus", nats.url())
    proxied = ("--public-url", f"https://{NAME}", "--trusted-proxies", HOST)
    made = [Server(tmp_path / f"node-{number}", *where, *proxied) for number in range(3)]
    try:
        nats.start()
        for node in made:
            node.start()
        yield made
    finally:
        for node in made:
            node.kill()
        nats.close()


@pytest.fixture
def nginx(nodes: list[Server], tmp_path: Path) -> Iterator[Nginx]:
    folder = tmp_path / "nginx"
    folder.mkdir()
    with Nginx(folder, *(node.port for node in nodes)).running() as running:
        yield running


@pytest.fixture
async def client(nginx: Nginx) -> AsyncIterator[Client]:
    async with nginx.client() as one:
        yield one


class Crowd:
    """People in terminals, who come in through nginx and stay."""

    def __init__(self, client: Client, stack: AsyncExitStack) -> None:
        self._client = client
        self._stack = stack
        self._count = 0

    async def comes(self) -> TextClient:
        self._count += 1
        one = TextClient(await self._client.socket(f"/ws?name=p{self._count}"))
        self._stack.push_async_callback(one.end)
        await one.line("* You are in")
        return one


@pytest.fixture
async def crowd(client: Client) -> AsyncIterator[Crowd]:
    async with AsyncExitStack() as stack:
        yield Crowd(client, stack)


def people_at(node: Server) -> int:
    """How many sockets a server has, by its own figures, which it shows to this machine."""
    connection = HTTPConnection(HOST, node.port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    [count] = re.findall(r'^hubbub_connections\{dialect="text"\} (\S+)$', text, re.MULTILINE)
    return int(float(count))


async def test_people_are_spread_over_all_servers_and_talk_to_each_other(
    nodes: list[Server], crowd: Crowd
) -> None:
    everyone = [await crowd.comes() for _ in range(9)]
    assert all(people_at(node) > 0 for node in nodes)
    for number, one in enumerate(everyone, 1):
        await one.say(f"message {number}")
        for other in everyone:
            if other is not one:
                await other.line(f"~p{number}: message {number}")


async def test_a_server_that_is_down_gets_nobody_and_nobody_notices(
    nodes: list[Server], client: Client, crowd: Crowd
) -> None:
    nodes[1].kill()
    for _ in range(6):
        await crowd.comes()
        answer, _ = await client.call("GET", "/api/about")
        assert answer.status == 200
        # What may change something is not asked for twice, unless it cannot have got there.
        answer, _ = await client.call("POST", "/api/guest", json={})
        assert answer.status == 200
    assert people_at(nodes[0]) + people_at(nodes[2]) == 6

    nodes[1].start()
    async with asyncio.timeout(BACK_WITHIN_S):
        while not people_at(nodes[1]):
            await crowd.comes()
            await asyncio.sleep(0.2)  # it is left out for some seconds
