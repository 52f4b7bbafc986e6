"""The headers that every answer carries."""

import random
from collections.abc import Awaitable, Callable

from aiohttp import web

POLICY = "Content-Security-Policy"

# Pages: what the web client needs, all of it from here, and no string ever becomes markup.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
# Everything else is data, and nothing is done with it if it is opened as a page.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

COMMON = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with it browsers send "Origin: null" even to ourselves.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",  # for browsers that know no frame-ancestors
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Server": "hubbub",
}
HSTS_S = 365 * 24 * 3600

_REQUEST_ID = web.RequestKey("request_id", str)


def request_id(request: web.BaseRequest) -> str:
    """This request's name in the log; ours alone, so that nobody can write into the log with it."""
    try:
        return request[_REQUEST_ID]
    except KeyError:
        made = request[_REQUEST_ID] = f"{random.getrandbits(64):016x}"
        return made


def dresser(*, secure: bool) -> Callable[[web.BaseRequest, web.StreamResponse], Awaitable[None]]:
    """What adds these headers when an answer, of whatever kind, is about to be sent."""
    common = dict(COMMON)
    if secure:
        common["Strict-Transport-Security"] = f"max-age={HSTS_S}"

    async def dress(request: web.BaseRequest, response: web.StreamResponse) -> None:
        headers = response.headers
        headers.update(common)
        headers["X-Request-ID"] = request_id(request)
        if POLICY not in headers:
            headers[POLICY] = DATA_POLICY

    return dress
