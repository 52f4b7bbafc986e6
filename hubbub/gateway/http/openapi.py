"""OpenAPI 3.1 of the HTTP API, generated from the table of routes and the structs."""

import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any, get_args

import msgspec
from aiohttp import web

from hubbub import __version__
from hubbub.gateway.http.documents import Document
from hubbub.gateway.http.problem import PROBLEM_TYPE, Problem
from hubbub.gateway.http.routes import ROUTES, WITH_BODY, Route
from hubbub.model.accounts import About, SignedIn, SignOut
from hubbub.model.base import Reply
from hubbub.model.errors import HubbubError, every_error
from hubbub.model.events import RoomEvent
from hubbub.model.messages import Reset

Schema = dict[str, Any]

REF = "#/components/schemas/"

# What `Changes` tells; the struct names any event.
CHANGES = (*get_args(RoomEvent), Reset)

TAGS = {
    "Accounts": "Signing up and in, one's own profile and sessions.",
    "Rooms": "Rooms and the people in them.",
    "Messages": "Saying something, reading back, catching up.",
    "Keeping": "What one keeps for oneself: bookmarks, drafts, mentions, followed threads.",
    "Server": "The server itself: what it is, who is here, who may join.",
}
# The first that a path begins with says where it belongs.
_TAG_OF = {
    "/api/rooms/{room}/messages/{seq}/bookmark": "Keeping",
    "/api/rooms/{room}/draft": "Keeping",
    "/api/bookmarks": "Keeping",
    "/api/drafts": "Keeping",
    "/api/mentions": "Keeping",
    "/api/threads": "Keeping",
    "/api/rooms/{room}/messages": "Messages",
    "/api/rooms/{room}/pins": "Messages",
    "/api/rooms/{room}/changes": "Messages",
    "/api/rooms/{room}/read": "Messages",
    "/api/rooms": "Rooms",
    "/api/direct": "Rooms",
    "/api/about": "Server",
    "/api/server": "Server",
    "/api/users": "Server",
    "/api/invites": "Server",
    "/api/": "Accounts",
}

INTRODUCTION = """\
Everything that Hubbub does, over HTTP. The same commands travel over the WebSocket at `/ws`
(subprotocol `hubbub.v1`), where events arrive live; here you ask for them.

Sign up or in (`POST /api/sign-up`, `POST /api/sign-in`) and send the token that you get as
`Authorization: Bearer TOKEN`. Browsers get a cookie as well; a write with nothing but the cookie
must come from a page of this server.

Bodies are JSON objects with `Content-Type: application/json`, at most 256 KB. Unknown fields are
ignored. In what you get, optional fields may be left out while they have their default. Times are
milliseconds since 1970 by the server's clock. With an `Idempotency-Key` (or a `nonce`) a post may
be repeated safely.

Errors are problem documents (RFC 9457): `code` is for programs and stays as it is, `detail` is a
sentence for people, and `retry_after` says in how many seconds to try again, where that helps.
"""


def described() -> Schema:
    """The whole document. It does not depend on settings, so there is one for all servers."""
    schemas = _schemas()
    paths: dict[str, dict[str, Schema]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    kept = _reachable([paths, REF + Problem.__name__], schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hubbub",
            "version": __version__,
            "summary": "A real-time chat that keeps every message.",
            "description": INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [{"name": name, "description": tells} for name, tells in TAGS.items()],
        "paths": paths,
        "security": [{"bearer": []}, {"cookie": []}],
        "components": {
            "schemas": {name: schemas[name] for name in sorted(kept)},
            "responses": {
                "Refused": _problem("The request was refused: the client must do otherwise."),
                "Failed": _problem("The server could not do it: try again later."),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "hubbub",
                    "description": "Set by signing in; `__Host-hubbub` where there is TLS.",
                },
            },
        },
    }


async def serve(request: web.Request) -> web.Response:
    return _document().answer(request)


@cache
def _document() -> Document:
    body = msgspec.json.encode(described())
    return Document(body, {"Content-Type": "application/json"})


def errors() -> list[type[HubbubError]]:
    """All that may be answered, by status; the root of the tree is what a bug answers.

    What keeps a server from starting is of the same tree, and not answered to anybody.
    """
    answered = [error for error in every_error() if error.__module__ == HubbubError.__module__]
    return sorted(answered, key=lambda error: error.status)


def prose(of: type) -> str:
    """A docstring as Markdown: empty if the type has none of its own."""
    return inspect.cleandoc(of.__dict__.get("__doc__") or "").replace("``", "`")


def _operation(route: Route, schemas: dict[str, Schema]) -> Schema:
    summary, _, rest = prose(route.command).partition("\n\n")
    whole = schemas[route.command.__name__]
    operation: Schema = {
        "operationId": route.operation,
        "tags": [next(tag for path, tag in _TAG_OF.items() if route.path.startswith(path))],
        "summary": summary.replace("\n", " ") or route.operation.replace("_", " ").capitalize(),
        "parameters": list(_parameters(route, whole)),
        "responses": {
            str(route.status): {
                "description": prose(route.reply) or "Done.",
                "content": {"application/json": {"schema": {"$ref": REF + route.reply.__name__}}},
            },
            "4XX": {"$ref": "#/components/responses/Refused"},
            "5XX": {"$ref": "#/components/responses/Failed"},
        },
    }
    if rest:
        operation["description"] = rest
    if route.reply is SignedIn or route.command in (About, SignOut):
        operation["security"] = []
    if route.method in WITH_BODY and route.not_in_path:
        body = _part(whole, route.not_in_path)
        operation["requestBody"] = {
            "required": bool(body["required"]),
            "content": {"application/json": {"schema": body}},
        }
    return operation


def _parameters(route: Route, whole: Schema) -> Iterable[Schema]:
    in_query = () if route.method in WITH_BODY else route.not_in_path
    for place, names in (("path", route.in_path), ("query", in_query)):
        for name in names:
            schema = _not_null(whole["properties"][name])
            about = schema.pop("description", None)
            yield {
                "name": name,
                "in": place,
                "required": name in whole["required"] or place == "path",
                "schema": schema,
                **({"description": about} if about else {}),
            }
    if "nonce" in route.not_in_path:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same as `nonce`: with it, a retry is answered and not done twice.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 64},
        }


def _not_null(schema: Schema) -> Schema:
    """A parameter that is not there is simply not there: without null and the default of null."""
    if "anyOf" not in schema:
        return dict(schema)
    options = [option for option in schema["anyOf"] if option.get("type") != "null"]
    return dict(options[0]) if len(options) == 1 else {"anyOf": options}


def _part(whole: Schema, names: Iterable[str]) -> Schema:
    """The part of a command that stands in the body."""
    return {
        "type": "object",
        "properties": {name: whole["properties"][name] for name in names},
        "required": [name for name in names if name in whole["required"]],
    }


def _schemas() -> dict[str, Schema]:
    """Of every command, reply, event of a room, and what is in them, by the name of the type."""
    types: list[type[msgspec.Struct]] = [Problem, *CHANGES]
    for route in ROUTES:
        types += [route.command, route.reply]
    _, schemas = msgspec.json.schema_components(types, ref_template=REF + "{name}")
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"]).replace("``", "`")
    for route in ROUTES:
        if issubclass(route.reply, Reply):  # these leave nothing out
            reply = schemas[route.reply.__name__]
            reply["required"] = list(reply["properties"])
    schemas["Changes"]["properties"]["events"]["items"] = {
        "anyOf": [{"$ref": REF + event.__name__} for event in CHANGES]
    }
    code = schemas[Problem.__name__]["properties"]["code"]
    code["enum"] = [error.code for error in errors()]
    code["x-enum-descriptions"] = [error.title for error in errors()]
    return schemas


def _reachable(start: Any, schemas: dict[str, Schema]) -> set[str]:
    """The names of the schemas that are referred to, from others too."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, str) and node.startswith(REF):
            name = node.removeprefix(REF)
            if name not in found:
                found.add(name)
                waiting.append(schemas[name])
    return found


def _problem(description: str) -> Schema:
    schema = {"$ref": REF + Problem.__name__}
    return {
        "description": description,
        "headers": {
            "Retry-After": {
                "description": "Seconds, rounded up; where trying again helps.",
                "schema": {"type": "integer"},
            }
        },
        "content": {PROBLEM_TYPE: {"schema": schema}},
    }
