"""Addresses as people can use them."""

import socket
from urllib.parse import urlsplit

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what is compared with, not bound to
# Documentation addresses (RFC 5737, RFC 3849): routed like any other, and nothing is sent there.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def in_network() -> str | None:
    """This machine's address in its network, None if it is in none.

    It is the one that the way to the rest of the world begins with. Connecting a datagram socket
    only looks that up.
    """
    for family, elsewhere in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found: str = probe.getsockname()[0]
        except OSError:
            continue
        return f"[{found}]" if family == socket.AF_INET6 else found
    return None


def for_people(base_url: str) -> str:
    """The same address; for one that means all of this machine's, one that others can reach."""
    parts = urlsplit(base_url)
    if parts.hostname not in EVERYWHERE:
        return base_url
    reachable = in_network() or "localhost"
    return f"{parts.scheme}://{reachable}:{parts.port}"


def on_this_machine(base_url: str) -> str:
    """The same address, as a browser beside the server reaches it."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://localhost:{parts.port}" if parts.hostname in EVERYWHERE else base_url
