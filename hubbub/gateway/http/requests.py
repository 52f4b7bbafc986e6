"""A request's path, query, body and headers become a command. Decoding is validation."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import msgspec
from aiohttp import web

from hubbub.gateway.http.routes import WITH_BODY, Route
from hubbub.model.base import Command
from hubbub.model.errors import HubbubError, Invalid, Malformed, TooLarge
from hubbub.wire.json import NO_NUL, require_no_nul, rule_broken, shortened

BODY_TIMEOUT_S = 30.0  # for the whole body to arrive

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Form:
    """How the requests of one route are read."""

    def __init__(self, route: Route, body_max: int) -> None:
        """A body may have at most ``body_max`` bytes."""
        self._body_max = body_max
        fields = {field.name: field for field in msgspec.structs.fields(route.command)}
        self._command = route.command
        self._in_path = route.in_path
        # `do` and `id` are words of the socket's frames: here the path says what is to be done,
        # and an answer needs no number.
        self._dropped = ("do", "id", *route.without)
        self._with_body = route.method in WITH_BODY
        self._idempotent = "nonce" in fields
        # A path has only text. Beside a body, whose types must be right, numbers stand out.
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
        """The command that this request asks for. Raises Malformed, Invalid, TooLarge."""
        try:
            if self._with_body:
                fields = await body_of(request, self._body_max)
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
            raise refusal(error) from None

    def _query(self, request: web.Request) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if not request.query_string:
            return fields
        query = request.query
        for name, many in self._in_query.items():
            # `?before=` is a form's field left empty, not a wish.
            if values := [clean(value) for value in query.getall(name, ()) if value]:
                fields[name] = values if many else values[-1]
        return fields


async def body_of(request: web.Request, most: int) -> dict[str, Any]:
    """The JSON object in the body; empty if there is none. Raises Malformed, Invalid, TooLarge."""
    body = await _arrived(request, most)
    if not body:
        return {}
    # Other types a page elsewhere may send without asking us first; this one it may not.
    if request.content_type != "application/json":
        raise Malformed("Send JSON, and say so: Content-Type: application/json.")
    try:
        fields = _decode(body)
        require_no_nul(body)
        return fields
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refusal(error) from None
    except RecursionError:
        raise Malformed("This JSON is nested too deeply.") from None


async def _arrived(request: web.Request, most: int) -> bytes:
    if (request.content_length or 0) > most:
        raise _too_large(most)
    try:
        if request.content.is_eof():  # nearly always: it came with the headers; spare the timer
            body = await request.read()
            if len(body) > most:
                raise _too_large(most)
            return body
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _read_up_to(request, most)
    except TimeoutError:
        raise Malformed("The body of the request did not arrive in time.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise Malformed("The body of the request did not arrive whole.") from None
    except RuntimeError as error:
        if not is_closed(error):
            raise
        raise Malformed("The body of the request did not arrive whole.") from None


def is_closed(error: BaseException | None) -> bool:
    """Whether this is what aiohttp says of a body whose connection has been closed."""
    return isinstance(error, RuntimeError) and error.args == ("Connection closed.",)


async def _read_up_to(request: web.Request, most: int) -> bytes:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"This request has at most {most // 1024} KB.")


def refusal(error: Exception) -> HubbubError:
    """What decoding says, as an error of ours; a rule of the model keeps its own."""
    if rule := rule_broken(error):
        return rule
    return Malformed(f"{Malformed.title} {shortened(error).replace('`$.', '`')}.")


def segment(text: str) -> str:
    """One part of a path, decoded. Raises Malformed, Invalid."""
    if "%" in text:
        try:
            text = unquote(text, errors="strict")
        except UnicodeDecodeError:
            raise Malformed("The address is not UTF-8.") from None
    return clean(text)


def clean(text: str) -> str:
    """Text that UTF-8 can hold: raw bytes in a request line come as lone surrogates.

    Raises Malformed, Invalid.
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
    key = key.strip().strip('"')  # as a structured header it has quotes, in the wild often none
    if not (key.isascii() and key.isprintable()):
        raise Malformed("An Idempotency-Key has ASCII characters only.")
    if fields.get("nonce") not in (None, key):
        raise Invalid("Idempotency-Key and nonce are the same thing; give one of them.")
    fields["nonce"] = key
