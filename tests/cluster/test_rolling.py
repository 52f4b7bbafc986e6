"""A rolling upgrade to a release with another schema, during a conversation."""

import asyncio
from pathlib import Path

import pytest

from hubbub.store.schema.migrations import HEAD
from tests.cluster import faults
from tests.support.cluster import cluster
from tests.support.conversation import run_conversation
from tests.support.release import NEXT, NoPreviousCommitError, previous_commit, release


async def test_nothing_is_lost_or_duplicated_during_a_rolling_upgrade(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path) as running:
        result = await run_conversation(running, faults.rolling_upgrade)
        assert (result.lost, result.duplicated) == (0, 0), running.logs
        assert "Traceback" not in running.logs, running.logs


async def test_nothing_is_lost_or_duplicated_beside_the_previous_commit(tmp_path: Path) -> None:
    try:
        environment = previous_commit(tmp_path / "previous")
    except NoPreviousCommitError:
        pytest.skip("there is no git here, or no previous commit")
    async with cluster(tmp_path) as running:
        result = await run_conversation(running, faults.beside_another_commit(environment))
        assert (result.lost, result.duplicated) == (0, 0), running.logs
        assert "Traceback" not in running.logs, running.logs


async def test_a_release_refuses_a_schema_that_is_too_new_for_it(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path, size=1) as running:
        [node] = running.nodes
        await asyncio.to_thread(node.stop)
        node.environment = release(tmp_path / "next", works_with=NEXT)
        await asyncio.to_thread(node.start)
        await asyncio.to_thread(node.stop)
        node.environment = {}
        log_start = len(node.log)
        node.launch()
        assert await asyncio.to_thread(node.wait) != 0
        [refusal] = node.log[log_start:].splitlines()
        assert f"written by a newer Hubbub (schema {NEXT}; this one supports {HEAD})" in refusal
        assert "Install that version or a later one." in refusal
        assert running.schema() == NEXT
