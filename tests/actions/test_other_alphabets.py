"""Listing and searching names that are not in ASCII."""

import pytest

from hubbub.model.accounts import UpdateMe, Users
from hubbub.model.rooms import CreateRoom, Rooms
from tests.support.world import World

TITLES = ("Lobby", "Über uns", "Übermut", "Ü-Wagen", "Ёлка", "ёж", "Zoo")


@pytest.fixture
def world_of_rooms(world: World) -> World:
    [ana] = world.people("ana")
    for title in TITLES[1:]:
        world.do(ana, CreateRoom(title=title))
    return world


@pytest.mark.parametrize("size", [1, 2, 7])
def test_every_room_is_on_exactly_one_page_in_any_script(world_of_rooms: World, size: int) -> None:
    [bo] = world_of_rooms.people("bo")
    seen: list[str] = []
    page = world_of_rooms.ask(bo, Rooms(limit=size))
    seen += [room.title for room in page.rooms]
    while page.cursor is not None and len(seen) <= len(TITLES):
        page = world_of_rooms.ask(bo, Rooms(limit=size, after=page.cursor))
        seen += [room.title for room in page.rooms]
    assert seen == sorted(TITLES, key=str.lower)


@pytest.mark.parametrize("query", ["über", "Über", "ÜBER"])
def test_search_ignores_case_in_any_script(world_of_rooms: World, query: str) -> None:
    cy, _ = world_of_rooms.people("cy du")
    world_of_rooms.do(cy, UpdateMe(display_name="Frau Übermut"))
    rooms = world_of_rooms.ask(cy, Rooms(q=query)).rooms
    assert {room.title for room in rooms} == {"Über uns", "Übermut"}
    assert [user.name for user in world_of_rooms.ask(cy, Users(q=query)).users] == ["cy"]
