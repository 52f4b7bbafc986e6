"""A server of several processes: who they are, and which of them has which connection."""

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.chat import JsonClient, Visitors
from tests.support.server import HOST, Server
from tests.support.waiting import until

ANSWER_WITHIN_S = 20.0
CONNECTIONS_MAX = 100
"""The kernel chooses the worker; that it never chooses one of two happens once in 2 ** 100."""


class WorkerGroup:
    """The processes of a `Server` that was started with ``--workers`` and a log in JSON."""

    def __init__(self, server: Server, count: int) -> None:
        self.server = server
        self.workers = range(1, count + 1)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What has been logged. The last line may not be whole yet."""
        lines = self.server.log.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def count(self, event: str) -> int:
        return sum(one["event"] == event for one in self.events)

    async def started(self) -> "WorkerGroup":
        """Once all of them serve."""
        await until(lambda: self.count("all processes serve") == 1)
        return self

    async def heard(self, event: str, times: int) -> None:
        await until(lambda: self.count(event) >= times)

    def pids(self) -> dict[str, int]:
        """By “bus”, “worker_1” …: the present ones, as the log tells."""
        found: dict[str, int] = {}
        for one in self.events:
            if one["event"] == "all processes serve":
                found = {key: pid for key, pid in one.items() if isinstance(pid, int)}
            elif one["event"] in ("a worker is there again", "a worker is new"):
                found[f"worker_{one['worker']}"] = one["pid"]
            elif one["event"] == "the bus is there again":
                found["bus"] = one["pid"]
        return found

    def bus_port(self) -> int:
        return int(json.loads(Path(self.server.data, "nats.conf").read_bytes())["port"])

    def figures(self, name: str, **labels: str) -> dict[int, float]:
        """The value of a metric by worker, of those who told."""
        connection = HTTPConnection(HOST, self.server.port, timeout=ANSWER_WITHIN_S)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return {
            int(sample.labels["worker"]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }

    async def _connections(self, total: int) -> dict[int, float]:
        """How many JSON sockets each worker has, once all have told and there are so many."""
        found: dict[int, float] = {}

        def told() -> bool:
            found.clear()
            found.update(self.figures("hubbub_connections", dialect="json"))
            return set(found) == set(self.workers) and sum(found.values()) == total

        await until(told)
        return found

    async def on_each(self, visitors: Visitors, name: str) -> dict[int, JsonClient]:
        """Connections of somebody, one to each worker. All others are those of ``visitors``."""
        clients: dict[int, JsonClient] = {}
        total = sum(not client.is_over for client in visitors._open)
        before = await self._connections(total)
        for more in range(1, CONNECTIONS_MAX + 1):
            client = await visitors.json(name)
            after = await self._connections(total + more)
            [worker] = [number for number in self.workers if after[number] > before[number]]
            clients.setdefault(worker, client)
            if len(clients) == len(self.workers):
                return clients
            before = after
        raise AssertionError(f"all of {CONNECTIONS_MAX} connections came to {list(clients)}")
