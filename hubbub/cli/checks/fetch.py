"""One blocking HTTP request with the standard library, as the checks run no event loop."""

import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

TIMEOUT_S = 5.0
ANSWER_MAX_BYTES = 1024 * 1024

REQUEST_ERRORS = (OSError, HTTPException)
"""The errors that `fetch` raises if there is no response, or not a valid one."""


class HttpReply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """The header's value, empty if it is missing."""
        found = (value for key, value in self.headers.items() if key.lower() == name.lower())
        return next(found, "")


def fetch(base_url: str, path: str, headers: Mapping[str, str] | None = None) -> HttpReply:
    """Send a GET; redirects are not followed. Raises OSError, HTTPException."""
    parts = urlsplit(base_url)
    assert parts.hostname
    connection: HTTPConnection
    if parts.scheme == "https":
        trusted = ssl.create_default_context()
        connection = HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S, context=trusted)
    else:
        connection = HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        # The body of a 101 never ends.
        body = b"" if response.status == 101 else response.read(ANSWER_MAX_BYTES)
        return HttpReply(response.status, dict(response.getheaders()), body)
    finally:
        connection.close()
