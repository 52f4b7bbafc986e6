"""One server for each module, and clients for its interfaces."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.chat import RestApi, Sockets


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, store: tuple[str, ...]) -> Iterator[RestApi]:
    """Ana owns the server; bo and cy have accounts. The log must have no warnings."""
    made = RestApi.at(tmp_path_factory.mktemp("server") / "data", "ana", "bo", "cy", options=store)
    yield made
    made.server.stop()
    assert_nothing_logged(made.server.log)


@pytest.fixture(scope="module")
def store() -> tuple[str, ...]:
    """The options that choose the server's database."""
    return ()


def assert_nothing_logged(log: str) -> None:
    """Assert that there is nothing above info: no warning, no traceback."""
    noise = [line for line in log.splitlines() if " info " not in line]
    assert not noise, "\n".join(noise)


@pytest_asyncio.fixture
async def sockets(api: RestApi) -> AsyncIterator[Sockets]:
    async with Sockets.of(api) as opened:
        yield opened
