"""Rooms that one may not know of are not there: on every route, for everyone outside."""

from urllib.parse import quote

import pytest

from hubbub.gateway.http.routes import ROUTES, Route
from tests.support.site import Caller, Site

ROOM_ROUTES = [route for route in ROUTES if "{room}" in route.path]
# What each command needs besides its path.
BODIES: dict[str, dict[str, object]] = {
    "update_room": {"title": "Found"},
    "prefs": {"hidden": True},
    "read": {"seq": 0},
    "invite": {"user": "owner"},
    "set_role": {"role": "member"},
    "post": {"text": "hello?"},
    "edit": {"text": "hello!"},
    "forward": {"to": "lobby"},
    "draft": {"text": "hm"},
}
QUERIES = {"sync": "?after=0"}


def _ask(route: Route, by: Caller, room: str, user: str) -> tuple[int, object]:
    path = route.path.format(room=room, user=user, seq=1, emoji=quote("👍")) + QUERIES.get(
        route.operation, ""
    )
    answer = by.call(route.method, path, BODIES.get(route.operation))
    return answer.status, answer.json


def _id(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("kind", ["private", "direct"])
@pytest.mark.parametrize("route", ROOM_ROUTES, ids=_id)
def test_to_others_it_is_as_if_it_did_not_exist(site: Site, route: Route, kind: str) -> None:
    ana, bo, stranger = site.people(3)
    if kind == "private":
        room = ana.room(bo, kind="private")
    else:
        room = str(ana.post("/api/direct", {"users": [bo.name]}).ok()["room"]["room"])
    ana.say(room, "secret")
    for outsider in (stranger, site.guest(), site.owner):
        status, told = _ask(route, outsider, room, bo.name)
        assert status == 404, told
        nowhere = f"nowhere-{next(site.numbers)}"
        _, told_of_nowhere = _ask(route, outsider, nowhere, bo.name)
        assert str(told).replace(room, nowhere) == str(told_of_nowhere)
    assert ana.texts(room) == ["secret"]
    assert set(_names(ana, room)) == {ana.name, bo.name}


def _names(by: Caller, room: str) -> list[str]:
    return [one["name"] for one in by.get(f"/api/rooms/{room}/members").ok()["members"]]


@pytest.mark.parametrize("route", ROOM_ROUTES, ids=_id)
def test_without_a_sign_in_every_room_asks_for_one(site: Site, route: Route) -> None:
    status, told = _ask(route, site.anyone, "lobby", "owner")
    assert status == 401, told


def test_a_private_room_has_an_address_that_nobody_guesses(site: Site) -> None:
    ana = site.person()
    rooms = {ana.room(title="Plans", kind="private") for _ in range(3)}
    assert len(rooms) == 3
    assert all(len(room) >= 16 and "plans" not in room for room in rooms)


def test_who_was_put_out_knows_no_more_of_it_than_others(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo, kind="private")
    ana.delete(f"/api/rooms/{room}/members/{bo.name}").ok()
    assert room not in bo.rooms()
    assert bo.get("/api/rooms?q=room").ok()["rooms"] == [
        one for one in bo.get("/api/rooms?q=room").ok()["rooms"] if one["room"] != room
    ]
    bo.post(f"/api/rooms/{room}/join").refused(404, "not_found")


def test_a_private_room_is_gone_when_the_last_one_leaves(site: Site) -> None:
    ana = site.person()
    room = ana.room(kind="private")
    ana.say(room)
    ana.post(f"/api/rooms/{room}/leave").ok()
    ana.get(f"/api/rooms/{room}/messages").refused(404, "not_found")
