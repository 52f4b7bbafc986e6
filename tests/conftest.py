"""Fixtures for the tests of all folders."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubbub.store.engines.postgres import Database
from tests.support.postgres import Postgres
from tests.support.server import Server

MakeServer = Callable[..., Server]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run all tests of a module with module fixtures on one worker, so that these start once."""
    if isinstance(item, pytest.Function) and item.get_closest_marker("xdist_group") is None:
        used = item._fixtureinfo.name2fixturedefs.values()
        if any(fixture.scope == "module" for found in used for fixture in found):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with long tests: if one ran last, all other cores would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Creates servers (with the arguments of `Server`) without starting them.

    Each has its own data folder unless ``data`` names one. All are killed after the test.
    """
    made: list[Server] = []

    def make(*options: str, data: Path | None = None, **more: object) -> Server:
        folder = data or tmp_path / f"data-{len(made)}"
        server = Server(folder, *options, **more)  # type: ignore[arg-type]  # passed on unchanged
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    """A running server: open registration, guests allowed, no rate limits."""
    return make_server().start()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL for all tests that do not stop it."""
    server = Postgres()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database with only the schema, from which others are copied."""
    name = postgres.database()
    Database(postgres.url(name)).migrate()
    return name


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres, migrated: str) -> Callable[[], str]:
    """Creates a database with the schema, and returns its URL."""
    return lambda: postgres.url(postgres.database(migrated))
