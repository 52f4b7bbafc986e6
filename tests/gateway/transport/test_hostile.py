"""Invalid input never causes a 5xx or a traceback, and does not disturb others."""

import json
import random
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub.gateway.http import requests
from hubbub.gateway.http.routes import ROUTES, WITH_BODY, Route
from tests.support.server import HOST
from tests.support.site import TIMEOUT_S, Answer, Caller, Site

POST = "/api/rooms/lobby/messages"


@pytest.fixture
def ana(site: Site) -> Iterator[Caller]:
    """A person who can still post afterwards, on a server that has logged nothing."""
    person = site.person()
    yield person
    person.say("lobby", "still here")
    site.assert_nothing_logged()


def _send(by: Caller, content: bytes, **headers: str) -> Answer:
    return by.call("POST", POST, content=content, headers=headers)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"nonsense",
        b"[]",
        b'"text"',
        b"null",
        b"17",
        b"\x00",
        b"\xff\xfe",
        b'{"text": "\xff"}',
        b'{"text": "\xed\xa0\x80"}',
        b'{"text": "\\ud800"}',
        b'{"text": "\\udc00\\ud800"}',
        b'{"text": 1}',
        b'{"text": null}',
        b'{"text": ["a"]}',
        b'{"text": {"a": 1}}',
        b'{"text": NaN}',
        b'{"text": 1e999}',
        b'{"nope": 1}',
        b'{"text": "a", "reply_to": "1"}',
        b'{"text": "a", "reply_to": -1}',
        b'{"text": "a", "reply_to": 99999999999999999999999999}',
        b'{"text": "a", "kind": "shout"}',
        b'{"text": "a"} {"text": "b"}',
        b'{"text": "a",}',
        b"{'text': 'a'}",
        b"\xef\xbb\xbf{",
        b"[" * 100_000,
        b'{"a":' * 40_000,
        b'{"text":' + b"[" * 100_000,
        b'{"text": "a", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"text": ' + b"9" * 100_000 + b"}",
    ],
    ids=lambda content: repr(content[:40]),
)
def test_an_invalid_body_is_refused(ana: Caller, content: bytes) -> None:
    answer = _send(ana, content)
    assert 400 <= answer.status < 500, answer
    assert answer.code in ("malformed", "invalid")


def test_the_last_of_duplicate_keys_counts_and_is_checked(ana: Caller) -> None:
    _send(ana, b'{"text": 1, "text": "last"}').ok(201)
    assert ana.texts("lobby")[-1] == "last"
    _send(ana, b'{"text": "first", "text": 1}').refused(400, "malformed")


def test_the_path_overrides_the_body(site: Site, ana: Caller) -> None:
    room = ana.room()
    body = {"text": "here", "room": "lobby", "do": "delete_room", "id": "x"}
    ana.post(f"/api/rooms/{room}/messages", body).ok(201)
    assert ana.texts(room) == ["here"]


def test_a_body_of_300_kb_is_too_large_with_and_without_a_length(ana: Caller) -> None:
    large = json.dumps({"text": "a", "more": "x" * 300_000}).encode()
    _send(ana, large).refused(413, "too_large")
    ana.call("POST", POST, content=iter([large[:1000], large[1000:]])).refused(413, "too_large")


def test_a_body_of_250_kb_is_accepted(ana: Caller) -> None:
    _send(ana, json.dumps({"text": "a", "more": "x" * 250_000}).encode()).ok(201)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json;;"]
)
def test_content_types_that_foreign_forms_can_send_are_refused(ana: Caller, kind: str) -> None:
    _send(ana, b'{"text": "forged"}', **{"Content-Type": kind}).refused(400, "malformed")
    assert "forged" not in ana.texts("lobby")


def test_json_may_have_a_charset_parameter(ana: Caller) -> None:
    _send(ana, b'{"text": "a"}', **{"Content-Type": "Application/JSON; charset=utf-8"}).ok(201)


def test_a_compressed_body_is_not_decompressed(ana: Caller) -> None:
    import gzip

    bomb = gzip.compress(b'{"text": "' + b"x" * 50_000_000 + b'"}')
    headers = {"Content-Encoding": "gzip"}
    _send(ana, bomb[:200_000], **headers).refused(400, "malformed")


@pytest.mark.parametrize(
    "path",
    [
        "/api/rooms/%ff%fe/messages",
        "/api/rooms/%ed%a0%80/messages",
        "/api/rooms/%00/messages",
        "/api/rooms/..%2f..%2fetc/messages",
        "/api/rooms/%252e/messages",
        "/api/rooms/" + "x" * 5000 + "/messages",
        "/api/rooms/lobby/messages?before=%ff",
        "/api/rooms?q=%ff%00",
        "/api/rooms?after=%1f%1f%1f",
        "/api/rooms?q=" + "%25" * 500,
        "/api/users?q=%ff",
        "/api/users?q=_%25_%5C",
        "/api/users?" + "names=a&" * 1000,
        "/api/users?names=%00",
        "/api/users/%F0%9F%8E%88/disabled",
    ],
    ids=lambda path: path[:40],
)
def test_a_path_of_any_bytes_gets_a_response(ana: Caller, path: str) -> None:
    answer = ana.get(path)
    assert answer.status in (200, 400, 404, 405, 422), answer
    if answer.status >= 400:
        assert answer.code


def _http(line: str, *headers: str, body: bytes = b"", host: str = "localhost") -> bytes:
    """A request as it goes over the wire; a character is a byte."""
    lines = [f"{line} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


_GUEST = "POST /api/guest"
_JSON_TYPE = "Content-Type: application/json"
_CHUNKED = "Transfer-Encoding: chunked"

RAW: dict[str, bytes] = {
    "nothing of HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",
    "no such version": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "no such method": _http("BREW /api/about"),
    "no host": b"GET /api/about HTTP/1.1\r\n\r\n",
    "two lengths": _http(_GUEST, "Content-Length: 2", "Content-Length: 3", body=b"{}"),
    "length and chunks": _http(_GUEST, "Content-Length: 2", _CHUNKED, body=b"0\r\n\r\n"),
    "a negative length": _http(_GUEST, "Content-Length: -5"),
    "a broken chunk": _http(_GUEST, _JSON_TYPE, _CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n"),
    "a long header": _http("GET /", "X: " + "x" * 20_000),
    "raw bytes in the line": _http("GET /api/rooms/\xff\xfe/messages"),
    "raw bytes in headers": _http(
        "GET /api/me", "Cookie: hubbub=\xff", "Authorization: Bearer \xff"
    ),
    "a header in two lines": _http("GET /", "X: a", " b"),
    "an absolute address": _http("GET http://evil.example/api/about"),
    "a tunnel": _http("CONNECT evil.example:443", host="evil.example:443"),
    "an asterisk": _http("OPTIONS *"),
    "an address that is none": _http("GET //[::bad"),
    "a port that is none": _http("GET http://x:99999999/"),
}


@pytest.mark.parametrize("what", RAW)
def test_invalid_http_is_answered_400_and_not_logged(site: Site, ana: Caller, what: str) -> None:
    with socket.create_connection((HOST, site.port), timeout=TIMEOUT_S) as opened:
        opened.sendall(RAW[what])
        answer = HTTPResponse(opened)
        answer.begin()
        assert answer.status < 500, answer.read()
        answer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST",
        _http(_GUEST)[:-2],
        _http(_GUEST, _JSON_TYPE, "Content-Length: 100", body=b"{"),
        _http(_GUEST, _JSON_TYPE, _CHUNKED, body=b"5\r\n{"),
        _http("GET /api/docs"),
    ],
)
def test_a_client_that_disconnects_in_the_middle_disturbs_nobody(
    site: Site, ana: Caller, sent: bytes
) -> None:
    with socket.create_connection((HOST, site.port), timeout=TIMEOUT_S) as opened:
        opened.sendall(sent)
        # Close with a TCP reset.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    "sent",
    [
        _http(_GUEST, _JSON_TYPE, "Content-Length: 100", body=b"{"),
        _http(_GUEST, _JSON_TYPE, _CHUNKED, body=b"1\r\n{\r\n"),
    ],
    ids=["too short", "chunks without an end"],
)
def test_a_body_that_never_ends_times_out(
    site: Site, ana: Caller, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BODY_TIMEOUT_S", 0.05)
    with socket.create_connection((HOST, site.port), timeout=TIMEOUT_S) as opened:
        opened.sendall(sent)
        answer = HTTPResponse(opened)
        answer.begin()
        assert answer.status == 400
        assert b"did not arrive in time" in answer.read()


# Random input on every route

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_WORDS = st.sampled_from(["lobby", "owner", "1", "0", "-1", "~x", "9" * 30, "é", "%", "..", "a b"])
_ANY_WORD = _WORDS | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_route_answers_5xx(site: Site, route: Route) -> None:
    # Not the server's owner, who could close registration and lock accounts.
    callers = [site.person(), site.guest(), site.anyone]
    rng = random.Random(route.path)

    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data: Any) -> None:
        draw: Callable[..., Any] = data.draw
        words = {name: quote(draw(_ANY_WORD), safe="") for name in route.in_path}
        path = route.path.format(**words)
        content = None
        if route.method in WITH_BODY:
            names = st.sampled_from([*route.not_in_path, *route.in_path, "do", "id"])
            body = draw(st.dictionaries(names, _JSON) | _JSON)
            content = json.dumps(body).encode()
        elif route.not_in_path:
            names = st.sampled_from(route.not_in_path)
            query = draw(st.lists(st.tuples(names, _ANY_WORD), max_size=4))
            path += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
        caller = rng.choice(callers)
        if route.operation == "sign_out":
            caller = site.anyone
        answer = caller.call(route.method, path, content=content)
        assert answer.status < 500, answer
        assert answer.status < 400 or answer.code

    ask()
    site.assert_nothing_logged()
