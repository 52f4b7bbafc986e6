"""Health checks and metrics: `/healthz`, `/readyz` and `/metrics`."""

import ipaddress
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aiohttp import web

from hubbub.gateway.auth.request_policy import DISPATCHER, parsed_address
from hubbub.gateway.operations.worker_metrics import WorkerMetrics
from hubbub.model.errors import Forbidden
from hubbub.model.settings import Worker
from hubbub.store.data_folder import DataFolder

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

# A proxy adds one of these. Its address may be private while its clients are public.
_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_TEXT = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


class RequestCounter:
    """Counts HTTP responses by class of status. A WebSocket counts as one."""

    def __init__(self) -> None:
        self.by_class = [0] * 6  # by the first digit of the status
        self.registry: CollectorRegistry | None = None  # made at the first scrape

    def count(self, status: int) -> None:
        self.by_class[status // 100] += 1


REQUEST_COUNTER = web.AppKey("request_counter", RequestCounter)
WORKER_METRICS = web.AppKey("worker_metrics", WorkerMetrics)


async def healthz(request: web.Request) -> web.Response:
    """Answer 200 while the event loop runs. Without an answer, restart the process."""
    return web.Response(text="ok\n", headers=_TEXT)


async def readyz(request: web.Request) -> web.Response:
    """Answer 200 while the server accepts commands, 503 while it starts or stops."""
    if request.app[DISPATCHER].is_ready:
        return web.Response(text="ready\n", headers=_TEXT)
    return web.Response(text="not ready\n", headers=_TEXT, status=503)


async def metrics(request: web.Request) -> web.Response:
    """Metrics as Prometheus text, for scrapers in the same network.

    They contain no texts or names, but show how active people are, which is private. So only
    loopback and private addresses get them, and not through a proxy, behind which every client
    seems to have a private address. To scrape from another network, use a tunnel, or a
    collector in this one.

    Every worker answers with the metrics of all workers.
    """
    if not _is_private_peer(request):
        raise Forbidden("Metrics are only served to the same network, and not through a proxy.")
    from prometheus_client.exposition import choose_encoder

    collector: Collector = _own_registry(request.app)
    if workers := request.app.get(WORKER_METRICS):
        from hubbub.gateway.operations.metrics import MergedCollector

        collector = MergedCollector(await workers.fetch_all())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return web.Response(
        body=encode(collector),
        headers={"Content-Type": content_type, "Cache-Control": "no-store"},
    )


def _own_registry(app: web.Application) -> "CollectorRegistry":
    """The metrics of this process."""
    from hubbub.gateway.operations.metrics import registry

    requests = app[REQUEST_COUNTER]
    if requests.registry is None:
        requests.registry = registry(app[DISPATCHER], requests)
    return requests.registry


def share_metrics(app: web.Application, worker: Worker) -> None:
    """Exchange metrics with the other workers while the application runs."""

    def pack_own() -> bytes:
        from hubbub.gateway.operations.metrics import pack

        return pack(_own_registry(app))

    settings = app[DISPATCHER].settings
    workers = WorkerMetrics(DataFolder(settings.data), worker.number, settings.workers, pack_own)

    async def exchange(app: web.Application) -> AsyncIterator[None]:
        await workers.start()
        yield
        await workers.close()

    app[WORKER_METRICS] = workers
    app.cleanup_ctx.append(exchange)


def _is_private_peer(request: web.Request) -> bool:
    if any(name in request.headers for name in _PROXY_HEADERS):
        return False
    peer = parsed_address(request.remote or "")
    return isinstance(peer, ipaddress.IPv4Address | ipaddress.IPv6Address) and peer.is_private
