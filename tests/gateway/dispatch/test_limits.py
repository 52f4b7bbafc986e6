"""Rate limits and connection limits of a person or an address."""

from collections.abc import Callable

import pytest

from hubbub.model.settings import RateLimit
from tests.gateway.conftest import MakeSite
from tests.support.chat import PASSWORD
from tests.support.site import Answer, Caller, Site

SLOW = RateLimit(per_s=0.01, burst=5)
TRY_LATER = 1013
UNLIMITED = RateLimit(per_s=1e6, burst=1e6)


def _assert_limited(answer: Answer) -> None:
    """Assert that a response is a refusal that says when to try again."""
    problem = answer.refused(429, "rate_limited")
    assert problem["retry_after"] > 0
    assert int(answer.headers["Retry-After"]) >= problem["retry_after"]


def _count_until_limited(ask: object, most: int = 100) -> int:
    assert callable(ask)
    for count in range(most):
        answer = ask()
        if answer.status == 429:
            _assert_limited(answer)
            return count
    raise AssertionError(f"never limited in {most} requests")


def _guess(site: Site, name: str, **headers: str) -> Answer:
    body = {"name": name, "password": "a guess"}
    return site.anyone.post("/api/sign-in", body, **headers)


@pytest.mark.parametrize("name", ["known", "unknown"])
def test_guesses_at_a_name_are_limited_whether_it_exists_or_not(
    make_site: MakeSite, name: str
) -> None:
    site = make_site(limits=True)
    site.person("known")
    assert _count_until_limited(lambda: _guess(site, name)) == 5
    right = {"name": name.upper(), "password": PASSWORD}
    _assert_limited(site.anyone.post("/api/sign-in", right))
    assert _guess(site, "another").status == 401


def test_guesses_from_an_address_are_limited_over_all_names(make_site: MakeSite) -> None:
    site = make_site(limits=True, trusted_proxies=("127.0.0.1",))
    names = iter(range(1000))
    from_here = {"X_Forwarded_For": "203.0.113.1"}
    count = _count_until_limited(lambda: _guess(site, f"n{next(names)}", **from_here))
    assert 30 <= count <= 35
    body = {"name": "newcomer", "password": PASSWORD}
    _assert_limited(site.anyone.post("/api/sign-up", body, **from_here))
    site.anyone.post("/api/sign-up", body, X_Forwarded_For="203.0.113.2").ok(201)


def test_guesses_at_the_old_password_are_limited_as_well(make_site: MakeSite) -> None:
    site = make_site(limits=True)
    guess = {"old": "a guess", "new": PASSWORD}
    assert _count_until_limited(lambda: site.owner.put("/api/me/password", guess)) == 8


def test_guests_from_an_address_are_limited(make_site: MakeSite) -> None:
    site = make_site(limits=True)
    assert _count_until_limited(lambda: site.anyone.post("/api/guest", {})) >= 60


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_commands_are_limited_per_person(make_site: MakeSite, method: str) -> None:
    site = make_site(limits=True, commands_per_user=SLOW, commands_per_address=UNLIMITED)
    ana, bo = site.people(2)
    body = {"text": "hi"} if method == "POST" else None
    path = "/api/rooms/lobby/messages"
    assert _count_until_limited(lambda: ana.call(method, path, body)) == 5
    again = site.sign_in(ana.name)
    _assert_limited(again.call(method, path, body))
    assert bo.call(method, path, body).status < 300


def test_commands_are_limited_per_address(make_site: MakeSite) -> None:
    site = make_site(
        limits=True,
        commands_per_user=UNLIMITED,
        commands_per_address=SLOW,
        trusted_proxies=("127.0.0.1",),
    )
    ana, bo = site.people(2)
    here, there = "203.0.113.1", "203.0.113.2"

    def ask(by: Caller, address: str) -> Answer:
        return by.get("/api/rooms", X_Forwarded_For=address)

    people = iter([ana, bo] * 10)
    assert _count_until_limited(lambda: ask(next(people), here)) == 5
    ask(ana, there).ok()


async def test_commands_over_websocket_and_http_count_together(make_site: MakeSite) -> None:
    site = make_site(limits=True, commands_per_user=SLOW, commands_per_address=UNLIMITED)
    ana = site.person()
    async with site.socket(ana) as socket:
        await socket.do("hello")
        for _ in range(4):
            await socket.do("rooms")
        assert await socket.refused("rooms") == "rate_limited"
        _assert_limited(ana.get("/api/rooms"))


def test_a_refused_post_is_not_stored(make_site: MakeSite) -> None:
    site = make_site(limits=True, commands_per_user=SLOW, commands_per_address=UNLIMITED)
    ana, bo = site.people(2)
    path = "/api/rooms/lobby/messages"
    posted = _count_until_limited(lambda: ana.post(path, {"text": "hi"}))
    assert len(bo.texts("lobby")) == posted == 5


async def test_connections_of_one_person_are_limited(make_site: MakeSite) -> None:
    site = make_site(limits=True, connections_per_user=2)
    ana, bo = site.people(2)
    async with site.socket(ana) as one, site.socket(ana) as two:
        for socket in (one, two):
            await socket.do("hello")
        async with site.socket(ana) as third:
            assert await third.close_code() == TRY_LATER
        async with site.socket(bo) as other:
            await other.do("hello")
        await one.socket.close()
        await one.close_code()
    async with site.socket(ana) as again:
        await again.do("hello")


async def test_connections_from_one_address_are_limited(make_site: MakeSite) -> None:
    site = make_site(limits=True, connections_per_address=2, trusted_proxies=("127.0.0.1",))
    people = site.people(3)
    here = {"X_Forwarded_For": "203.0.113.1"}
    async with site.socket(people[0], **here), site.socket(people[1], **here):
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        refused = people[2].get("/ws", **upgrade, **here)
        refused.refused(429, "too_many_connections")
        refused = people[2].get("/ws/echo", **upgrade, **here)
        refused.refused(429, "too_many_connections")
        async with site.socket(people[2], X_Forwarded_For="203.0.113.2") as elsewhere:
            await elsewhere.do("hello")
    async with site.socket(people[2], **here) as again:
        await again.do("hello")


@pytest.mark.parametrize(
    ("nth", "burst"),
    [
        pytest.param(lambda n: f"2001:db8:0:7::{n:x}", 5, id="one /64"),
        pytest.param(lambda n: f"2001:db8:0:{n:x}::1", 40, id="one /48"),
        pytest.param(lambda _: "::ffff:203.0.113.9", 5, id="IPv4 in IPv6"),
    ],
)
def test_ipv6_is_limited_by_network(
    make_site: MakeSite, nth: Callable[[int], str], burst: int
) -> None:
    site = make_site(
        limits=True,
        trusted_proxies=("127.0.0.1",),
        commands_per_user=UNLIMITED,
        commands_per_address=SLOW,
    )
    ana = site.person("ana")
    count = iter(range(1000))
    ask = lambda: ana.get("/api/rooms", X_Forwarded_For=nth(next(count)))  # noqa: E731
    assert _count_until_limited(ask) == burst
    ana.get("/api/rooms", X_Forwarded_For="2001:db8:9::1").ok()
