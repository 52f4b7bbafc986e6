"""Collects the words that others rely on: on the wire, on disk, on the bus and on the command line.

Names inside the program may change at will; these may not, unless a new protocol or schema version
says so. `python -m tests.golden.surface` writes the files anew, for a change that is meant.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import typer

from hubbub.cli.commands import app
from hubbub.gateway.http import openapi
from hubbub.gateway.http.routes import ROUTES
from hubbub.gateway.operations import control_socket
from hubbub.model.accounts import Welcome
from hubbub.model.commands import COMMANDS, HTTP_ONLY, SOCKET_ONLY
from hubbub.model.events import EVENTS
from hubbub.model.quotas import QUOTA_RULES
from hubbub.model.settings import Settings
from hubbub.wire import frames, text
from tests.support.sqlite import opened

FOLDER = Path(__file__).parent
REF = "#/$defs/"

Shape = dict[str, Any]


def shape_of(kind: Any) -> Shape:
    """The JSON schema of a type, without the names and descriptions that only readers see."""
    schema = msgspec.json.schema(kind)
    return _plain(schema, schema.get("$defs", {}))


def _plain(schema: Shape, known: dict[str, Shape]) -> Shape:
    if "$ref" in schema:
        return _plain(known[schema["$ref"].removeprefix(REF)], known)
    plain: Shape = {}
    for key, value in schema.items():
        match key:
            case "$defs" | "title" | "description" | "discriminator":
                pass
            case "properties":
                plain[key] = {name: _plain(one, known) for name, one in value.items()}
            case "items" | "additionalProperties" if isinstance(value, dict):
                plain[key] = _plain(value, known)
            case "anyOf" | "prefixItems":
                plain[key] = [_plain(one, known) for one in value]
            case _:
                plain[key] = value
    return plain


def protocol() -> Shape:
    """The protocol: commands, events, replies, routes, errors, close codes, text commands."""
    document = openapi.make_document()
    return {
        "commands": {word: shape_of(kind) for word, kind in sorted(COMMANDS.items())},
        "events": {word: shape_of(kind) for word, kind in sorted(EVENTS.items())},
        "welcome": shape_of(Welcome),
        "only over HTTP": sorted(HTTP_ONLY),
        "only over WebSocket": sorted(SOCKET_ONLY),
        "routes": {
            f"{route.method} {route.path}": [
                route.command.word(),
                route.status,
                shape_of(route.reply),
            ]
            for route in ROUTES
        },
        "openapi parameters": {
            f"{method.upper()} {path}": [
                f"{one['in']} {one['name']}" for one in operation.get("parameters", [])
            ]
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        },
        "errors": {error.code: error.status for error in openapi.errors()},
        "close codes": {
            name.removeprefix("CLOSE_").lower(): value
            for name, value in vars(frames).items()
            if name.startswith("CLOSE_")
        },
        "text commands": sorted(text.HELP),
        "operator's socket": {
            kind.word(): shape_of(kind) for kind in get_args(control_socket.OperatorCommand)
        },
    }


def program() -> Shape:
    """Settings with their defaults and variables, and the words of the command line."""
    return {
        "settings": dict(_settings()),
        "quotas": sorted(QUOTA_RULES),
        "command line": dict(_words(typer.main.get_command(app), ())),
    }


def _settings() -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(Settings):
        default = field.default
        yield (
            field.name,
            "required" if default is msgspec.NODEFAULT else re.sub(r"^/.*", "a path", str(default)),
        )


def _words(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    params = [
        " ".join([*one.opts, *one.secondary_opts, *_variables(one)]) for one in command.params
    ]
    yield " ".join(("hubbub", *words)), sorted(params)
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _words(inner, (*words, name))


def _variables(param: Any) -> list[str]:
    named = param.envvar or []
    return [named] if isinstance(named, str) else list(named)


def database(path: Path) -> Shape:
    """Tables with their columns, and the keys of the table `server`."""
    with opened(path) as db:
        tables = [
            name
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        return {
            "tables": {
                table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
                for table in tables
            },
            "server": {key: "" for (key,) in db.execute("SELECT key FROM server")},
        }


FILES: dict[str, Callable[[], Shape]] = {"protocol": protocol, "program": program}


def golden(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def as_stored(surface: Shape) -> Any:
    """As JSON gives it back: tuples as lists, numbers as keys as text."""
    return json.loads(json.dumps(surface))


def write(name: str, surface: Shape) -> None:
    """Each entry of each section on a line of its own, so that a difference is seen."""
    sections = [
        f" {_line(title)}: "
        + (
            "{\n"
            + ",\n".join(f"  {_line(key)}: {_line(one)}" for key, one in section.items())
            + "\n }"
            if isinstance(section, dict)
            else _line(section)
        )
        for title, section in surface.items()
    ]
    (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(sections) + "\n}\n")


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def main() -> None:
    for name, surface in FILES.items():
        write(name, surface())


if __name__ == "__main__":
    main()
