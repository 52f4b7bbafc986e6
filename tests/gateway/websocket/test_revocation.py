"""People who are removed while they connect, and what removed members can still see."""

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


def _execute_during_upgrade(
    site: Site, monkeypatch: pytest.MonkeyPatch, command: Command, by: Caller | None = None
) -> None:
    """Execute a command after a connection has been identified, before it enters the hub."""

    async def upgrade_then(*args: Any) -> Any:
        actor = OPERATOR if by is None else await site.app.dispatcher.identify(by.token)
        await site.app.executor.submit(actor, command)
        return await upgrade(*args)

    monkeypatch.setattr("hubbub.gateway.websocket.handshake.upgrade", upgrade_then)


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("how", ["signed out", "locked"])
async def test_a_session_that_ends_during_the_upgrade_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, how: str, as_json: bool
) -> None:
    bo = site.person()
    ends = SignOut() if how == "signed out" else DisableUser(user=bo.name)
    _execute_during_upgrade(site, monkeypatch, ends, bo if how == "signed out" else None)
    async with _connected(site, bo, as_json=as_json) as client:
        assert await client.close_code() == SIGN_IN_AGAIN
    assert not any(client.actor.name == bo.name for client in site.app.hub.clients)


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("has_token", [True, False])
async def test_guests_disallowed_during_the_upgrade_are_refused(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, as_json: bool, has_token: bool
) -> None:
    if as_json and not has_token:
        return  # JSON without a token is anonymous
    site = make_site()
    gus = site.guest() if has_token else None
    _execute_during_upgrade(site, monkeypatch, UpdateServer(guests=False))
    async with _connected(site, gus, "?name=gus", as_json=as_json) as client:
        assert await client.close_code() == POLICY
    assert not site.app.hub.clients


class Private:
    """A private room of ana's with bo as a member."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ana, self.bo = site.people(2)
        self.room = self.ana.room(self.bo, kind="private")
        self.ana.say(self.room, "before")
        self._owner = site.run(site.app.dispatcher.identify(self.ana.token))

    async def remove_bo(self) -> None:
        """Remove bo, on the server's own loop."""
        await self.site.app.executor.submit(self._owner, Kick(room=self.room, user=self.bo.name))

    def remove_bo_before_the_room_is_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Remove bo after his entry was permitted, before he is attached to the room."""
        load: Callable[[str], Awaitable[Any]] = self.site.app.hub.load_room
        done: list[str] = []

        async def remove_then_load(room_id: str) -> Any:
            if room_id == self.room and not done:
                done.append(room_id)
                await self.remove_bo()
            return await load(room_id)

        monkeypatch.setattr(self.site.app.hub, "load_room", remove_then_load)


@pytest.mark.parametrize("query", ["", "&after=0"])
async def test_a_member_removed_while_entering_by_text_gets_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    private = Private(site)
    ana, bo, room = private.ana, private.bo, private.room
    private.remove_bo_before_the_room_is_loaded(monkeypatch)
    async with _connected(site, bo, f"?room={room}{query}", as_json=False) as client:
        assert isinstance(client, TextClient)
        await client.line(f"* There is no room #{room} here.")
        await client.line("* You are in #lobby")
        ana.say(room, "secret")
        ana.say("lobby", f"marker of {room}")
        await client.line(f"{ana.name}: marker of {room}")
        assert not [line for line in client.lines if "secret" in line or "before" in line]


@pytest.mark.parametrize("do", ["hello", "watch"])
async def test_a_member_removed_while_entering_by_json_gets_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, do: str
) -> None:
    private = Private(site)
    ana, bo, room = private.ana, private.bo, private.room
    async with site.socket(bo) as client:
        if do == "watch":
            await client.do("watch", room="lobby")
            private.remove_bo_before_the_room_is_loaded(monkeypatch)
            assert await client.refused("watch", room=room) == "not_found"
        else:
            private.remove_bo_before_the_room_is_loaded(monkeypatch)
            welcome = await client.do("hello", rooms={room: 0})
            assert room not in {one["room"] for one in welcome["rooms"]}
            assert welcome["gone"] == [room]
        ana.say(room, "secret")
        ana.say("lobby", "marker")
        await client.event("message", text="marker")
        assert client.messages(room) == []


async def test_a_query_overtaken_by_a_removal_is_repeated(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = Private(site)
    ask = site.app.executor.ask
    done: list[str] = []

    async def ask_then_remove(actor: Any, query: Any) -> Any:
        answer = await ask(actor, query)
        if not done and actor.name == private.bo.name:
            done.append(private.room)
            await private.remove_bo()
        return answer

    monkeypatch.setattr(site.app.executor, "ask", ask_then_remove)
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
            site.run(site.app.tokens.store_last_used())
        # Only the open connection has used the session since.
        await client.do("about")
        [seen] = [one for one in (await client.do("sessions"))["sessions"] if one.get("current")]
        assert seen["seen_at"] == now
    bo.get("/api/me").ok()
    unused.get("/api/me").refused(401, "sign_in_required")


# Removed members see nothing that others do not see

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


def _room_left_by(ana: Caller, bo: Caller) -> str:
    """A private room of ana's, in which bo posted and stored things before his removal."""
    room = ana.room(bo, kind="private")
    bo.post(f"/api/rooms/{room}/messages", BODIES["post"]).ok(201)
    bo.post(f"/api/rooms/{room}.1/messages", BODIES["post"]).ok(201)
    ana.say(room, f"@{bo.name} look")
    bo.put(f"/api/rooms/{room}/messages/1/bookmark", {"note": "hm"}).ok()
    bo.put(f"/api/rooms/{room}/draft", {"text": "hm"}).ok()
    ana.delete(f"/api/rooms/{room}/members/{bo.name}").ok()
    return room


class Outsiders:
    """Bo was removed from a private room that he had used; cy never was a member.

    ``gone`` is another such room, which was deleted after his removal.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ana, self.bo, self.cy = site.people(3)
        self.room, self.gone = _room_left_by(self.ana, self.bo), _room_left_by(self.ana, self.bo)
        self.ana.delete(f"/api/rooms/{self.gone}").ok()
        self.nowhere = "nowhere"

    def each(self) -> list[tuple[Caller, str]]:
        """The requests (person and room) that must all get the same answer."""
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
def test_over_http_a_removed_member_sees_what_a_stranger_sees(
    outsiders: Outsiders, route: Route, thread: str
) -> None:
    answers = set()
    for by, room in outsiders.each():
        path = route.path.format(
            room=room + thread, user=outsiders.ana.name, seq=1, emoji=quote("👍")
        )
        query = "?after=0" if route.operation == "sync" else ""
        body = BODIES.get(route.operation) if route.method != "GET" else None
        answer = by.call(route.method, path + query, body)
        answers.add((answer.status, answer.body.replace(room.encode(), b"ROOM")))
    assert len(answers) == 1, answers
    assert {status for status, _ in answers} == {404}


@pytest.mark.parametrize("thread", ["", ".1"])
async def test_over_json_a_removed_member_sees_what_a_stranger_sees(
    outsiders: Outsiders, thread: str
) -> None:
    operations = [route.operation for route in ROOM_ROUTES] + list(ONLY_OVER_JSON)
    for do in operations:
        answers = set()
        for by, room in outsiders.each():
            async with outsiders.site.socket(by) as client:
                await client.do("hello")
                fields = {"user": outsiders.ana.name, "seq": 1, "emoji": "👍", **BODIES.get(do, {})}
                number = await client.send(do, room=room + thread, **fields)
                if do == "typing":  # gets a reply only if it is refused
                    await client.do("about")
                reply = client.replies.pop(number, None) or await client.reply(number)
                plain = json.dumps({**reply, "re": 0}).replace(room, "ROOM")
                answers.add(plain)
                assert "error" in reply, (do, reply)
        assert len(answers) == 1, (do, answers)


async def test_over_text_a_removed_member_sees_what_a_stranger_sees(outsiders: Outsiders) -> None:
    answers = set()
    for by, room in outsiders.each():
        async with _connected(outsiders.site, by, f"?room={room}", as_json=False) as client:
            assert isinstance(client, TextClient)
            for line in (f"/join {room}", f"/join {room}.1", f"/rooms {room}", "/help"):
                await client.say(line)
            await client.line("* What you type")
            lines = [line for line in client.lines if not line.startswith(("* ~", "* p"))]
            answers.add("\n".join(lines).replace(room, "ROOM"))
    assert len(answers) == 1, answers


def test_the_own_profile_does_not_reveal_the_fate_of_a_left_room(
    site: Site,
) -> None:
    ana, bo = site.people(2)
    room = _room_left_by(ana, bo)

    def read_all() -> list[bytes]:
        paths = ("me", "bookmarks", "drafts", "mentions", "threads", "sessions", "rooms")
        return [bo.get(f"/api/{path}").body for path in paths]

    before = read_all()
    ana.say(room, f"@{bo.name} it goes on")
    ana.post(f"/api/rooms/{room}.1/messages", {"text": "and on"}).ok(201)
    ana.patch(f"/api/rooms/{room}", {"title": "Other"}).ok()
    assert read_all() == before
    ana.delete(f"/api/rooms/{room}").ok()
    assert read_all() == before
