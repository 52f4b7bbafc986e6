"""To outsiders, a private room looks like a missing one, on every route."""

from urllib.parse import quote

import pytest

from hubbub.gateway.http.routes import ROUTES, Route
from tests.support.site import Caller, Site

ROOM_ROUTES = [route for route in ROUTES if "{room}" in route.path]
# The body of each command that needs one.
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
def test_to_others_a_private_room_does_not_exist(site: Site, route: Route, kind: str) -> None:
    ana, bo, stranger = site.people(3)
    if kind == "private":
        room = ana.room(bo, kind="private")
    else:
        room = str(ana.post("/api/direct", {"users": [bo.name]}).ok()["room"]["room"])
    ana.say(room, "secret")
    for outsider in (stranger, site.guest(), site.owner):
        status, answer = _ask(route, outsider, room, bo.name)
        assert status == 404, answer
        nowhere = f"nowhere-{next(site.numbers)}"
        _, answer_of_nowhere = _ask(route, outsider, nowhere, bo.name)
        assert str(answer).replace(room, nowhere) == str(answer_of_nowhere)
    assert ana.texts(room) == ["secret"]
    assert set(_names(ana, room)) == {ana.name, bo.name}


def _names(by: Caller, room: str) -> list[str]:
    return [one["name"] for one in by.get(f"/api/rooms/{room}/members").ok()["members"]]


@pytest.mark.parametrize("route", ROOM_ROUTES, ids=_id)
def test_without_sign_in_every_room_asks_for_it(site: Site, route: Route) -> None:
    status, answer = _ask(route, site.anyone, "lobby", "owner")
    assert status == 401, answer


def test_the_id_of_a_private_room_cannot_be_guessed(site: Site) -> None:
    ana = site.person()
    rooms = {ana.room(title="Plans", kind="private") for _ in range(3)}
    assert len(rooms) == 3
    assert all(len(room) >= 16 and "plans" not in room for room in rooms)


def test_a_removed_member_sees_no_more_of_it_than_others(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo, kind="private")
    ana.delete(f"/api/rooms/{room}/members/{bo.name}").ok()
    assert room not in bo.rooms()
    assert bo.get("/api/rooms?q=room").ok()["rooms"] == [
        one for one in bo.get("/api/rooms?q=room").ok()["rooms"] if one["room"] != room
    ]
    bo.post(f"/api/rooms/{room}/join").refused(404, "not_found")


def test_a_private_room_is_deleted_when_the_last_member_leaves(site: Site) -> None:
    ana = site.person()
    room = ana.room(kind="private")
    ana.say(room)
    ana.post(f"/api/rooms/{room}/leave").ok()
    ana.get(f"/api/rooms/{room}/messages").refused(404, "not_found")
