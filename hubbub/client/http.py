"""Commands over HTTP: signing up, in and out, and passwords."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from hubbub.client import frames, replies
from hubbub.client.transport import Disconnected
from hubbub.model.accounts import SignedIn, SignIn, SignInAsGuest, SignUp
from hubbub.model.base import Command

TIMEOUT = aiohttp.ClientTimeout(total=30)


async def ask(
    http: aiohttp.ClientSession, url: str, command: Command, token: str | None = None
) -> Any:
    """Execute a command with an HTTP request. Raises HubbubError, Disconnected."""
    method, path = replies.OVER_HTTP[type(command)]
    fields: dict[str, Any] = msgspec.to_builtins(command)
    del fields["do"]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with http.request(method, url + path, json=fields, headers=headers) as answer:
            body = await answer.read()
    except (OSError, aiohttp.ClientError) as error:
        raise Disconnected(f"{url} cannot be reached: {error}.") from error
    if answer.status >= 400:
        raise frames.problem_of(body, answer.status)
    return replies.decode(command, body)


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP session without cookies, as each request carries the token."""
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=jar) as http:
        yield http


async def sign_in(url: str, name: str, password: str) -> SignedIn:
    """Sign in; the ``token`` of the reply is valid while it is used at least every 30 days.

    Raises WrongCredentials, Forbidden if the account is locked, RateLimited; Disconnected if the
    server cannot be reached.
    """
    return await _signed_in(url, SignIn(name=name, password=password))


async def sign_up(
    url: str,
    name: str,
    password: str,
    *,
    display_name: str | None = None,
    invite: str | None = None,
) -> SignedIn:
    """Create an account and sign in. ``invite`` is the last part of an invite link.

    Raises NameTaken, Invalid, InviteRequired, InviteInvalid, RegistrationClosed, RateLimited;
    Disconnected if the server cannot be reached.
    """
    command = SignUp(name=name, password=password, display_name=display_name, invite=invite)
    return await _signed_in(url, command)


async def sign_in_as_guest(url: str, name: str | None = None) -> SignedIn:
    """Sign in as the guest ``~name``, or by default with a generated name.

    Raises Forbidden if the server allows no guests.
    """
    return await _signed_in(url, SignInAsGuest(name=name))


async def _signed_in(url: str, command: Command) -> SignedIn:
    async with session() as http:
        signed_in: SignedIn = await ask(http, url.rstrip("/"), command)
    return signed_in
