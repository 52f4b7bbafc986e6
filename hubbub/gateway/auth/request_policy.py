"""The claims of a request about its sender: address, host, origin and token.

`RequestPolicy` is made once from the settings; the functions at the end take a request.
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
WILDCARD_HOSTS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound
CACHE_SIZE = 1024  # results for hosts, origins and addresses


class Token(NamedTuple):
    """A session's token in a request. ``ambient`` means that a browser added it by itself."""

    text: str | None
    ambient: bool


def parsed_address(text: str) -> Address | None:
    """Parse an IP literal, with or without brackets; IPv4-mapped IPv6 becomes IPv4."""
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
    """The names, origins and trusted proxies of this server, from its settings."""

    def __init__(self, settings: Settings, machine: str | None = None) -> None:
        machine = (socket.gethostname() if machine is None else machine).lower()
        public = urlsplit(settings.base_url)
        self.cookie = Cookie("hubbub", SESSION_IDLE_S, secure=settings.is_secure)
        self.device_cookie = Cookie("hubbub-device", DEVICE_S, secure=settings.is_secure)
        self._any_address = settings.host in WILDCARD_HOSTS
        self._public_origin = f"{public.scheme}://{public.netloc}".lower()
        self._public_host = host_name(public.netloc)
        self._names = LOOPBACK_NAMES | {self._public_host, settings.host.lower()} - WILDCARD_HOSTS
        self._names |= {host_name(name) for name in settings.allowed_hosts}
        if self._any_address:
            self._names |= {machine, f"{machine.removesuffix('.local')}.local"}
        self._origins = {origin.rstrip("/").lower() for origin in settings.allowed_origins}
        self._proxies: list[Network] = [
            ipaddress.ip_network(network, strict=False) for network in settings.trusted_proxies
        ]
        # Called for every request, nearly always with the same few values.
        self.is_own_host: Callable[[str], bool] = lru_cache(CACHE_SIZE)(self._is_own_host)
        self.is_own_origin: Callable[[str, str], bool] = lru_cache(CACHE_SIZE)(self._is_own_origin)
        self._normalized: Callable[[str], str] = lru_cache(CACHE_SIZE)(_normalized)

    def _is_own_host(self, authority: str) -> bool:
        """Whether a Host header names this server.

        If other names that resolve to us were accepted, a foreign page could reach a server in its
        reader's private network (DNS rebinding). An IP address cannot be rebound.
        """
        name = host_name(authority)
        return name in self._names or (self._any_address and parsed_address(name) is not None)

    def _is_own_origin(self, origin: str, authority: str) -> bool:
        """Whether a page of this origin is served by us or allowed in the settings.

        ``authority`` is the request's Host, already checked. Behind a proxy that ends TLS we see
        http where the browser sees https, so the scheme counts for the public address only.
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
        """The caller's IP address: the peer's, or the one that our own proxies report.

        ``X-Forwarded-For`` is read from the right, where every proxy adds its peer; the first
        address that is not a proxy of ours is the last that can be trusted.
        """
        peer = self._normalized(request.remote or "")
        if not self._proxies or not self._is_proxy(peer):
            return peer
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        trusted = peer
        for hop in reversed(hops):
            address = parsed_address(hop)
            if address is None:
                break
            trusted = str(address)
            if not self._is_proxy(trusted):
                break
        return trusted

    def network_of_peer(self, peer: str) -> str | None:
        """The network by which a peer's connection is limited; None for our own proxies.

        A proxy's connections are of many people, who are limited when their requests are read.
        """
        address = self._normalized(peer)
        return None if self._is_proxy(address) else networks_of(address)[0]

    def _is_proxy(self, text: str) -> bool:
        address = parsed_address(text)
        return address is not None and any(address in network for network in self._proxies)

    def token_of(self, request: web.BaseRequest) -> Token:
        """The token in ``Authorization: Bearer``, else in the cookie."""
        authorization = request.headers.get("Authorization")
        # Another scheme is for a proxy's own sign-in; then the cookie counts.
        if authorization and authorization[:7].lower() == "bearer ":
            return Token(_ascii(authorization[7:].strip()), ambient=False)
        cookies = request.headers.get("Cookie")
        if cookies and (found := self.cookie.find(cookies)):
            return Token(_ascii(found), ambient=True)
        return Token(None, ambient=False)


def _normalized(text: str) -> str:
    address = parsed_address(text)
    return text if address is None else str(address)


def _ascii(token: str) -> str | None:
    """The token, or None if it is not ASCII (raw bytes of a header, for example)."""
    return token if token.isascii() else None


DISPATCHER = web.AppKey("dispatcher", Dispatcher)
REQUEST_POLICY = web.AppKey("request_policy", RequestPolicy)


def address_of(request: web.Request) -> str:
    """The caller's IP address, for limits and logs."""
    return request.app[REQUEST_POLICY].address_of(request)


def token_of(request: web.Request) -> str | None:
    """The session's token that the request carries, in a header or a cookie."""
    return request.app[REQUEST_POLICY].token_of(request).text


def renewed_cookie(request: web.Request) -> str | None:
    """A Set-Cookie value that renews the session cookie of the request; None without one."""
    token = request.app[REQUEST_POLICY].token_of(request)
    if not token.ambient or token.text is None:
        return None
    return request.app[REQUEST_POLICY].cookie.set(token.text)


def check_host(request: web.Request) -> None:
    """Raises WrongHost if the Host header names another server."""
    if not request.app[REQUEST_POLICY].is_own_host(request.headers.get("Host", "")):
        raise WrongHost()


def check_origin(request: web.Request, *, required: bool = False) -> None:
    """Raises WrongOrigin if a page of another site made this request.

    Browsers say so in ``Sec-Fetch-Site`` and ``Origin``, which no page can forge. Programs send
    neither, which is refused with ``required``: for a write with only a cookie.
    """
    headers = request.headers
    origin = headers.get("Origin")
    if origin is not None:
        if request.app[REQUEST_POLICY].is_own_origin(origin, headers.get("Host", "")):
            return
        # A proxy may have changed the Host, but the browser knows which one it used.
        if headers.get("Sec-Fetch-Site") != "same-origin":
            raise WrongOrigin()
        return
    site = headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none") or (site is None and not required):
        return
    raise WrongOrigin(
        None
        if site
        else "With a cookie, send an Origin header; or send the token as a bearer token."
    )
