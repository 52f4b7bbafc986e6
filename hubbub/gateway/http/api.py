"""The HTTP API: a request becomes a command, its reply becomes the response."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from hubbub.gateway.auth.authenticator import Caller, SignInResult
from hubbub.gateway.auth.request_policy import (
    DISPATCHER,
    REQUEST_POLICY,
    address_of,
    check_origin,
    renewed_cookie,
    token_of,
)
from hubbub.gateway.auth.user_agent import label_of
from hubbub.gateway.http.problem import not_allowed
from hubbub.gateway.http.requests import RequestParser, decode_segment
from hubbub.gateway.http.routes import READ_ONLY, ROUTES, Route
from hubbub.model.accounts import (
    About,
    Actor,
    ChangePassword,
    MyProfile,
    SignIn,
    SignInAsGuest,
    SignOut,
    SignUp,
    UpdateServer,
)
from hubbub.model.base import Command, Done
from hubbub.model.errors import NotFound, SignInRequired
from hubbub.model.messages import FRAME_MAX_BYTES

BODY_MAX_BYTES = FRAME_MAX_BYTES
ANONYMOUS_BODY_MAX_BYTES = 16 * 1024  # for requests without a session

HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}

_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """The reply to a request, and its Set-Cookie values."""

    reply: msgspec.Struct
    cookies: tuple[str, ...] = ()


ActorHandler = Callable[[web.Request, Actor, Any], Awaitable[Answer]]
"""Executes the command of a signed-in person."""
PublicHandler = Callable[[web.Request, Any], Awaitable[Answer]]
"""Executes a command that needs no session."""


async def _execute(request: web.Request, actor: Actor, command: Command) -> Answer:
    """Execute the command of a signed-in person."""
    return Answer(await request.app[DISPATCHER].execute(actor, command))


async def _actor(request: web.Request) -> Actor:
    """The sender of a request. Raises SignInRequired, WrongOrigin."""
    token = request.app[REQUEST_POLICY].token_of(request)
    # Browsers send the cookie with requests of foreign pages, too, so check which page made it.
    if token.ambient and request.method not in READ_ONLY:
        check_origin(request, required=True)
    return await request.app[DISPATCHER].identify(token.text)


async def _about(request: web.Request, command: About) -> Answer:
    return Answer(request.app[DISPATCHER].server_info())


async def _sign_up(request: web.Request, command: SignUp) -> Answer:
    check_origin(request)
    authenticator = request.app[DISPATCHER].authenticator
    return _with_cookies(request, await authenticator.sign_up(command, _caller(request)))


async def _sign_in(request: web.Request, command: SignIn) -> Answer:
    check_origin(request)
    authenticator = request.app[DISPATCHER].authenticator
    return _with_cookies(request, await authenticator.sign_in(command, _caller(request)))


async def _sign_in_as_guest(request: web.Request, command: SignInAsGuest) -> Answer:
    check_origin(request)
    authenticator = request.app[DISPATCHER].authenticator
    reply = await authenticator.sign_in_as_guest(command, address_of(request))
    return Answer(reply, (request.app[REQUEST_POLICY].cookie.set(reply.token),))


def _with_cookies(request: web.Request, result: SignInResult) -> Answer:
    request_policy = request.app[REQUEST_POLICY]
    session, device = result.reply.token, result.device
    return Answer(
        result.reply,
        (request_policy.cookie.set(session), request_policy.device_cookie.set(device)),
    )


def _caller(request: web.Request) -> Caller:
    return Caller(
        address=address_of(request),
        label=label_of(request.headers.get("User-Agent", "")),
        token=token_of(request),
        device=request.app[REQUEST_POLICY].device_cookie.find(request.headers.get("Cookie", "")),
        is_gone=lambda: request.transport is None or request.transport.is_closing(),
    )


async def _sign_out(request: web.Request, command: SignOut) -> Answer:
    """End the session, if there is one, and clear the cookie in any case."""
    with suppress(SignInRequired):
        await request.app[DISPATCHER].authenticator.sign_out(await _actor(request))
    # The device's cookie stays, as it gives no rights and helps its owner to sign in again.
    return Answer(Done(), (request.app[REQUEST_POLICY].cookie.clear(),))


async def _change_password(request: web.Request, actor: Actor, command: ChangePassword) -> Answer:
    authenticator = request.app[DISPATCHER].authenticator
    return Answer(await authenticator.change_password(actor, command, _caller(request)))


async def _update_server(request: web.Request, actor: Actor, command: UpdateServer) -> Answer:
    """Execute the command, and answer with the server's public description."""
    await _execute(request, actor, command)
    return Answer(request.app[DISPATCHER].server_info())


async def _me(request: web.Request, actor: Actor, command: MyProfile) -> Answer:
    """Answer with the profile, and renew a browser's cookie, as its session is renewed."""
    answer = await _execute(request, actor, command)
    cookie = renewed_cookie(request)
    return Answer(answer.reply, (cookie,) if cookie else ())


# Commands that need no session.
PUBLIC_HANDLERS: dict[type[Command], PublicHandler] = {
    About: _about,
    SignUp: _sign_up,
    SignIn: _sign_in,
    SignInAsGuest: _sign_in_as_guest,
    SignOut: _sign_out,
}

# Commands that are not simply executed.
ACTOR_HANDLERS: dict[type[Command], ActorHandler] = {
    ChangePassword: _change_password,
    MyProfile: _me,
    UpdateServer: _update_server,
}


class Endpoint:
    """The handler of one route."""

    def __init__(self, route: Route) -> None:
        self._status = route.status
        self._public_handler = PUBLIC_HANDLERS.get(route.command)
        self._read = RequestParser(
            route, ANONYMOUS_BODY_MAX_BYTES if self._public_handler else BODY_MAX_BYTES
        ).read
        self._handler = ACTOR_HANDLERS.get(route.command, _execute)

    async def answer(self, request: web.Request, path_values: list[str]) -> web.Response:
        answer = await self._answer(request, path_values)
        response = web.Response(status=self._status, body=_encode(answer.reply), headers=HEADERS)
        for cookie in answer.cookies:
            response.headers.add("Set-Cookie", cookie)
        return response

    async def _answer(self, request: web.Request, path_values: list[str]) -> Answer:
        """Identify the caller before the body is read, so that anonymous requests cost little."""
        dispatcher, address = request.app[DISPATCHER], address_of(request)
        if self._public_handler is not None:
            dispatcher.limit_command(None, address)
            return await self._public_handler(request, await self._read(request, path_values))
        actor = await _actor(request)
        dispatcher.limit_command(actor, address)
        return await self._handler(request, actor, await self._read(request, path_values))


class RouteNode:
    """A node in the tree of paths, which has a level for each segment."""

    __slots__ = ("children", "endpoints", "variable")

    def __init__(self) -> None:
        self.children: dict[str, RouteNode] = {}
        self.variable: RouteNode | None = None
        self.endpoints: dict[str, Endpoint] = {}


class RouteTree:
    """Finds the endpoints of a path by a dictionary look-up for each segment."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = RouteNode()
        for route in routes:
            node = self._root
            for part in route.path.split("/")[1:]:
                if part.startswith("{"):
                    node.variable = node.variable or RouteNode()
                    node = node.variable
                else:
                    node = node.children.setdefault(part, RouteNode())
            node.endpoints[route.method] = Endpoint(route)
            if route.method == "GET":
                node.endpoints["HEAD"] = node.endpoints["GET"]

    def find(self, raw_path: str) -> tuple[dict[str, Endpoint], list[str]]:
        """The endpoints of a path by method, and its variable segments. Raises NotFound."""
        node = self._root
        values: list[str] = []
        for part in raw_path.split("/")[1:]:
            if child := node.children.get(part):
                node = child
            elif part and node.variable:
                node = node.variable
                values.append(decode_segment(part))
            else:
                break
        else:
            if node.endpoints:
                return node.endpoints, values
        raise NotFound("There is nothing at this address. See /api/docs.")


ROUTE_TREE = RouteTree(ROUTES)


async def api(request: web.Request) -> web.StreamResponse:
    """Answer requests below /api, except for the API's documentation."""
    endpoints, path_values = ROUTE_TREE.find(request.rel_url.raw_path)
    endpoint = endpoints.get(request.method)
    if endpoint is None:
        return not_allowed(request.method, sorted(endpoints))
    return await endpoint.answer(request, path_values)
