"""A running hub for each test, with short waits."""

from collections.abc import AsyncIterator, Iterator
from unittest.mock import patch

import pytest

from hubbub.live import backpressure, hub, presence, sequencer
from hubbub.live.cluster import nodes, peers
from tests.support.hub import HubHarness
from tests.support.nodes import FakeBus


@pytest.fixture
async def harness(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HubHarness]:
    monkeypatch.setattr(backpressure, "SWEEP_EVERY_S", 0.002)
    monkeypatch.setattr(hub, "COUNTS_EVERY_S", 0.005)
    monkeypatch.setattr(presence, "GRACE_S", 0.01)
    running = HubHarness()
    running.hub.start()
    yield running
    await running.hub.stop()


@pytest.fixture
def short_timers() -> Iterator[None]:
    """Shorten the timers that tests would wait for."""
    with (
        patch.object(nodes, "COMPARE_EVERY_S", 0.02),
        patch.object(nodes, "COMPARE_ALONE_EVERY_S", 0.01),
        patch.object(nodes, "IN_TRANSIT_S", 0.002),
        patch.object(sequencer, "GAP_WAIT_S", 0.002),
        patch.object(peers, "HEARTBEAT_EVERY_S", 0.02),
        patch.object(peers, "PEER_TIMEOUT_S", 0.3),
    ):
        yield


@pytest.fixture
def fake_bus() -> FakeBus:
    return FakeBus()
