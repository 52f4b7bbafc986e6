"""deploy/nginx.conf in front of three servers of one chat, without sticky sessions."""

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

RETURN_TIMEOUT_S = 60

# One test worker starts one nginx.
pytestmark = [
    pytest.mark.xdist_group("nginx"),
    pytest.mark.skipif(real.skip_reason() is not None, reason=str(real.skip_reason())),
]


@pytest.fixture
def nodes(postgres: Postgres, tmp_path: Path) -> Iterator[list[Server]]:
    nats = Nats()
    arguments = ("--database", postgres.url(postgres.database()), "--bus", nats.url())
    proxied = ("--public-url", f"https://{NAME}", "--trusted-proxies", HOST)
    made = [Server(tmp_path / f"node-{number}", *arguments, *proxied) for number in range(3)]
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


class TextClients:
    """Plain-text clients that connect through nginx and stay."""

    def __init__(self, client: Client, stack: AsyncExitStack) -> None:
        self._client = client
        self._stack = stack
        self._count = 0

    async def connect(self) -> TextClient:
        self._count += 1
        one = TextClient(await self._client.socket(f"/ws?name=p{self._count}"))
        self._stack.push_async_callback(one.end)
        await one.line("* You are in")
        return one


@pytest.fixture
async def text_clients(client: Client) -> AsyncIterator[TextClients]:
    async with AsyncExitStack() as stack:
        yield TextClients(client, stack)


def count_sockets(node: Server) -> int:
    """The number of text sockets of a server, from its metrics."""
    connection = HTTPConnection(HOST, node.port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    [count] = re.findall(r'^hubbub_connections\{dialect="text"\} (\S+)$', text, re.MULTILINE)
    return int(float(count))


async def test_people_are_spread_over_all_servers_and_talk_to_each_other(
    nodes: list[Server], text_clients: TextClients
) -> None:
    everyone = [await text_clients.connect() for _ in range(9)]
    assert all(count_sockets(node) > 0 for node in nodes)
    for number, one in enumerate(everyone, 1):
        await one.say(f"message {number}")
        for other in everyone:
            if other is not one:
                await other.line(f"~p{number}: message {number}")


async def test_nginx_skips_a_server_that_is_down(
    nodes: list[Server], client: Client, text_clients: TextClients
) -> None:
    nodes[1].kill()
    for _ in range(6):
        await text_clients.connect()
        answer, _ = await client.call("GET", "/api/about")
        assert answer.status == 200
        # nginx repeats a POST only if the first server cannot have received it.
        answer, _ = await client.call("POST", "/api/guest", json={})
        assert answer.status == 200
    assert count_sockets(nodes[0]) + count_sockets(nodes[2]) == 6

    nodes[1].start()
    async with asyncio.timeout(RETURN_TIMEOUT_S):
        while not count_sockets(nodes[1]):
            await text_clients.connect()
            await asyncio.sleep(0.2)  # nginx skips the server for some seconds
