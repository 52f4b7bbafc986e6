"""For those who run the server: is it alive, is it ready, how is it doing."""

import ipaddress
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aiohttp import web

from hubbub.gateway.auth.request_policy import DISPATCHER, parsed_address
from hubbub.gateway.operations.worker_metrics import Workers
from hubbub.model.errors import Forbidden
from hubbub.model.settings import Worker
from hubbub.store.data_folder import DataFolder

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

# A proxy adds one of these. Through it come strangers, though its own address is a near one.
_BY_PROXY = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_TEXT = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


class RequestCounter:
    """Counts HTTP answers. Sockets count as one, when they close."""

    def __init__(self) -> None:
        self.by_class = [0] * 6  # by the first digit of the status
        self.registry: CollectorRegistry | None = None  # made at the first scrape

    def answered(self, status: int) -> None:
        self.by_class[status // 100] += 1


REQUEST_COUNTER = web.AppKey("tally", RequestCounter)
WORKERS = web.AppKey("workers", Workers)


async def healthz(request: web.Request) -> web.Response:
    """200 as long as the loop turns: if not, restart the process."""
    return web.Response(text="ok\n", headers=_TEXT)


async def readyz(request: web.Request) -> web.Response:
    """200 while the server takes commands, 503 while it starts or stops: send nobody here then."""
    if request.app[DISPATCHER].ready:
        return web.Response(text="ready\n", headers=_TEXT)
    return web.Response(text="not ready\n", headers=_TEXT, status=503)


async def metrics(request: web.Request) -> web.Response:
    """Figures as Prometheus text, for scrapers near by.

    They tell nobody's words or names, but how busy people are is not the world's business either.
    So only loopback and private addresses get them, and only directly: whatever came through a
    proxy (which would make every visitor seem near) is refused. To scrape from elsewhere, scrape
    through a tunnel or a collector on the same network.

    Whichever worker is asked gives the figures of all of them.
    """
    if not _is_near(request):
        raise Forbidden("Metrics are for scrapers in the same network, not through a proxy.")
    from prometheus_client.exposition import choose_encoder

    told: Collector = _own(request.app)
    if workers := request.app.get(WORKERS):
        from hubbub.gateway.operations.metrics import MergedCollector

        told = MergedCollector(await workers.ask_all())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return web.Response(
        body=encode(told),
        headers={"Content-Type": content_type, "Cache-Control": "no-store"},
    )


def _own(app: web.Application) -> "CollectorRegistry":
    """The figures of this process."""
    from hubbub.gateway.operations.metrics import registry

    requests = app[REQUEST_COUNTER]
    if requests.registry is None:
        requests.registry = registry(app[DISPATCHER], requests)
    return requests.registry


def tell_workers(app: web.Application, worker: Worker) -> None:
    """From the application's start to its end, tell the other workers of this one's figures."""

    def packed() -> bytes:
        from hubbub.gateway.operations.metrics import packed

        return packed(_own(app))

    settings = app[DISPATCHER].settings
    workers = Workers(DataFolder(settings.data), worker.number, settings.workers, packed)

    async def listening(app: web.Application) -> AsyncIterator[None]:
        await workers.start()
        yield
        await workers.close()

    app[WORKERS] = workers
    app.cleanup_ctx.append(listening)


def _is_near(request: web.Request) -> bool:
    if any(name in request.headers for name in _BY_PROXY):
        return False
    peer = parsed_address(request.remote or "")
    return isinstance(peer, ipaddress.IPv4Address | ipaddress.IPv6Address) and peer.is_private
