"""Three nodes under faults: nothing is lost or duplicated, and all clients agree in the end.

The same faults, for longer and several times each, make the table in docs/reliability.md:
``python -m tests.cluster.table``.
"""

from pathlib import Path

import pytest

from tests.cluster import faults
from tests.support.cluster import cluster, cluster_with_remote_node
from tests.support.conversation import Fault, run_conversation
from tests.support.network import NotPermittedError

pytestmark = pytest.mark.long

SHORT_S = 3.0
ALL_LOST = "1,0,0"

FAULTS: dict[str, Fault] = {
    "a node is killed": faults.node_killed,
    "the bus is away": faults.nats_stopped(SHORT_S),
    "the bus is frozen": faults.nats_frozen(SHORT_S + 1),
    "the bus is restarted": faults.nats_restarted,
    "the bus is cut off": faults.nats_cut_off(SHORT_S),
    "the bus is late": faults.nats_delayed(0.3, 60),
    "the database is restarted": faults.postgres_restarted(fast=True),
    "the database is killed": faults.postgres_restarted(fast=False),
    "a node is frozen in a transaction": faults.node_frozen_in_a_transaction,
    "nodes are restarted one by one": faults.nodes_restarted_one_by_one,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_is_lost_or_duplicated_while(fault: str, tmp_path: Path) -> None:
    async with cluster(tmp_path) as started:
        result = await run_conversation(started, FAULTS[fault])
        assert (result.lost, result.duplicated) == (0, 0), started.logs
        assert result.acknowledged > 0
        assert "Traceback" not in started.logs, started.logs


async def test_nothing_is_lost_or_duplicated_while_a_node_has_no_network(
    tmp_path: Path,
) -> None:
    try:
        async with cluster_with_remote_node(tmp_path) as started:
            result = await run_conversation(started, faults.node_cut_off(SHORT_S * 2))
            assert result.silence_s > SHORT_S, "the node was not cut off"
            assert (result.lost, result.duplicated) == (0, 0), started.logs
            assert "Traceback" not in started.logs, started.logs
    except NotPermittedError as error:
        pytest.skip(f"no network namespace can be started for a node: {error}")


@pytest.mark.parametrize(
    "fault_odds", ["0.2,0.2,0.3", ALL_LOST], ids=["some of it", "all of it is lost"]
)
async def test_nothing_is_lost_or_duplicated_on_an_unreliable_bus(
    fault_odds: str, tmp_path: Path
) -> None:
    async with cluster(tmp_path, fault_odds=fault_odds) as started:
        result = await run_conversation(started, faults.nothing)
        assert (result.lost, result.duplicated) == (0, 0), started.logs
        assert "Traceback" not in started.logs, started.logs
        # Nodes find each other over the bus only, which shows whether everything on it was lost.
        assert ("another node is running" in started.logs) == (fault_odds != ALL_LOST), started.logs
