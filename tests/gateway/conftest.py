"""One server for each module; each test makes its own people and rooms."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.site import Site

MakeSite = Callable[..., Site]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server open to all, with guests, without limits. It must log nothing."""
    made = Site(tmp_path_factory.mktemp("site") / "data").start()
    yield made
    made.stop()
    made.assert_nothing_logged()


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Start servers with these settings, each on new data unless ``data`` is given.

    They stop with the test.
    """
    made: list[Site] = []

    def make(**settings: Any) -> Site:
        data = settings.pop("data", tmp_path / f"data-{len(made)}")
        made.append(Site(data, **settings).start())
        return made[-1]

    yield make
    for one in made:
        one.stop()
        one.assert_nothing_logged()
