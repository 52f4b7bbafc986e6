"""What concerns people holds at all nodes, whichever it was done at; real servers, a real bus."""

import asyncio
from urllib.parse import quote

import pytest

from hubbub.live.cluster.peers import GONE_AFTER_S
from hubbub.wire.frames import CLOSE_SIGN_IN_AGAIN
from tests.support.chat import TIMEOUT_S, House, JsonClient, Visitors
from tests.support.waiting import until

pytestmark = pytest.mark.xdist_group("cluster-people")  # they share two nodes

Houses = tuple[House, House]
Both = tuple[Visitors, Visitors]


@pytest.fixture
def somebody(houses: Houses) -> str:
    """A new account that nothing has been done to."""
    near, _ = houses
    name = f"p{len(near.tokens)}"
    near.tokens[name] = near.sign_up(name)
    return name


async def test_an_ended_session_is_out_at_the_other_node(
    houses: Houses, visitors: Both, somebody: str
) -> None:
    near, far = houses
    lost = near.sign_in(somebody)
    socket = await visitors[1].json(lost)
    await socket.do("me")
    sessions = near.ok("GET", "sessions", by=somebody)["sessions"]
    [other] = [one["session"] for one in sessions if not one.get("current")]
    near.ok("DELETE", f"sessions/{other}", by=somebody)
    assert await socket.close_code() == CLOSE_SIGN_IN_AGAIN
    # Whoever was let in a moment ago was remembered there.
    assert far.api("GET", "me", by=lost)[0] == 401
    far.ok("GET", "me", by=somebody)


async def test_a_new_password_ends_the_other_sessions_at_all_nodes(
    houses: Houses, visitors: Both, somebody: str
) -> None:
    near, _ = houses
    sockets = [await door.json(near.sign_in(somebody)) for door in visitors]
    change = {"old": "three words do well", "new": "quite another one"}
    near.ok("PUT", "me/password", change, by=somebody)
    for socket in sockets:
        assert await socket.close_code() == CLOSE_SIGN_IN_AGAIN


async def test_a_disabled_account_is_out_at_the_other_node_by_every_door(
    houses: Houses, visitors: Both, somebody: str
) -> None:
    near, far = houses
    json = await visitors[1].json(somebody)
    text = await visitors[1].text(by=somebody)
    near.ok("PUT", f"users/{somebody}/disabled", {}, by="ana")
    assert await json.close_code() == CLOSE_SIGN_IN_AGAIN
    assert await text.close_code() == CLOSE_SIGN_IN_AGAIN
    assert far.api("GET", "me", by=somebody)[0] == 401
    assert far.api("POST", "rooms/lobby/messages", {"text": "hi"}, by=somebody)[0] == 401


async def test_what_is_said_after_a_member_was_put_out_is_not_shown_to_them_at_the_other_node(
    houses: Houses, visitors: Both, somebody: str
) -> None:
    """Even what is said at that other node itself, in the same moment."""
    near, far = houses
    room = near.room("bo", somebody, kind="private", by="ana")
    out = await visitors[1].json(somebody)
    bo = await visitors[1].json("bo")
    near.post(room, "before", by="ana")
    await out.event("message", room=room, text="before")
    near.ok("DELETE", f"rooms/{room}/members/{somebody}", by="ana")
    far.post(room, "after, there", by="bo")
    near.post(room, "after, here", by="ana")
    await out.event("removed", room=room)
    for text in ("after, there", "after, here"):
        await bo.event("message", room=room, text=text)
    # Their connection is good: something else still comes over it, after all that.
    near.post("lobby", "for everybody", by="ana")
    await out.event("message", room="lobby", text="for everybody")
    assert out.messages(room) == [("ana", "before")]


async def test_a_new_member_hears_at_once_what_is_said_at_the_other_node(
    houses: Houses, visitors: Both, somebody: str
) -> None:
    near, far = houses
    guest = await visitors[1].json(somebody)
    room = near.room(somebody, kind="private", by="ana")
    await guest.event("behind")  # from now on it is told of what is said there
    near.post(room, "welcome", by="ana")
    await guest.event("message", room=room, text="welcome")
    far.post(room, "thanks", by=somebody)
    await guest.event("message", room=room, text="thanks")


async def test_a_new_role_holds_at_the_other_node_too(houses: Houses, somebody: str) -> None:
    near, far = houses
    far.ok("GET", "me", by=somebody)  # remembered there, as a member
    near.ok("PUT", f"users/{somebody}/role", {"role": "admin"}, by="ana")
    enable = ("PUT", "users/cy/disabled", {"disabled": False})
    await until(lambda: far.api(*enable, by=somebody)[0] == 200)
    near.ok("PUT", f"users/{somebody}/role", {"role": "member"}, by="ana")
    await until(lambda: far.api(*enable, by=somebody)[0] == 403)


async def test_what_one_has_read_at_one_node_is_read_at_the_other(
    houses: Houses, visitors: Both, somebody: str
) -> None:
    near, _ = houses
    room = near.room(somebody, by="ana")
    seq = near.post(room, "read this", by="ana")["seq"]
    here, there = [await door.json(somebody) for door in visitors]
    await here.do("read", room=room, seq=seq)
    assert (await there.event("read", room=room))["read_seq"] == seq


async def test_who_comes_goes_and_types_at_one_node_is_seen_at_the_other(
    visitors: Both, somebody: str
) -> None:
    watcher = await visitors[0].json("ana")
    comes = await visitors[1].json(somebody)
    await watcher.event("presence", user=somebody, state="online")
    await comes.tell("typing", room="lobby")
    await watcher.event("typing", room="lobby", user=somebody)
    await comes.tell("active", active=False)
    await watcher.event("presence", user=somebody, state="away")
    await comes.end()
    await watcher.event("presence", user=somebody, state="offline")


async def test_who_goes_is_gone_in_all_rooms_for_those_of_each(
    houses: Houses, visitors: Both, somebody: str
) -> None:
    near, _ = houses
    room = near.room("bo", somebody, by="ana")
    # One who shares both rooms with them, and one who shares the lobby only.
    watchers = [await visitors[0].json(name) for name in ("ana", "cy")]
    comes = await visitors[1].json(somebody)
    await watchers[0].event("presence", user=somebody, state="online")
    await comes.end()
    for watcher in watchers:
        await watcher.event("presence", user=somebody, state="offline")
        last = [one["state"] for one in watcher.of("presence") if one.get("user") == somebody]
        assert last[-1] == "offline"
    assert room in near.ok("GET", "me", by=somebody)["rooms"][-1]["room"]


async def test_who_is_at_the_other_node_is_known_to_whoever_comes_later(
    visitors: Both, somebody: str
) -> None:
    earlier = await visitors[1].json(somebody)
    later = await visitors[0].json("ana")
    async with asyncio.timeout(TIMEOUT_S):
        # Either in the welcome or, if the other node was asked only now, a moment later.
        while await _presence(later, somebody) != "online":
            await earlier.do("me")


async def _presence(client: JsonClient, name: str) -> str:
    members = (await client.do("members", room="lobby"))["members"]
    [state] = [one.get("presence", "offline") for one in members if one["name"] == name]
    return str(state)


async def test_presence_goes_with_a_node_that_is_killed(
    houses: Houses, visitors: Both, somebody: str
) -> None:
    _, far = houses
    watcher = await visitors[0].json("ana")
    await visitors[1].json(somebody)
    await watcher.event("presence", user=somebody, state="online")
    far.server.kill()
    async with asyncio.timeout(GONE_AFTER_S * 5):
        await watcher.event("presence", user=somebody, state="offline")
    await asyncio.to_thread(far.server.start)
    await visitors[1].json(somebody)
    await watcher.event("presence", user=somebody, state="online")


async def test_reactions_and_threads_are_one_conversation_over_nodes(
    houses: Houses, visitors: Both
) -> None:
    near, far = houses
    room = near.room("bo", "cy")
    here, there = await visitors[0].json("bo"), await visitors[1].json("cy")
    near.post(room, "what a day", by="bo")
    await there.event("message", room=room, text="what a day")
    far.ok("PUT", f"rooms/{room}/messages/1/reactions/{quote('👍')}", {}, by="cy")
    assert (await here.event("marks", room=room))["reactions"] == [["👍", 1, ["cy"]]]
    # An answer at one node makes the thread, which the author follows at the other.
    far.post(f"{room}.1", "not bad", by="cy")
    assert (await here.event("marks", room=room))["replies"] == 1
    await here.event("me")
    await here.do("sync", room=f"{room}.1", after=0)
    assert here.messages(f"{room}.1") == [("cy", "not bad")]
    near.post(f"{room}.1", "all in all", by="bo")
    await there.event("message", room=f"{room}.1", text="all in all")
    watcher = await visitors[1].json("ana")
    await watcher.do("watch", room=f"{room}.1")
    near.post(f"{room}.1", "for all to see", by="bo")
    await watcher.event("message", room=f"{room}.1", text="for all to see")
    # What is one's own comes to one's devices at all nodes.
    await there.do("bookmark", room=room, seq=1, note="later")
    other = await visitors[0].json("cy")
    await there.do("draft", room=room, text="half a thou")
    assert (await other.event("draft", room=room))["text"] == "half a thou"
