"""Changes to accounts, membership and presence apply at all nodes; with a real bus."""

import asyncio
from urllib.parse import quote

import pytest

from hubbub.live.cluster.peers import PEER_TIMEOUT_S
from hubbub.wire.frames import CLOSE_SIGN_IN_AGAIN
from tests.support.chat import TIMEOUT_S, JsonClient, RestApi, Sockets
from tests.support.waiting import until

pytestmark = pytest.mark.xdist_group("cluster-people")  # they share two nodes

RestApis = tuple[RestApi, RestApi]
BothSockets = tuple[Sockets, Sockets]


@pytest.fixture
def new_account(apis: RestApis) -> str:
    """The name of a new account."""
    near, _ = apis
    name = f"p{len(near.tokens)}"
    near.tokens[name] = near.sign_up(name)
    return name


async def test_an_ended_session_is_closed_at_the_other_node(
    apis: RestApis, sockets: BothSockets, new_account: str
) -> None:
    near, far = apis
    lost = near.sign_in(new_account)
    socket = await sockets[1].json(lost)
    await socket.do("me")
    sessions = near.ok("GET", "sessions", by=new_account)["sessions"]
    [other] = [one["session"] for one in sessions if not one.get("current")]
    near.ok("DELETE", f"sessions/{other}", by=new_account)
    assert await socket.close_code() == CLOSE_SIGN_IN_AGAIN
    # The session was cached there a moment ago.
    assert far.request("GET", "me", by=lost)[0] == 401
    far.ok("GET", "me", by=new_account)


async def test_a_new_password_ends_the_other_sessions_at_all_nodes(
    apis: RestApis, sockets: BothSockets, new_account: str
) -> None:
    near, _ = apis
    opened = [await node.json(near.sign_in(new_account)) for node in sockets]
    change = {"old": "three words do well", "new": "quite another one"}
    near.ok("PUT", "me/password", change, by=new_account)
    for socket in opened:
        assert await socket.close_code() == CLOSE_SIGN_IN_AGAIN


async def test_a_disabled_account_is_refused_at_the_other_node_by_every_interface(
    apis: RestApis, sockets: BothSockets, new_account: str
) -> None:
    near, far = apis
    json = await sockets[1].json(new_account)
    text = await sockets[1].text(by=new_account)
    near.ok("PUT", f"users/{new_account}/disabled", {}, by="ana")
    assert await json.close_code() == CLOSE_SIGN_IN_AGAIN
    assert await text.close_code() == CLOSE_SIGN_IN_AGAIN
    assert far.request("GET", "me", by=new_account)[0] == 401
    assert far.request("POST", "rooms/lobby/messages", {"text": "hi"}, by=new_account)[0] == 401


async def test_a_removed_member_gets_no_later_messages_at_the_other_node(
    apis: RestApis, sockets: BothSockets, new_account: str
) -> None:
    """Not even messages posted at the other node itself, at the same moment."""
    near, far = apis
    room = near.room("bo", new_account, kind="private", by="ana")
    out = await sockets[1].json(new_account)
    bo = await sockets[1].json("bo")
    near.post(room, "before", by="ana")
    await out.event("message", room=room, text="before")
    near.ok("DELETE", f"rooms/{room}/members/{new_account}", by="ana")
    far.post(room, "after, there", by="bo")
    near.post(room, "after, here", by="ana")
    await out.event("removed", room=room)
    for text in ("after, there", "after, here"):
        await bo.event("message", room=room, text=text)
    # Their connection still works: another message comes over it afterwards.
    near.post("lobby", "for everybody", by="ana")
    await out.event("message", room="lobby", text="for everybody")
    assert out.messages(room) == [("ana", "before")]


async def test_a_new_member_gets_messages_posted_at_the_other_node(
    apis: RestApis, sockets: BothSockets, new_account: str
) -> None:
    near, far = apis
    guest = await sockets[1].json(new_account)
    room = near.room(new_account, kind="private", by="ana")
    await guest.event("behind")  # from now on it gets the room's messages
    near.post(room, "welcome", by="ana")
    await guest.event("message", room=room, text="welcome")
    far.post(room, "thanks", by=new_account)
    await guest.event("message", room=room, text="thanks")


async def test_a_new_role_applies_at_the_other_node(apis: RestApis, new_account: str) -> None:
    near, far = apis
    far.ok("GET", "me", by=new_account)  # cached there, as a member
    near.ok("PUT", f"users/{new_account}/role", {"role": "admin"}, by="ana")
    enable = ("PUT", "users/cy/disabled", {"disabled": False})
    await until(lambda: far.request(*enable, by=new_account)[0] == 200)
    near.ok("PUT", f"users/{new_account}/role", {"role": "member"}, by="ana")
    await until(lambda: far.request(*enable, by=new_account)[0] == 403)


async def test_a_read_marker_set_at_one_node_is_sent_at_the_other(
    apis: RestApis, sockets: BothSockets, new_account: str
) -> None:
    near, _ = apis
    room = near.room(new_account, by="ana")
    seq = near.post(room, "read this", by="ana")["seq"]
    here, there = [await node.json(new_account) for node in sockets]
    await here.do("read", room=room, seq=seq)
    assert (await there.event("read", room=room))["read_seq"] == seq


async def test_presence_and_typing_at_one_node_are_visible_at_the_other(
    sockets: BothSockets, new_account: str
) -> None:
    watcher = await sockets[0].json("ana")
    comes = await sockets[1].json(new_account)
    await watcher.event("presence", user=new_account, state="online")
    await comes.send("typing", room="lobby")
    await watcher.event("typing", room="lobby", user=new_account)
    await comes.send("active", active=False)
    await watcher.event("presence", user=new_account, state="away")
    await comes.end()
    await watcher.event("presence", user=new_account, state="offline")


async def test_a_person_who_leaves_is_offline_in_all_their_rooms(
    apis: RestApis, sockets: BothSockets, new_account: str
) -> None:
    near, _ = apis
    room = near.room("bo", new_account, by="ana")
    # One shares both rooms with them, the other the lobby only.
    watchers = [await sockets[0].json(name) for name in ("ana", "cy")]
    comes = await sockets[1].json(new_account)
    await watchers[0].event("presence", user=new_account, state="online")
    await comes.end()
    for watcher in watchers:
        await watcher.event("presence", user=new_account, state="offline")
        last = [one["state"] for one in watcher.of("presence") if one.get("user") == new_account]
        assert last[-1] == "offline"
    assert room in near.ok("GET", "me", by=new_account)["rooms"][-1]["room"]


async def test_presence_at_the_other_node_is_visible_to_a_client_that_connects_later(
    sockets: BothSockets, new_account: str
) -> None:
    earlier = await sockets[1].json(new_account)
    later = await sockets[0].json("ana")
    async with asyncio.timeout(TIMEOUT_S):
        # It is in the reply to hello, or follows when the other node has been queried.
        while await _presence(later, new_account) != "online":
            await earlier.do("me")


async def _presence(client: JsonClient, name: str) -> str:
    members = (await client.do("members", room="lobby"))["members"]
    [state] = [one.get("presence", "offline") for one in members if one["name"] == name]
    return str(state)


async def test_presence_is_dropped_with_a_killed_node(
    apis: RestApis, sockets: BothSockets, new_account: str
) -> None:
    _, far = apis
    watcher = await sockets[0].json("ana")
    await sockets[1].json(new_account)
    await watcher.event("presence", user=new_account, state="online")
    far.server.kill()
    async with asyncio.timeout(PEER_TIMEOUT_S * 5):
        await watcher.event("presence", user=new_account, state="offline")
    await asyncio.to_thread(far.server.start)
    await sockets[1].json(new_account)
    await watcher.event("presence", user=new_account, state="online")


async def test_reactions_and_threads_work_across_nodes(
    apis: RestApis, sockets: BothSockets
) -> None:
    near, far = apis
    room = near.room("bo", "cy")
    here, there = await sockets[0].json("bo"), await sockets[1].json("cy")
    near.post(room, "what a day", by="bo")
    await there.event("message", room=room, text="what a day")
    far.ok("PUT", f"rooms/{room}/messages/1/reactions/{quote('👍')}", {}, by="cy")
    assert (await here.event("marks", room=room))["reactions"] == [["👍", 1, ["cy"]]]
    # An answer at one node creates the thread, which the author follows at the other.
    far.post(f"{room}.1", "not bad", by="cy")
    assert (await here.event("marks", room=room))["replies"] == 1
    await here.event("me")
    await here.do("sync", room=f"{room}.1", after=0)
    assert here.messages(f"{room}.1") == [("cy", "not bad")]
    near.post(f"{room}.1", "all in all", by="bo")
    await there.event("message", room=f"{room}.1", text="all in all")
    watcher = await sockets[1].json("ana")
    await watcher.do("watch", room=f"{room}.1")
    near.post(f"{room}.1", "for all to see", by="bo")
    await watcher.event("message", room=f"{room}.1", text="for all to see")
    # Personal changes reach the person's devices at all nodes.
    await there.do("bookmark", room=room, seq=1, note="later")
    other = await sockets[0].json("cy")
    await there.do("draft", room=room, text="half a thou")
    assert (await other.event("draft", room=room))["text"] == "half a thou"
