"""A release goes out to one node after another while people talk, and changes the schema.

A rolling restart of the same release is one of the faults in `test_faults`.
"""

import asyncio
from pathlib import Path

import aiohttp

from hubbub import __version__
from hubbub.store.migrations import HEAD
from tests.support.cluster import Cluster, Crowd, cluster, talk_through
from tests.support.release import NEXT, VERSION, release
from tests.support.server import Server


async def version(node: Server) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{node.url}/api/about") as answer:
        return str((await answer.json())["version"])


def schema(made: Cluster) -> str:
    [(found,)] = made.postgres.execute("SELECT version_num FROM alembic_version", made.database)
    return str(found)


async def restart(node: Server) -> None:
    assert await asyncio.to_thread(node.stop) == 0
    await asyncio.to_thread(node.start)


async def test_nothing_is_lost_or_doubled_while_the_next_release_comes_to_one_node_after_another(
    tmp_path: Path,
) -> None:
    coming = release(tmp_path / "next", works_with=HEAD)

    async def renewed(crowd: Crowd) -> None:
        first, *others = crowd.cluster.nodes
        first.environment = coming
        await restart(first)
        assert (await version(first), schema(crowd.cluster)) == (VERSION, NEXT)
        await crowd.new_acks(20)
        # The others go on beside it, and come back if they have to.
        for node in others:
            await restart(node)
            assert await version(node) == __version__
            await crowd.new_acks(20)
        for node in others:
            node.environment = coming
            await restart(node)
            await crowd.new_acks(10)
        assert schema(crowd.cluster) == NEXT

    async with cluster(tmp_path) as made:
        figures = await talk_through(made, renewed)
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
        assert schema(made) == NEXT
