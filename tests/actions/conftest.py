"""Each test has a world of its own, on each of the databases."""

from collections.abc import Callable, Iterator

import pytest

from hubbub.store.postgres import Database
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
    make: Callable[[], str] = request.getfixturevalue("postgres_url")
    return Database(make())
