"""A running hub for each test, with its waits made short."""

from collections.abc import AsyncIterator, Iterator
from unittest.mock import patch

import pytest

from hubbub.live import backpressure, hub, presence, sequencer
from hubbub.live.cluster import nodes, peers
from tests.support.hub import Hall
from tests.support.nodes import Wire


@pytest.fixture
async def hall(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    monkeypatch.setattr(backpressure, "SWEEP_EVERY_S", 0.002)
    monkeypatch.setattr(hub, "COUNTS_EVERY_S", 0.005)
    monkeypatch.setattr(presence, "GRACE_S", 0.01)
    made = Hall()
    made.hub.start()
    yield made
    await made.hub.stop()


@pytest.fixture
def quick() -> Iterator[None]:
    """Timers that a test does not wait for."""
    with (
        patch.object(nodes, "COMPARE_EVERY_S", 0.02),
        patch.object(nodes, "COMPARE_ALONE_EVERY_S", 0.01),
        patch.object(nodes, "ON_ITS_WAY_S", 0.002),
        patch.object(sequencer, "GAP_WAIT_S", 0.002),
        patch.object(peers, "ALIVE_EVERY_S", 0.02),
        patch.object(peers, "GONE_AFTER_S", 0.3),
    ):
        yield


@pytest.fixture
def wire() -> Wire:
    return Wire()
