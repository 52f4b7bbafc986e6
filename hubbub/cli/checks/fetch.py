"""One HTTP request, with no more than the standard library: nothing here runs a loop."""

import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

WITHIN_S = 5.0
ANSWER_MAX_BYTES = 1024 * 1024

UNHEARD = (OSError, HTTPException)
"""What `ask` raises when there is no answer, or none that is HTTP."""


class HttpReply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """Its value, empty if there is none."""
        found = (value for key, value in self.headers.items() if key.lower() == name.lower())
        return next(found, "")


def ask(base_url: str, path: str, headers: Mapping[str, str] | None = None) -> HttpReply:
    """The answer to a GET; redirects are not followed. Raises OSError, HTTPException."""
    parts = urlsplit(base_url)
    assert parts.hostname
    connection: HTTPConnection
    if parts.scheme == "https":
        trusted = ssl.create_default_context()
        connection = HTTPSConnection(parts.hostname, parts.port, timeout=WITHIN_S, context=trusted)
    else:
        connection = HTTPConnection(parts.hostname, parts.port, timeout=WITHIN_S)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        # After 101 there is no end to read to.
        body = b"" if response.status == 101 else response.read(ANSWER_MAX_BYTES)
        return HttpReply(response.status, dict(response.getheaders()), body)
    finally:
        connection.close()
