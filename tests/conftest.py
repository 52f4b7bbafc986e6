"""Fixtures for tests of all folders."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubbub.store.engines.postgres import Database
from tests.support.postgres import Postgres
from tests.support.server import Server

MakeServer = Callable[..., Server]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that share what their module starts run on one worker, so that it starts once."""
    if isinstance(item, pytest.Function) and item.get_closest_marker("xdist_group") is None:
        used = item._fixtureinfo.name2fixturedefs.values()
        if any(fixture.scope == "module" for found in used for fixture in found):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long ones early: one of them left to the end has all other cores wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Makes servers (see `Server` for what it takes), not yet started; all end with the test.

    Each has a data folder of its own unless ``data`` names one.
    """
    made: list[Server] = []

    def make(*options: str, data: Path | None = None, **more: object) -> Server:
        folder = data or tmp_path / f"data-{len(made)}"
        server = Server(folder, *options, **more)  # type: ignore[arg-type]  # passed on as given
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    """A running server: open, guests let in, no limits of rate."""
    return make_server().start()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that runs, for all tests that do not stop it."""
    server = Postgres()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """A database with the schema and nothing in it, from which others are made."""
    name = postgres.database()
    Database(postgres.url(name)).migrate()
    return name


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres, migrated: str) -> Callable[[], str]:
    """Makes the address of a new database with the schema."""
    return lambda: postgres.url(postgres.database(migrated))
