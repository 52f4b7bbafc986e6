"""Every error is a problem document (RFC 9457)."""

import re
from typing import Any

import msgspec
import pytest

from hubbub.gateway.http.problem import Problem
from hubbub.gateway.http.routes import ROUTES
from hubbub.model.errors import Busy, HubbubError, Unavailable
from tests.gateway.conftest import MakeSite
from tests.support.site import Answer, Caller, Site


def _checked(site: Site, answer: Answer) -> Problem:
    """The problem document of a response, checked for completeness."""
    document = msgspec.json.decode(answer.body, type=Problem)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert document.status == answer.status
    assert document.title
    assert document.detail.endswith((".", "?")), document.detail
    page, _, anchor = document.type.partition("#")
    assert page == "/api/docs"
    assert anchor == document.code
    assert f'id="{anchor}"' in site.anyone.get(page).body.decode()
    return document


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/api/rooms", {}, 400, "malformed"),
        ("POST", "/api/sign-in", {"name": "x", "password": "x"}, 401, "wrong_credentials"),
        ("PATCH", "/api/server", {"name": "x"}, 403, "forbidden"),
        ("PUT", "/api/rooms/{other}/read", {"seq": 0}, 403, "not_member"),
        ("GET", "/api/nothing", None, 404, "not_found"),
        ("GET", "/api/", None, 404, "not_found"),
        ("GET", "/api/rooms/", None, 404, "not_found"),
        ("GET", "/api//rooms", None, 404, "not_found"),
        ("GET", "/api/rooms/nowhere/messages", None, 404, "not_found"),
        ("PUT", "/api/rooms", {}, 405, "unknown_command"),
        ("POST", "/api/rooms", {"title": "Lobby", "room": "lobby"}, 409, "name_taken"),
        ("POST", "/api/rooms", {"title": ""}, 422, "invalid"),
    ],
)
def test_an_error_is_a_problem_document_with_a_reason(
    site: Site, method: str, path: str, body: Any, status: int, code: str
) -> None:
    other = site.person().room()
    answer = site.person().call(method, path.format(other=other), body)
    document = _checked(site, answer)
    assert (document.status, document.code) == (status, code)


def test_requests_without_sign_in_are_told_how_to_sign_in(site: Site) -> None:
    answer = site.anyone.get("/api/me")
    assert _checked(site, answer).code == "sign_in_required"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="hubbub"'


def test_an_error_names_the_wrong_field(site: Site) -> None:
    ana = site.person()
    wrong = ana.post("/api/rooms", {"title": 3}).refused(400, "malformed")
    assert "`title`" in wrong["detail"]
    missing = ana.post("/api/rooms", {}).refused(400, "malformed")
    assert "`title`" in missing["detail"]
    limit = ana.get("/api/rooms?limit=0").refused(400, "malformed")
    assert "`limit`" in limit["detail"]


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
def test_a_wrong_method_is_answered_with_the_allowed_ones(site: Site, path: str) -> None:
    has = {route.method for route in ROUTES if route.path == path}
    if "GET" in has:
        has.add("HEAD")
    address = path.format(room="lobby", seq=1, user="owner", session="s", invite="i", emoji="x")
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - has:
        answer = site.owner.call(method, address)
        assert _checked(site, answer).status == 405
        assert set(answer.headers["Allow"].split(", ")) == has


def test_a_wrong_method_outside_the_api_is_answered_with_the_allowed_ones(site: Site) -> None:
    for path in ("/", "/healthz", "/ws", "/rooms/lobby"):
        answer = site.owner.post(path, {})
        assert _checked(site, answer).status == 405
        assert "GET" in answer.headers["Allow"]


def test_head_is_get_without_a_body(site: Site) -> None:
    ana = site.person()
    for path in (
        "/api/me",
        "/api/rooms",
        "/api/docs",
        "/api/openapi.json",
        "/healthz",
        "/metrics",
        "/",
    ):
        got, head = ana.get(path), ana.call("HEAD", path)
        assert head.status == got.status == 200
        assert head.body == b""
        assert head.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize("error", [Busy(), Unavailable()])
@pytest.mark.parametrize("path", ["/api/rooms", "/api/rooms/lobby/messages"])
def test_an_unavailable_server_says_when_to_retry(
    make_site: MakeSite, error: HubbubError, path: str
) -> None:
    site = make_site()

    async def ask(*_: object) -> None:
        raise error

    site.app.executor.ask = ask  # type: ignore[assignment,method-assign]
    answer = site.owner.get(path)
    document = _checked(site, answer)
    assert (document.status, document.code) == (503, error.code)
    assert document.retry_after == error.retry_after
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_bug_is_answered_without_its_details_and_logged_with_them(make_site: MakeSite) -> None:
    site = make_site()

    async def ask(*_: object) -> None:
        raise ZeroDivisionError("the secret of the bug")

    site.app.executor.ask = ask  # type: ignore[assignment,method-assign]
    answer = site.owner.get("/api/rooms?q=private-words")
    document = _checked(site, answer)
    assert (document.status, document.code) == (500, "internal")
    assert b"secret" not in answer.body
    [logged] = site.logged()
    assert "ZeroDivisionError: the secret of the bug" in logged
    assert answer.headers["X-Request-ID"] in logged
    assert "private-words" not in re.sub(r"Traceback.*", "", logged, flags=re.DOTALL)
    site.clear_log()


def test_an_error_cannot_be_rendered_as_a_page(site: Site) -> None:
    caller: Caller = site.person()
    answer = caller.get("/api/rooms/%3Cscript%3Ealert(1)%3C%2Fscript%3E/messages")
    assert answer.status == 404
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/problem+json"
