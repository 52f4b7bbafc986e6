"""Each test has a world of its own, on each of the databases."""

from collections.abc import Iterator

import pytest

from hubbub.store.engines.postgres import Database
from tests.support.postgres import Postgres
from tests.support.world import World


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(fresh(request))
    yield made
    made.close()


def fresh(request: pytest.FixtureRequest) -> Database | None:
    """An empty PostgreSQL with the schema, if the test's parameter asks for one."""
    if request.param == "sqlite":
        return None
    postgres: Postgres = request.getfixturevalue("postgres")
    name, values = request.getfixturevalue("used")
    postgres.empty(name, values)
    return Database(postgres.url(name))


@pytest.fixture(scope="session")
def used(postgres: Postgres, migrated: str) -> tuple[str, list[tuple[object, ...]]]:
    """A database that serves one test after another, and what a new one has in `server`.

    A new database for each of hundreds of tests took minutes.
    """
    return postgres.database(migrated), postgres.execute("SELECT key, value FROM server", migrated)
