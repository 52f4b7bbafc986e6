"""Documents that are made once and served from memory."""

from functools import cached_property
from hashlib import blake2b

from aiohttp import web

COMPRESS_ABOVE_BYTES = 1024


class Document:
    """A body and its headers, with an ETag of its contents."""

    def __init__(self, body: bytes, headers: dict[str, str]) -> None:
        self._body = body
        self._headers = {"Cache-Control": "no-cache", **headers}

    @cached_property
    def _tag(self) -> str:
        return blake2b(self._body, digest_size=12).hexdigest()

    def answer(self, request: web.Request) -> web.Response:
        """The document, or 304 if the client has it (RFC 9110, section 13.1.2)."""
        known = request.if_none_match or ()
        if any(etag.value in (self._tag, "*") for etag in known):
            response = web.Response(status=304, headers=self._headers)
        else:
            response = web.Response(body=self._body, headers=self._headers)
            if len(self._body) > COMPRESS_ABOVE_BYTES:
                response.headers["Vary"] = "Accept-Encoding"
                response.enable_compression()
        response.headers["ETag"] = f'W/"{self._tag}"'
        return response
