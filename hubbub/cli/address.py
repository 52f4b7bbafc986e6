"""Addresses under which people can reach the server."""

import socket
from urllib.parse import urlsplit

WILDCARD_HOSTS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - only compared with, never bound
# Documentation addresses (RFC 5737, RFC 3849): routed like any other, and nothing is sent there.
_PROBE_ADDRESSES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def lan_address() -> str | None:
    """This machine's address in its network, None if it has no network.

    It is the source address of the default route. Connecting a datagram socket looks up the route
    and sends nothing.
    """
    for family, probe_address in _PROBE_ADDRESSES:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((probe_address, 9))
                found: str = probe.getsockname()[0]
        except OSError:
            continue
        return f"[{found}]" if family == socket.AF_INET6 else found
    return None


def reachable_url(base_url: str) -> str:
    """The same URL; a wildcard host is replaced by an address that other machines can reach."""
    parts = urlsplit(base_url)
    if parts.hostname not in WILDCARD_HOSTS:
        return base_url
    reachable = lan_address() or "localhost"
    return f"{parts.scheme}://{reachable}:{parts.port}"


def local_url(base_url: str) -> str:
    """The same URL; a wildcard host is replaced by ``localhost``."""
    parts = urlsplit(base_url)
    return (
        f"{parts.scheme}://localhost:{parts.port}" if parts.hostname in WILDCARD_HOSTS else base_url
    )
