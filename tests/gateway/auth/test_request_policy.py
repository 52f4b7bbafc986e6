"""Checks of a request: its host, its origin, and the address of its sender."""

import pytest

from hubbub.gateway.http.routes import ROUTES
from tests.gateway.conftest import MakeSite
from tests.support.site import Caller, Site

HOME = "https://chat.example.org"


def _write(by: Caller, **headers: str) -> tuple[int, str | None]:
    """Post with only a cookie. Returns the status and, if refused, the code."""
    headers = {"Cookie": f"hubbub={by.token}", **headers}
    answer = by.site.anyone.post("/api/rooms/lobby/messages", {"text": "hi"}, **headers)
    return answer.status, None if answer.status < 400 else answer.code


# Host


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/me", "/api/docs", "/metrics", "/x.js"])
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "192.168.0.9"])
def test_an_unknown_host_is_answered_misdirected(site: Site, path: str, host: str) -> None:
    site.owner.get(path, Host=host).refused(421, "wrong_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:8080"])
def test_loopback_names_are_accepted_with_any_port(site: Site, host: str) -> None:
    site.anyone.get("/api/about", Host=host).ok()


def test_the_public_name_and_allowed_hosts_are_accepted(make_site: MakeSite) -> None:
    site = make_site(public_url=HOME, allowed_hosts=("also.example",))
    for host in ("chat.example.org", "CHAT.example.org.", "also.example:8080"):
        site.anyone.get("/api/about", Host=host).ok()
    site.anyone.get("/api/about", Host="example.org").refused(421, "wrong_host")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_use_any_host(site: Site, path: str) -> None:
    assert site.anyone.get(path, Host="10.0.0.7:8080").status == 200


def test_a_websocket_with_an_unknown_host_is_refused(site: Site) -> None:
    answer = site.owner.get("/ws", **_upgrade(), Host="evil.example")
    answer.refused(421, "wrong_host")


def _upgrade() -> dict[str, str]:
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }


# Origin


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "{own}"},
        {"Origin": "{own}", "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        # A proxy has replaced the Host that the browser used.
        {"Origin": "https://behind.example", "Sec_Fetch_Site": "same-origin"},
    ],
)
def test_a_write_by_cookie_from_our_own_page_is_accepted(
    site: Site, headers: dict[str, str]
) -> None:
    own = {name: value.format(own=site.url) for name, value in headers.items()}
    assert _write(site.person(), **own) == (201, None)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "ftp://{host}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Referer": "http://127.0.0.1/"},
    ],
)
def test_a_write_by_cookie_from_anywhere_else_is_refused(
    site: Site, headers: dict[str, str]
) -> None:
    ana = site.person()
    before = ana.texts("lobby")
    sent = {name: value.format(host=f"127.0.0.1:{site.port}") for name, value in headers.items()}
    assert _write(ana, **sent) == (403, "wrong_origin")
    assert ana.texts("lobby") == before


@pytest.mark.parametrize("route", [r for r in ROUTES if r.method != "GET"], ids=lambda r: r.path)
def test_every_write_by_cookie_is_checked_for_its_origin(site: Site, route: object) -> None:
    ana = site.person()
    assert isinstance(route, type(ROUTES[0]))
    words = {"room": "lobby", "user": "owner", "session": "s", "invite": "i"}
    path = route.path.format(**words, seq=1, emoji="%F0%9F%91%8D")
    body = {
        "to": "x",
        "name": "x",
        "password": "three words",
        "display_name": "x",
        "old": "x",
        "new": "three words",
        "role": "member",
        "title": "x",
        "users": ["x"],
        "user": "x",
        "seq": 0,
        "text": "x",
    }
    in_path = {"seq", "user"} & set(route.in_path)
    body = {name: value for name, value in body.items() if name not in in_path}
    if route.operation == "guest":
        del body["password"]
    headers = {"Cookie": f"hubbub={ana.token}", "Origin": "https://evil.example"}
    answer = site.anyone.call(route.method, path, body, headers=headers)
    answer.refused(403, "wrong_origin")


def test_reading_by_cookie_needs_no_origin(site: Site) -> None:
    ana = site.person()
    site.anyone.get("/api/me", Cookie=f"hubbub={ana.token}").ok()


def test_a_bearer_token_needs_no_origin(site: Site) -> None:
    ana = site.person()
    path = "/api/rooms/lobby/messages"
    ana.post(path, {"text": "hi"}, Origin="https://evil.example").ok(201)


def test_a_page_of_another_site_cannot_sign_somebody_in(site: Site) -> None:
    body = {"name": "whoever", "password": "three words do well"}
    for path in ("sign-up", "sign-in", "guest"):
        answer = site.anyone.post(f"/api/{path}", body, Origin="https://evil.example")
        answer.refused(403, "wrong_origin")


def test_an_origin_in_the_settings_may_write_and_connect(make_site: MakeSite) -> None:
    site = make_site(allowed_origins=("https://app.example",))
    assert _write(site.owner, Origin="https://APP.example") == (201, None)
    assert _write(site.owner, Origin="http://app.example") == (403, "wrong_origin")


def test_the_public_origin_is_accepted_with_its_own_scheme_only(make_site: MakeSite) -> None:
    site = make_site(public_url=HOME)
    cookie = f"__Host-hubbub={site.owner.token}"
    for origin, status in {HOME: 201, "http://chat.example.org": 403}.items():
        headers = {"Cookie": cookie, "Origin": origin, "Host": "chat.example.org"}
        answer = site.anyone.post("/api/rooms/lobby/messages", {"text": "hi"}, **headers)
        assert answer.status == status, answer


@pytest.mark.parametrize("path", ["/ws", "/ws/echo"])
def test_a_websocket_from_a_page_of_another_site_is_refused_before_the_upgrade(
    site: Site, path: str
) -> None:
    answer = site.owner.get(path, **_upgrade(), Origin="https://evil.example")
    answer.refused(403, "wrong_origin")


# Addresses


def _guests_until_refused(site: Site, *forwarded: str) -> int:
    """How many guests these addresses can create, with one request each in turn."""
    for count in range(200):
        headers = {"X_Forwarded_For": forwarded[count % len(forwarded)]}
        if site.anyone.post("/api/guest", {}, **headers).status == 429:
            return count
    return 200


def test_forwarded_addresses_of_unknown_peers_are_ignored(make_site: MakeSite) -> None:
    site = make_site(limits=True)
    many = [f"203.0.113.{n}" for n in range(1, 200)]
    assert 60 <= _guests_until_refused(site, *many) < 200


def test_forwarded_addresses_of_trusted_proxies_are_used(make_site: MakeSite) -> None:
    site = make_site(limits=True, trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    assert 60 <= _guests_until_refused(site, "203.0.113.1") < 200
    site.anyone.post("/api/guest", {}, X_Forwarded_For="203.0.113.2").ok()
    # Only the last address that is not a proxy's counts. Anyone can forge those before it.
    claimed = "203.0.113.77, 203.0.113.1, 10.1.2.3"
    site.anyone.post("/api/guest", {}, X_Forwarded_For=claimed).refused(429, "rate_limited")
    site.anyone.post("/api/guest", {}, X_Forwarded_For="203.0.113.1, 203.0.113.78").ok()
