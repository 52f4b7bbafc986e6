"""A running hub for each test, with its waits made short."""

from collections.abc import AsyncIterator

import pytest

from hubbub.live import hub, pace, presence
from tests.support.hall import Hall


@pytest.fixture
async def hall(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    monkeypatch.setattr(pace, "SWEEP_EVERY_S", 0.002)
    monkeypatch.setattr(hub, "COUNTS_EVERY_S", 0.005)
    monkeypatch.setattr(presence, "GRACE_S", 0.01)
    made = Hall()
    made.hub.start()
    yield made
    await made.hub.stop()
