"""Headers of all responses."""

import random
from collections.abc import Awaitable, Callable

from aiohttp import web

POLICY = "Content-Security-Policy"

# For pages: allows what the web client needs, from this server only, and no markup from strings.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
# For data, which can do nothing if a browser opens it as a page.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

COMMON = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer, with which browsers send "Origin: null" even to this server.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",  # for browsers without frame-ancestors
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Server": "hubbub",
}
HSTS_S = 365 * 24 * 3600

_REQUEST_ID = web.RequestKey("request_id", str)


def request_id(request: web.BaseRequest) -> str:
    """The random id of a request in the log. A client's own id could forge log entries."""
    try:
        return request[_REQUEST_ID]
    except KeyError:
        new_id = request[_REQUEST_ID] = f"{random.getrandbits(64):016x}"
        return new_id


def header_hook(
    *, secure: bool
) -> Callable[[web.BaseRequest, web.StreamResponse], Awaitable[None]]:
    """A hook for ``on_response_prepare`` that adds these headers to every response."""
    common = dict(COMMON)
    if secure:
        common["Strict-Transport-Security"] = f"max-age={HSTS_S}"

    async def add_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
        headers = response.headers
        headers.update(common)
        headers["X-Request-ID"] = request_id(request)
        if POLICY not in headers:
            headers[POLICY] = DATA_POLICY

    return add_headers
