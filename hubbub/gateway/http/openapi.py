"""The OpenAPI 3.1 document of the HTTP API, generated from the routes and the structs."""

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
from hubbub.model.errors import HubbubError, all_errors
from hubbub.model.events import RoomEvent
from hubbub.model.messages import Reset

Schema = dict[str, Any]

REF = "#/components/schemas/"

# The events in `Changes`, whose struct allows any event.
CHANGE_EVENTS = (*get_args(RoomEvent), Reset)

TAGS = {
    "Accounts": "Signing up and in, your profile and your sessions.",
    "Rooms": "Rooms and their members.",
    "Messages": "Posting, reading history, catching up.",
    "Personal": "Your own lists: bookmarks, drafts, mentions, followed threads.",
    "Server": "The server: its description, its users, its invites.",
}
# The tag of a path is that of the first prefix that matches.
_TAG_OF = {
    "/api/rooms/{room}/messages/{seq}/bookmark": "Personal",
    "/api/rooms/{room}/draft": "Personal",
    "/api/bookmarks": "Personal",
    "/api/drafts": "Personal",
    "/api/mentions": "Personal",
    "/api/threads": "Personal",
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
All of Hubbub over HTTP. The same commands can be sent over the WebSocket at `/ws` (subprotocol
`hubbub.v1`), which also sends events live; over HTTP you request them.

Sign up or in (`POST /api/sign-up`, `POST /api/sign-in`) and send the token that you get as
`Authorization: Bearer TOKEN`. Browsers get a cookie as well; a write with only the cookie must
come from a page of this server.

Bodies are JSON objects with `Content-Type: application/json`, at most 256 KB. Unknown fields are
ignored. In responses, optional fields may be left out while they have their default. Times are
milliseconds since 1970 by the server's clock. A post with an `Idempotency-Key` (or a `nonce`) can
be retried safely.

Errors are problem documents (RFC 9457): `code` is for programs and stays as it is, `detail` is a
sentence for people, and `retry_after` says in how many seconds to try again, if that helps.
"""


def make_document() -> Schema:
    """The document. It does not depend on settings, so it is the same for all servers."""
    schemas = _schemas()
    paths: dict[str, dict[str, Schema]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    used = _reachable([paths, REF + Problem.__name__], schemas)
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
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "security": [{"bearer": []}, {"cookie": []}],
        "components": {
            "schemas": {name: schemas[name] for name in sorted(used)},
            "responses": {
                "Refused": _problem("The request was refused. It would be refused again."),
                "Failed": _problem("The server could not execute the request. Try again later."),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "hubbub",
                    "description": "Set by signing in; with TLS it is named `__Host-hubbub`.",
                },
            },
        },
    }


async def serve(request: web.Request) -> web.Response:
    return _encoded_document().answer(request)


@cache
def _encoded_document() -> Document:
    body = msgspec.json.encode(make_document())
    return Document(body, {"Content-Type": "application/json"})


def errors() -> list[type[HubbubError]]:
    """The errors that a request can get, by status. The root of the tree stands for bugs.

    Errors that stop a server from starting are in the same tree, but left out here.
    """
    answered = [error for error in all_errors() if error.__module__ == HubbubError.__module__]
    return sorted(answered, key=lambda error: error.status)


def prose(struct: type) -> str:
    """The docstring of a type as Markdown; empty if it has none of its own."""
    return inspect.cleandoc(struct.__dict__.get("__doc__") or "").replace("``", "`")


def _operation(route: Route, schemas: dict[str, Schema]) -> Schema:
    summary, _, rest = prose(route.command).partition("\n\n")
    command_schema = schemas[route.command.__name__]
    operation: Schema = {
        "operationId": route.operation,
        "tags": [next(tag for path, tag in _TAG_OF.items() if route.path.startswith(path))],
        "summary": summary.replace("\n", " ") or route.operation.replace("_", " ").capitalize(),
        "parameters": list(_parameters(route, command_schema)),
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
        body = _body_schema(command_schema, route.not_in_path)
        operation["requestBody"] = {
            "required": bool(body["required"]),
            "content": {"application/json": {"schema": body}},
        }
    return operation


def _parameters(route: Route, command_schema: Schema) -> Iterable[Schema]:
    in_query = () if route.method in WITH_BODY else route.not_in_path
    for location, names in (("path", route.in_path), ("query", in_query)):
        for name in names:
            schema = _not_null(command_schema["properties"][name])
            about = schema.pop("description", None)
            yield {
                "name": name,
                "in": location,
                "required": name in command_schema["required"] or location == "path",
                "schema": schema,
                **({"description": about} if about else {}),
            }
    if "nonce" in route.not_in_path:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same as `nonce`: a retry gets the first reply and posts nothing.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 64},
        }


def _not_null(schema: Schema) -> Schema:
    """The schema without null and its default, as parameters are left out instead."""
    if "anyOf" not in schema:
        return dict(schema)
    options = [option for option in schema["anyOf"] if option.get("type") != "null"]
    return dict(options[0]) if len(options) == 1 else {"anyOf": options}


def _body_schema(command_schema: Schema, names: Iterable[str]) -> Schema:
    """The schema of the fields of a command that are in the body."""
    return {
        "type": "object",
        "properties": {name: command_schema["properties"][name] for name in names},
        "required": [name for name in names if name in command_schema["required"]],
    }


def _schemas() -> dict[str, Schema]:
    """The schemas of all commands, replies and room events, and of their parts, by type name."""
    types: list[type[msgspec.Struct]] = [Problem, *CHANGE_EVENTS]
    for route in ROUTES:
        types += [route.command, route.reply]
    _, schemas = msgspec.json.schema_components(types, ref_template=REF + "{name}")
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"]).replace("``", "`")
    for route in ROUTES:
        if issubclass(route.reply, Reply):  # they never leave out fields
            reply = schemas[route.reply.__name__]
            reply["required"] = list(reply["properties"])
    schemas["Changes"]["properties"]["events"]["items"] = {
        "anyOf": [{"$ref": REF + event.__name__} for event in CHANGE_EVENTS]
    }
    code = schemas[Problem.__name__]["properties"]["code"]
    code["enum"] = [error.code for error in errors()]
    code["x-enum-descriptions"] = [error.title for error in errors()]
    return schemas


def _reachable(start: Any, schemas: dict[str, Schema]) -> set[str]:
    """The names of all schemas that are referred to, directly or by other schemas."""
    found: set[str] = set()
    pending = [start]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, str) and node.startswith(REF):
            name = node.removeprefix(REF)
            if name not in found:
                found.add(name)
                pending.append(schemas[name])
    return found


def _problem(description: str) -> Schema:
    schema = {"$ref": REF + Problem.__name__}
    return {
        "description": description,
        "headers": {
            "Retry-After": {
                "description": "Seconds, rounded up; given if trying again helps.",
                "schema": {"type": "integer"},
            }
        },
        "content": {PROBLEM_TYPE: {"schema": schema}},
    }
