"""Registration: open, by invite, closed; invites; guests."""

import pytest

from tests.gateway.conftest import MakeSite
from tests.support.chat import PASSWORD
from tests.support.site import Caller, Site

POLICY = 1008
DAY_MS = 24 * 3600 * 1000


def _sign_up(site: Site, **more: object) -> dict[str, object]:
    return {"name": f"p{next(site.numbers)}", "password": PASSWORD, **more}


def _invite(by: Caller, **options: object) -> str:
    return str(by.post("/api/invites", options).ok(201)["invite"]["invite"])


def test_an_open_server_needs_no_invite_but_accepts_one(site: Site) -> None:
    site.anyone.post("/api/sign-up", _sign_up(site)).ok(201)
    code = _invite(site.owner)
    site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).ok(201)


def test_with_registration_by_invite_a_sign_up_needs_one(make_site: MakeSite) -> None:
    site = make_site(registration="invite")
    site.anyone.post("/api/sign-up", _sign_up(site)).refused(403, "invite_required")
    code = _invite(site.owner)
    site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).ok(201)


def test_a_closed_server_refuses_sign_ups(make_site: MakeSite) -> None:
    site = make_site(registration="closed")
    site.anyone.post("/api/sign-up", _sign_up(site)).refused(403, "registration_closed")
    assert site.anyone.get("/api/about").ok()["registration"] == "closed"


def test_the_owners_link_makes_one_owner_and_is_then_used_up(make_site: MakeSite) -> None:
    site = make_site(first_owns=False, default_registration="invite")
    assert site.owner_link
    base, _, code = site.owner_link.partition("/join/")
    assert base == f"http://localhost:{site.port}"
    assert site.anyone.get("/api/about").ok()["needs_owner"] is True
    made = site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).ok(201)
    assert made["me"]["role"] == "owner"
    assert site.anyone.get("/api/about").ok()["needs_owner"] is False
    site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).refused(403, "invite_invalid")


def test_an_invite_admits_as_many_people_as_its_limit(site: Site) -> None:
    code = _invite(site.owner, uses=2)
    for _ in range(2):
        made = site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).ok(201)
        assert made["me"]["role"] == "member"
    site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).refused(403, "invite_invalid")


def test_a_failed_sign_up_does_not_use_up_the_invite(site: Site) -> None:
    code = _invite(site.owner)
    taken = {"name": site.owner.name, "password": PASSWORD, "invite": code}
    site.anyone.post("/api/sign-up", taken).refused(409, "name_taken")
    site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).ok(201)


def test_an_invite_expires(make_site: MakeSite) -> None:
    site = make_site()
    made = site.owner.post("/api/invites", {"days": 2, "uses": 5}).ok(201)["invite"]
    assert made["expires_at"] - made["created_at"] == 2 * DAY_MS
    now = made["created_at"]
    code = made["invite"]
    site.at(now + 2 * DAY_MS - 1)
    assert code in _list_invites(site.owner)
    site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).ok(201)
    site.at(now + 2 * DAY_MS)
    assert code not in _list_invites(site.owner)
    site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).refused(403, "invite_invalid")


def _list_invites(by: Caller) -> set[str]:
    return {one["invite"] for one in by.get("/api/invites").ok()["invites"]}


def test_an_invite_can_be_ended(site: Site) -> None:
    code = _invite(site.owner)
    site.owner.delete(f"/api/invites/{code}").ok()
    site.owner.delete(f"/api/invites/{code}").refused(404, "not_found")
    site.anyone.post("/api/sign-up", _sign_up(site, invite=code)).refused(403, "invite_invalid")


def test_the_url_of_an_invite_is_public(make_site: MakeSite) -> None:
    site = make_site(public_url="https://chat.example.org")
    made = site.owner.post("/api/invites", {}).ok(201)["invite"]
    assert made["url"] == f"https://chat.example.org/join/{made['invite']}"
    [listed] = site.owner.get("/api/invites").ok()["invites"]
    assert listed == made


def test_only_admins_manage_invites(site: Site) -> None:
    ana = site.person()
    code = _invite(site.owner)
    for caller in (ana, site.guest()):
        caller.get("/api/invites").refused(403, "forbidden")
        caller.post("/api/invites", {}).refused(403, "forbidden")
        caller.delete(f"/api/invites/{code}").refused(403, "forbidden")
    site.anyone.get("/api/invites").refused(401, "sign_in_required")


@pytest.mark.parametrize("options", [{"days": 0}, {"days": 366}, {"uses": 0}, {"uses": "3"}])
def test_an_invite_with_values_out_of_range_is_refused(
    site: Site, options: dict[str, object]
) -> None:
    site.owner.post("/api/invites", options).refused(400, "malformed")


def test_an_unknown_invite_is_refused(site: Site) -> None:
    body = _sign_up(site, invite="made-up")
    site.anyone.post("/api/sign-up", body).refused(403, "invite_invalid")


# Guests


def test_a_guest_may_read_and_post_in_public_rooms(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    guest = site.guest("gus")
    assert guest.name == "~gus"
    assert room in {one["room"] for one in guest.get("/api/rooms?q=room").ok()["rooms"]}
    guest.post(f"/api/rooms/{room}/join").ok()
    seq = guest.say(room, "hello from outside")
    [message] = ana.get(f"/api/rooms/{room}/messages").ok()["messages"]
    assert (message["by"], message["seq"]) == ("~gus", seq)
    members = ana.get(f"/api/rooms/{room}/members").ok()["members"]
    assert [one["name"] for one in members] == [ana.name]


def test_two_guests_of_one_name_do_not_change_each_others_messages(site: Site) -> None:
    first, second = site.guest("twin"), site.guest("twin")
    room = site.person().room()
    seq = first.say(room, "mine")
    path = f"/api/rooms/{room}/messages/{seq}"
    second.patch(path, {"text": "yours"}).refused(403, "forbidden")
    second.delete(path).refused(403, "forbidden")
    first.patch(path, {"text": "still mine"}).ok()
    first.delete(path).ok()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "rooms", {"title": "Mine"}),
        ("POST", "direct", {"users": ["owner"]}),
        ("PATCH", "me", {"display_name": "Boss"}),
        ("PUT", "me/password", {"old": PASSWORD, "new": PASSWORD}),
        ("GET", "users", None),
        ("GET", "sessions", None),
        ("PATCH", "server", {"name": "Mine"}),
        ("PATCH", "rooms/lobby", {"title": "Mine"}),
        ("DELETE", "rooms/lobby", None),
        ("PUT", "rooms/lobby/read", {"seq": 0}),
        ("PATCH", "rooms/lobby/prefs", {"hidden": True}),
        ("POST", "rooms/lobby/members", {"user": "owner"}),
    ],
)
def test_what_a_guest_may_not_do_is_refused(
    site: Site, method: str, path: str, body: object
) -> None:
    answer = site.guest().call(method, f"/api/{path}", body)
    assert (answer.status, answer.code in ("forbidden", "not_member")) == (403, True), answer


def test_without_guests_rooms_need_a_sign_in(make_site: MakeSite) -> None:
    site = make_site(guests=False)
    site.anyone.post("/api/guest", {}).refused(403, "forbidden")
    site.anyone.get("/api/rooms").refused(401, "sign_in_required")
    assert site.anyone.get("/api/about").ok()["guests"] is False


# The owner's settings


async def test_disallowing_guests_disconnects_them(make_site: MakeSite) -> None:
    site = make_site()
    guest = site.guest()
    async with site.socket(guest) as socket:
        await socket.do("hello")
        changed = site.owner.patch("/api/server", {"guests": False}).ok()
        assert changed["guests"] is False
        assert await socket.close_code() == POLICY
    guest.get("/api/rooms").refused(403, "forbidden")
    site.anyone.post("/api/guest", {}).refused(403, "forbidden")


def test_the_owner_can_change_the_servers_name_and_registration(make_site: MakeSite) -> None:
    site = make_site()
    site.owner.patch("/api/server", {"name": " The  Yard ", "registration": "closed"}).ok()
    about = site.anyone.get("/api/about").ok()
    assert (about["name"], about["registration"]) == ("The Yard", "closed")
    site.anyone.post("/api/sign-up", _sign_up(site)).refused(403, "registration_closed")
    again = make_site(data=site.stop(), first_owns=False)
    assert again.anyone.get("/api/about").ok()["name"] == "The Yard"


def test_the_owner_cannot_change_settings_fixed_by_the_operator(make_site: MakeSite) -> None:
    site = make_site(registration="closed", guests=False)
    site.owner.patch("/api/server", {"registration": "open"}).refused(409, "conflict")
    site.owner.patch("/api/server", {"guests": True}).refused(409, "conflict")
    site.owner.patch("/api/server", {"name": "Yard"}).ok()


def test_only_the_owner_changes_the_server(site: Site) -> None:
    site.person().patch("/api/server", {"name": "Mine"}).refused(403, "forbidden")
    site.anyone.patch("/api/server", {"name": "Mine"}).refused(401, "sign_in_required")
