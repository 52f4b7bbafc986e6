"""Quotas and blocks: the same at every door and on every store, and off with ``--no-limits``."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interfaces.conftest import assert_silent
from tests.interfaces.dialects import DOORS
from tests.interfaces.test_contract import each_door, store
from tests.support.chat import House, Refused, Visitors
from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("doors-quotas")

__all__ = ["store"]

FAST = tuple(f"--{name}=100000:100000" for name in ("commands-per-user", "commands-per-address"))
QUOTAS = {
    "rooms-made-per-day": 2,
    "people-added-per-day": 4,
    "threads-begun-per-day": 2,
    "drafts-per-user": 2,
    "reactions-per-message": 2,
}
MADE_TOO_MANY = "You have made 2 rooms and conversations today, which is the most."


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, store: tuple[str, ...]) -> Iterator[House]:
    """With limits, some of them small; ana owns the server."""
    options = (*store, *FAST, *(f"--{name}={most}" for name, most in QUOTAS.items()))
    server = Server(tmp_path_factory.mktemp("house") / "data", *options, limits=True).start()
    made = House(server, "ana", "bo")
    yield made
    server.stop()
    assert_silent(server.log)


def newcomers(house: House, *names: str) -> None:
    """People of one test alone, as quotas are theirs."""
    house.tokens |= {name: house.sign_up(name) for name in names}


@each_door
async def test_a_thread_too_many_is_refused_at_every_door(visitors: Visitors, door: str) -> None:
    house = visitors.house
    name = f"tess-{door}"
    newcomers(house, name)
    room = house.room(by="ana")
    for _ in range(3):
        house.post(room, "question", by="ana")
    voice = await DOORS[door].enter(visitors, name, house.tokens[name], room)
    for seq in (1, 2):
        assert await voice.answer(seq, "an answer") == ""
    refused = await voice.answer(3, "one too many")
    assert refused == "quota_reached" or (door == "text" and "You have begun 2 threads" in refused)
    assert await voice.answer(1, "in a thread that is there") == ""
    answered = [
        one.get("replies", 0)
        for one in house.ok("GET", f"rooms/{room}/messages", by="ana")["messages"]
    ]
    assert answered == [2, 1, 0]


@each_door
async def test_a_guest_s_threads_are_counted_too(visitors: Visitors, door: str) -> None:
    house = visitors.house
    token = house.guest(f"gus-{door}")
    room = house.room(by="ana")
    for _ in range(3):
        house.post(room, "question", by="ana")
    voice = await DOORS[door].enter(visitors, f"~gus-{door}", token, room)
    answers = [await voice.answer(seq, "an answer") for seq in (1, 2, 3)]
    assert answers[:2] == ["", ""]
    assert answers[2] == "quota_reached" or (door == "text" and "begun 2 threads" in answers[2])


async def test_rooms_are_counted_over_all_connections_and_doors(visitors: Visitors) -> None:
    house = visitors.house
    newcomers(house, "ruth")
    one, other = await asyncio.gather(*(visitors.json("ruth") for _ in range(2)))

    async def make(nth: int) -> Any:
        if nth % 3 == 0:
            body = {"title": f"Ruth's {nth}"}
            return await asyncio.to_thread(house.api, "POST", "rooms", body, by="ruth")
        try:
            await (one, other)[nth % 2].do("create_room", title=f"Ruth's {nth}")
        except Refused as refused:
            return 429, {"code": refused.code, "detail": refused.message}
        return 201, {}

    answers = await asyncio.gather(*(make(nth) for nth in range(12)))
    assert sorted(status for status, _ in answers) == [201] * 2 + [429] * 10
    assert {problem.get("code", "") for status, problem in answers if status == 429} == {
        "quota_reached"
    }
    status, problem = house.api("POST", "direct", {"users": ["bo"]}, by="ruth")
    assert (status, problem["code"]) == (429, "quota_reached")
    assert problem["detail"].startswith(MADE_TOO_MANY)
    assert 0 < problem["retry_after"] <= 24 * 3600
    text = await visitors.text(by="ruth")
    await text.say("/msg bo psst")
    assert await text.line("* You have made") == (
        f"* {MADE_TOO_MANY} Use one of those, or go on tomorrow."
    )
    assert len(house.ok("GET", "rooms?q=Ruth", by="ana")["rooms"]) == 2


async def test_the_owner_of_the_server_moves_people_in(visitors: Visitors) -> None:
    house = visitors.house
    names = tuple(f"pupil-{nth}" for nth in range(6))
    newcomers(house, *names)
    for _ in range(3):
        house.room(*names, by="ana")


async def test_drafts_and_reactions_have_a_bound_that_can_be_set(visitors: Visitors) -> None:
    house = visitors.house
    newcomers(house, "dora")
    dora = await visitors.json("dora")
    for nth in (1, 2, 3):
        house.post("lobby", f"question {nth}", by="ana")
    for nth in (1, 2):
        await dora.do("draft", room=f"lobby.{nth}", text="hm")
    assert await dora.refused("draft", room="lobby.3", text="hm") == "conflict"
    for emoji in "👍🎉":
        await dora.do("react", room="lobby", seq=1, emoji=emoji)
    assert await dora.refused("react", room="lobby", seq=1, emoji="😀") == "conflict"


# Blocks


async def block(visitors: Visitors, door: str, by: str, user: str, *, on: bool = True) -> None:
    house = visitors.house
    if door == "json":
        await (await visitors.json(by)).do("block", user=user, on=on)
    elif door == "http":
        house.ok("PUT", f"users/{user}/block", {"on": on}, by=by)
    else:
        text = await visitors.text(by=by)
        await text.say(f"/block {user}" if on else f"/unblock {user}")
        await text.line(f"* You have blocked {user}" if on else f"* {user} is not blocked")


@each_door
async def test_a_block_made_at_one_door_holds_at_all(visitors: Visitors, door: str) -> None:
    house = visitors.house
    meg, tom = f"meg-{door}", f"tom-{door}"
    newcomers(house, meg, tom)
    direct = house.ok("POST", "direct", {"users": [meg]}, by=tom)["room"]["room"]
    house.post(direct, "hi", by=tom)
    watching = await visitors.json(meg)
    await block(visitors, door, meg, tom)
    assert "gone" not in await watching.event("block", user=tom)
    assert [one["name"] for one in house.ok("GET", "blocks", by=meg)["people"]] == [tom]
    room = house.room(by=tom)
    status, problem = house.api("POST", f"rooms/{room}/members", {"user": meg}, by=tom)
    assert (status, problem["code"], problem["detail"]) == (
        409,
        "conflict",
        f"{meg} cannot be added.",
    )
    told = await visitors.json(tom)
    assert await told.refused("invite", room=room, user=meg) == "conflict"
    assert await told.refused("post", room=direct, text="again") == "conflict"
    text = await visitors.text(by=tom)
    await text.say(f"/msg {meg} again")
    assert await text.line("* Your message") == "* Your message cannot be delivered."
    assert house.history(direct, by=meg) == [(tom, "hi")]
    await block(visitors, door, meg, tom, on=False)
    assert (await watching.event("block", user=tom))["gone"]
    house.post(direct, "again", by=tom)
    assert not told.of("block")


async def test_the_room_one_was_added_to_says_by_whom_until_one_stays(visitors: Visitors) -> None:
    house = visitors.house
    newcomers(house, "nell", "maya")
    one, other = await asyncio.gather(*(visitors.json("nell") for _ in range(2)))
    room = house.room("nell", by="maya")
    for device in (one, other):
        assert (await device.event("me"))["room"]["added_by"] == "maya"
    await one.do("prefs", room=room, stay=True)
    for device in (one, other):
        assert "added_by" not in (await device.event("me"))["room"]
    mine = {each["room"]: each for each in house.ok("GET", "me", by="nell")["rooms"]}
    assert "added_by" not in mine[room]
    assert "added_by" not in mine["lobby"]


def test_without_limits_there_are_no_quotas(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("free") / "data"
    free = House.at(folder, "ana", "bo", options=("--rooms-made-per-day=1",))
    try:
        for _ in range(150):
            free.room(by="bo")
    finally:
        free.server.stop()
