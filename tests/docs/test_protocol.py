"""docs/protocol.md documents every command, event, field, route and error."""

import enum
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from hubbub.gateway.application import application
from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.http import openapi
from hubbub.gateway.http.problem import Problem
from hubbub.gateway.http.routes import ROUTES
from hubbub.model.accounts import Welcome
from hubbub.model.base import Done, Event
from hubbub.model.commands import COMMANDS, HTTP_ONLY, SOCKET_ONLY
from hubbub.model.events import EVENTS
from hubbub.model.settings import Settings
from hubbub.wire import frames, text
from tests.docs import pages

PROTOCOL = (pages.DOCS / "protocol.md").read_text()
COMMAND_SECTIONS = pages.sections(pages.section(PROTOCOL, "## Commands"), "#### ")
EVENT_SECTIONS = pages.sections(PROTOCOL, "### Event ")
SHAPE_SECTIONS = pages.sections(PROTOCOL, "### Shape ")

Fields = list[tuple[str, str]]


def fields_of(struct: type[msgspec.Struct], always: str, without: tuple[str, ...] = ()) -> Fields:
    """The name and default of each field, as in the tables; ``always`` if there is no default."""
    return [
        (field.encode_name, always if field.required else f"`{_default(field)}`")
        for field in msgspec.structs.fields(struct)
        if field.name not in without
    ]


def _default(field: Any) -> str:
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory()
    return msgspec.json.encode(value.value if isinstance(value, enum.Enum) else value).decode()


def documented_fields(section: str) -> Fields:
    return [(name.strip("`"), default) for name, _, default, _ in pages.rows(section)]


def test_every_command_is_documented_with_its_fields() -> None:
    documented = {word: documented_fields(section) for word, section in COMMAND_SECTIONS.items()}
    real = {
        word: fields_of(command, "required", without=("id",)) for word, command in COMMANDS.items()
    }
    assert documented == real


def test_every_event_is_documented_with_its_fields() -> None:
    documented = {word: documented_fields(section) for word, section in EVENT_SECTIONS.items()}
    assert documented == {word: fields_of(event, "always") for word, event in EVENTS.items()}


def test_every_shape_on_the_wire_is_documented_with_its_fields() -> None:
    documented = {name: documented_fields(section) for name, section in SHAPE_SECTIONS.items()}
    assert documented == {shape.__name__: fields_of(shape, "always") for shape in shapes()}


def test_the_problem_document_is_documented() -> None:
    assert documented_fields(pages.section(PROTOCOL, "### Problem documents")) == fields_of(
        Problem, "always"
    )


def shapes() -> set[type[msgspec.Struct]]:
    """All structs in replies and events, except the events themselves."""
    found: set[type[msgspec.Struct]] = set()
    roots = [Welcome, *(route.reply for route in ROUTES), *EVENTS.values()]
    for info in msgspec.inspect.multi_type_info(roots):
        for struct in _structs(info):
            found.add(struct)
    return {struct for struct in found if not issubclass(struct, Event)} - {Done}


def _structs(info: Any) -> Iterator[type[msgspec.Struct]]:
    match info:
        case msgspec.inspect.StructType():
            yield info.cls
            for field in info.fields:
                yield from _structs(field.type)
        case msgspec.inspect.UnionType():
            for one in info.types:
                yield from _structs(one)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            yield from _structs(info.item_type)
        case msgspec.inspect.DictType():
            yield from _structs(info.value_type)
        case msgspec.inspect.Metadata():
            yield from _structs(info.type)


def test_each_command_says_on_which_interfaces_it_is_available() -> None:
    only_http = pages.sections(pages.section(PROTOCOL, "### Only over HTTP"), "#### ")
    assert set(only_http) == HTTP_ONLY
    assert {
        word for word, section in COMMAND_SECTIONS.items() if "WebSockets only." in section
    } == SOCKET_ONLY
    for word, section in COMMAND_SECTIONS.items():
        documented = re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /\S+)`", section)
        routes = [f"{one.method} {one.path}" for one in ROUTES if one.command.word() == word]
        assert documented == routes, word


def test_every_route_is_documented_with_its_reply() -> None:
    assert _documented_routes() == [
        (
            f"{route.method} {route.path}",
            route.command.word(),
            route.status,
            "{}" if route.reply is Done else route.reply.__name__,
        )
        for route in ROUTES
    ]


def _documented_routes() -> list[tuple[str, str, int, str]]:
    rows = pages.rows(pages.section(PROTOCOL, "## HTTP"))
    return [
        (request.strip("`"), pages.code(command)[0], int(status), pages.code(reply)[0])
        for request, command, status, reply in (row for row in rows if len(row) == 4)
        if status.isdigit()
    ]


def test_every_other_path_is_documented() -> None:
    dispatcher = cast(Dispatcher, SimpleNamespace(settings=Settings()))
    paths = {resource.canonical for resource in application(dispatcher).router.resources()}
    paths -= {"/api", "/api/{rest}", "/{rest}", "/api/docs.css"}
    named = set(pages.code(pages.section(PROTOCOL, "## Interfaces")))
    named |= {
        word.removeprefix("GET ")
        for row in pages.rows(pages.section(PROTOCOL, "### Other paths"))
        for word in pages.code(row[0])
    }
    assert paths == {word for word in named if re.fullmatch(r"/[\w./]*[\w]", word)}


def test_every_error_is_documented_with_its_status() -> None:
    documented = {
        code.strip("`"): int(statuses.split(",")[0])
        for code, statuses, _, _ in pages.rows(pages.section(PROTOCOL, "## Error codes"))
    }
    assert documented == {error.code: error.status for error in openapi.errors()}


def test_every_plain_text_command_is_documented() -> None:
    documented = re.findall(r"(?m)^\| `/([a-z]+)", pages.section(PROTOCOL, "## Plain text"))
    assert documented == list(text.HELP)


def test_every_close_code_is_documented() -> None:
    documented = {int(row[0]) for row in pages.rows(pages.section(PROTOCOL, "### The close codes"))}
    used = {value for name, value in vars(frames).items() if name.startswith("CLOSE_")}
    assert used <= documented
