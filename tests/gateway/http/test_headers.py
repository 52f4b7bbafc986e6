"""The headers of all responses."""

import pytest

from tests.gateway.conftest import MakeSite
from tests.support.site import Answer, Site

COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Server": "hubbub",
}
DATA_ONLY = {"default-src": "'none'", "frame-ancestors": "'none'"}

# Path → status and content type, one of each kind of response.
KINDS: dict[str, tuple[int, str]] = {
    "/api/about": (200, "application/json"),
    "/api/me": (401, "application/problem+json"),
    "/api/nothing": (404, "application/problem+json"),
    "/api/openapi.json": (200, "application/json"),
    "/api/docs.css": (200, "text/css"),
    "/missing.js": (404, "application/problem+json"),
    "/healthz": (200, "text/plain"),
    "/readyz": (200, "text/plain"),
    "/metrics": (200, "text/plain"),
    "/ws": (400, "application/problem+json"),
    "/ws/echo": (400, "application/problem+json"),
}
PAGES = ("/", "/rooms/lobby", "/api/docs")


def _policy(answer: Answer) -> dict[str, str]:
    [header] = answer.headers.get_all("Content-Security-Policy") or [""]
    parts = (part.strip().partition(" ") for part in header.split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("path", KINDS)
def test_data_is_not_rendered_as_a_page(site: Site, path: str) -> None:
    answer = site.anyone.get(path)
    assert (answer.status, answer.headers.get_content_type()) == KINDS[path]
    assert {name: answer.headers[name] for name in COMMON} == COMMON
    assert _policy(answer) == DATA_ONLY
    assert len(answer.headers["X-Request-ID"]) == 16


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_only_scripts_of_this_server(site: Site, path: str) -> None:
    answer = site.anyone.get(path)
    assert answer.headers.get_content_type() == "text/html"
    assert {name: answer.headers[name] for name in COMMON} == COMMON
    policy = _policy(answer)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    for value in policy.values():
        assert "unsafe" not in value
        assert "*" not in value
        assert "http" not in value


def test_every_response_has_the_common_headers(site: Site) -> None:
    ana = site.person()
    answers = [
        ana.post("/api/rooms", {"title": "x"}),
        ana.put("/api/rooms", {}),
        ana.call("OPTIONS", "/api/rooms"),
        ana.call("HEAD", "/api/me"),
        ana.post("/", {}),
        ana.call("POST", "/api/rooms", content=b"x" * 300_000),
        ana.get("/api/me", Host="evil.example"),
    ]
    assert [answer.status for answer in answers] == [201, 405, 405, 200, 405, 413, 421]
    for answer in answers:
        assert {name: answer.headers[name] for name in COMMON} == COMMON
        assert _policy(answer) == DATA_ONLY


def test_other_sites_cannot_read_responses(site: Site) -> None:
    for path in (*KINDS, *PAGES):
        answer = site.anyone.get(path, Origin="https://evil.example")
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]


def test_private_responses_are_not_cached(site: Site) -> None:
    ana = site.person()
    for path in ("/api/me", "/api/rooms", "/api/rooms/lobby/messages", "/api/about"):
        assert ana.get(path).headers["Cache-Control"] == "no-store"


def test_the_request_id_is_the_servers_own_and_always_new(site: Site) -> None:
    ids = {site.anyone.get("/healthz", X_Request_ID="mine").headers["X-Request-ID"] for _ in "ab"}
    assert len(ids) == 2
    assert "mine" not in ids


def test_with_tls_responses_have_hsts(make_site: MakeSite, site: Site) -> None:
    secure = make_site(public_url="https://chat.example.org")
    header = secure.anyone.get("/api/about").headers["Strict-Transport-Security"]
    assert header == "max-age=31536000"
    assert "Strict-Transport-Security" not in site.anyone.get("/api/about").headers
