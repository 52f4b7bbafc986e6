"""A ledger for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.executor import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path / "hubbub.db")
    await made.start()
    yield made
    await made.close()
