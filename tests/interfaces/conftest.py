"""One server for each module, and people who come to its doors."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.chat import House, Visitors


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, store: tuple[str, ...]) -> Iterator[House]:
    """Ana owns the server; bo and cy have accounts. Whatever was done, the log says nothing."""
    made = House.at(tmp_path_factory.mktemp("house") / "data", "ana", "bo", "cy", options=store)
    yield made
    made.server.stop()
    assert_silent(made.server.log)


@pytest.fixture(scope="module")
def store() -> tuple[str, ...]:
    """The options that say where the server keeps what it has."""
    return ()


def assert_silent(log: str) -> None:
    """Nothing but that it stopped: no warning, no traceback."""
    noise = [line for line in log.splitlines() if " info " not in line]
    assert not noise, "\n".join(noise)


@pytest_asyncio.fixture
async def visitors(house: House) -> AsyncIterator[Visitors]:
    async with Visitors.of(house) as opened:
        yield opened
