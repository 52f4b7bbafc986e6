"""Who is put out while they come in, and what those learn who are out."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from hubbub.gateway.http.routes import ROUTES, Route
from hubbub.gateway.websocket.socket import upgrade
from hubbub.model.accounts import OPERATOR, DisableUser, SignOut, UpdateServer
from hubbub.model.base import Command
from hubbub.model.rooms import Kick
from tests.gateway.conftest import MakeSite
from tests.support.chat import SUBPROTOCOL, JsonClient, TextClient
from tests.support.site import Caller, Site

SIGN_IN_AGAIN, POLICY = 4001, 1008
DAY_MS = 24 * 3600 * 1000


@asynccontextmanager
async def _connected(
    site: Site, by: Caller | None, query: str = "", *, as_json: bool
) -> AsyncIterator[JsonClient | TextClient]:
    headers = {"Authorization": f"Bearer {by.token}"} if by else {}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(
            f"{site.url}/ws{query}", protocols=[SUBPROTOCOL] if as_json else [], headers=headers
        ) as opened,
    ):
        client = JsonClient(opened) if as_json else TextClient(opened)
        try:
            yield client
        finally:
            await client.end()


def _during_the_upgrade(
    site: Site, monkeypatch: pytest.MonkeyPatch, command: Command, by: Caller | None = None
) -> None:
    """Have this carried out when a connection has been let in, but is not there yet."""

    async def upgrade_then(*args: Any) -> Any:
        actor = OPERATOR if by is None else await site.app.dispatcher.identify(by.token)
        await site.app.executor.submit(actor, command)
        return await upgrade(*args)

    monkeypatch.setattr("hubbub.gateway.websocket.handshake.upgrade", upgrade_then)


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("how", ["signed out", "locked"])
async def test_a_session_that_ends_during_the_upgrade_lets_nobody_in(
    site: Site, monkeypatch: pytest.MonkeyPatch, how: str, as_json: bool
) -> None:
    bo = site.person()
    ends = SignOut() if how == "signed out" else DisableUser(user=bo.name)
    _during_the_upgrade(site, monkeypatch, ends, bo if how == "signed out" else None)
    async with _connected(site, bo, as_json=as_json) as client:
        assert await client.close_code() == SIGN_IN_AGAIN
    assert not any(client.actor.name == bo.name for client in site.app.hub.clients)


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("has_token", [True, False])
async def test_guests_that_are_shut_out_during_the_upgrade_are_not_in(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, as_json: bool, has_token: bool
) -> None:
    if as_json and not has_token:
        return  # they would be strangers
    site = make_site()
    gus = site.guest() if has_token else None
    _during_the_upgrade(site, monkeypatch, UpdateServer(guests=False))
    async with _connected(site, gus, "?name=gus", as_json=as_json) as client:
        assert await client.close_code() == POLICY
    assert not site.app.hub.clients


class Private:
    """A private room of ana's, in which bo is."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ana, self.bo = site.people(2)
        self.room = self.ana.room(self.bo, kind="private")
        self.ana.say(self.room, "before")
        self._owner = site.run(site.app.dispatcher.identify(self.ana.token))

    async def put_bo_out(self) -> None:
        """On the server's own loop."""
        await self.site.app.executor.submit(self._owner, Kick(room=self.room, user=self.bo.name))

    def put_bo_out_before_the_room_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When he has been told that he may come in, but is not in."""
        find: Callable[[str], Awaitable[Any]] = self.site.app.hub.room
        done: list[str] = []

        async def put_out_then_find(room_id: str) -> Any:
            if room_id == self.room and not done:
                done.append(room_id)
                await self.put_bo_out()
            return await find(room_id)

        monkeypatch.setattr(self.site.app.hub, "room", put_out_then_find)


@pytest.mark.parametrize("query", ["", "&after=0"])
async def test_who_is_put_out_while_they_come_in_by_text_hears_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    private = Private(site)
    ana, bo, room = private.ana, private.bo, private.room
    private.put_bo_out_before_the_room_is_there(monkeypatch)
    async with _connected(site, bo, f"?room={room}{query}", as_json=False) as client:
        assert isinstance(client, TextClient)
        await client.line(f"* There is no room #{room} here.")
        await client.line("* You are in #lobby")
        ana.say(room, "secret")
        ana.say("lobby", f"marker of {room}")
        await client.line(f"{ana.name}: marker of {room}")
        assert not [line for line in client.lines if "secret" in line or "before" in line]


@pytest.mark.parametrize("do", ["hello", "watch"])
async def test_who_is_put_out_while_they_come_in_by_json_hears_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, do: str
) -> None:
    private = Private(site)
    ana, bo, room = private.ana, private.bo, private.room
    async with site.socket(bo) as client:
        if do == "watch":
            await client.do("watch", room="lobby")
            private.put_bo_out_before_the_room_is_there(monkeypatch)
            assert await client.refused("watch", room=room) == "not_found"
        else:
            private.put_bo_out_before_the_room_is_there(monkeypatch)
            welcome = await client.do("hello", rooms={room: 0})
            assert room not in {one["room"] for one in welcome["rooms"]}
            assert welcome["gone"] == [room]
        ana.say(room, "secret")
        ana.say("lobby", "marker")
        await client.event("message", text="marker")
        assert client.messages(room) == []


async def test_an_answer_that_a_removal_has_overtaken_is_made_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = Private(site)
    ask = site.app.executor.ask
    done: list[str] = []

    async def ask_then_put_out(actor: Any, query: Any) -> Any:
        answer = await ask(actor, query)
        if not done and actor.name == private.bo.name:
            done.append(private.room)
            await private.put_bo_out()
        return answer

    monkeypatch.setattr(site.app.executor, "ask", ask_then_put_out)
    private.bo.get(f"/api/rooms/{private.room}/messages").refused(404, "not_found")
    assert done


async def test_an_open_connection_counts_as_use_of_its_session(make_site: MakeSite) -> None:
    site = make_site()
    bo = site.person()
    unused = site.sign_in(bo.name)
    [session] = [one for one in bo.get("/api/sessions").ok()["sessions"] if one.get("current")]
    now = session["created_at"]
    async with site.socket(bo) as client:
        await client.do("hello")
        for _ in range(3):
            now += 20 * DAY_MS
            site.at(now)
            site.run(site.app.tokens.note_seen())
        # Nothing but the connection itself has been used since.
        await client.do("about")
        [seen] = [one for one in (await client.do("sessions"))["sessions"] if one.get("current")]
        assert seen["seen_at"] == now
    bo.get("/api/me").ok()
    unused.get("/api/me").refused(401, "sign_in_required")


# What those learn who are out: nothing that others do not

ROOM_ROUTES = [route for route in ROUTES if "{room}" in route.path]
BODIES: dict[str, dict[str, object]] = {
    "update_room": {"title": "Found"},
    "prefs": {"hidden": True},
    "read": {"seq": 1},
    "invite": {"user": "owner"},
    "set_role": {"role": "member"},
    "post": {"text": "mine", "nonce": "old"},
    "edit": {"text": "hello!"},
    "forward": {"to": "lobby", "nonce": "old forward"},
    "draft": {"text": "hm"},
    "bookmark": {"note": "hm"},
    "sync": {"after": 0},
}
ONLY_OVER_JSON = ("watch", "typing")


def _left(ana: Caller, bo: Caller) -> str:
    """A private room of ana's, in which bo did and kept what he could until he was put out."""
    room = ana.room(bo, kind="private")
    bo.post(f"/api/rooms/{room}/messages", BODIES["post"]).ok(201)
    bo.post(f"/api/rooms/{room}.1/messages", BODIES["post"]).ok(201)
    ana.say(room, f"@{bo.name} look")
    bo.put(f"/api/rooms/{room}/messages/1/bookmark", {"note": "hm"}).ok()
    bo.put(f"/api/rooms/{room}/draft", {"text": "hm"}).ok()
    ana.delete(f"/api/rooms/{room}/members/{bo.name}").ok()
    return room


class Outsiders:
    """Bo was put out of a private room, in which he did and kept all he could; cy never was in.

    ``gone`` is another that was deleted since bo was put out of it.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ana, self.bo, self.cy = site.people(3)
        self.room, self.gone = _left(self.ana, self.bo), _left(self.ana, self.bo)
        self.ana.delete(f"/api/rooms/{self.gone}").ok()
        self.nowhere = "nowhere"

    def each(self) -> list[tuple[Caller, str]]:
        """Who asks for which room: all must be told the same."""
        return [
            (self.cy, self.nowhere),
            (self.cy, self.room),
            (self.bo, self.room),
            (self.bo, self.gone),
            (self.bo, self.nowhere),
        ]


@pytest.fixture(scope="module")
def outsiders(site: Site) -> Outsiders:
    return Outsiders(site)


@pytest.mark.parametrize("thread", ["", ".1"])
@pytest.mark.parametrize("route", ROOM_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_over_http_it_is_as_if_one_had_never_been_in(
    outsiders: Outsiders, route: Route, thread: str
) -> None:
    told = set()
    for by, room in outsiders.each():
        path = route.path.format(
            room=room + thread, user=outsiders.ana.name, seq=1, emoji=quote("👍")
        )
        query = "?after=0" if route.operation == "sync" else ""
        body = BODIES.get(route.operation) if route.method != "GET" else None
        answer = by.call(route.method, path + query, body)
        told.add((answer.status, answer.body.replace(room.encode(), b"ROOM")))
    assert len(told) == 1, told
    assert {status for status, _ in told} == {404}


@pytest.mark.parametrize("thread", ["", ".1"])
async def test_over_json_it_is_as_if_one_had_never_been_in(
    outsiders: Outsiders, thread: str
) -> None:
    operations = [route.operation for route in ROOM_ROUTES] + list(ONLY_OVER_JSON)
    for do in operations:
        told = set()
        for by, room in outsiders.each():
            async with outsiders.site.socket(by) as client:
                await client.do("hello")
                fields = {"user": outsiders.ana.name, "seq": 1, "emoji": "👍", **BODIES.get(do, {})}
                number = await client.tell(do, room=room + thread, **fields)
                if do == "typing":  # is answered only if it is refused
                    await client.do("about")
                reply = client.replies.pop(number, None) or await client.reply(number)
                plain = json.dumps({**reply, "re": 0}).replace(room, "ROOM")
                told.add(plain)
                assert "error" in reply, (do, reply)
        assert len(told) == 1, (do, told)


async def test_over_text_it_is_as_if_one_had_never_been_in(outsiders: Outsiders) -> None:
    told = set()
    for by, room in outsiders.each():
        async with _connected(outsiders.site, by, f"?room={room}", as_json=False) as client:
            assert isinstance(client, TextClient)
            for line in (f"/join {room}", f"/join {room}.1", f"/rooms {room}", "/help"):
                await client.say(line)
            await client.line("* What you type")
            lines = [line for line in client.lines if not line.startswith(("* ~", "* p"))]
            told.add("\n".join(lines).replace(room, "ROOM"))
    assert len(told) == 1, told


def test_what_bo_is_told_of_himself_is_the_same_whatever_becomes_of_the_room(
    site: Site,
) -> None:
    ana, bo = site.people(2)
    room = _left(ana, bo)

    def all_of_it() -> list[bytes]:
        paths = ("me", "bookmarks", "drafts", "mentions", "threads", "sessions", "rooms")
        return [bo.get(f"/api/{path}").body for path in paths]

    before = all_of_it()
    ana.say(room, f"@{bo.name} it goes on")
    ana.post(f"/api/rooms/{room}.1/messages", {"text": "and on"}).ok(201)
    ana.patch(f"/api/rooms/{room}", {"title": "Other"}).ok()
    assert all_of_it() == before
    ana.delete(f"/api/rooms/{room}").ok()
    assert all_of_it() == before
