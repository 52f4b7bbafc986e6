"""Checks of public access: who may join, and through which proxy."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator

from hubbub.cli.checks.fetch import REQUEST_ERRORS, HttpReply, fetch
from hubbub.cli.checks.finding import Finding, ok, problem, warning
from hubbub.model.settings import Settings

LOOPBACK = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
PROXY_ERRORS = (502, 503, 504)
# The key of RFC 6455, section 1.2; its value means nothing.
UPGRADE_HEADERS = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
SEE_DOCS = "docs/operations.md, “Behind a proxy, with TLS”, shows how for Caddy and nginx."


def joining(settings: Settings, registration: str, guests: bool) -> Finding:
    """Report who may join. ``registration`` and ``guests`` are the values in effect."""
    if settings.is_loopback and not settings.public_url:
        return ok("joining", f"Only this machine can reach the server; joining is {registration}.")
    subject = "Anyone who can reach this server"
    guest_access = "may write in public rooms without an account, as a guest" if guests else ""
    if registration == "open":
        also = f", and {guest_access}" if guest_access else ""
        return warning(
            "joining",
            f"{subject} may make an account{also}.",
            "If you do not want that: --registration invite"
            + (" and --no-guests." if guest_access else "."),
        )
    if guest_access:
        return warning(
            "joining", f"{subject} {guest_access}.", "If you do not want that: --no-guests."
        )
    return ok("joining", f"Joining is {'by invitation' if registration == 'invite' else 'closed'}.")


def trusted_proxies(settings: Settings) -> Finding:
    """Whether the settings trust the proxy that must be in use, and nobody else."""
    name = "trusted proxies"
    networks = [ipaddress.ip_network(one, strict=False) for one in settings.trusted_proxies]
    if any(network.prefixlen == 0 for network in networks):
        return problem(
            name,
            "--trusted-proxies includes every address, so anyone can claim any address.",
            "Give only the addresses of your own proxies.",
        )
    if not networks and settings.is_secure:
        return warning(
            name,
            "A proxy terminates TLS, but --trusted-proxies is empty: all people seem to have the "
            "proxy's address, and share its limits.",
            "Give the proxy's address: --trusted-proxies 127.0.0.1,::1 if it is on this machine.",
        )
    if networks and settings.is_loopback and not any(ip in n for ip in LOOPBACK for n in networks):
        return warning(
            name,
            "The server listens on loopback, so its proxy is on this machine; but "
            "--trusted-proxies does not include this machine.",
            "Add 127.0.0.1,::1 to --trusted-proxies.",
        )
    if not networks:
        return ok(name, "Without a proxy none are needed.")
    return ok(name, f"X-Forwarded-For is accepted from {', '.join(map(str, networks))}.")


def check_public_url(settings: Settings, *, is_running: bool) -> Iterator[Finding]:
    """Check the public address from this machine. ``is_running``: a server should answer there."""
    url = settings.public_url
    if not url:
        return
    yield https(url)
    try:
        reply = fetch(url, "/healthz")
    except REQUEST_ERRORS as error:
        yield unreachable(url, error)
        return
    reached = reachable(url, reply, is_running=is_running)
    yield reached
    if reached.state != "ok" or reply.status != 200:
        return
    try:
        yield host_header(fetch(url, "/api/about"))
        if settings.is_secure or settings.trusted_proxies:
            yield proxy_headers(fetch(url, "/metrics"))
        yield websockets(fetch(url, "/ws/echo", UPGRADE_HEADERS))
    except REQUEST_ERRORS as error:
        yield unreachable(url, error)


def https(url: str) -> Finding:
    if url.startswith("https:"):
        return ok("https", "People connect over TLS.")
    return warning(
        "https",
        "The public address is http: passwords and messages are sent unencrypted.",
        f"Put a proxy with TLS before the server, and give --public-url with https. {SEE_DOCS}",
    )


def unreachable(url: str, error: Exception) -> Finding:
    name = "public address"
    if isinstance(error, socket.gaierror):
        return problem(
            name,
            f"The name in {url} cannot be resolved ({error.strerror}).",
            "Check its spelling. If it is new, its DNS entry may need some time.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", None) or error.strerror
        return problem(
            name,
            f"The certificate of {url} is not valid ({why}).",
            "Renew it, or let the proxy send the whole chain.",
        )
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return warning(
        name,
        f"{url} cannot be reached from this machine ({why}).",
        "Try it from another network: some do not let a machine reach its own public address. "
        "If it fails there too, check the proxy and the firewall.",
    )


def reachable(url: str, reply: HttpReply, *, is_running: bool) -> Finding:
    name = "public address"
    if reply.status in PROXY_ERRORS and not is_running:
        return ok(name, f"A proxy answers at {url}; no server is running behind it.")
    if reply.status in PROXY_ERRORS:
        return problem(
            name,
            f"The proxy at {url} does not reach the server ({reply.status}).",
            "Let it forward requests to the --host and --port of this server.",
        )
    if reply.status in range(300, 400):
        return problem(
            name,
            f"{url} redirects to {reply.header('Location')}.",
            "Give the address that it redirects to with --public-url.",
        )
    if reply.status != 200 or reply.body != b"ok\n":
        return problem(
            name,
            f"A program other than Hubbub answers at {url} ({reply.status}).",
            "Check that the name leads to this machine, and that the proxy forwards all paths.",
        )
    return ok(name, f"{url} can be reached from this machine.")


def host_header(reply: HttpReply) -> Finding:
    """Whether the server accepts the Host header of the request."""
    if reply.status == 200:
        return ok("host header", "The server accepts the Host header.")
    return problem(
        "host header",
        f"Requests through the public address are refused ({reply.status}).",
        f"Let the proxy forward the Host header, or give the name with --allowed-hosts. {SEE_DOCS}",
    )


def proxy_headers(reply: HttpReply) -> Finding:
    """Whether the proxy sets X-Forwarded-For; if so, /metrics through it is refused with 403."""
    if reply.status == 403:
        return ok("proxy headers", "The proxy sets X-Forwarded-For.")
    if reply.status == 200:
        return problem(
            "proxy headers",
            "The proxy does not set X-Forwarded-For: all people share one address and its "
            "limits, and can read /metrics.",
            f"Let the proxy set X-Forwarded-For. {SEE_DOCS}",
        )
    return warning(
        "proxy headers",
        f"It is not known whether the proxy sets X-Forwarded-For ({reply.status}).",
        f"Check whether it does. {SEE_DOCS}",
    )


def websockets(reply: HttpReply) -> Finding:
    if reply.status == 101:
        return ok("sockets", "WebSockets get through.")
    return problem(
        "sockets",
        f"WebSockets do not get through the public address ({reply.status}).",
        f"Let the proxy forward Upgrade and Connection, over HTTP/1.1. {SEE_DOCS}",
    )
