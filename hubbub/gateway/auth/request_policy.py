"""Who knocks, and whether they meant this door: address, host, origin, token.

`RequestPolicy` is made once from the settings; the functions at the end answer for one request.
"""

import ipaddress
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from hubbub.gateway.auth.cookies import Cookie
from hubbub.gateway.auth.tokens import DEVICE_S
from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.dispatch.limits import networks_of
from hubbub.model.accounts import SESSION_IDLE_S
from hubbub.model.errors import WrongHost, WrongOrigin
from hubbub.model.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - what is compared with, not bound to
REMEMBERED = 1024  # answers about hosts, origins and addresses; then the oldest are worked out anew


class Token(NamedTuple):
    """A session's token as a request brought it. ``ambient``: a browser added it by itself."""

    text: str | None
    ambient: bool


def parsed_address(text: str) -> Address | None:
    """An IP literal, in brackets or not; an IPv4 address in IPv6 clothes is taken as itself."""
    try:
        address = ipaddress.ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def host_name(authority: str) -> str:
    """The name in ``host:port`` or ``[v6]:port``, in lower case and without a final dot."""
    name = authority.partition("]")[0][1:] if authority[:1] == "[" else authority.partition(":")[0]
    return name.lower().removesuffix(".")


class RequestPolicy:
    """What this server is called and whom it believes, from its settings."""

    def __init__(self, settings: Settings, machine: str | None = None) -> None:
        machine = (socket.gethostname() if machine is None else machine).lower()
        public = urlsplit(settings.base_url)
        self.cookie = Cookie("hubbub", SESSION_IDLE_S, secure=settings.secure)
        self.device_cookie = Cookie("hubbub-device", DEVICE_S, secure=settings.secure)
        self._any_address = settings.host in EVERYWHERE
        self._public_origin = f"{public.scheme}://{public.netloc}".lower()
        self._public_host = host_name(public.netloc)
        self._names = LOOPBACK_NAMES | {self._public_host, settings.host.lower()} - EVERYWHERE
        self._names |= {host_name(name) for name in settings.allowed_hosts}
        if self._any_address:
            self._names |= {machine, f"{machine.removesuffix('.local')}.local"}
        self._origins = {origin.rstrip("/").lower() for origin in settings.allowed_origins}
        self._proxies: list[Network] = [
            ipaddress.ip_network(network, strict=False) for network in settings.trusted_proxies
        ]
        # Every request asks these, nearly always with the same few values.
        self.knows_host: Callable[[str], bool] = lru_cache(REMEMBERED)(self._knows_host)
        self.is_ours: Callable[[str, str], bool] = lru_cache(REMEMBERED)(self._is_ours)
        self._plain: Callable[[str], str] = lru_cache(REMEMBERED)(_plain)

    def _knows_host(self, authority: str) -> bool:
        """Whether a Host header means this server.

        Another name that resolves to us is how a page elsewhere would reach a server that only
        its reader can (DNS rebinding). An IP address cannot be rebound.
        """
        name = host_name(authority)
        return name in self._names or (self._any_address and parsed_address(name) is not None)

    def _is_ours(self, origin: str, authority: str) -> bool:
        """Whether a browser's page of this origin is served by us or allowed in the settings.

        ``authority`` is the request's Host, known to be ours. A proxy that ends TLS makes us see
        http where the browser sees https; only the public address must have its own scheme.
        """
        origin = origin.lower()
        if origin == self._public_origin or origin in self._origins:
            return True
        scheme, _, own = origin.partition("://")
        return (
            own == authority.lower()
            and scheme in ("http", "https")
            and (
                host_name(own) != self._public_host or self._public_origin.startswith(scheme + ":")
            )
        )

    def address_of(self, request: web.BaseRequest) -> str:
        """The caller's IP address: the peer's, or what our own proxies say it is.

        ``X-Forwarded-For`` is read from the right, as every proxy adds at that end; the first
        address that is not one of ours is the last that can be believed.
        """
        peer = self._plain(request.remote or "")
        if not self._proxies or not self._is_proxy(peer):
            return peer
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        believed = peer
        for hop in reversed(hops):
            address = parsed_address(hop)
            if address is None:
                break
            believed = str(address)
            if not self._is_proxy(believed):
                break
        return believed

    def network_of_peer(self, peer: str) -> str | None:
        """The network by which a connection from here is limited; None for our own proxies.

        Through a proxy come many, who are told apart once their requests are read.
        """
        address = self._plain(peer)
        return None if self._is_proxy(address) else networks_of(address)[0]

    def _is_proxy(self, text: str) -> bool:
        address = parsed_address(text)
        return address is not None and any(address in network for network in self._proxies)

    def token_of(self, request: web.BaseRequest) -> Token:
        """``Authorization: Bearer`` if there, else the cookie."""
        authorization = request.headers.get("Authorization")
        # Another scheme is a proxy's own sign-in, which leaves the cookie to us.
        if authorization and authorization[:7].lower() == "bearer ":
            return Token(_ascii(authorization[7:].strip()), ambient=False)
        cookies = request.headers.get("Cookie")
        if cookies and (found := self.cookie.find(cookies)):
            return Token(_ascii(found), ambient=True)
        return Token(None, ambient=False)


def _plain(text: str) -> str:
    address = parsed_address(text)
    return text if address is None else str(address)


def _ascii(token: str) -> str | None:
    """A token is ASCII; anything else (raw bytes of a header among it) is none."""
    return token if token.isascii() else None


DISPATCHER = web.AppKey("desk", Dispatcher)
REQUEST_POLICY = web.AppKey("entrance", RequestPolicy)


def address_of(request: web.Request) -> str:
    """The caller's IP address, as limits and logs should count it."""
    return request.app[REQUEST_POLICY].address_of(request)


def token_of(request: web.Request) -> str | None:
    """The session's token that the request carries, in a header or a cookie."""
    return request.app[REQUEST_POLICY].token_of(request).text


def renewed_cookie(request: web.Request) -> str | None:
    """A Set-Cookie that makes the request's own session cookie last from now on."""
    token = request.app[REQUEST_POLICY].token_of(request)
    if not token.ambient or token.text is None:
        return None
    return request.app[REQUEST_POLICY].cookie.set(token.text)


def check_host(request: web.Request) -> None:
    """Raises WrongHost if the Host header names another server."""
    if not request.app[REQUEST_POLICY].knows_host(request.headers.get("Host", "")):
        raise WrongHost()


def check_origin(request: web.Request, *, required: bool = False) -> None:
    """Raises WrongOrigin if a page of another site made this request.

    Browsers say so in ``Sec-Fetch-Site`` and ``Origin``, which no page can forge. Programs send
    neither; with ``required`` (a write with nothing but a cookie) that is not enough.
    """
    headers = request.headers
    origin = headers.get("Origin")
    if origin is not None:
        if request.app[REQUEST_POLICY].is_ours(origin, headers.get("Host", "")):
            return
        # A proxy may hide the Host that the browser saw; the browser itself knows.
        if headers.get("Sec-Fetch-Site") != "same-origin":
            raise WrongOrigin()
        return
    site = headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none") or (site is None and not required):
        return
    raise WrongOrigin(
        None if site else "With a cookie, send an Origin header; or send the token as a bearer."
    )
