"""Rooms over HTTP: creating, finding, joining, leaving, updating, deleting."""

import pytest

from tests.support.site import Caller, Site


def _path(room: str, rest: str = "") -> str:
    return f"/api/rooms/{room}{rest}"


def _members(by: Caller, room: str) -> dict[str, str]:
    """The members of a room: name → role."""
    page = by.get(_path(room, "/members")).ok()
    return {one["name"]: one.get("role", "member") for one in page["members"]}


def test_any_member_can_create_a_room_and_owns_it(site: Site) -> None:
    ana = site.person()
    made = ana.post("/api/rooms", {"title": " Tea  &\tCake ", "topic": "at four"}).ok(201)
    room = made["room"]
    assert (room["room"], room["title"], room["topic"]) == ("tea-cake", "Tea & Cake", "at four")
    assert (room["kind"], room["role"], room["members"]) == ("public", "owner", 1)
    assert made["messages"] == []
    assert _members(ana, "tea-cake") == {ana.name: "owner"}


def test_a_room_gets_the_requested_id(site: Site) -> None:
    ana, bo = site.people(2)
    assert ana.room(room="#Garden") == "garden"
    again = {"title": "Another garden", "room": "garden"}
    bo.post("/api/rooms", again).refused(409, "name_taken")


def test_rooms_with_the_same_title_get_different_ids(site: Site) -> None:
    ana = site.person()
    made = [ana.post("/api/rooms", {"title": "Same"}).ok(201)["room"]["room"] for _ in range(2)]
    assert made == ["same", "same-2"]


def test_a_title_without_latin_letters_gets_an_id(site: Site) -> None:
    ana = site.person()
    room = ana.post("/api/rooms", {"title": "お茶"}).ok(201)["room"]
    assert room["title"] == "お茶"
    assert ana.get(_path(room["room"], "/messages")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"title": ""},
        {"title": "   "},
        {"title": "x" * 81},
        {"title": "a\x07b"},
        {"title": "Fine", "topic": "x" * 501},
        {"title": "Fine", "room": "not fine!"},
        {"title": "Fine", "room": "x" * 33},
        {"title": "Fine", "room": "fine-1", "kind": "private"},
    ],
)
def test_a_room_with_invalid_values_is_not_created(site: Site, body: dict[str, str]) -> None:
    site.person().post("/api/rooms", body).refused(422, "invalid")


@pytest.mark.parametrize("body", [{}, {"title": 1}, {"title": "x", "kind": "direct"}])
def test_a_malformed_room_is_not_created(site: Site, body: object) -> None:
    site.person().post("/api/rooms", body).refused(400, "malformed")


def test_the_directory_lists_public_and_own_rooms_in_pages(site: Site) -> None:
    ana, bo = site.people(2)
    rooms = [ana.room(title=f"Quilt {n}") for n in range(3)]
    hidden = ana.room(title="Quilt hidden", kind="private")
    first = bo.get("/api/rooms?q=quilt&limit=2").ok()
    second = bo.get(f"/api/rooms?q=quilt&limit=2&after={_quoted(first['cursor'])}").ok()
    assert [one["room"] for one in first["rooms"] + second["rooms"]] == rooms
    assert second["cursor"] is None
    mine = {one["room"]: one.get("role") for one in ana.get("/api/rooms?q=quilt").ok()["rooms"]}
    assert mine == {**dict.fromkeys(rooms, "owner"), hidden: "owner"}


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def test_joining_makes_a_member_and_returns_the_history(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room()
    ana.say(room, "welcome")
    joined = bo.post(_path(room, "/join")).ok()
    assert [one["text"] for one in joined["messages"]] == ["welcome"]
    assert [one["name"] for one in joined["people"]] == [ana.name]
    assert (joined["room"]["role"], joined["room"]["read_seq"]) == ("member", 1)
    assert _members(ana, room) == {ana.name: "owner", bo.name: "member"}
    bo.post(_path(room, "/join")).ok()
    assert len(_members(ana, room)) == 2


def test_a_former_member_may_read_but_not_post(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    bo.post(_path(room, "/leave")).ok()
    assert room not in bo.rooms()
    bo.get(_path(room, "/messages")).ok()
    bo.post(_path(room, "/messages"), {"text": "hi"}).refused(403, "not_member")
    bo.post(_path(room, "/leave")).refused(403, "not_member")


def test_the_last_owner_must_name_another_before_leaving(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    ana.post(_path(room, "/leave")).refused(409, "last_owner")
    ana.put(_path(room, f"/members/{bo.name}/role"), {"role": "owner"}).ok()
    ana.post(_path(room, "/leave")).ok()
    assert _members(bo, room) == {bo.name: "owner"}


def test_moderators_can_change_title_and_topic(site: Site) -> None:
    ana, bo, cy = site.people(3)
    room = ana.room(bo, cy)
    bo.patch(_path(room), {"title": "Mine"}).refused(403, "forbidden")
    ana.put(_path(room, f"/members/{bo.name}/role"), {"role": "moderator"}).ok()
    bo.patch(_path(room), {"title": "Ours"}).ok()
    bo.patch(_path(room), {"topic": "Everything"}).ok()
    mine = cy.rooms()[room]
    assert (mine["title"], mine["topic"]) == ("Ours", "Everything")


def test_an_archived_room_is_read_only(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    seq = ana.say(room)
    ana.patch(_path(room), {"archived": True}).ok()
    ana.post(_path(room, "/messages"), {"text": "hi"}).refused(409, "conflict")
    ana.patch(_path(room, f"/messages/{seq}"), {"text": "ho"}).refused(409, "conflict")
    assert ana.texts(room) == ["hi"]
    ana.patch(_path(room), {"archived": False}).ok()
    ana.say(room)


def test_deleting_a_room_deletes_its_messages(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    ana.say(room)
    bo.delete(_path(room)).refused(403, "forbidden")
    ana.delete(_path(room)).ok()
    for person in (ana, bo):
        person.get(_path(room, "/messages")).refused(404, "not_found")
        assert room not in person.rooms()
    again = ana.room(room=room)
    assert ana.texts(again) == []


def test_the_lobby_cannot_be_deleted_or_archived(site: Site) -> None:
    site.owner.delete(_path("lobby")).refused(403, "forbidden")
    site.owner.patch(_path("lobby"), {"archived": True}).refused(403, "forbidden")


def test_members_can_add_others_and_moderators_can_remove_them(site: Site) -> None:
    ana, bo, cy = site.people(3)
    room = ana.room(bo, kind="private")
    bo.post(_path(room, "/members"), {"user": cy.name}).ok()
    assert set(_members(cy, room)) == {ana.name, bo.name, cy.name}
    bo.delete(_path(room, f"/members/{cy.name}")).refused(403, "forbidden")
    ana.delete(_path(room, f"/members/{cy.name}")).ok()
    cy.get(_path(room, "/messages")).refused(404, "not_found")
    ana.delete(_path(room, f"/members/{cy.name}")).refused(404, "not_found")


def test_adding_a_member_twice_counts_once(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room()
    first = ana.post(_path(room, "/members"), {"user": bo.name}).ok()
    assert ana.post(_path(room, "/members"), {"user": bo.name}).ok() == first
    ana.post(_path(room, "/members"), {"user": "nobody-at-all"}).refused(404, "not_found")


def test_only_owners_give_roles(site: Site) -> None:
    ana, bo, cy = site.people(3)
    room = ana.room(bo, cy)
    ana.put(_path(room, f"/members/{bo.name}/role"), {"role": "moderator"}).ok()
    to_owner = {"role": "owner"}
    bo.put(_path(room, f"/members/{cy.name}/role"), to_owner).refused(403, "forbidden")
    bo.delete(_path(room, f"/members/{ana.name}")).refused(403, "forbidden")
    bo.delete(_path(room, f"/members/{cy.name}")).ok()
    ana.put(_path(room, f"/members/{cy.name}/role"), to_owner).refused(404, "not_found")
    ana.put(_path(room, f"/members/{bo.name}/role"), {"role": "admin"}).refused(422, "invalid")
    ana.put(_path(room, f"/members/{ana.name}/role"), {"role": "member"}).refused(409, "last_owner")


def test_members_are_listed_in_pages(site: Site) -> None:
    ana, *others = site.people(4)
    room = ana.room(*others)
    first = ana.get(_path(room, "/members?limit=3")).ok()
    assert first["more"] is True
    last = first["members"][-1]["name"]
    second = ana.get(_path(room, f"/members?limit=3&after={last}")).ok()
    assert second["more"] is False
    found = [one["name"] for one in first["members"] + second["members"]]
    assert found == sorted(person.name for person in [ana, *others])


async def test_connected_members_are_shown_as_present(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    async with site.socket(bo) as socket:
        await socket.do("hello")
        page = ana.get(_path(room, "/members")).ok()
        present = {one["name"]: one.get("presence", "offline") for one in page["members"]}
        assert present == {ana.name: "offline", bo.name: "online"}


def test_prefs_are_private(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    ana.patch(_path(room, "/prefs"), {"notify": "mentions", "hidden": True}).ok()
    ana.patch(_path(room, "/prefs"), {"notify": "none"}).ok()
    mine, other = ana.rooms()[room], bo.rooms()[room]
    assert (mine["notify"], mine["hidden"]) == ("none", True)
    assert (other.get("notify", "all"), other.get("hidden", False)) == ("all", False)
    ana.patch(_path(room, "/prefs"), {"notify": "loudly"}).refused(400, "malformed")


def test_read_markers_move_back_only_on_request(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    for text in ("one", f"two @{bo.name}", "three"):
        ana.say(room, text)
    path = _path(room, "/read")
    assert bo.rooms()[room]["mentions"] == 1
    assert bo.put(path, {"seq": 1}).ok() == {"read_seq": 1, "mentions": 1}
    other = site.person()
    other.put(path, {"seq": 1}).refused(403, "not_member")
    assert bo.put(path, {"seq": 2, "back": True}).ok() == {"read_seq": 2, "mentions": 0}
    assert bo.put(path, {"seq": 0, "back": True}).ok() == {"read_seq": 0, "mentions": 1}
    bo.put(path, {"seq": 99, "back": True}).refused(422, "invalid")


# Direct rooms


def test_the_same_people_share_one_direct_room(site: Site) -> None:
    ana, bo, cy = site.people(3)
    made = ana.post("/api/direct", {"users": [bo.name]}).ok()["room"]
    assert made["kind"] == "direct"
    assert [one["name"] for one in made["people"]] == [bo.name]
    assert bo.post("/api/direct", {"users": [ana.name]}).ok()["room"]["room"] == made["room"]
    three = ana.post("/api/direct", {"users": [cy.name, bo.name]}).ok()["room"]["room"]
    assert three != made["room"]
    assert cy.post("/api/direct", {"users": [bo.name, ana.name]}).ok()["room"]["room"] == three
    alone = ana.post("/api/direct", {"users": [ana.name]}).ok()["room"]["room"]
    assert alone not in (made["room"], three)


def test_a_direct_room_is_listed_after_its_first_message(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.post("/api/direct", {"users": [bo.name]}).ok()["room"]["room"]
    assert bo.rooms()[room]["hidden"] is True
    ana.say(room, "psst")
    assert "hidden" not in bo.rooms()[room]
    bo.post(_path(room, "/leave")).ok()
    assert bo.rooms()[room]["hidden"] is True
    assert bo.texts(room) == ["psst"]


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("POST", "/join", None),
        ("POST", "/members", {"user": "owner"}),
        ("DELETE", "/members/{other}", None),
        ("PUT", "/members/{other}/role", {"role": "owner"}),
        ("PATCH", "", {"title": "Ours"}),
        ("DELETE", "", None),
    ],
)
def test_the_people_of_a_direct_room_are_fixed(
    site: Site, method: str, rest: str, body: object
) -> None:
    ana, bo = site.people(2)
    room = ana.post("/api/direct", {"users": [bo.name]}).ok()["room"]["room"]
    answer = ana.call(method, _path(room, rest.format(other=bo.name)), body)
    if method == "POST" and rest == "/join":
        answer.ok()
    else:
        answer.refused(403, "forbidden")
    assert set(_members(ana, room)) == {ana.name, bo.name}


@pytest.mark.parametrize("users", [[], [f"someone-{n}" for n in range(9)]])
def test_a_direct_room_has_two_to_nine_people(site: Site, users: list[str]) -> None:
    site.person().post("/api/direct", {"users": users}).refused(422, "invalid")


def test_a_direct_room_needs_existing_people(site: Site) -> None:
    ana, gone = site.people(2)
    ana.post("/api/direct", {"users": ["nobody-at-all"]}).refused(404, "not_found")
    site.owner.put(f"/api/users/{gone.name}/disabled", {}).ok()
    ana.post("/api/direct", {"users": [gone.name]}).refused(409, "conflict")
