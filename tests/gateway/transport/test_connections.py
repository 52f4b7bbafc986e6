"""Waiting connections time out, and make room for those with requests."""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import pytest

from hubbub.gateway.transport import connection_limiter
from hubbub.gateway.transport.connection_limiter import HEADROOM
from hubbub.model.settings import RateLimit
from tests.gateway.conftest import MakeSite
from tests.support.chat import RestApi
from tests.support.server import HOST, Server
from tests.support.site import TIMEOUT_S, Site

WHOLE = b"GET /api/about HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIMITED_FILES = ("sh", "-c", 'ulimit -n 1024; exec "$@"', "sh")
IDLE = 1_200


@pytest.fixture
def many_files() -> Iterator[None]:
    """Raise this process's own limit of open files above the number of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * IDLE:
        pytest.skip(f"this machine lets a process open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * IDLE), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _open(port: int, *, by: str = "127.0.0.1") -> socket.socket:
    opened = socket.create_connection((HOST, port), timeout=TIMEOUT_S, source_address=(by, 0))
    opened.settimeout(TIMEOUT_S)
    return opened


def _is_closed(opened: socket.socket) -> bool:
    """Wait until the server closes it, and discard what it still sends."""
    with contextlib.suppress(ConnectionError):
        while opened.recv(65_536):
            pass
    return True


def _answer(opened: socket.socket) -> HTTPResponse:
    answer = HTTPResponse(opened)
    answer.begin()
    answer.read()
    return answer


@pytest.mark.parametrize(
    ("sent", "addresses"),
    [(b"", 1), (b"GET / HT", 1), (b"", 60), (WHOLE, 60)],
    ids=["silent", "half a request", "silent, from 60 addresses", "one request each, from 60"],
)
def test_1200_idle_connections_leave_room_for_new_ones_within_1024_files(
    tmp_path: Path, many_files: None, sent: bytes, addresses: int
) -> None:
    server = Server(tmp_path / "data", limits=True, wrapper=LIMITED_FILES)
    with ExitStack() as stack:
        stack.callback(server.kill)
        api = RestApi(server.start(), "ana")
        for nth in range(IDLE):
            with contextlib.suppress(OSError):
                opened = _open(server.port, by=f"127.0.1.{1 + nth % addresses}")
                stack.callback(opened.close)
                opened.sendall(sent)
        assert api.sign_up("newcomer")
        token = api.sign_in("newcomer")
        assert api.ok("GET", "me", by=token)["me"]["name"] == "newcomer"
        assert "connections were closed or refused" in server.log
        assert "Traceback" not in server.log
        assert server.stop() == 0


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["nothing", "half"])
def test_a_connection_without_headers_is_closed_in_time(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setitem(connection_limiter.WITHIN_S, "headers", 0.2)
    site = make_site()
    with _open(site.port) as opened:
        opened.sendall(sent)
        assert _is_closed(opened)
    assert site.app.dispatcher.connection_limiter.turned_away["headers"] == 1
    site.clear_log()


def test_single_bytes_do_not_extend_the_header_timeout(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection_limiter.WITHIN_S, "headers", 0.3)
    site = make_site()
    with _open(site.port) as opened:
        opened.sendall(b"GET / HTTP/1.1\r\nX: ")
        deadline = time.monotonic() + TIMEOUT_S
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < deadline:
                opened.sendall(b"x")
                time.sleep(0.02)
        assert time.monotonic() < deadline
    site.clear_log()


def test_an_idle_connection_is_closed_without_a_log_line(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection_limiter.WITHIN_S, "idle", 0.2)
    site = make_site()
    with _open(site.port) as opened:
        for _ in range(3):
            opened.sendall(WHOLE)
            assert _answer(opened).status == 200
        assert _is_closed(opened)
    assert site.app.dispatcher.connection_limiter.turned_away["idle"] == 1


def test_a_response_that_is_not_read_ends_the_connection(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection_limiter.WITHIN_S, "request", 0.3)
    site = make_site()
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.settimeout(TIMEOUT_S)
        opened.connect((HOST, site.port))
        opened.sendall(b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400)
        deadline = time.monotonic() + TIMEOUT_S
        while not site.app.dispatcher.connection_limiter.turned_away["request"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    site.clear_log()


def test_the_longest_waiting_connections_of_a_network_make_room(make_site: MakeSite) -> None:
    site = make_site(limits=True, connections_per_address=2)
    with ExitStack() as stack:
        waiting = [stack.enter_context(_open(site.port)) for _ in range(2 + HEADROOM)]
        for opened in waiting[1:]:
            opened.sendall(WHOLE)
            assert _answer(opened).status == 200
        newest = stack.enter_context(_open(site.port))
        assert _is_closed(waiting[0])
        newest.sendall(WHOLE)
        assert _answer(newest).status == 200
    assert site.app.dispatcher.connection_limiter.turned_away["address"]
    site.clear_log()


def test_trusted_proxies_have_no_connection_limit(make_site: MakeSite) -> None:
    site = make_site(limits=True, connections_per_address=2, trusted_proxies=("127.0.0.1",))
    with ExitStack() as stack:
        waiting = [stack.enter_context(_open(site.port)) for _ in range(4 + 2 * HEADROOM)]
        for opened in waiting:
            opened.sendall(WHOLE)
        assert all(_answer(opened).status == 200 for opened in waiting)


def test_clients_behind_a_proxy_are_limited_separately(make_site: MakeSite) -> None:
    site = make_site(
        limits=True,
        trusted_proxies=("127.0.0.1",),
        requests_per_address=RateLimit(per_s=0.01, burst=3),
    )

    def ask(address: str) -> int:
        return site.anyone.get("/api/about", X_Forwarded_For=address).status

    assert [ask("203.0.113.1") for _ in range(5)] == [200, 200, 200, 429, 429]
    assert ask("203.0.113.2") == 200
    assert ask("2001:db8::1") == 200


def test_the_headers_of_a_request_are_limited_in_total(site: Site) -> None:
    with _open(site.port) as opened:
        opened.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: yyyyyyyyyyyyyyyy\r\n" * 2_500
        )
        assert _answer(opened).status in (400, 431)


def test_a_body_in_one_byte_chunks_is_refused(site: Site) -> None:
    head = (
        b"POST /api/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    with _open(site.port) as opened:
        opened.sendall(head)
        with contextlib.suppress(ConnectionError):
            opened.sendall(b"1\r\n \r\n" * 20_000)
        with contextlib.suppress(ConnectionError):
            assert _answer(opened).status in (400, 413)
    site.clear_log()


def test_a_body_in_larger_chunks_is_accepted(site: Site) -> None:
    ana = site.person()
    pieces = [b'{"text": "', *(b"x" * 200 for _ in range(50)), b'"}']
    ana.call("POST", "/api/rooms/lobby/messages", content=iter(pieces)).ok(201)


def test_bodies_without_sign_in_have_a_smaller_limit(site: Site) -> None:
    large = b'{"name": "' + b"x" * 20_000
    headers = {"Content-Type": "application/json"}
    for path in ("/api/sign-in", "/api/sign-up", "/api/guest"):
        answer = site.anyone.call("POST", path, content=large, headers=headers)
        answer.refused(413, "too_large")
    # The caller is identified before the body is read.
    unread = site.anyone.call("POST", "/api/rooms/lobby/messages", content=b"{" * 200_000)
    unread.refused(401, "sign_in_required")


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    paths = [f"/api/none/{nth}" if nth % 2 else "/api/about" for nth in range(300)]
    asked = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths]
    with _open(site.port) as opened:
        opened.sendall(b"".join(asked))
        reader = opened.makefile("rb")
        for path in paths:
            status = int(reader.readline().split()[1])
            assert status == (200 if path == "/api/about" else 404)
            length = 0
            while (line := reader.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            reader.read(length)
