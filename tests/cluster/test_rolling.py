"""A release goes out to one node after another while people talk, and changes the schema."""

import asyncio
from pathlib import Path

from hubbub.store.schema.migrations import HEAD
from tests.cluster import faults
from tests.support.cluster import cluster
from tests.support.conversation import talk_through
from tests.support.release import NEXT, release


async def test_nothing_is_lost_or_doubled_while_the_next_release_comes_to_one_node_after_another(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path) as made:
        figures = await talk_through(made, faults.next_release_comes)
        assert (figures.lost, figures.doubled) == (0, 0), made.logs
        assert "Traceback" not in made.logs, made.logs


async def test_a_release_that_the_schema_does_not_work_with_any_more_says_so(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path, size=1) as made:
        [node] = made.nodes
        await asyncio.to_thread(node.stop)
        node.environment = release(tmp_path / "next", works_with=NEXT)
        await asyncio.to_thread(node.start)
        await asyncio.to_thread(node.stop)
        node.environment = {}
        said = len(node.log)
        node.launch()
        assert await asyncio.to_thread(node.wait) != 0
        [refusal] = node.log[said:].splitlines()
        assert f"written by a newer Hubbub (schema {NEXT}; this one knows {HEAD})" in refusal
        assert "Install that version or a later one." in refusal
        assert made.schema() == NEXT
