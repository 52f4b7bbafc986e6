"""A command executor for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.executor import ExecutorHarness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[ExecutorHarness]:
    harness = ExecutorHarness(tmp_path / "hubbub.db")
    await harness.start()
    yield harness
    await harness.close()
