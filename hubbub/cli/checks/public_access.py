"""How people come in: who may, and through which proxy."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator

from hubbub.cli.checks.fetch import UNHEARD, HttpReply, ask
from hubbub.cli.checks.finding import Finding, ok, problem, warning
from hubbub.model.settings import Settings

LOOPBACK = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
NOBODY_BEHIND = (502, 503, 504)
# The key of RFC 6455, section 1.2; its value means nothing.
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
SEE = "docs/operations.md, “Behind a proxy, with TLS”, has it for Caddy and nginx."


def joining(settings: Settings, registration: str, guests: bool) -> Finding:
    """``registration`` and ``guests`` as they hold, whoever has set them."""
    if settings.is_loopback and not settings.public_url:
        return ok("joining", f"Only people at this machine get in; joining is {registration}.")
    who = "Anyone who can reach this server"
    guesting = "may write in public rooms without an account, as a guest" if guests else ""
    if registration == "open":
        also = f", and {guesting}" if guesting else ""
        return warning(
            "joining",
            f"{who} may make an account{also}.",
            "If that is not meant: --registration invite"
            + (" and --no-guests." if guesting else "."),
        )
    if guesting:
        return warning("joining", f"{who} {guesting}.", "If that is not meant: --no-guests.")
    return ok("joining", f"Joining is {'by invitation' if registration == 'invite' else 'closed'}.")


def trusted(settings: Settings) -> Finding:
    """Whether the settings believe the proxy that there must be, and nobody else."""
    name = "trusted proxies"
    networks = [ipaddress.ip_network(one, strict=False) for one in settings.trusted_proxies]
    if any(network.prefixlen == 0 for network in networks):
        return problem(
            name,
            "--trusted-proxies has everybody in it: anyone may claim any address.",
            "Name only the addresses of your own proxies.",
        )
    if not networks and settings.secure:
        return warning(
            name,
            "A proxy ends TLS, but --trusted-proxies is empty: all people seem to come from its "
            "address, and share the limits of one.",
            "Give the proxy's address: --trusted-proxies 127.0.0.1,::1 if it is on this machine.",
        )
    if networks and settings.is_loopback and not any(ip in n for ip in LOOPBACK for n in networks):
        return warning(
            name,
            "The server listens on loopback, so its proxy is on this machine; but "
            "--trusted-proxies does not have this machine in it.",
            "Add 127.0.0.1,::1 to --trusted-proxies.",
        )
    if not networks:
        return ok(name, "None are needed without a proxy.")
    return ok(name, f"{', '.join(map(str, networks))} may say whom they ask for.")


def public(settings: Settings, *, runs: bool) -> Iterator[Finding]:
    """The public address, asked from this machine. ``runs``: there is a server to be reached."""
    url = settings.public_url
    if not url:
        return
    yield encrypted(url)
    try:
        heard = ask(url, "/healthz")
    except UNHEARD as error:
        yield unreached(url, error)
        return
    reached = answered(url, heard, runs=runs)
    yield reached
    if reached.state != "ok" or heard.status != 200:
        return
    try:
        yield named(ask(url, "/api/about"))
        if settings.secure or settings.trusted_proxies:
            yield forwarded(ask(url, "/metrics"))
        yield sockets(ask(url, "/ws/echo", HANDSHAKE))
    except UNHEARD as error:
        yield unreached(url, error)


def encrypted(url: str) -> Finding:
    if url.startswith("https:"):
        return ok("https", "People come over TLS.")
    return warning(
        "https",
        "The public address is http: passwords and messages can be read on their way.",
        f"Put a proxy with TLS before the server, and give --public-url with https. {SEE}",
    )


def unreached(url: str, error: Exception) -> Finding:
    name = "public address"
    if isinstance(error, socket.gaierror):
        return problem(
            name,
            f"The name in {url} is not known here ({error.strerror}).",
            "Is it written right? If it is new, its DNS entry may need some time.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", None) or error.strerror
        return problem(
            name,
            f"The certificate of {url} is not good ({why}).",
            "Renew it, or have the proxy send the whole chain.",
        )
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return warning(
        name,
        f"{url} cannot be reached from this machine ({why}).",
        "Try it from elsewhere: some networks do not let a machine reach its own public address. "
        "If it fails there too, look at the proxy and the firewall.",
    )


def answered(url: str, heard: HttpReply, *, runs: bool) -> Finding:
    name = "public address"
    if heard.status in NOBODY_BEHIND and not runs:
        return ok(name, f"A proxy answers at {url}; no server runs behind it now.")
    if heard.status in NOBODY_BEHIND:
        return problem(
            name,
            f"The proxy at {url} does not reach the server ({heard.status}).",
            "Have it pass requests on to the --host and --port of this server.",
        )
    if heard.status in range(300, 400):
        return problem(
            name,
            f"{url} sends people on to {heard.header('Location')}.",
            "Give the address where they end up with --public-url.",
        )
    if heard.status != 200 or heard.body != b"ok\n":
        return problem(
            name,
            f"Something else than Hubbub answers at {url} ({heard.status}).",
            "Does the name lead to this machine, and the proxy all its paths to the server?",
        )
    return ok(name, f"{url} can be reached from this machine.")


def named(heard: HttpReply) -> Finding:
    """Whether the server takes the Host that came with the request for its own name."""
    if heard.status == 200:
        return ok("host header", "The server is called by a name that it knows.")
    return problem(
        "host header",
        f"Requests through the public address are refused ({heard.status}).",
        f"Have the proxy pass the Host header on, or name it with --allowed-hosts. {SEE}",
    )


def forwarded(heard: HttpReply) -> Finding:
    """Figures go to nobody who comes through a proxy; that shows whether it says for whom."""
    if heard.status == 403:
        return ok("proxy headers", "The proxy says for whom it asks.")
    if heard.status == 200:
        return problem(
            "proxy headers",
            "The proxy does not say for whom it asks: all people share one address and its "
            "limits, and /metrics is open to all of them.",
            f"Have the proxy set X-Forwarded-For. {SEE}",
        )
    return warning(
        "proxy headers",
        f"Whether the proxy says for whom it asks cannot be told ({heard.status}).",
        f"Look whether it sets X-Forwarded-For. {SEE}",
    )


def sockets(heard: HttpReply) -> Finding:
    if heard.status == 101:
        return ok("sockets", "WebSockets get through.")
    return problem(
        "sockets",
        f"WebSockets do not get through the public address ({heard.status}).",
        f"Have the proxy pass Upgrade and Connection on, over HTTP/1.1. {SEE}",
    )
