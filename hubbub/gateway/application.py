"""The HTTP application: which handler answers what, and what holds for every request."""

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
from hubbub.gateway.http.headers import dresser, request_id
from hubbub.gateway.http.problem import problem, problem_of
from hubbub.gateway.http.requests import is_closed
from hubbub.gateway.operations import health
from hubbub.gateway.transport.http_connection import Arrivals
from hubbub.gateway.websocket.handshake import echo, websocket
from hubbub.model.errors import HubbubError
from hubbub.model.messages import FRAME_MAX_BYTES
from hubbub.model.settings import Worker

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# What asks these may not know our name, and they tell nothing but that we are here.
ANY_HOST = frozenset({"/healthz", "/readyz"})


def application(
    dispatcher: Dispatcher, *, client: Path = static_files.BUILT, worker: Worker | None = None
) -> web.Application:
    """Everything that this server answers over HTTP, sockets included.

    ``client`` is the folder of the built web client. ``worker`` is given if this is one of several
    processes.
    """
    app = web.Application(
        middlewares=[guard],
        client_max_size=FRAME_MAX_BYTES,
    )
    # It warns of every client that offers a subprotocol of somebody else's.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    app[DISPATCHER] = dispatcher
    app[REQUEST_POLICY] = RequestPolicy(dispatcher.settings)
    app[health.REQUEST_COUNTER] = health.RequestCounter()
    if worker:
        health.tell_workers(app, worker)
    app[static_files.FOLDER] = client
    app.on_response_prepare.append(dresser(secure=dispatcher.settings.secure))
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
        app.router.add_get(path, handler)  # and HEAD, which is what many probes send
    add("*", "/api", api.api)
    add("*", "/api/{rest:.*}", api.api)
    app.router.add_get("/{rest:.*}", static_files.serve)
    return app


def arrivals(app: web.Application, server: web.Server) -> Arrivals:
    """The factory of protocols for accepted connections."""
    dispatcher, request_policy = app[DISPATCHER], app[REQUEST_POLICY]
    return Arrivals(
        server,
        dispatcher.connections,
        network_of=request_policy.network_of_peer,
        throttle_of=lambda request: dispatcher.throttle(request_policy.address_of(request)),
        turns=dispatcher.turns,
        handler_args={
            "access_log": None,  # /metrics counts; who came when is nobody's business
            "auto_decompress": False,  # a few bytes must not become a few gigabytes
            "logger": _server_log(),
        },
    )


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets in who means this server, and turns every error into an answer."""
    try:
        if request.path not in ANY_HOST:
            check_host(request)
        with request.app[DISPATCHER].request_from(address_of(request)):
            response = await handler(request)
    except HubbubError as error:
        response = problem(error)
    except web.HTTPException as error:
        response = problem_of(error)
    except ConnectionError:
        raise  # they left; there is nobody to answer
    except Exception:
        log.exception(
            "a request failed",
            request_id=request_id(request),
            method=request.method,
            path=request.rel_url.raw_path,
        )
        if request.writer.output_size > 0:
            raise ConnectionAbortedError("the answer had begun") from None
        response = problem(HubbubError())
    request.app[health.REQUEST_COUNTER].answered(response.status)
    return response


def _server_log() -> logging.Logger:
    """The log of aiohttp's protocol, without what is only a client's mistake."""
    server_log = logging.getLogger("hubbub.gateway.http")
    server_log.addFilter(_is_ours)
    return server_log


def _is_ours(record: logging.LogRecord) -> bool:
    """Broken HTTP has been answered with 400, and who left needs no answer: no case for us."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, HttpProcessingError | ConnectionError) or is_closed(error))
