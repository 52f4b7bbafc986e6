"""The OpenAPI document: valid, complete and correct; and the documentation page."""

import asyncio
import html
import json
import re
import shutil
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from hubbub.gateway.http.openapi import errors
from hubbub.gateway.http.routes import ROUTES, WITH_BODY, Route
from hubbub.model.errors import all_errors
from tests.gateway.conftest import MakeSite
from tests.support.site import Caller, Site

PARTS = {"openapi", "info", "servers", "tags", "paths", "security", "components"}
# The keywords of JSON Schema 2020-12 that are used.
KEYWORDS = {
    "$ref",
    "additionalProperties",
    "anyOf",
    "default",
    "description",
    "enum",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "prefixItems",
    "properties",
    "required",
    "title",
    "type",
    "x-enum-descriptions",
}


@pytest.fixture(scope="module")
def document(site: Site) -> Any:
    return site.anyone.get("/api/openapi.json").ok()


def _operation(document: Any, route: Route) -> Any:
    return document["paths"][route.path][route.method.lower()]


def _everything(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _everything(value)
    elif isinstance(node, list):
        for value in node:
            yield from _everything(value)


def _found(document: Any, ref: str) -> Any:
    node = document
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return node


def _schemas(document: Any) -> Iterator[dict[str, Any]]:
    """Every schema, including nested ones."""
    waiting = [*document["components"]["schemas"].values()]
    waiting += [node["schema"] for node in _everything(document["paths"]) if "schema" in node]
    while waiting:
        schema = waiting.pop()
        yield schema
        waiting += [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
        if isinstance(schema.get("additionalProperties"), dict):
            waiting.append(schema["additionalProperties"])
        if isinstance(schema.get("items"), dict):
            waiting.append(schema["items"])


def test_the_document_is_openapi_3_1(document: Any) -> None:
    assert set(document) == PARTS
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version", "license"} <= set(document["info"])
    assert set(document["info"]["license"]) == {"name", "identifier"}
    for path, item in document["paths"].items():
        assert path.startswith("/api/")
        assert set(item) <= {"get", "post", "put", "patch", "delete"}


def test_the_document_describes_exactly_the_routes(document: Any) -> None:
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert described == {(route.method, route.path) for route in ROUTES}


def test_every_reference_resolves_and_every_schema_is_used(document: Any) -> None:
    refs = {node["$ref"] for node in _everything(document) if "$ref" in node}
    for ref in refs:
        assert ref.startswith("#/components/")
        assert _found(document, ref)
    used = {ref.rpartition("/")[2] for ref in refs if "/schemas/" in ref}
    assert used == set(document["components"]["schemas"])


def test_every_operation_has_a_unique_id_a_summary_and_a_known_tag(document: Any) -> None:
    operations = [item for methods in document["paths"].values() for item in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)
    tags = {tag["name"] for tag in document["tags"]}
    for operation in operations:
        assert operation["summary"].endswith("."), operation["operationId"]
        assert set(operation["tags"]) <= tags


def test_every_variable_in_a_path_is_a_required_parameter(document: Any) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            given = [(one["in"], one["name"]) for one in operation["parameters"]]
            assert len(given) == len(set(given))
            in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))
            assert all(one["required"] for one in operation["parameters"] if one["in"] == "path")


def test_every_field_of_a_command_is_documented_once(document: Any) -> None:
    for route in ROUTES:
        operation = _operation(document, route)
        body = operation.get("requestBody")
        fields = [one["name"] for one in operation["parameters"] if one["in"] != "header"]
        if body:
            assert route.method in WITH_BODY
            fields += body["content"]["application/json"]["schema"]["properties"]
        assert sorted(fields) == sorted([*route.in_path, *route.not_in_path]), route.path


def test_success_and_errors_are_documented_everywhere(document: Any) -> None:
    for route in ROUTES:
        responses = _operation(document, route)["responses"]
        assert set(responses) == {str(route.status), "4XX", "5XX"}
        for status in ("4XX", "5XX"):
            response = _found(document, responses[status]["$ref"])
            assert response["description"]
            assert "Retry-After" in response["headers"]
            assert list(response["content"]) == ["application/problem+json"]


def test_every_error_code_is_listed(document: Any) -> None:
    code = document["components"]["schemas"]["Problem"]["properties"]["code"]
    answered = {error.code for error in all_errors() if error.__module__.endswith("model.errors")}
    assert set(code["enum"]) == answered == {error.code for error in errors()}
    assert len(code["enum"]) == len(code["x-enum-descriptions"])


def test_schemas_use_only_json_schema_keywords(document: Any) -> None:
    for schema in _schemas(document):
        assert set(schema) <= KEYWORDS, schema
        if "type" in schema:
            assert schema["type"] in KINDS, schema
        assert set(schema.get("required", ())) <= set(schema.get("properties", {})), schema


def test_operations_without_sign_in_are_marked(site: Site, document: Any) -> None:
    ways = document["components"]["securitySchemes"]
    assert {way for need in document["security"] for way in need} == set(ways)
    assert ways["bearer"]["scheme"] == "bearer"
    free = {r.operation for r in ROUTES if _operation(document, r).get("security") == []}
    assert free == {"about", "sign_up", "sign_in", "guest", "sign_out"}
    for route in ROUTES:
        if route.method == "GET" and route.operation not in free:
            path = route.path.format(room="lobby", seq=1)
            path += "?after=0" if "changes" in route.path else ""
            site.anyone.get(path).refused(401, "sign_in_required")


def test_responses_match_their_schemas(site: Site, document: Any) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    for text in ("one", f"two @{bo.name}"):
        ana.say(room, text)
    ana.delete(f"/api/rooms/{room}/messages/1").ok()
    marks = f"/api/rooms/{room}/messages/2"
    bo.put(f"{marks}/reactions/{quote('👍')}", {}).ok()
    bo.put(f"{marks}/pin", {}).ok()
    bo.put(f"{marks}/bookmark", {"note": "later"}).ok()
    bo.put(f"/api/rooms/{room}/draft", {"text": "hm"}).ok()
    ana.say(f"{room}.2", "an answer")
    ana.post(f"{marks}/forward", {"to": "lobby"}).ok(201)
    site.owner.post("/api/invites", {}).ok(201)
    for caller, path, fill in (
        (ana, "/api/about", {}),
        (bo, "/api/me", {}),
        (ana, "/api/sessions", {}),
        (ana, "/api/users", {}),
        (site.owner, "/api/invites", {}),
        (ana, "/api/rooms", {}),
        (ana, "/api/rooms/{room}/members", {}),
        (ana, "/api/rooms/{room}/messages", {}),
        (ana, "/api/rooms/{room}/messages/{seq}/reactions", {}),
        (ana, "/api/rooms/{room}/pins", {}),
        (bo, "/api/bookmarks", {}),
        (bo, "/api/drafts", {}),
        (bo, "/api/mentions", {}),
        (ana, "/api/threads", {}),
        (ana, "/api/rooms/{room}/changes", {"after": "0"}),
        (ana, "/api/rooms/{room}/changes", {"after": "999"}),
    ):
        _check_answer(document, caller, path, room, fill)


def _check_answer(
    document: Any, caller: Caller, path: str, room: str, query: dict[str, str]
) -> None:
    asked = path.format(room=room, seq=2) + "".join(
        f"?{key}={value}" for key, value in query.items()
    )
    content = document["paths"][path]["get"]["responses"]["200"]["content"]
    _check(document, content["application/json"]["schema"], caller.get(asked).ok(), path)


KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
    "number": (int, float),
}


def _check(document: Any, schema: Any, value: Any, where: str) -> None:
    """Assert that a value matches a schema, and that all its fields are in it."""
    if "$ref" in schema:
        schema = _found(document, schema["$ref"])
    if "anyOf" in schema:
        _check_any(document, schema["anyOf"], value, where)
    assert value in schema.get("enum", [value]), (where, value)
    if "type" in schema:
        assert isinstance(value, KINDS[schema["type"]]), (where, value, schema)
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        for part, one in zip(first, value, strict=False):
            _check(document, part, one, f"{where}[]")
        for one in value[len(first) :]:
            _check(document, schema["items"], one, f"{where}[]")
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", ())) <= set(value), (where, value)
        for name, field in value.items():
            assert name in schema["properties"], (where, name)
            _check(document, schema["properties"][name], field, f"{where}.{name}")


def _check_any(document: Any, options: list[Any], value: Any, where: str) -> None:
    wrong = []
    for option in options:
        try:
            return _check(document, option, value, where)
        except AssertionError as error:
            wrong.append(str(error))
    raise AssertionError(f"{where}: {value} is none of these: {wrong}")


def test_an_unchanged_document_is_not_sent_again(site: Site) -> None:
    first = site.anyone.get("/api/openapi.json")
    again = site.anyone.get("/api/openapi.json", If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    packed = site.anyone.get("/api/openapi.json", Accept_Encoding="gzip")
    assert len(packed.body) < len(first.body) / 4
    assert msgspec.json.decode(first.body) == json.loads(first.body)


# The page


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name != "style"
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "action"):
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def page(site: Site) -> _Page:
    answer = site.anyone.get("/api/docs")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return _Page(answer.body.decode())


def test_the_page_has_no_scripts_and_no_foreign_resources(site: Site, page: _Page) -> None:
    assert all(link.startswith(("#", "/api/")) for link in page.links), page.links
    assert not page.tags & {"script", "style", "iframe", "img"}
    style = site.anyone.get("/api/docs.css").body.decode()
    assert "http" not in style
    assert "@import" not in style


def test_every_link_on_the_page_resolves(page: _Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids), inside - set(page.ids)


def test_the_page_names_every_route_field_and_error(document: Any, page: _Page) -> None:
    for route in ROUTES:
        assert route.operation in page.ids
        assert f"{route.method} {route.path}" in page.words
        for name in (*route.in_path, *route.not_in_path):
            assert name in page.words
    for error in errors():
        assert error.code in page.ids
        assert error.title in page.words


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_the_first_steps_work_as_written(make_site: MakeSite) -> None:
    site = make_site(first_owns=False)
    text = site.anyone.get("/api/docs").body.decode()
    shown = re.search(r"<pre[^>]*><code>(HUBBUB=.*?)</code></pre>", text, re.DOTALL)
    assert shown
    # The script extracts the token, which a person would copy by hand.
    sign_up, mark, rest = html.unescape(shown[1]).partition("TOKEN=eyJ...")
    assert mark
    script = f"""{sign_up.replace("curl", "ANSWER=$(curl").rstrip()})
        TOKEN=${{ANSWER#*'"token":"'}}; TOKEN=${{TOKEN%%'"'*}}
        {rest}"""
    shell = await asyncio.create_subprocess_exec("sh", "-ec", script, stdout=PIPE)
    output, _ = await shell.communicate()
    assert b'"text":"Hello!"' in output
    assert site.person().texts("lobby") == ["Hello!"]


def test_the_examples_use_the_url_of_this_server(
    make_site: MakeSite, page: _Page, site: Site
) -> None:
    assert f"HUBBUB=http://localhost:{site.port}" in page.words
    public = make_site(public_url="https://chat.example.org")
    text = public.anyone.get("/api/docs").body.decode()
    assert "HUBBUB=https://chat.example.org" in text
