"""Three nodes on one PostgreSQL and one NATS; see `tests.support.conversation`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.support.nats import Nats
from tests.support.network import Network
from tests.support.postgres import Postgres
from tests.support.proxy import Proxy
from tests.support.server import HOST, Server

NODES = 3
NO_LIMIT = "1000000:1000000"


class Cluster:
    """The servers of one chat. Each of them can be stopped, frozen and started by itself."""

    def __init__(self, folder: Path, fault_odds: str | None = None) -> None:
        """``fault_odds``: the probabilities for `tests.support.unreliable_bus`."""
        self._module = ("tests.support.unreliable_bus", fault_odds) if fault_odds else ("hubbub",)
        self.postgres = Postgres().start()
        self.nats = Nats().start()
        self.database = self.postgres.database()
        self.folder = folder
        self.nodes: list[Server] = []
        self.bus_proxy: Proxy
        self.network: Network
        """The network of the last node, if it is a remote one."""

    def node(self, number: int) -> Server:
        """A node that is not started yet; it reaches the bus through the proxy."""
        return Server(
            self.folder / f"node-{number}",
            *("--database", self.postgres.url(self.database)),
            *("--bus", self.nats.url(port=self.bus_proxy.port)),
            module=self._module,
        )

    def remote_node(self, database: Proxy, bus: Proxy) -> Server:
        """The same in a network of its own, in which it reaches these proxies."""
        host = f"@{self.network.host_address}:"
        urls = self.postgres.url(self.database, port=database.port), self.nats.url(port=bus.port)
        database_url, bus_url = [url.replace(f"@{HOST}:", host) for url in urls]
        return Server(
            self.folder / "node-remote",
            *("--database", database_url, "--bus", bus_url),
            *("--commands-per-user", NO_LIMIT, "--commands-per-address", NO_LIMIT),
            command="serve",
            limits=True,  # they can be switched off on loopback only
            wrapper=self.network.wrapper,
            host=self.network.node_address,
        )

    def schema(self) -> str:
        [(found,)] = self.postgres.execute("SELECT version_num FROM alembic_version", self.database)
        return str(found)

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
    folder: Path, size: int = NODES, fault_odds: str | None = None
) -> AsyncIterator[Cluster]:
    running = await asyncio.to_thread(Cluster, folder, fault_odds)
    try:
        async with Proxy(running.nats.port) as running.bus_proxy:
            running.nodes = [running.node(number) for number in range(size)]
            # One after another, as the first one creates the schema.
            for node in running.nodes:
                await asyncio.to_thread(node.start)
            yield running
            await asyncio.to_thread(running.close)
    finally:
        running.close()


@asynccontextmanager
async def cluster_with_remote_node(folder: Path) -> AsyncIterator[Cluster]:
    """A cluster whose last node has a network of its own. Raises NotPermittedError."""
    network = await asyncio.to_thread(Network)
    try:
        async with AsyncExitStack() as stack:
            running = await stack.enter_async_context(cluster(folder, NODES - 1))
            running.network = network
            database = await stack.enter_async_context(
                Proxy(running.postgres.port, network.host_address)
            )
            bus = await stack.enter_async_context(Proxy(running.nats.port, network.host_address))
            running.nodes.append(running.remote_node(database, bus))
            await asyncio.to_thread(running.nodes[-1].start)
            yield running
            running.nodes[-1].kill()
    finally:
        await asyncio.to_thread(network.close)
