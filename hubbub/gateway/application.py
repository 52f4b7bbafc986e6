"""The aiohttp application: its routes, and the middleware of every request."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from hubbub.gateway.auth.request_policy import (
    DISPATCHER,
    REQUEST_POLICY,
    RequestPolicy,
    address_of,
    check_host,
)
from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.http import api, docs_page, openapi, static_files
from hubbub.gateway.http.headers import header_hook, request_id
from hubbub.gateway.http.problem import problem, to_problem
from hubbub.gateway.http.requests import is_closed
from hubbub.gateway.operations import health
from hubbub.gateway.transport.http_connection import ConnectionFactory
from hubbub.gateway.websocket.handshake import echo, websocket
from hubbub.model.errors import HubbubError
from hubbub.model.messages import FRAME_MAX_BYTES
from hubbub.model.settings import Worker

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Probes may not know the server's name, and these paths reveal nothing.
ANY_HOST = frozenset({"/healthz", "/readyz"})


def application(
    dispatcher: Dispatcher,
    *,
    client: Path = static_files.BUILT_CLIENT,
    worker: Worker | None = None,
) -> web.Application:
    """The application with all routes, including the WebSockets.

    ``client`` is the folder of the built web client. ``worker`` is given if this is one of several
    processes.
    """
    app = web.Application(
        middlewares=[guard],
        client_max_size=FRAME_MAX_BYTES,
    )
    # It would log a warning for every client that offers an unknown subprotocol.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    app[DISPATCHER] = dispatcher
    app[REQUEST_POLICY] = RequestPolicy(dispatcher.settings)
    app[health.REQUEST_COUNTER] = health.RequestCounter()
    if worker:
        health.share_metrics(app, worker)
    app[static_files.FOLDER] = client
    app.on_response_prepare.append(header_hook(secure=dispatcher.settings.is_secure))
    add = app.router.add_route
    add("GET", "/ws", websocket)
    add("GET", "/ws/echo", echo)
    for path, handler in (
        ("/healthz", health.healthz),
        ("/readyz", health.readyz),
        ("/metrics", health.metrics),
        ("/api/openapi.json", openapi.serve),
        ("/api/docs", docs_page.serve),
        ("/api/docs.css", docs_page.serve_style),
    ):
        app.router.add_get(path, handler)  # and HEAD, which many probes send
    add("*", "/api", api.api)
    add("*", "/api/{rest:.*}", api.api)
    app.router.add_get("/{rest:.*}", static_files.serve)
    return app


def connection_factory(app: web.Application, server: web.Server) -> ConnectionFactory:
    """The factory of the protocols of accepted connections."""
    dispatcher, request_policy = app[DISPATCHER], app[REQUEST_POLICY]
    return ConnectionFactory(
        server,
        dispatcher.connection_limiter,
        network_of=request_policy.network_of_peer,
        throttle_of=lambda request: dispatcher.throttle(request_policy.address_of(request)),
        turn_queue=dispatcher.turn_queue,
        handler_args={
            "access_log": None,  # for privacy; /metrics has the counts
            "auto_decompress": False,  # against decompression bombs
            "logger": _server_log(),
        },
    )


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check the host and the limits of a request, and turn every error into a response."""
    try:
        if request.path not in ANY_HOST:
            check_host(request)
        with request.app[DISPATCHER].limit_request(address_of(request)):
            response = await handler(request)
    except HubbubError as error:
        response = problem(error)
    except web.HTTPException as error:
        response = to_problem(error)
    except ConnectionError:
        raise  # the client has disconnected
    except Exception:
        log.exception(
            "a request failed",
            request_id=request_id(request),
            method=request.method,
            path=request.rel_url.raw_path,
        )
        if request.writer.output_size > 0:
            raise ConnectionAbortedError("the response had begun") from None
        response = problem(HubbubError())
    request.app[health.REQUEST_COUNTER].count(response.status)
    return response


def _server_log() -> logging.Logger:
    """The log of aiohttp's protocol, without the errors of clients."""
    server_log = logging.getLogger("hubbub.gateway.http")
    server_log.addFilter(_is_server_error)
    return server_log


def _is_server_error(record: logging.LogRecord) -> bool:
    """Whether a log record is about more than invalid HTTP or a client that disconnected."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, HttpProcessingError | ConnectionError) or is_closed(error))
