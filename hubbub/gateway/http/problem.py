"""Errors as RFC 9457 problem documents."""

import math
from http import HTTPStatus

import msgspec
from aiohttp import web

from hubbub.model.errors import HubbubError, Malformed, NotFound, TooLarge, UnknownCommand

PROBLEM_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error: ``code`` is for programs, ``detail`` for people.

    ``type`` links to the error's description. If trying again helps, ``retry_after`` says after
    how many seconds.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    retry_after: float | None = None


_encode = msgspec.json.Encoder().encode


def problem(error: HubbubError, *, status: int | None = None) -> web.Response:
    """The response for an error. ``status`` overrides that of the error."""
    status = error.status if status is None else status
    document = Problem(
        type=f"/api/docs#{error.code}",
        title=error.title,
        status=status,
        detail=error.message,
        code=error.code,
        retry_after=error.retry_after,
    )
    headers = {"Content-Type": PROBLEM_TYPE, "Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="hubbub"'  # RFC 9110, section 11.6.1
    return web.Response(status=status, body=_encode(document), headers=headers)


def raw_problem(error: HubbubError, *, status: int | None = None) -> bytes:
    """The same as bytes, for a connection that is closed without an aiohttp request."""
    answer = problem(error, status=status)
    body = answer.body
    assert isinstance(body, bytes)
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def not_allowed(method: str, allowed: list[str]) -> web.Response:
    """A 405 response that names the allowed methods."""
    possible = " or ".join(allowed)
    answer = problem(
        UnknownCommand(f"This address does not accept {method}, only {possible}."), status=405
    )
    answer.headers["Allow"] = ", ".join(allowed)
    return answer


def to_problem(error: web.HTTPException) -> web.Response:
    """The response for an error that aiohttp raised."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return not_allowed(error.method, sorted(error.allowed_methods))
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return problem(TooLarge("A request may have at most 256 KB."))
    if isinstance(error, web.HTTPNotFound):
        return problem(NotFound("There is nothing at this address. See /api/docs."))
    return problem(Malformed(error.reason), status=error.status)
