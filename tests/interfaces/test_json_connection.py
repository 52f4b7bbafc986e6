"""JSON over WebSocket: the welcome, catching up, every command, and refusals."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from hubbub.gateway.websocket.connection import IN_FLIGHT_MAX
from hubbub.model.commands import COMMANDS, HTTP_ONLY
from tests.support.chat import JsonClient, Refused, Sockets
from tests.support.frames import tcp, upgrade

pytestmark = pytest.mark.xdist_group("interfaces-json")


# Hello


async def test_a_welcome_has_the_profile_and_the_rooms(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room("bo")
    api.post(room, "one", by="ana")
    await sockets.json("ana")
    bo = await sockets.json("bo", rooms={"was-deleted": 4})
    welcome = next(frame["ok"] for frame in bo.frames if frame.get("re") == 1)
    assert welcome["epoch"]
    assert welcome["me"]["name"] == "bo"
    assert welcome["me"]["rev"] >= 1
    assert welcome["server"]["limits"] == {"text": 16_000, "frame_bytes": 262_144, "page": 200}
    mine = {one["room"]: one for one in welcome["rooms"]}
    assert {"lobby", room} <= set(mine)
    assert {key: mine[room][key] for key in ("kind", "seq", "rev", "role")} == {
        "kind": "public",
        "seq": 1,
        "rev": 1,
        "role": "member",
    }
    assert welcome["gone"] == ["was-deleted"]
    assert welcome["presence"]["ana"] == welcome["presence"]["bo"] == "online"


async def test_the_welcome_is_followed_by_the_changes_of_each_room(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room("bo")
    for n in range(4):
        api.post(room, f"{n}", by="ana")
    epoch = (await (await sockets.json("bo")).do("hello"))["epoch"]
    bo = await sockets.json("bo", epoch=epoch, rooms={room: 2})
    assert (await bo.event("synced", room=room))["through"] == 4
    assert bo.messages(room) == [("ana", "2"), ("ana", "3")]
    current = await sockets.json("bo", epoch=epoch, rooms={room: 4})
    await current.event("synced", room="lobby")
    assert current.messages(room) == []
    # With another epoch, or a rev above the head, the client's state is invalid.
    for known in ({"epoch": "another", "rooms": {room: 2}}, {"epoch": epoch, "rooms": {room: 9}}):
        again = await sockets.json("bo", **known)
        await again.event("reset", room=room)
        await again.event("synced", room=room)
        assert again.messages(room) == [("ana", f"{n}") for n in range(4)]


async def test_a_sync_returns_each_changed_message_once_in_its_present_state(
    sockets: Sockets,
) -> None:
    api = sockets.api
    room = api.room("bo")
    for n in range(3):
        api.post(room, f"{n}", by="ana")
    api.ok("PATCH", f"rooms/{room}/messages/1", {"text": "zero"}, by="ana")
    api.ok("DELETE", f"rooms/{room}/messages/2", by="ana")
    cy = await sockets.json("cy")  # no member, but anyone may read a public room
    assert await cy.do("sync", room=room, after=2) == {"through": 5, "more": False, "reset": False}
    assert cy.messages(room) == [("ana", "2"), ("ana", "zero"), ("ana", "")]
    assert (await cy.do("sync", room=room, after=5))["through"] == 5
    beyond = await cy.do("sync", room=room, after=99)
    assert beyond == {"through": 5, "more": False, "reset": True}
    await cy.event("reset", room=room)
    assert len(cy.messages(room)) == 6


async def test_a_large_sync_comes_in_parts(sockets: Sockets) -> None:
    room = sockets.api.room()
    ana, cy = await sockets.json("ana"), await sockets.json("cy")
    long = "x" * 16_000
    for _ in range(70):
        await ana.send("post", room=room, text=long)
    await ana.event("message", room=room, seq=70)
    have, parts = 1, 0
    while True:
        answer = await cy.do("sync", room=room, after=have)
        parts += 1
        assert answer["through"] > have
        have = answer["through"]
        if not answer["more"]:
            break
    assert have == 70
    assert parts == 2
    assert len(cy.messages(room)) == 69


async def test_the_first_command_may_carry_the_token(sockets: Sockets) -> None:
    client = await sockets.json(None)
    assert await client.refused("hello") == "sign_in_required"
    assert await client.refused("auth", token="not.a.token") == "sign_in_required"
    assert await client.do("auth", token=sockets.api.tokens["bo"]) == {}
    assert (await client.do("hello"))["me"]["name"] == "bo"
    assert await client.refused("auth", token=sockets.api.tokens["cy"]) == "unknown_command"
    assert (await client.do("me"))["me"]["name"] == "bo"


# Commands


async def test_a_retried_post_gets_the_same_reply(sockets: Sockets) -> None:
    room = sockets.api.room()
    ana = await sockets.json("ana")
    first = await ana.do("post", room=room, text="hi", nonce="k3")
    assert (first["seq"], first["rev"]) == (1, 1)
    assert await ana.do("post", room=room, text="hi", nonce="k3") == first
    assert await ana.refused("post", room=room, text="ho", nonce="k3") == "conflict"
    assert (await ana.event("message", room=room))["nonce"] == "k3"
    assert ana.messages(room) == [("ana", "hi")]


async def test_every_command_gets_a_reply_over_the_websocket(sockets: Sockets) -> None:
    api = sockets.api
    dora = api.sign_up("dora")
    spare = api.sign_in("dora")
    ana, other = await sockets.json("ana"), await sockets.json(dora)
    sent: set[str] = set()

    async def do(do: str, by: JsonClient = ana, **fields: Any) -> Any:
        sent.add(do)
        return await by.do(do, **fields)

    assert (await do("hello"))["me"]["role"] == "owner"
    made = await do("create_room", title="Tea", room="tea", topic="Leaves")
    assert made["room"] == {**made["room"], "room": "tea", "title": "Tea", "role": "owner"}
    assert (await do("invite", room="tea", user="dora"))["mrev"] == 2
    await other.event("me")
    assert (await do("post", room="tea", text="hi @dora"))["seq"] == 1
    assert (await do("edit", room="tea", seq=1, text="hello @dora"))["rev"] == 2
    assert (await do("history", room="tea"))["messages"][0]["text"] == "hello @dora"
    assert (await do("sync", room="tea", after=1))["through"] == 2
    assert (await do("react", other, room="tea", seq=1, emoji="🍵"))["rev"] == 3
    assert (await do("reactions", room="tea", seq=1))["reactions"][0]["names"] == ["dora"]
    assert (await do("pin", room="tea", seq=1))["rev"] == 4
    assert (await do("pins", room="tea"))["messages"][0]["pinned_by"] == "ana"
    assert (await do("forward", room="tea", seq=1, to="lobby", text="see"))["seq"]
    assert (await do("mentions", other))["mentions"][0]["message"]["room"] == "tea"
    assert (await do("bookmark", room="tea", seq=1, note="later"))["rev"]
    assert (await do("bookmarks"))["bookmarks"][0]["note"] == "later"
    assert (await do("draft", room="tea", text="hm"))["rev"]
    assert (await do("drafts"))["drafts"][0]["text"] == "hm"
    assert (await ana.do("post", room="tea.1", text="an answer"))["seq"] == 1
    assert (await do("threads"))["threads"][0]["last"]["text"] == "an answer"
    assert (await do("watch", other, room="tea.1"))["messages"][0]["text"] == "an answer"
    assert await do("unwatch", other, room="tea.1") == {}
    assert (await do("delete", room="tea", seq=1))["rev"] == 6
    assert (await do("read", other, room="tea", seq=1))["read_seq"] == 1
    assert (await do("set_role", room="tea", user="dora", role="moderator"))["mrev"] == 3
    members = (await do("members", room="tea"))["members"]
    assert [(one["name"], one["presence"]) for one in members] == [
        ("ana", "online"),
        ("dora", "online"),
    ]
    assert (await do("update_room", room="tea", topic="Water"))["rev"] == 7
    assert (await do("prefs", other, room="tea", notify="none"))["rev"]
    assert (await do("kick", room="tea", user="dora"))["mrev"] == 4
    assert (await do("join", other, room="tea"))["room"]["members"] == 2
    assert (await do("leave", other, room="tea"))["mrev"] == 6
    assert (await do("direct", users=["dora"]))["room"]["kind"] == "direct"
    assert "tea" in [one["room"] for one in (await do("rooms"))["rooms"]]
    assert (await do("delete_room", room="tea")) == {}
    assert "dora" in [one["name"] for one in (await do("users"))["users"]]
    assert (await do("block", other, user="ana"))["rev"]
    assert [one["name"] for one in (await do("blocks", other))["people"]] == ["ana"]
    assert (await do("block", other, user="ana", on=False))["rev"]
    assert (await do("me"))["me"]["name"] == "ana"
    assert (await do("update_me", other, display_name="Dora D."))["rev"]
    sessions = (await do("sessions", other))["sessions"]
    ended = next(one for one in sessions if not one.get("current"))
    assert await do("end_session", other, session=ended["session"]) == {}
    assert api.request("GET", "me", by=spare)[0] == 401
    invite = (await do("create_invite"))["invite"]["invite"]
    assert invite in [one["invite"] for one in (await do("invites"))["invites"]]
    assert await do("end_invite", invite=invite) == {}
    assert await do("update_server", name="House") == {}
    assert (await do("about"))["name"] == "House"
    assert await do("disable_user", user="dora") == {}
    newcomer = await sockets.json(None)
    assert await do("auth", newcomer, token=api.tokens["ana"]) == {}
    # These have no reply, but send events to others.
    cy = await sockets.json("cy")
    for word, fields in (("typing", {"room": "lobby"}), ("active", {"active": False})):
        sent.add(word)
        await cy.send(word, **fields)
    await ana.event("typing", user="cy")
    await ana.event("presence", user="cy", state="away")
    assert sent == set(COMMANDS) - HTTP_ONLY


@pytest.mark.parametrize("word", sorted(HTTP_ONLY))
async def test_commands_that_make_sessions_are_http_only(sockets: Sockets, word: str) -> None:
    fields = {"name": "eve", "password": "p" * 8, "old": "p" * 8, "new": "p" * 8}
    ana = await sockets.json("ana")
    assert await ana.refused(word, **fields) == "unknown_command"


# Refusals

REFUSED = {
    '{"id": 41, "do": "post", "room": "lobby"': (None, "malformed"),
    "no json at all": (None, "malformed"),
    '"a string"': (None, "malformed"),
    "[1, 2]": (None, "malformed"),
    "{}": (None, "malformed"),
    '{"id": 42}': (42, "malformed"),
    '{"id": "x", "do": "post"}': (None, "malformed"),
    '{"id": 43, "do": "post", "room": "lobby", "text": 5}': (43, "malformed"),
    '{"id": 44, "do": "post", "room": "lobby"}': (44, "malformed"),
    '{"id": 45, "do": "post", "room": "lobby", "text": ""}': (45, "invalid"),
    '{"id": 46, "do": "post", "room": "nowhere", "text": "x"}': (46, "not_found"),
    '{"id": 47, "do": "fly"}': (47, "unknown_command"),
    '{"id": 48, "do": "typing", "room": "nowhere"}': (48, "not_member"),
    '{"id": 49, "do": "sync", "room": "nowhere", "after": 0}': (49, "not_found"),
    '{"id": 50, "do": "history", "room": "lobby", "limit": 201}': (50, "malformed"),
    '{"id": 51, "do": "history", "room": "lobby", "before": 1, "after": 1}': (51, "invalid"),
    '{"id": 52, "do": "edit", "room": "lobby", "seq": 99999, "text": "x"}': (52, "not_found"),
    '{"id": 53, "do": "post", "room": "lobby", "text": "\\ud800"}': (None, "malformed"),
    '{"id": 54, "do": "read", "room": "lobby", "seq": 99999}': (54, "invalid"),
    "[" * 10_000: (None, "malformed"),
}


async def test_errors_carry_the_number_of_the_command_and_the_connection_stays_open(
    sockets: Sockets,
) -> None:
    bo = await sockets.json("bo")
    for text, (number, code) in REFUSED.items():
        await bo.socket.send_str(text)
        error = (await bo.reply(number))["error"]
        assert (text[:60], error["code"]) == (text[:60], code)
        assert error["message"]
        assert error["retry_after"] is None
    await bo.socket.send_bytes(b'{"id": 60, "do": "about", "unknown": "ignored"}')
    assert "ok" in await bo.reply(60)


async def test_forbidden_commands_get_a_reason(sockets: Sockets) -> None:
    room = sockets.api.room("bo")
    sockets.api.post(room, "mine", by="ana")
    bo, cy = await sockets.json("bo"), await sockets.json("cy")
    assert await cy.refused("post", room=room, text="x") == "not_member"
    forbidden: dict[str, dict[str, Any]] = {
        "edit": {"seq": 1, "text": "theirs"},
        "delete": {"seq": 1},
        "kick": {"user": "ana"},
        "update_room": {"title": "Mine"},
        "delete_room": {},
        "set_role": {"user": "bo", "role": "owner"},
    }
    for do, fields in forbidden.items():
        assert (do, await bo.refused(do, room=room, **fields)) == (do, "forbidden")
    with pytest.raises(Refused, match="owner"):
        await (await sockets.json("ana")).do("leave", room=room)


# Live


async def test_others_see_typing_away_and_offline(sockets: Sockets) -> None:
    ana, bo = await sockets.json("ana"), await sockets.json("bo")
    second = await sockets.json("bo")
    await bo.send("typing", room="lobby")
    assert await ana.event("typing") == {"on": "typing", "room": "lobby", "user": "bo"}
    await bo.send("active", active=False)
    await bo.do("about")
    away = [one for one in ana.of("presence") if (one["user"], one["state"]) == ("bo", "away")]
    assert not away, "one of two devices is still in use"
    await second.send("active", active=False)
    await ana.event("presence", user="bo", state="away")
    await second.send("active", active=True)
    await ana.event("presence", user="bo", state="online")
    await bo.end()
    await second.end()
    await ana.event("presence", user="bo", state="offline")


async def test_a_read_marker_is_sent_to_the_persons_other_devices(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room("bo")
    for n in range(3):
        api.post(room, f"@bo {n}", by="ana")
    phone, laptop = await sockets.json("bo"), await sockets.json("bo")
    mine = {one["room"]: one for one in (await phone.do("me"))["rooms"]}
    assert (mine[room].get("read_seq", 0), mine[room]["mentions"]) == (0, 3)
    assert await phone.do("read", room=room, seq=2) == {"read_seq": 2, "mentions": 1}
    received = await laptop.event("read", room=room)
    assert (received["read_seq"], received["mentions"]) == (2, 1)
    assert (await laptop.do("read", room=room, seq=1, back=True))["read_seq"] == 1
    received = await phone.event("read", room=room, read_seq=1)
    assert received["mentions"] == 2
    assert (await laptop.do("me"))["me"]["rev"] == received["rev"]


async def test_a_removed_member_is_notified_and_gets_nothing_more(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room("bo", "cy", kind="private")
    ana, bo, cy = [await sockets.json(name) for name in ("ana", "bo", "cy")]
    await ana.do("kick", room=room, user="bo")
    assert (await bo.event("removed", room=room))["reason"] == "kicked"
    assert (await cy.event("member", room=room))["user"] == "bo"
    await ana.do("post", room=room, text="he is gone")
    await cy.event("message", room=room)
    await ana.do("post", room="lobby", text="hello all")
    await bo.event("message", text="hello all")
    assert bo.messages(room) == []
    assert await bo.refused("history", room=room) == "not_found"
    await ana.do("invite", room=room, user="bo")
    assert (await bo.event("me"))["room"]["room"] == room
    await ana.do("post", room=room, text="he is back")
    await bo.event("message", text="he is back")
    await ana.do("delete_room", room=room)
    for client in (bo, cy):
        assert (await client.event("removed", room=room))["reason"] == "deleted"


async def test_ending_a_session_closes_its_connections(sockets: Sockets) -> None:
    token = sockets.api.sign_in("bo")
    ending, lasting = await sockets.json(token), await sockets.json("bo")
    session = next(
        one["session"] for one in (await ending.do("sessions"))["sessions"] if one.get("current")
    )
    await lasting.do("end_session", session=session)
    assert await ending.close_code() == 4001
    await lasting.do("about")


# The connection


@pytest.mark.parametrize("path", ["/ws", "/ws/echo"])
async def test_a_page_of_another_site_is_refused_before_the_upgrade(
    sockets: Sockets, path: str
) -> None:
    port = sockets.api.server.port
    for origin, status in {
        "https://evil.example": b"403",
        "null": b"403",
        f"http://127.0.0.1:{port}": b"101",
    }.items():
        async with tcp(port) as raw:
            await raw.send(upgrade(path, port, Origin=origin))
            assert (await raw.reader.readline()).split()[1] == status
    async with tcp(port) as raw:
        await raw.send(upgrade(path, port, Host="evil.example"))
        assert (await raw.reader.readline()).split()[1] == b"421"


@pytest.mark.parametrize("json", [True, False], ids=["json", "text"])
async def test_an_invalid_token_is_refused_before_the_upgrade(sockets: Sockets, json: bool) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await sockets.connect(json=json, Authorization="Bearer x.y.z")
    assert refused.value.status == 401


async def test_commands_in_flight_are_bounded(sockets: Sockets) -> None:
    """Read markers wait two seconds, so a client can have the maximum in flight."""
    api = sockets.api
    room = api.room("bo")
    api.post(room, "one", by="ana")
    bo = await sockets.json("bo")
    await bo.do("read", room=room, seq=1)
    reads = [await bo.send("read", room=room, seq=1) for _ in range(IN_FLIGHT_MAX)]
    about = await bo.send("about")
    await bo.reply(about)
    order = [frame["re"] for frame in bo.frames if "re" in frame]
    assert order.index(about) > order.index(reads[0]), "it was read above the bound"
    for number in reads:
        assert (await bo.reply(number))["ok"]["read_seq"] == 1


async def test_commands_in_one_burst_are_executed_in_order(sockets: Sockets) -> None:
    room = sockets.api.room()
    ana = await sockets.json("ana")
    numbers = [await ana.send("post", room=room, text=f"{n}") for n in range(300)]
    seqs = [(await ana.reply(number))["ok"]["seq"] for number in numbers]
    assert seqs == list(range(1, 301))
    assert sockets.api.history(room, by="ana") == [("ana", f"{n}") for n in range(100, 300)]


async def test_the_longest_text_fits_a_frame_even_if_escaped(
    sockets: Sockets,
) -> None:
    room = sockets.api.room()
    ana = await sockets.json("ana")
    text = "語" * 16_000
    await ana.socket.send_str(json.dumps({"id": 7, "do": "post", "room": room, "text": text}))
    assert (await ana.reply(7))["ok"]["seq"] == 1
    assert (await asyncio.to_thread(sockets.api.history, room, by="ana"))[0][1] == text
