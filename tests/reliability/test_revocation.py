"""Revocation: people who are removed while they connect receive nothing afterwards."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.nats import Nats
from tests.support.revocation import RevocationStats, Scenario
from tests.support.server import Server
from tests.support.soak import LIMIT_S, tries

TRIES = tries(80, many=1_600)
TRIES_ON_TWO_NODES = tries(20, many=400)
BAD_BUS = "0.2,0.2,0.3"  # shares of messages that are lost, duplicated, delayed

pytestmark = [pytest.mark.long, pytest.mark.timeout(LIMIT_S)]


async def _run(servers: list[Server], tries: int) -> RevocationStats:
    seed = random.randrange(2**32)
    async with Scenario.on(servers, seed) as scenario:
        result = await scenario.run(tries)
    sys.stdout.write(f"\n{len(servers)} node(s), seed {seed}: {result}\n")
    return result


async def test_removed_people_can_neither_receive_nor_do_anything(make_server: MakeServer) -> None:
    server = make_server(module=("tests.support.cheap_passwords", "0,0,0")).start()
    result = await _run([server], TRIES)
    assert result.faults == 0, result
    assert sum(result.tries.values()) == TRIES
    assert "Traceback" not in server.log, server.log


async def test_the_same_at_another_node_with_an_unreliable_bus(
    postgres_url: Callable[[], str], tmp_path: Path
) -> None:
    nats = Nats().start()
    options = ("--database", postgres_url(), "--bus", nats.url())
    module = ("tests.support.cheap_passwords", BAD_BUS)
    servers = [Server(tmp_path / name, *options, module=module) for name in ("near", "far")]
    try:
        for server in servers:
            server.start()
        result = await _run(servers, TRIES_ON_TWO_NODES)
        assert result.faults == 0, result
        assert sum(result.tries.values()) == TRIES_ON_TWO_NODES
        assert "Traceback" not in "".join(server.log for server in servers)
    finally:
        for server in servers:
            server.kill()
        nats.close()
