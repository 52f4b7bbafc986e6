"""Three nodes through bad days: nothing lost, nothing doubled, everyone ends with the same.

The same faults, for longer and several times each, make the table in docs/reliability.md:
``python -m tests.cluster.table``.
"""

from pathlib import Path

import pytest

from tests.cluster import faults
from tests.support.cluster import cluster, far_cluster
from tests.support.conversation import Fault, talk_through
from tests.support.network import NotPermittedError

pytestmark = pytest.mark.long

SHORT_S = 3.0
ALL_LOST = "1,0,0"

FAULTS: dict[str, Fault] = {
    "a node is killed": faults.node_killed,
    "the bus is away": faults.nats_away(SHORT_S),
    "the bus is frozen": faults.nats_frozen(SHORT_S + 1),
    "the bus is restarted": faults.nats_restarted,
    "the bus is cut off": faults.nats_cut_off(SHORT_S),
    "the bus is late": faults.nats_delayed(0.3, 60),
    "the database is restarted": faults.postgres_restarted(fast=True),
    "the database is killed": faults.postgres_restarted(fast=False),
    "a node is frozen in a transaction": faults.node_frozen_in_a_transaction,
    "nodes are restarted one by one": faults.nodes_restarted_one_by_one,
}


@pytest.mark.parametrize("what", FAULTS)
async def test_nothing_is_lost_or_doubled_while(what: str, tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        figures = await talk_through(made, FAULTS[what])
        assert (figures.lost, figures.doubled) == (0, 0), made.logs
        assert figures.acknowledged > 0
        assert "Traceback" not in made.logs, made.logs


async def test_nothing_is_lost_or_doubled_while_a_node_is_cut_off_from_everything(
    tmp_path: Path,
) -> None:
    try:
        async with far_cluster(tmp_path) as made:
            figures = await talk_through(made, faults.node_cut_off(SHORT_S * 2))
            assert figures.silence_s > SHORT_S, "it was not cut off"
            assert (figures.lost, figures.doubled) == (0, 0), made.logs
            assert "Traceback" not in made.logs, made.logs
    except NotPermittedError as error:
        pytest.skip(f"a network of its own cannot be made for a node: {error}")


@pytest.mark.parametrize(
    "bad_bus", ["0.2,0.2,0.3", ALL_LOST], ids=["some of it", "all of it is lost"]
)
async def test_nothing_is_lost_or_doubled_while_the_bus_loses_doubles_and_delays(
    bad_bus: str, tmp_path: Path
) -> None:
    async with cluster(tmp_path, bad_bus=bad_bus) as made:
        figures = await talk_through(made, faults.nothing)
        assert (figures.lost, figures.doubled) == (0, 0), made.logs
        assert "Traceback" not in made.logs, made.logs
        # Nodes hear of each other by the bus alone: so much of it was lost, or was not.
        assert ("a node is there" in made.logs) == (bad_bus != ALL_LOST), made.logs
