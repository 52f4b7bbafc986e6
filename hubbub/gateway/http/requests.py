"""Makes commands from the path, query, body and headers of requests. Decoding validates them."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import msgspec
from aiohttp import web

from hubbub.gateway.http.routes import WITH_BODY, Route
from hubbub.model.base import Command
from hubbub.model.errors import HubbubError, Invalid, Malformed, TooLarge
from hubbub.wire.json import NO_NUL, require_no_nul, shortened, validation_error

BODY_TIMEOUT_S = 30.0  # for the whole body to arrive

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class RequestParser:
    """Decodes the requests of one route into commands."""

    def __init__(self, route: Route, body_max: int) -> None:
        """``body_max`` is in bytes."""
        self._body_max = body_max
        fields = {field.name: field for field in msgspec.structs.fields(route.command)}
        self._command = route.command
        self._in_path = route.in_path
        # `do` and `id` are fields of WebSocket frames, which name the command and number it.
        self._dropped = ("do", "id", *route.without)
        self._with_body = route.method in WITH_BODY
        self._idempotent = "nonce" in fields
        # Numbers in the path are text, but must be converted, as bodies are decoded strictly.
        self._numbers_in_path = {
            name: fields[name].type
            for name in route.in_path
            if not isinstance(msgspec.inspect.type_info(fields[name].type), msgspec.inspect.StrType)
        }
        self._in_query = {
            name: isinstance(
                msgspec.inspect.type_info(fields[name].type), msgspec.inspect.VarTupleType
            )
            for name in route.not_in_path
        }

    async def read(self, request: web.Request, in_path: Sequence[str]) -> Command:
        """Decode the command of a request. Raises Malformed, Invalid, TooLarge."""
        try:
            if self._with_body:
                fields = await read_body(request, self._body_max)
                for name in self._dropped:
                    fields.pop(name, None)
                for name, kind in self._numbers_in_path.items():
                    number = in_path[self._in_path.index(name)]
                    fields[name] = msgspec.convert(number, kind, strict=False)
            else:
                fields = self._query(request)
            for name, value in zip(self._in_path, in_path, strict=True):
                if not self._with_body or name not in self._numbers_in_path:
                    fields[name] = value
            if self._idempotent:
                _take_nonce(request, fields)
            return msgspec.convert(fields, self._command, strict=self._with_body)
        except msgspec.ValidationError as error:
            raise to_hubbub_error(error) from None

    def _query(self, request: web.Request) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if not request.query_string:
            return fields
        query = request.query
        for name, is_list in self._in_query.items():
            # An empty value, as in `?before=`, counts as none.
            if values := [require_text(value) for value in query.getall(name, ()) if value]:
                fields[name] = values if is_list else values[-1]
        return fields


async def read_body(request: web.Request, max_bytes: int) -> dict[str, Any]:
    """The JSON object in the body; {} without a body. Raises Malformed, Invalid, TooLarge."""
    body = await _read_bytes(request, max_bytes)
    if not body:
        return {}
    # Foreign pages can send other types without a CORS preflight, but not this one.
    if request.content_type != "application/json":
        raise Malformed("Send JSON with “Content-Type: application/json”.")
    try:
        fields = _decode(body)
        require_no_nul(body)
        return fields
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise to_hubbub_error(error) from None
    except RecursionError:
        raise Malformed("This JSON is nested too deeply.") from None


async def _read_bytes(request: web.Request, max_bytes: int) -> bytes:
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    try:
        if request.content.is_eof():  # nearly always, as it came with the headers; saves the timer
            body = await request.read()
            if len(body) > max_bytes:
                raise _too_large(max_bytes)
            return body
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _read_up_to(request, max_bytes)
    except TimeoutError:
        raise Malformed("The body of the request did not arrive in time.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise Malformed("The body of the request did not arrive whole.") from None
    except RuntimeError as error:
        if not is_closed(error):
            raise
        raise Malformed("The body of the request did not arrive whole.") from None


def is_closed(error: BaseException | None) -> bool:
    """Whether this is aiohttp's error for a body whose connection has been closed."""
    return isinstance(error, RuntimeError) and error.args == ("Connection closed.",)


async def _read_up_to(request: web.Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"This request may have at most {max_bytes // 1024} KB.")


def to_hubbub_error(error: Exception) -> HubbubError:
    """Convert a decoding error. Errors raised by the model's checks are kept."""
    if rule := validation_error(error):
        return rule
    return Malformed(f"{Malformed.title} {shortened(error).replace('`$.', '`')}.")


def decode_segment(text: str) -> str:
    """Decode one segment of a path. Raises Malformed, Invalid."""
    if "%" in text:
        try:
            text = unquote(text, errors="strict")
        except UnicodeDecodeError:
            raise Malformed("The address is not UTF-8.") from None
    return require_text(text)


def require_text(text: str) -> str:
    """Return the text if it is valid. Raises Malformed if not UTF-8, Invalid if it has a NUL.

    Bytes in a request line that are not UTF-8 arrive as lone surrogates.
    """
    if "\0" in text:
        raise Invalid(NO_NUL)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Malformed("The address is not UTF-8.") from None
    return text


def _take_nonce(request: web.Request, fields: dict[str, Any]) -> None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return
    key = key.strip().strip('"')  # a structured header has quotes, but many clients send none
    if not (key.isascii() and key.isprintable()):
        raise Malformed("An Idempotency-Key may have printable ASCII characters only.")
    if fields.get("nonce") not in (None, key):
        raise Invalid("Idempotency-Key and nonce are the same thing. Send only one of them.")
    fields["nonce"] = key
