"""One server for each module; each test brings its own people and rooms."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.site import Site

MakeSite = Callable[..., Site]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Open, with guests, without limits. Whatever is done to it, it logs nothing."""
    made = Site(tmp_path_factory.mktemp("site") / "data").start()
    yield made
    made.stop()
    made.assert_silent()


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Starts servers with settings of their own, each on new data unless ``data`` is given.

    They end with the test.
    """
    made: list[Site] = []

    def make(**settings: Any) -> Site:
        data = settings.pop("data", tmp_path / f"data-{len(made)}")
        made.append(Site(data, **settings).start())
        return made[-1]

    yield make
    for one in made:
        one.stop()
        one.assert_silent()
