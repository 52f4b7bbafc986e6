"""The HTTP API's documentation as an HTML page, generated from the OpenAPI document."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web

from hubbub import __version__
from hubbub.gateway.auth.request_policy import DISPATCHER
from hubbub.gateway.http import openapi
from hubbub.gateway.http.documents import Document
from hubbub.gateway.http.headers import PAGE_POLICY, POLICY
from hubbub.gateway.http.openapi import REF, Schema

_STYLE = Path(__file__).with_name("docs.css")
_CODE = re.compile(r"`([^`]+)`")
_VARIABLE = re.compile(r"\{\w+\}")

_FIRST_STEPS = """\
HUBBUB={url}

# Create an account (if you have one: sign-in). The response holds the token.
curl -s $HUBBUB/api/sign-up -H 'Content-Type: application/json' \\
     -d '{{"name": "ana", "password": "three short words"}}'
TOKEN=eyJ...

curl -s $HUBBUB/api/rooms/lobby/messages -H "Authorization: Bearer $TOKEN" \\
     -H 'Content-Type: application/json' -d '{{"text": "Hello!"}}'

curl -s "$HUBBUB/api/rooms/lobby/messages?limit=20" -H "Authorization: Bearer $TOKEN"
"""


async def serve(request: web.Request) -> web.Response:
    return _page(request.app[DISPATCHER].settings.base_url).answer(request)


async def serve_style(request: web.Request) -> web.Response:
    return _style().answer(request)


@cache
def _style() -> Document:
    return Document(_STYLE.read_bytes(), {"Content-Type": "text/css; charset=utf-8"})


@cache
def _page(url: str) -> Document:
    headers = {"Content-Type": "text/html; charset=utf-8", POLICY: PAGE_POLICY}
    return Document("\n".join(_html(openapi.make_document(), url)).encode(), headers)


def _html(document: Schema, url: str) -> Iterator[str]:
    operations = {
        tag["name"]: [
            (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
        for tag in document["tags"]
    }
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Hubbub: HTTP API</title>'
        '<link rel="stylesheet" href="/api/docs.css"></head><body>'
        '<a class="skip" href="#content">Skip to content</a>'
    )
    yield from _contents(operations)
    yield '<main id="content"><header><h1>Hubbub: HTTP API</h1>'
    yield f'<p class="meta">Version {escape(__version__)} · '
    yield '<a href="/api/openapi.json">OpenAPI document</a></p></header>'
    yield from (f"<p>{_prose(part)}</p>" for part in openapi.INTRODUCTION.split("\n\n"))
    yield f'<h2 id="first-steps">First steps</h2>{_code(_FIRST_STEPS.format(url=url))}'
    for tag in document["tags"]:
        yield f'<section><h2 id="{tag["name"]}">{tag["name"]}</h2>'
        yield f"<p>{_prose(tag['description'])}</p>"
        for method, path, operation in operations[tag["name"]]:
            yield from _operation(method, path, operation)
        yield "</section>"
    yield from _errors()
    yield from _schemas(document["components"]["schemas"])
    yield "</main></body></html>"


def _contents(operations: dict[str, list[tuple[str, str, Schema]]]) -> Iterator[str]:
    yield '<nav aria-label="Contents"><ul><li><a href="#first-steps">First steps</a></li>'
    for name, group in operations.items():
        yield f'<li><a href="#{name}">{name}</a><ul>'
        for method, path, operation in group:
            yield (
                f'<li><a href="#{operation["operationId"]}"><b class="{method}">{method}</b> '
                f"{_path(path.removeprefix('/api'))}</a></li>"
            )
        yield "</ul></li>"
    yield '<li><a href="#errors">Errors</a></li><li><a href="#types">Types</a></li></ul></nav>'


def _operation(method: str, path: str, operation: Schema) -> Iterator[str]:
    name = operation["operationId"]
    yield f'<article aria-labelledby="{name}"><h3 id="{name}">'
    yield f'<b class="{method}">{method}</b> <code>{_path(path)}</code></h3>'
    yield f"<p>{_prose(operation['summary'])}</p>"
    if "description" in operation:
        yield f"<p>{_prose(operation['description'])}</p>"
    if operation.get("security") == []:
        yield '<p class="meta">Needs no sign-in.</p>'
    for location, heading in (("path", "In the path"), ("query", "Query"), ("header", "Headers")):
        yield from _fields(
            heading,
            (
                (given["name"], given, given["schema"], given.get("required", False))
                for given in operation["parameters"]
                if given["in"] == location
            ),
        )
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        yield from _fields("Body", _properties(body))
    status, answer = next(iter(operation["responses"].items()))
    reply = answer["content"]["application/json"]["schema"]
    yield f"<h4>Response</h4><p><code>{status}</code> {_type(reply)}</p></article>"


def _properties(schema: Schema) -> Iterator[tuple[str, Schema, Schema, bool]]:
    for name, field in schema.get("properties", {}).items():
        yield name, field, field, name in schema.get("required", ())


def _fields(heading: str, fields: Iterable[tuple[str, Schema, Schema, bool]]) -> Iterator[str]:
    """A list of fields: name, type, whether it is optional, and its description."""
    rows = [
        f"<div><dt><code>{escape(name)}</code>{'' if required else ' <i>optional</i>'}</dt>"
        f"<dd>{_type(schema)}{_meaning(about)}</dd></div>"
        for name, about, schema, required in fields
    ]
    if rows:
        yield f"<h4>{heading}</h4>" if heading else ""
        yield f"<dl>{''.join(rows)}</dl>"


def _meaning(about: Schema) -> str:
    texts = [about, *about.get("anyOf", ())]
    found = next((text["description"] for text in texts if "description" in text), None)
    return f' <span class="meta">{_prose(found)}</span>' if found else ""


def _type(schema: Schema) -> str:
    """A short text for a schema, with links to its types."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        shown = " ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    elif schema.get("type") == "array":
        shown = f"list of {_type(schema['items'])}"
    elif schema.get("type") == "object" and "additionalProperties" in schema:
        shown = "object"
    else:
        shown = escape(str(schema.get("type", "anything"))) + _bounds(schema)
    default = schema.get("default")
    if default in (None, "", [], ()):
        return shown
    return f"{shown}, default <code>{_json(default)}</code>"


def _bounds(schema: Schema) -> str:
    minimum, maximum = schema.get("minimum"), schema.get("maximum")
    if maximum is not None and maximum < 2**53 - 1:
        return f" from {minimum or 0:,} to {maximum:,}"
    if minimum is not None:
        return f" from {minimum:,}"
    if "maxLength" in schema:
        return f" of {schema.get('minLength', 0)} to {schema['maxLength']:,} characters"
    return ""


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


def _errors() -> Iterator[str]:
    yield '<section><h2 id="errors">Errors</h2>'
    yield '<p>Each is a <a href="#type-Problem">Problem</a>; these are its codes.</p><dl>'
    for error in openapi.errors():
        more = openapi.prose(error)
        yield f'<div id="{error.code}"><dt><code>{error.code}</code> <i>{error.status}</i></dt>'
        yield f"<dd>{_prose(error.title)}"
        yield f' <span class="meta">{_prose(more)}</span>' if more else ""
        yield "</dd></div>"
    yield "</dl></section>"


def _schemas(schemas: dict[str, Schema]) -> Iterator[str]:
    yield '<section><h2 id="types">Types</h2>'
    for name, schema in schemas.items():
        yield f'<article aria-labelledby="type-{name}"><h3 id="type-{name}">{name}</h3>'
        for part in schema.get("description", "").split("\n\n"):
            yield f"<p>{_prose(part)}</p>" if part else ""
        if "enum" in schema:
            yield f"<p>{_type(schema)}</p>"
        elif not schema.get("properties"):
            yield '<p class="meta">An empty object.</p>'
        yield from _fields("", _properties(schema))
        yield "</article>"
    yield "</section>"


def _prose(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _path(path: str) -> str:
    """A path with its variables marked, and with line breaks allowed at slashes."""
    return _VARIABLE.sub(r"<var>\g<0></var>", escape(path).replace("/", "<wbr>/"))


def _code(text: str) -> str:
    # A region that scrolls must be reachable by keyboard.
    return f'<pre tabindex="0" aria-label="Example"><code>{escape(text)}</code></pre>'
