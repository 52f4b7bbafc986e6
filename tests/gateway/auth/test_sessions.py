"""Sessions: their cookies, the list of devices, and how they end."""

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import pytest

from hubbub.model.accounts import SignOut
from hubbub.store.tx import Tx
from tests.gateway.conftest import MakeSite
from tests.support.chat import PASSWORD
from tests.support.site import Answer, Caller, Site

SIGN_IN_AGAIN = 4001
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def _cookie(answer: Answer) -> str:
    return str(answer.headers["Set-Cookie"])


def _attributes(cookie: str) -> set[str]:
    return {part.strip() for part in cookie.split(";")[1:]}


@pytest.mark.parametrize("path", ["sign-up", "sign-in", "guest"])
def test_the_cookie_is_http_only_and_same_site(site: Site, path: str) -> None:
    name = site.person().name if path == "sign-in" else f"cookie-{path}"
    answer = site.anyone.post(f"/api/{path}", {"name": name, "password": PASSWORD})
    cookie = _cookie(answer)
    assert cookie.startswith(f"hubbub={answer.json['token']};")
    assert _attributes(cookie) == {"Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2592000"}
    assert SimpleCookie(cookie)["hubbub"].value == answer.json["token"]


def test_with_tls_the_cookie_is_secure_and_bound_to_the_host(make_site: MakeSite) -> None:
    site = make_site(public_url="https://chat.example.org")
    ana = site.person()
    body = {"name": ana.name, "password": PASSWORD}
    cookie = _cookie(site.anyone.post("/api/sign-in", body, Host="chat.example.org"))
    assert cookie.startswith("__Host-hubbub=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} < _attributes(cookie)
    assert not any(one.startswith("Domain") for one in _attributes(cookie))
    assert site.anyone.get("/api/me", Cookie=cookie.partition(";")[0]).status == 200
    assert site.anyone.get("/api/me", Cookie=f"hubbub={ana.token}").status == 401


def test_the_cookie_signs_in_and_a_visit_renews_it(site: Site) -> None:
    ana = site.person()
    answer = site.anyone.get("/api/me", Cookie=f"other=1; hubbub={ana.token}; more=2")
    assert answer.ok()["me"]["name"] == ana.name
    assert _cookie(answer).startswith(f"hubbub={ana.token};")
    assert "Max-Age=2592000" in _attributes(_cookie(answer))
    assert "Set-Cookie" not in ana.get("/api/me").headers


def test_a_bearer_token_overrides_the_cookie(site: Site) -> None:
    ana, bo = site.people(2)
    answer = ana.get("/api/me", Cookie=f"hubbub={bo.token}")
    assert answer.ok()["me"]["name"] == ana.name


def test_signing_out_clears_the_cookie(site: Site) -> None:
    ana = site.person()
    headers = {"Cookie": f"hubbub={ana.token}", **SAME_ORIGIN}
    answer = site.anyone.call("POST", "/api/sign-out", headers=headers)
    answer.ok()
    assert _cookie(answer).startswith("hubbub=;")
    assert {"Max-Age=0", "Path=/"} < _attributes(_cookie(answer))
    ana.get("/api/me").refused(401, "sign_in_required")


def test_another_site_cannot_sign_somebody_out(site: Site) -> None:
    ana = site.person()
    headers = {"Cookie": f"hubbub={ana.token}", "Origin": "https://evil.example"}
    answer = site.anyone.call("POST", "/api/sign-out", headers=headers)
    answer.refused(403, "wrong_origin")
    assert "Set-Cookie" not in answer.headers
    ana.get("/api/me").ok()


def test_sessions_are_listed_with_their_device_and_the_current_one_is_marked(site: Site) -> None:
    ana = site.person()
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    browser = site.sign_in(ana.name, User_Agent=agent)
    sessions = browser.get("/api/sessions").ok()["sessions"]
    assert len(sessions) == 2
    [current] = [one for one in sessions if one.get("current")]
    assert current["label"] == "Firefox on Linux"
    assert current["created_at"] <= current["seen_at"]


def test_a_device_label_contains_no_text_of_the_client(site: Site) -> None:
    ana = site.person()
    site.sign_in(ana.name, User_Agent="<script>alert(1)</script>")
    labels = [one["label"] for one in ana.get("/api/sessions").ok()["sessions"]]
    assert "Unknown device" in labels
    assert not any("<" in label for label in labels)


def _other_session(ana: Caller) -> str:
    sessions = ana.get("/api/sessions").ok()["sessions"]
    [other] = [one["session"] for one in sessions if not one.get("current")]
    return str(other)


async def test_a_session_ended_from_another_device_ends_at_once(site: Site) -> None:
    ana = site.person()
    lost = site.sign_in(ana.name)
    async with site.socket(lost) as socket:
        await socket.do("hello")
        ana.delete(f"/api/sessions/{_other_session(ana)}").ok()
        assert await socket.close_code() == SIGN_IN_AGAIN
    lost.get("/api/me").refused(401, "sign_in_required")
    ana.get("/api/me").ok()


def test_only_the_owner_of_a_session_can_end_it(site: Site) -> None:
    ana, bo = site.people(2)
    [session] = ana.get("/api/sessions").ok()["sessions"]
    bo.delete(f"/api/sessions/{session['session']}").refused(404, "not_found")
    bo.delete("/api/sessions/no-such-session").refused(404, "not_found")
    ana.get("/api/me").ok()


async def test_a_new_password_ends_the_other_sessions_and_their_sockets(site: Site) -> None:
    ana = site.person()
    other = site.sign_in(ana.name)
    async with site.socket(other) as there, site.socket(ana) as here:
        await there.do("hello")
        await here.do("hello")
        change = {"old": PASSWORD, "new": "quite another one"}
        ana.put("/api/me/password", change).ok()
        assert await there.close_code() == SIGN_IN_AGAIN
        assert (await here.do("me"))["me"]["name"] == ana.name
    other.get("/api/me").refused(401, "sign_in_required")
    ana.get("/api/me").ok()
    assert len(ana.get("/api/sessions").ok()["sessions"]) == 1


async def test_signing_out_ends_the_socket_of_that_session_only(site: Site) -> None:
    ana = site.person()
    other = site.sign_in(ana.name)
    async with site.socket(other) as there, site.socket(ana) as here:
        await there.do("hello")
        await here.do("hello")
        other.post("/api/sign-out").ok()
        assert await there.close_code() == SIGN_IN_AGAIN
        await here.do("me")


async def test_locking_an_account_ends_its_sessions_and_unlocking_allows_a_new_sign_in(
    site: Site,
) -> None:
    ana = site.person()
    async with site.socket(ana) as socket:
        await socket.do("hello")
        site.owner.put(f"/api/users/{ana.name}/disabled", {}).ok()
        assert await socket.close_code() == SIGN_IN_AGAIN
    ana.get("/api/me").refused(401, "sign_in_required")
    sign_in = {"name": ana.name, "password": PASSWORD}
    site.anyone.post("/api/sign-in", sign_in).refused(403, "forbidden")
    [shown] = site.owner.get(f"/api/users?names={ana.name}").ok()["users"]
    assert shown["disabled"] is True

    site.owner.put(f"/api/users/{ana.name}/disabled", {"disabled": False}).ok()
    site.sign_in(ana.name).get("/api/me").ok()
    ana.get("/api/me").refused(401, "sign_in_required")


async def test_a_new_role_applies_at_once_to_open_connections(site: Site) -> None:
    ana, bo = site.people(2)
    ana.get("/api/me").ok()
    site.owner.put(f"/api/users/{ana.name}/role", {"role": "admin"}).ok()
    ana.put(f"/api/users/{bo.name}/disabled", {}).ok()
    site.owner.put(f"/api/users/{ana.name}/role", {"role": "member"}).ok()
    ana.put(f"/api/users/{bo.name}/disabled", {"disabled": False}).refused(403, "forbidden")


def test_sessions_survive_a_restart_of_the_server(make_site: MakeSite) -> None:
    site = make_site()
    ana = site.person()
    data = site.stop()
    again = make_site(data=data, first_owns=False)
    assert Caller(again, ana.token).get("/api/me").ok()["me"]["name"] == ana.name


@pytest.mark.parametrize("path", ["me", "sessions", "users?q=a"])
def test_a_guest_cannot_use_account_routes(site: Site, path: str) -> None:
    site.guest().get(f"/api/{path}").refused(403, "forbidden")


def test_a_session_that_ends_during_its_lookup_is_refused(make_site: MakeSite) -> None:
    site = make_site()
    ana = site.person()
    read = site.app.executor.read
    ended: list[str] = []

    async def read_then_end(function: Callable[[Tx], Any]) -> Any:
        found = await read(function)
        if not ended:
            (actor,) = found
            ended.append(actor.session)
            await site.app.executor.submit(actor, SignOut())
        return found

    site.app.executor.read = read_then_end  # type: ignore[method-assign]
    for _ in range(2):
        ana.get("/api/me").refused(401, "sign_in_required")
    assert ended
