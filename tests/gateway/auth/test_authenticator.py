"""Sign-in: guesses are limited, and people who know their password are not affected."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.cookies import SimpleCookie

import pytest

from hubbub.gateway.auth import passwords
from hubbub.gateway.auth.sign_in_limits import EXTRA_ATTEMPTS_PER_NAME, FREE_ATTEMPTS
from tests.gateway.conftest import MakeSite
from tests.support.chat import PASSWORD
from tests.support.server import HOST
from tests.support.site import TIMEOUT_S, Answer, Caller, Site
from tests.support.waiting import until

AT_HOME = "198.51.100.7"
ELSEWHERE = "198.51.100.8"


def _other_address(nth: int) -> str:
    return f"203.0.{nth // 250}.{nth % 250 + 1}"


def _try(site: Site, name: str, password: str, address: str = AT_HOME, cookies: str = "") -> Answer:
    body = {"name": name, "password": password}
    headers = {"X_Forwarded_For": address} | ({"Cookie": cookies} if cookies else {})
    return site.anyone.post("/api/sign-in", body, **headers)


def _cookies(answer: Answer) -> dict[str, str]:
    """The cookies that a response sets, by name."""
    found: SimpleCookie = SimpleCookie()
    for header in answer.headers.get_all("Set-Cookie", []):
        found.load(header)
    return {name: morsel.value for name, morsel in found.items()}


def _device(answer: Answer) -> str:
    """The device cookie that a response sets, as a browser sends it back."""
    return f"hubbub-device={_cookies(answer)['hubbub-device']}"


def _guess_until_limited(site: Site, name: str, address: str, cookies: str = "") -> int:
    for count in range(100):
        answer = _try(site, name, "a guess", address, cookies)
        if answer.status == 429:
            assert answer.refused(429, "rate_limited")["retry_after"] > 0
            return count
        answer.refused(401, "wrong_credentials")
    raise AssertionError("never limited")


@pytest.fixture
def limited(make_site: MakeSite) -> Site:
    return make_site(limits=True, trusted_proxies=("127.0.0.1",))


@pytest.fixture
def ana(limited: Site) -> Caller:
    """Ana, whose sign-up made her browser and her address known."""
    return limited.person("ana")


def _at_home(site: Site) -> str:
    """The device cookie of a browser in which ana has signed in at home."""
    return _device(_try(site, "ana", PASSWORD))


# Nobody is locked out


def test_guesses_from_other_networks_lock_nobody_out(limited: Site, ana: Caller) -> None:
    browser = _at_home(limited)
    addresses = [_other_address(nth) for nth in range(60)]
    guesses = sum(_guess_until_limited(limited, "ana", address) for address in addresses)
    # The guesses at one name are limited per address, and beyond that for all addresses together.
    assert guesses <= FREE_ATTEMPTS * len(addresses) + EXTRA_ATTEMPTS_PER_NAME.burst + 2
    # A known browser may sign in from anywhere, even from an address of the attackers.
    for address in (ELSEWHERE, *addresses[:9]):
        _try(limited, "ana", PASSWORD, address, browser).ok()
    # A known address may sign in without the browser.
    for _ in range(10):
        _try(limited, "ana", PASSWORD).ok()
    # An unknown address may mistype the password a few times.
    for _ in range(FREE_ATTEMPTS - 1):
        _try(limited, "ana", "mistyped", ELSEWHERE).refused(401, "wrong_credentials")
    _try(limited, "ana", PASSWORD, ELSEWHERE).ok()
    # A signed-in person can change the password.
    body = {"old": PASSWORD, "new": "four words do even better"}
    ana.put("/api/me/password", body, X_Forwarded_For=addresses[0]).ok()


def test_guesses_at_one_name_do_not_limit_other_names_from_the_same_address(limited: Site) -> None:
    limited.people(2)
    _guess_until_limited(limited, "p1", AT_HOME)
    _try(limited, "p2", PASSWORD).ok()


@pytest.mark.parametrize(
    ("nth", "most"),
    [
        (lambda nth: f"2001:db8:0:7::{nth:x}", FREE_ATTEMPTS),
        (lambda nth: f"2001:db8:0:{nth:x}::1", 8 * FREE_ATTEMPTS),
    ],
    ids=["one /64", "one /48"],
)
def test_addresses_of_one_network_share_their_attempts(
    limited: Site, ana: Caller, nth: Callable[[int], str], most: int
) -> None:
    for number in range(most):
        _try(limited, "ana", "a guess", nth(number)).refused(401, "wrong_credentials")
    _try(limited, "ana", PASSWORD, nth(most)).refused(429, "rate_limited")
    _try(limited, "ana", PASSWORD, "2001:db8:9::1").ok()


def test_the_right_password_uses_up_no_attempts(limited: Site, ana: Caller) -> None:
    browser = _at_home(limited)
    for _ in range(3):
        for _ in range(FREE_ATTEMPTS - 1):
            _try(limited, "ana", "mistyped").refused(401, "wrong_credentials")
        _try(limited, "ana", PASSWORD).ok()
    for _ in range(20):
        _try(limited, "ana", PASSWORD, ELSEWHERE, browser).ok()


# Device cookies


def test_a_browser_is_known_after_its_first_sign_up(limited: Site) -> None:
    body = {"name": "bo", "password": PASSWORD}
    answer = limited.anyone.post("/api/sign-up", body, X_Forwarded_For=ELSEWHERE)
    answer.ok(201)
    _guess_until_limited(limited, "bo", AT_HOME)
    _try(limited, "bo", PASSWORD, AT_HOME, _device(answer)).ok()


def test_a_known_browser_is_limited_as_well(limited: Site, ana: Caller) -> None:
    browser = _at_home(limited)
    assert _guess_until_limited(limited, "ana", ELSEWHERE, browser) == 8
    _try(limited, "ana", PASSWORD, ELSEWHERE, browser).refused(429, "rate_limited")
    # Her other browsers are not affected.
    _try(limited, "ana", PASSWORD, ELSEWHERE).ok()


def test_a_browser_known_for_one_account_is_unknown_for_another(limited: Site, ana: Caller) -> None:
    limited.person("eve")
    eves = _device(_try(limited, "eve", PASSWORD))
    assert _guess_until_limited(limited, "ana", ELSEWHERE, eves) == FREE_ATTEMPTS
    _try(limited, "ana", PASSWORD, ELSEWHERE, eves).refused(429, "rate_limited")


def test_a_browser_is_known_for_all_accounts_that_share_it(limited: Site, ana: Caller) -> None:
    limited.person("bo")
    first = _at_home(limited)
    both = _device(_try(limited, "bo", PASSWORD, cookies=first))
    for name in ("ana", "bo"):
        _guess_until_limited(limited, name, ELSEWHERE)
        _try(limited, name, PASSWORD, ELSEWHERE, both).ok()


def test_a_device_cookie_is_no_session_and_a_session_no_device(limited: Site, ana: Caller) -> None:
    token = _at_home(limited).partition("=")[2]
    limited.anyone.get("/api/me", Authorization=f"Bearer {token}").refused(401, "sign_in_required")
    limited.anyone.get("/api/me", Cookie=f"hubbub={token}").refused(401, "sign_in_required")
    limited.anyone.get("/api/me", Cookie=f"hubbub-device={token}").refused(401, "sign_in_required")
    for forged in (ana.token, f"{token}x", "x.y.z", "", "x" * 4_000):
        _guess_until_limited(limited, "ana", ELSEWHERE, f"hubbub-device={forged}")
        _try(limited, "ana", PASSWORD, ELSEWHERE, f"hubbub-device={forged}").refused(
            429, "rate_limited"
        )


def test_signing_out_keeps_the_device_cookie(limited: Site, ana: Caller) -> None:
    answer = ana.post("/api/sign-out")
    assert set(_cookies(answer)) == {"hubbub"}


@pytest.mark.parametrize("is_secure", [False, True])
def test_a_device_cookie_is_http_only(make_site: MakeSite, is_secure: bool) -> None:
    site = make_site(public_url="https://chat.example.org" if is_secure else None)
    body = {"name": "ana", "password": PASSWORD}
    host = {"Host": "chat.example.org"} if is_secure else {}
    answer = site.anyone.post("/api/sign-up", body, **host)
    _, device = answer.headers.get_all("Set-Cookie", [])
    secure = {"Secure"} if is_secure else set()
    assert device.startswith("__Host-hubbub-device=" if is_secure else "hubbub-device=")
    assert {part.strip() for part in device.split(";")[1:]} == {
        *("Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=31536000"),
        *secure,
    }
    assert "ana" not in device


def test_a_program_is_known_by_its_session(limited: Site, ana: Caller) -> None:
    _guess_until_limited(limited, "ana", ELSEWHERE)
    body = {"name": "ana", "password": PASSWORD}
    ana.post("/api/sign-in", body, X_Forwarded_For=ELSEWHERE).ok()
    limited.person("eve").post("/api/sign-in", body, X_Forwarded_For=ELSEWHERE).refused(
        429, "rate_limited"
    )


# Hashing


class Hashing:
    """Records the passwords that are hashed or checked, and can make that wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passwords: list[str] = []
        self._may_run = threading.Event()
        self._may_run.set()
        hash_password, is_right = passwords.hash_password, passwords.password_is_right

        def hash_recorded(password: str) -> str:
            self._wait(password)
            return hash_password(password)

        def is_right_recorded(password_hash: str | None, password: str) -> bool:
            self._wait(password)
            return is_right(password_hash, password)

        monkeypatch.setattr(passwords, "hash_password", hash_recorded)
        monkeypatch.setattr(passwords, "password_is_right", is_right_recorded)

    def _wait(self, password: str) -> None:
        self.passwords.append(password)
        assert self._may_run.wait(TIMEOUT_S)

    def hold(self) -> None:
        self._may_run.clear()

    def release(self) -> None:
        self._may_run.set()


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hashing]:
    hashing = Hashing(monkeypatch)
    yield hashing
    hashing.release()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(60) as executor:
        yield executor


def _until(site: Site, condition: Callable[[], bool]) -> None:
    site.run(until(condition))


def _waiting(site: Site) -> int:
    return site.app.dispatcher.authenticator._passwords.waiting


def test_nothing_is_hashed_for_a_refused_sign_up(make_site: MakeSite, hashing: Hashing) -> None:
    site = make_site()
    site.person("taken")

    def sign_up(name: str = "newcomer", **more: str) -> Answer:
        hashing.passwords.clear()
        answer = site.anyone.post("/api/sign-up", {"name": name, "password": PASSWORD, **more})
        assert not hashing.passwords
        return answer

    sign_up("taken").refused(409, "name_taken")
    sign_up(invite="no such invite").refused(403, "invite_invalid")
    site.owner.patch("/api/server", {"registration": "invite"}).ok()
    sign_up().refused(403, "invite_required")
    site.owner.patch("/api/server", {"registration": "closed"}).ok()
    sign_up().refused(403, "registration_closed")


def test_a_used_up_invite_is_refused_before_hashing(make_site: MakeSite) -> None:
    site = make_site()
    invite = site.owner.post("/api/invites", {"uses": 1}).ok(201)["invite"]["invite"]
    site.owner.patch("/api/server", {"registration": "invite"}).ok()
    site.person("first", invite=invite)
    body = {"name": "second", "password": PASSWORD, "invite": invite}
    site.anyone.post("/api/sign-up", body).refused(403, "invite_invalid")


def test_a_password_is_hashed_for_an_unknown_name_as_for_any_other(
    limited: Site, hashing: Hashing
) -> None:
    limited.person("ana")
    hashing.passwords.clear()
    for name in ("ana", "nobody", "no name at all"):
        _try(limited, name, f"a guess at {name}").refused(401, "wrong_credentials")
    assert hashing.passwords == ["a guess at ana", "a guess at nobody", "a guess at no name at all"]


def test_one_address_cannot_fill_the_password_queue(
    limited: Site, ana: Caller, hashing: Hashing, pool: ThreadPoolExecutor
) -> None:
    browser = _at_home(limited)
    hashing.passwords.clear()
    hashing.hold()
    flood = [pool.submit(_try, limited, f"n{nth}", f"flood {nth}", ELSEWHERE) for nth in range(25)]
    # Two are being hashed, eight wait, and the others are refused.
    _until(limited, lambda: sum(one.done() for one in flood) == 15)
    for one in [one for one in flood if one.done()]:
        assert one.result().refused(503, "busy")["retry_after"] > 0
    others = [
        pool.submit(_try, limited, "nobody", "another", _other_address(1)),
        pool.submit(_try, limited, "ana", PASSWORD, _other_address(2), browser),
    ]
    _until(limited, lambda: _waiting(limited) == 10)
    hashing.release()
    others[0].result().refused(401, "wrong_credentials")
    others[1].result().ok()
    # They waited for the two that had begun and for each other, not for the whole flood.
    assert max(hashing.passwords.index("another"), hashing.passwords.index(PASSWORD)) <= 5


def test_unknown_callers_do_not_fill_the_password_queue_for_known_ones(
    limited: Site, ana: Caller, hashing: Hashing, pool: ThreadPoolExecutor
) -> None:
    browser = _at_home(limited)
    hashing.passwords.clear()
    hashing.hold()
    flood = [
        pool.submit(_try, limited, f"n{nth}", f"flood {nth}", _other_address(nth))
        for nth in range(50)
    ]
    _until(limited, lambda: sum(one.done() for one in flood) == 50 - 2 - 32)
    known = pool.submit(_try, limited, "ana", PASSWORD, _other_address(1), browser)
    _until(limited, lambda: sum(one.done() for one in flood) == 50 - 2 - 31)
    hashing.release()
    known.result().ok()
    assert hashing.passwords.index(PASSWORD) <= 4


def test_a_sign_in_answered_busy_counts_as_no_attempt(
    limited: Site, ana: Caller, hashing: Hashing, pool: ThreadPoolExecutor
) -> None:
    hashing.hold()
    flood = [
        pool.submit(_try, limited, f"n{nth}", "flood", _other_address(nth)) for nth in range(34)
    ]
    _until(limited, lambda: _waiting(limited) == 32)
    for _ in range(3 * FREE_ATTEMPTS):
        _try(limited, "ana", PASSWORD, ELSEWHERE).refused(503, "busy")
    hashing.release()
    for one in flood:
        one.result().refused(401, "wrong_credentials")
    for _ in range(FREE_ATTEMPTS - 1):
        _try(limited, "ana", "mistyped", ELSEWHERE).refused(401, "wrong_credentials")
    _try(limited, "ana", PASSWORD, ELSEWHERE).ok()


def test_a_caller_who_disconnects_leaves_the_password_queue(
    limited: Site, ana: Caller, hashing: Hashing, pool: ThreadPoolExecutor
) -> None:
    hashing.hold()
    two = [pool.submit(_try, limited, "ana", "first", _other_address(nth)) for nth in range(2)]
    _until(limited, lambda: hashing.passwords.count("first") == 2)
    opened = limited.app.dispatcher.connection_limiter.open
    connection = HTTPConnection(HOST, limited.port, timeout=TIMEOUT_S)
    connection.request(
        "POST",
        "/api/sign-in",
        '{"name": "ana", "password": "of a closed connection"}',
        {"Content-Type": "application/json", "X-Forwarded-For": ELSEWHERE},
    )
    _until(limited, lambda: _waiting(limited) == 1)
    connection.close()
    _until(limited, lambda: limited.app.dispatcher.connection_limiter.open == opened)
    last = pool.submit(_try, limited, "ana", PASSWORD)
    _until(limited, lambda: _waiting(limited) == 2)
    hashing.release()
    last.result().ok()
    for one in two:
        one.result().refused(401, "wrong_credentials")
    assert "of a closed connection" not in hashing.passwords
