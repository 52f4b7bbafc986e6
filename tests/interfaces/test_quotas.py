"""Quotas and blocks through every interface, on each database; off with ``--no-limits``."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interfaces.conftest import assert_nothing_logged
from tests.interfaces.dialects import INTERFACES
from tests.interfaces.test_contract import each_interface, store
from tests.support.chat import Refused, RestApi, Sockets
from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("interfaces-quotas")

__all__ = ["store"]

FAST = tuple(f"--{name}=100000:100000" for name in ("commands-per-user", "commands-per-address"))
QUOTAS = {
    "rooms-made-per-day": 2,
    "people-added-per-day": 4,
    "threads-begun-per-day": 2,
    "drafts-per-user": 2,
    "reactions-per-message": 2,
}
TOO_MANY_ROOMS = "You can create at most 2 rooms and conversations a day."


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, store: tuple[str, ...]) -> Iterator[RestApi]:
    """A server with limits, some of them small; ana owns it."""
    options = (*store, *FAST, *(f"--{name}={most}" for name, most in QUOTAS.items()))
    server = Server(tmp_path_factory.mktemp("server") / "data", *options, limits=True).start()
    made = RestApi(server, "ana", "bo")
    yield made
    server.stop()
    assert_nothing_logged(server.log)


def sign_up_all(api: RestApi, *names: str) -> None:
    """Create accounts for one test, as quotas count per account."""
    api.tokens |= {name: api.sign_up(name) for name in names}


@each_interface
async def test_one_thread_too_many_is_refused_by_every_interface(
    sockets: Sockets, interface: str
) -> None:
    api = sockets.api
    name = f"tess-{interface}"
    sign_up_all(api, name)
    room = api.room(by="ana")
    for _ in range(3):
        api.post(room, "question", by="ana")
    participant = await INTERFACES[interface].enter(sockets, name, api.tokens[name], room)
    for seq in (1, 2):
        assert await participant.answer(seq, "an answer") == ""
    refused = await participant.answer(3, "one too many")
    assert refused == "quota_reached" or (interface == "text" and "at most 2 threads" in refused)
    assert await participant.answer(1, "in a thread that is there") == ""
    answered = [
        one.get("replies", 0)
        for one in api.ok("GET", f"rooms/{room}/messages", by="ana")["messages"]
    ]
    assert answered == [2, 1, 0]


@each_interface
async def test_the_threads_of_guests_are_counted_as_well(sockets: Sockets, interface: str) -> None:
    api = sockets.api
    token = api.guest(f"gus-{interface}")
    room = api.room(by="ana")
    for _ in range(3):
        api.post(room, "question", by="ana")
    participant = await INTERFACES[interface].enter(sockets, f"~gus-{interface}", token, room)
    answers = [await participant.answer(seq, "an answer") for seq in (1, 2, 3)]
    assert answers[:2] == ["", ""]
    assert answers[2] == "quota_reached" or (
        interface == "text" and "at most 2 threads" in answers[2]
    )


async def test_rooms_are_counted_over_all_connections_and_interfaces(sockets: Sockets) -> None:
    api = sockets.api
    sign_up_all(api, "ruth")
    one, other = await asyncio.gather(*(sockets.json("ruth") for _ in range(2)))

    async def make(nth: int) -> Any:
        if nth % 3 == 0:
            body = {"title": f"Ruth's {nth}"}
            return await asyncio.to_thread(api.request, "POST", "rooms", body, by="ruth")
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
    status, problem = api.request("POST", "direct", {"users": ["bo"]}, by="ruth")
    assert (status, problem["code"]) == (429, "quota_reached")
    assert problem["detail"].startswith(TOO_MANY_ROOMS)
    assert 0 < problem["retry_after"] <= 24 * 3600
    text = await sockets.text(by="ruth")
    await text.say("/msg bo psst")
    assert await text.line("* You can create") == (
        f"* {TOO_MANY_ROOMS} Use an existing one, or try again tomorrow."
    )
    assert len(api.ok("GET", "rooms?q=Ruth", by="ana")["rooms"]) == 2


async def test_the_servers_owner_has_no_quota_for_adding_people(sockets: Sockets) -> None:
    api = sockets.api
    names = tuple(f"pupil-{nth}" for nth in range(6))
    sign_up_all(api, *names)
    for _ in range(3):
        api.room(*names, by="ana")


async def test_drafts_and_reactions_have_a_configurable_bound(sockets: Sockets) -> None:
    api = sockets.api
    sign_up_all(api, "dora")
    dora = await sockets.json("dora")
    for nth in (1, 2, 3):
        api.post("lobby", f"question {nth}", by="ana")
    for nth in (1, 2):
        await dora.do("draft", room=f"lobby.{nth}", text="hm")
    assert await dora.refused("draft", room="lobby.3", text="hm") == "conflict"
    for emoji in "👍🎉":
        await dora.do("react", room="lobby", seq=1, emoji=emoji)
    assert await dora.refused("react", room="lobby", seq=1, emoji="😀") == "conflict"


# Blocks


async def block(sockets: Sockets, interface: str, by: str, user: str, *, on: bool = True) -> None:
    api = sockets.api
    if interface == "json":
        await (await sockets.json(by)).do("block", user=user, on=on)
    elif interface == "http":
        api.ok("PUT", f"users/{user}/block", {"on": on}, by=by)
    else:
        text = await sockets.text(by=by)
        await text.say(f"/block {user}" if on else f"/unblock {user}")
        await text.line(f"* You have blocked {user}" if on else f"* {user} is not blocked")


@each_interface
async def test_a_block_from_one_interface_applies_to_all(sockets: Sockets, interface: str) -> None:
    api = sockets.api
    meg, tom = f"meg-{interface}", f"tom-{interface}"
    sign_up_all(api, meg, tom)
    direct = api.ok("POST", "direct", {"users": [meg]}, by=tom)["room"]["room"]
    api.post(direct, "hi", by=tom)
    watching = await sockets.json(meg)
    await block(sockets, interface, meg, tom)
    assert "gone" not in await watching.event("block", user=tom)
    assert [one["name"] for one in api.ok("GET", "blocks", by=meg)["people"]] == [tom]
    room = api.room(by=tom)
    status, problem = api.request("POST", f"rooms/{room}/members", {"user": meg}, by=tom)
    assert (status, problem["code"], problem["detail"]) == (
        409,
        "conflict",
        f"{meg} cannot be added.",
    )
    watcher = await sockets.json(tom)
    assert await watcher.refused("invite", room=room, user=meg) == "conflict"
    assert await watcher.refused("post", room=direct, text="again") == "conflict"
    text = await sockets.text(by=tom)
    await text.say(f"/msg {meg} again")
    assert await text.line("* Your message") == "* Your message cannot be delivered."
    assert api.history(direct, by=meg) == [(tom, "hi")]
    await block(sockets, interface, meg, tom, on=False)
    assert (await watching.event("block", user=tom))["gone"]
    api.post(direct, "again", by=tom)
    assert not watcher.of("block")


async def test_a_room_shows_who_added_the_person_until_they_decide_to_stay(
    sockets: Sockets,
) -> None:
    api = sockets.api
    sign_up_all(api, "nell", "maya")
    one, other = await asyncio.gather(*(sockets.json("nell") for _ in range(2)))
    room = api.room("nell", by="maya")
    for device in (one, other):
        assert (await device.event("me"))["room"]["added_by"] == "maya"
    await one.do("prefs", room=room, stay=True)
    for device in (one, other):
        assert "added_by" not in (await device.event("me"))["room"]
    mine = {each["room"]: each for each in api.ok("GET", "me", by="nell")["rooms"]}
    assert "added_by" not in mine[room]
    assert "added_by" not in mine["lobby"]


def test_without_limits_there_are_no_quotas(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("free") / "data"
    free = RestApi.at(folder, "ana", "bo", options=("--rooms-made-per-day=1",))
    try:
        for _ in range(150):
            free.room(by="bo")
    finally:
        free.server.stop()
