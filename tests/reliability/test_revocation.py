"""Who is out is out: people are put out while they come in, and hear nothing from then on."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.nats import Nats
from tests.support.revocation import Ground, RevocationResult
from tests.support.server import Server
from tests.support.soak import LIMIT_S, tries

TRIES = tries(80, many=1_600)
TRIES_ON_TWO_NODES = tries(20, many=400)
BAD_BUS = "0.2,0.2,0.3"  # lost, twice, late

pytestmark = [pytest.mark.long, pytest.mark.timeout(LIMIT_S)]


async def _run(servers: list[Server], tries: int) -> RevocationResult:
    seed = random.randrange(2**32)
    async with Ground.on(servers, seed) as ground:
        figures = await ground.run(tries)
    sys.stdout.write(f"\n{len(servers)} node(s), seed {seed}: {figures}\n")
    return figures


async def test_nobody_hears_or_does_anything_once_they_are_out(make_server: MakeServer) -> None:
    server = make_server(module=("tests.support.cheap_passwords", "0,0,0")).start()
    figures = await _run([server], TRIES)
    assert figures.faults == 0, figures
    assert sum(figures.tries.values()) == TRIES
    assert "Traceback" not in server.log, server.log


async def test_nor_at_another_node_whatever_the_bus_loses(
    postgres_url: Callable[[], str], tmp_path: Path
) -> None:
    nats = Nats().start()
    options = ("--database", postgres_url(), "--bus", nats.url())
    module = ("tests.support.cheap_passwords", BAD_BUS)
    servers = [Server(tmp_path / name, *options, module=module) for name in ("near", "far")]
    try:
        for server in servers:
            server.start()
        figures = await _run(servers, TRIES_ON_TWO_NODES)
        assert figures.faults == 0, figures
        assert sum(figures.tries.values()) == TRIES_ON_TWO_NODES
        assert "Traceback" not in "".join(server.log for server in servers)
    finally:
        for server in servers:
            server.kill()
        nats.close()
