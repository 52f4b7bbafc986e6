"""Accounts over HTTP: signing up, in and out, names, profiles, passwords."""

import pytest

from tests.support.chat import PASSWORD
from tests.support.site import Caller, Site


def test_signing_up_makes_an_account_that_is_a_member_of_the_lobby(site: Site) -> None:
    answer = site.anyone.post("/api/sign-up", {"name": "Fresh.Face", "password": PASSWORD})
    made = answer.ok(201)
    assert made["me"]["name"] == "fresh.face"
    assert made["me"]["role"] == "member"
    mine = Caller(site, made["token"]).get("/api/me").ok()
    assert [room["room"] for room in mine["rooms"]] == ["lobby"]


def test_the_first_account_owns_the_server_and_only_that_one(site: Site) -> None:
    assert site.owner.get("/api/me").ok()["me"]["role"] == "owner"
    assert site.person().get("/api/me").ok()["me"]["role"] == "member"
    assert site.anyone.get("/api/about").ok()["needs_owner"] is False


def test_a_name_is_stored_in_one_form_and_found_in_any(site: Site) -> None:
    site.anyone.post("/api/sign-up", {"name": "ＡＮＧＥＬＡ", "password": PASSWORD}).ok(201)
    assert site.sign_in(" Angela ").get("/api/me").ok()["me"]["name"] == "angela"


def test_a_name_that_looks_like_another_is_refused(site: Site) -> None:
    site.person("walter")
    for lookalike in ("walter", "WALTER", "w\u0430lter", "wa1ter"):
        site.anyone.post("/api/sign-up", _with(lookalike)).refused(409, "name_taken")
    site.anyone.post("/api/sign-up", _with("walther")).ok(201)
    site.person("modern")
    site.anyone.post("/api/sign-up", _with("rnodern")).refused(409, "name_taken")


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "~ghost", "everyone", "-x", "x" * 33, "a\x00b", "a\u202eb", "@ana"]
)
def test_an_invalid_name_is_refused_with_a_reason(site: Site, name: str) -> None:
    answer = site.anyone.post("/api/sign-up", _with(name))
    assert answer.status in (400, 422)
    assert answer.json["detail"]


def test_a_short_password_is_refused_and_no_account_is_made(site: Site) -> None:
    short = {"name": "shorty", "password": "1234567"}
    site.anyone.post("/api/sign-up", short).refused(422, "invalid")
    site.anyone.post("/api/sign-up", _with("shorty")).ok(201)


def test_an_unknown_name_and_a_wrong_password_get_the_same_error(site: Site) -> None:
    site.person("known")
    wrong = site.anyone.post("/api/sign-in", {"name": "known", "password": "not the one"})
    unknown = site.anyone.post("/api/sign-in", {"name": "unknown", "password": "not the one"})
    no_name = site.anyone.post("/api/sign-in", {"name": "no name!", "password": "not the one"})
    wrong.refused(401, "wrong_credentials")
    assert wrong.json == unknown.json == no_name.json
    assert wrong.headers["WWW-Authenticate"] == 'Bearer realm="hubbub"'
    assert "Set-Cookie" not in wrong.headers


def test_without_its_password_a_locked_account_looks_like_an_unknown_one(site: Site) -> None:
    locked = site.person()
    site.owner.put(f"/api/users/{locked.name}/disabled", {}).ok()
    guess = site.anyone.post("/api/sign-in", {"name": locked.name, "password": "not the one"})
    guess.refused(401, "wrong_credentials")
    site.anyone.post("/api/sign-in", _with(locked.name)).refused(403, "forbidden")


def test_a_bearer_token_is_valid_until_sign_out(site: Site) -> None:
    ana = site.person()
    assert ana.get("/api/me").ok()["me"]["name"] == ana.name
    ana.post("/api/sign-out").ok()
    ana.get("/api/me").refused(401, "sign_in_required")


def test_signing_out_twice_succeeds(site: Site) -> None:
    ana = site.person()
    ana.post("/api/sign-out").ok()
    ana.post("/api/sign-out").ok()
    site.anyone.post("/api/sign-out").ok()


@pytest.mark.parametrize(
    "token",
    ["", "nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzaWQiOiIxIn0.", "ä" * 20, "x" * 4000],
)
def test_a_foreign_token_is_answered_401(site: Site, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    answer = site.anyone.call("GET", "/api/me", headers=headers)
    answer.refused(401, "sign_in_required")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="hubbub"'


def test_the_display_name_can_change_and_the_handle_cannot(site: Site) -> None:
    ana = site.person()
    ana.patch("/api/me", {"display_name": "  Ana   Lucía "}).ok()
    me = ana.get("/api/me").ok()["me"]
    assert (me["name"], me["display_name"]) == (ana.name, "Ana Lucía")
    [shown] = site.person().get(f"/api/users?names={ana.name}").ok()["users"]
    assert shown["display_name"] == "Ana Lucía"


def test_a_new_password_replaces_the_old_one(site: Site) -> None:
    ana = site.person()
    change = {"old": PASSWORD, "new": "quite another one"}
    ana.put("/api/me/password", change).ok()
    site.anyone.post("/api/sign-in", _with(ana.name)).refused(401, "wrong_credentials")
    site.sign_in(ana.name, "quite another one")


def test_a_password_is_not_changed_without_the_old_one(site: Site) -> None:
    ana = site.person()
    wrong = {"old": "not this one", "new": "quite another one"}
    ana.put("/api/me/password", wrong).refused(401, "wrong_credentials")
    ana.put("/api/me/password", {"old": PASSWORD, "new": "short"}).refused(422, "invalid")
    site.sign_in(ana.name)


def test_a_wrong_old_password_ends_no_session(site: Site) -> None:
    ana = site.person()
    other = site.sign_in(ana.name)
    wrong = {"old": "not this one", "new": "quite another one"}
    ana.put("/api/me/password", wrong).refused(401, "wrong_credentials")
    ana.get("/api/me").ok()
    other.get("/api/me").ok()


def test_people_are_found_by_name_and_listed_in_pages(site: Site) -> None:
    names = [site.person(f"zoe-{letter}").name for letter in "abc"]
    asker = site.person()
    first = asker.get("/api/users?q=zoe-&limit=2").ok()
    assert [user["name"] for user in first["users"]] == names[:2]
    assert first["more"] is True
    second = asker.get(f"/api/users?q=zoe-&limit=2&after={names[1]}").ok()
    assert [user["name"] for user in second["users"]] == names[2:]
    assert second["more"] is False


def test_several_names_are_looked_up_at_once(site: Site) -> None:
    one, two, asker = site.people(3)
    found = asker.get(f"/api/users?names={one.name}&names={two.name}&names=nobody").ok()
    assert {user["name"] for user in found["users"]} == {one.name, two.name}


def test_only_the_owner_gives_server_roles_and_admins_may_lock_accounts(site: Site) -> None:
    admin, member, other = site.people(3)
    to_admin = {"role": "admin"}
    member.put(f"/api/users/{other.name}/role", to_admin).refused(403, "forbidden")
    site.owner.put(f"/api/users/{admin.name}/role", to_admin).ok()
    admin.put(f"/api/users/{other.name}/role", to_admin).refused(403, "forbidden")
    member.put(f"/api/users/{other.name}/disabled", {}).refused(403, "forbidden")
    admin.put(f"/api/users/{other.name}/disabled", {}).ok()
    admin.put(f"/api/users/{site.owner.name}/disabled", {}).refused(403, "forbidden")


def test_a_server_always_keeps_an_owner(site: Site) -> None:
    me = site.owner.name
    site.owner.put(f"/api/users/{me}/role", {"role": "member"}).refused(409, "last_owner")
    site.owner.put(f"/api/users/{me}/disabled", {}).refused(409, "last_owner")


def _with(name: str) -> dict[str, str]:
    return {"name": name, "password": PASSWORD}
