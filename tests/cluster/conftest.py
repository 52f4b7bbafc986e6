"""Two nodes on one PostgreSQL and one NATS for each module, and sockets to either of them."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.support.chat import RestApi, Sockets
from tests.support.nats import Nats
from tests.support.server import Server


@pytest.fixture(scope="module")
def nats() -> Iterator[Nats]:
    server = Nats()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="module")
def apis(
    nats: Nats, postgres_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RestApi, RestApi]]:
    """The APIs of two nodes of one chat. Ana owns it; bo and cy have accounts."""
    folder = tmp_path_factory.mktemp("nodes")
    options = ("--database", postgres_url(), "--bus", nats.url())
    servers = [Server(folder / name, *options) for name in ("near", "far")]
    try:
        near = RestApi(servers[0].start(), "ana", "bo", "cy")
        far = RestApi(servers[1].start())
        far.tokens = near.tokens
        yield near, far
        for server in servers:
            assert server.stop() == 0
            warnings = [line for line in server.log.splitlines() if " info " not in line]
            assert not warnings, "\n".join(warnings)
    finally:
        for server in servers:
            server.kill()


@pytest_asyncio.fixture
async def sockets(apis: tuple[RestApi, RestApi]) -> AsyncIterator[tuple[Sockets, Sockets]]:
    async with AsyncExitStack() as stack:
        near, far = [await stack.enter_async_context(Sockets.of(api)) for api in apis]
        yield near, far
