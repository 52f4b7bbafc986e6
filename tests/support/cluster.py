"""Three nodes on one PostgreSQL and one NATS; `tests.support.conversation` talks through them."""

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
    """The servers of one chat. Each part may be stopped, frozen and started by itself."""

    def __init__(self, folder: Path, bad_bus: str | None = None) -> None:
        """``bad_bus``: the odds that `tests.support.unreliable_bus` takes."""
        self._module = ("tests.support.unreliable_bus", bad_bus) if bad_bus else ("hubbub",)
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
