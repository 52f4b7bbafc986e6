"""A ledger for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.executor import Dispatcher


@pytest.fixture
async def dispatcher(tmp_path: Path) -> AsyncIterator[Dispatcher]:
    made = Dispatcher(tmp_path / "hubbub.db")
    await made.start()
    yield made
    await made.close()
