"""Each test gets its own world, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator

import pytest

from hubbub.store.engines.postgres import Database
from tests.support.postgres import Postgres
from tests.support.world import World


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    world = World(empty_database(request))
    yield world
    world.close()


def empty_database(request: pytest.FixtureRequest) -> Database | None:
    """An empty PostgreSQL database with the schema; None if the test's parameter is SQLite."""
    if request.param == "sqlite":
        return None
    postgres: Postgres = request.getfixturevalue("postgres")
    name, values = request.getfixturevalue("reused_database")
    postgres.empty(name, values)
    return Database(postgres.url(name))


@pytest.fixture(scope="session")
def reused_database(postgres: Postgres, migrated: str) -> tuple[str, list[tuple[object, ...]]]:
    """A database that is emptied before each test, and the rows of a new one in `server`.

    Creating a database for each of hundreds of tests took minutes.
    """
    return postgres.database(migrated), postgres.execute("SELECT key, value FROM server", migrated)
