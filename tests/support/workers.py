"""A server with several worker processes: their pids, metrics and connections."""

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.chat import JsonClient, Sockets
from tests.support.server import HOST, Server
from tests.support.waiting import until

ANSWER_WITHIN_S = 20.0
CONNECTIONS_MAX = 100
"""The kernel chooses the worker; it misses one of two workers once in 2 ** 100 runs."""


class WorkerGroup:
    """The processes of a `Server` that was started with ``--workers`` and a log in JSON."""

    def __init__(self, server: Server, count: int) -> None:
        self.server = server
        self.workers = range(1, count + 1)

    @property
    def events(self) -> list[dict[str, Any]]:
        """All logged events. An incomplete last line is ignored."""
        lines = self.server.log.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def count(self, event: str) -> int:
        return sum(one["event"] == event for one in self.events)

    async def wait_started(self) -> "WorkerGroup":
        """Wait until all workers serve."""
        await until(lambda: self.count("all workers are serving") == 1)
        return self

    async def wait_for_log(self, event: str, times: int) -> None:
        await until(lambda: self.count(event) >= times)

    def pids(self) -> dict[str, int]:
        """The current pids by “bus”, “worker_1” …, from the log."""
        found: dict[str, int] = {}
        for one in self.events:
            if one["event"] == "all workers are serving":
                found = {key: pid for key, pid in one.items() if isinstance(pid, int)}
            elif one["event"] in ("a worker was restarted", "a worker was replaced"):
                found[f"worker_{one['worker']}"] = one["pid"]
            elif one["event"] == "the bus was restarted":
                found["bus"] = one["pid"]
        return found

    def bus_port(self) -> int:
        return int(json.loads(Path(self.server.data, "nats.conf").read_bytes())["port"])

    def metrics(self, name: str, **labels: str) -> dict[int, float]:
        """The value of a metric by worker, of those workers that reported."""
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
        """Wait until there are ``total`` JSON sockets; return their number by worker."""
        found: dict[int, float] = {}

        def is_complete() -> bool:
            found.clear()
            found.update(self.metrics("hubbub_connections", dialect="json"))
            return set(found) == set(self.workers) and sum(found.values()) == total

        await until(is_complete)
        return found

    async def connect_each(self, sockets: Sockets, name: str) -> dict[int, JsonClient]:
        """Open one connection to each worker. All other connections must be in ``sockets``."""
        clients: dict[int, JsonClient] = {}
        total = sum(not client.is_over for client in sockets._open)
        before = await self._connections(total)
        for more in range(1, CONNECTIONS_MAX + 1):
            client = await sockets.json(name)
            after = await self._connections(total + more)
            [worker] = [number for number in self.workers if after[number] > before[number]]
            clients.setdefault(worker, client)
            if len(clients) == len(self.workers):
                return clients
            before = after
        raise AssertionError(f"all {CONNECTIONS_MAX} connections went to {list(clients)}")
