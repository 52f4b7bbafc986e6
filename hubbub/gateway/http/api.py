"""The HTTP API: a request becomes a command, the reply becomes the answer."""

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
from hubbub.gateway.http.requests import Form, segment
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

BODY_MAX = FRAME_MAX_BYTES
STRANGER_BODY_MAX = 16 * 1024  # before it is known who asks

HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}

_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """What a request is answered with, and each Set-Cookie that goes with it."""

    reply: msgspec.Struct
    cookies: tuple[str, ...] = ()


Execute = Callable[[web.Request, Actor, Any], Awaitable[Answer]]
"""Carries out what a signed-in person asks for."""
ExecuteForAnyone = Callable[[web.Request, Any], Awaitable[Answer]]


async def _execute(request: web.Request, actor: Actor, command: Command) -> Answer:
    """Execute the command of a signed-in person."""
    return Answer(await request.app[DISPATCHER].execute(actor, command))


async def _actor(request: web.Request) -> Actor:
    """Whose request it is. Raises SignInRequired, WrongOrigin."""
    token = request.app[REQUEST_POLICY].token_of(request)
    # A cookie comes along whoever made the browser send the request; so ask who did.
    if token.ambient and request.method not in READ_ONLY:
        check_origin(request, required=True)
    return await request.app[DISPATCHER].identify(token.text)


async def _about(request: web.Request, command: About) -> Answer:
    return Answer(request.app[DISPATCHER].about())


async def _sign_up(request: web.Request, command: SignUp) -> Answer:
    check_origin(request)
    authenticator = request.app[DISPATCHER].authenticator
    return _admitted(request, await authenticator.sign_up(command, _caller(request)))


async def _sign_in(request: web.Request, command: SignIn) -> Answer:
    check_origin(request)
    authenticator = request.app[DISPATCHER].authenticator
    return _admitted(request, await authenticator.sign_in(command, _caller(request)))


async def _sign_in_as_guest(request: web.Request, command: SignInAsGuest) -> Answer:
    check_origin(request)
    authenticator = request.app[DISPATCHER].authenticator
    reply = await authenticator.sign_in_as_guest(command, address_of(request))
    return Answer(reply, (request.app[REQUEST_POLICY].cookie.set(reply.token),))


def _admitted(request: web.Request, admitted: SignInResult) -> Answer:
    request_policy = request.app[REQUEST_POLICY]
    session, device = admitted.reply.token, admitted.device
    return Answer(
        admitted.reply,
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
    """Who is signed out already is left without a cookie just the same."""
    with suppress(SignInRequired):
        await request.app[DISPATCHER].authenticator.sign_out(await _actor(request))
    # The device stays known: it gives no rights, and its owner wants to come back.
    return Answer(Done(), (request.app[REQUEST_POLICY].cookie.clear(),))


async def _change_password(request: web.Request, actor: Actor, command: ChangePassword) -> Answer:
    authenticator = request.app[DISPATCHER].authenticator
    return Answer(await authenticator.change_password(actor, command, _caller(request)))


async def _update_server(request: web.Request, actor: Actor, command: UpdateServer) -> Answer:
    """Tells what the server now says of itself, not how that is kept."""
    await _execute(request, actor, command)
    return Answer(request.app[DISPATCHER].about())


async def _me(request: web.Request, actor: Actor, command: MyProfile) -> Answer:
    """A browser in use keeps its cookie, as its session is kept."""
    answer = await _execute(request, actor, command)
    cookie = renewed_cookie(request)
    return Answer(answer.reply, (cookie,) if cookie else ())


# What needs no session: it makes or ends one, or tells what anyone may know.
FOR_ANYONE: dict[type[Command], ExecuteForAnyone] = {
    About: _about,
    SignUp: _sign_up,
    SignIn: _sign_in,
    SignInAsGuest: _sign_in_as_guest,
    SignOut: _sign_out,
}

# What is not simply carried out.
EXECUTE: dict[type[Command], Execute] = {
    ChangePassword: _change_password,
    MyProfile: _me,
    UpdateServer: _update_server,
}


class Endpoint:
    """One route, ready to answer."""

    def __init__(self, route: Route) -> None:
        self._status = route.status
        self._for_anyone = FOR_ANYONE.get(route.command)
        self._read = Form(route, STRANGER_BODY_MAX if self._for_anyone else BODY_MAX).read
        self._carry = EXECUTE.get(route.command, _execute)

    async def answer(self, request: web.Request, in_path: list[str]) -> web.Response:
        answer = await self._answer(request, in_path)
        response = web.Response(status=self._status, body=_encode(answer.reply), headers=HEADERS)
        for cookie in answer.cookies:
            response.headers.add("Set-Cookie", cookie)
        return response

    async def _answer(self, request: web.Request, in_path: list[str]) -> Answer:
        """Identify the caller before reading the body, so that strangers cost little."""
        dispatcher, address = request.app[DISPATCHER], address_of(request)
        if self._for_anyone is not None:
            dispatcher.limit(None, address)
            return await self._for_anyone(request, await self._read(request, in_path))
        actor = await _actor(request)
        dispatcher.limit(actor, address)
        return await self._carry(request, actor, await self._read(request, in_path))


class RouteNode:
    """A place in the tree of paths, one level for each segment."""

    __slots__ = ("anything", "below", "endpoints")

    def __init__(self) -> None:
        self.below: dict[str, RouteNode] = {}
        self.anything: RouteNode | None = None
        self.endpoints: dict[str, Endpoint] = {}


class RouteTree:
    """Finds a path's endpoints by a few dictionary look-ups, however many routes there are."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = RouteNode()
        for route in routes:
            place = self._root
            for part in route.path.split("/")[1:]:
                if part.startswith("{"):
                    place.anything = place.anything or RouteNode()
                    place = place.anything
                else:
                    place = place.below.setdefault(part, RouteNode())
            place.endpoints[route.method] = Endpoint(route)
            if route.method == "GET":
                place.endpoints["HEAD"] = place.endpoints["GET"]

    def find(self, raw_path: str) -> tuple[dict[str, Endpoint], list[str]]:
        """What is at a path (by method) and the path's variable parts. Raises NotFound."""
        place = self._root
        values: list[str] = []
        for part in raw_path.split("/")[1:]:
            if found := place.below.get(part):
                place = found
            elif part and place.anything:
                place = place.anything
                values.append(segment(part))
            else:
                break
        else:
            if place.endpoints:
                return place.endpoints, values
        raise NotFound("There is nothing at this address. See /api/docs.")


ROUTE_TREE = RouteTree(ROUTES)


async def api(request: web.Request) -> web.StreamResponse:
    """Answers everything below /api but its own documentation."""
    endpoints, in_path = ROUTE_TREE.find(request.rel_url.raw_path)
    endpoint = endpoints.get(request.method)
    if endpoint is None:
        return not_allowed(request.method, sorted(endpoints))
    return await endpoint.answer(request, in_path)
