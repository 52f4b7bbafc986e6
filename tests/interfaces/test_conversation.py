"""Reactions, pins and threads through every interface, on each database; watching threads."""

import asyncio
from typing import Any, NamedTuple

import pytest

from tests.interfaces.dialects import JsonParticipant, Participant, TextParticipant
from tests.interfaces.test_contract import PEOPLE, each_interface, enter_all, store
from tests.support.chat import Sockets

pytestmark = pytest.mark.xdist_group("interfaces-conversation")

__all__ = ["store"]


async def one_message(participants: dict[str, Participant], text: str = "what a day") -> None:
    await participants["json"].say(text)
    for participant in participants.values():
        await participant.wait_for_messages(("ana", text))


class Scene(NamedTuple):
    """One participant acts; two others, in JSON and plain text, see it."""

    participant: Participant
    name: str
    json: JsonParticipant
    line: TextParticipant


async def set_scene(sockets: Sockets, interface: str) -> Scene:
    participants = await enter_all(sockets)
    await one_message(participants)
    json, line = participants["json"], participants["text"]
    assert isinstance(json, JsonParticipant)
    assert isinstance(line, TextParticipant)
    return Scene(participants[interface], PEOPLE[interface], json, line)


def stored_message(sockets: Sockets, room: str, seq: int = 1) -> dict[str, Any]:
    """A message as the history returns it."""
    page = sockets.api.ok("GET", f"rooms/{room}/messages?around={seq}&limit=1", by="cy")
    message: dict[str, Any] = page["messages"][0]
    return message


@each_interface
async def test_a_reaction_from_one_interface_reaches_all(sockets: Sockets, interface: str) -> None:
    participant, name, json, line = await set_scene(sockets, interface)
    assert await participant.react(1, "👍") == ""
    event = await json.client.event("marks", room=json.room, seq=1)
    assert event["reactions"] == [["👍", 1, [name]]]
    assert "text" not in event
    assert await line.client.line(f"* {name} reacted") == f"* {name} reacted to 1 with 👍"
    assert stored_message(sockets, json.room)["reactions"] == [["👍", 1, [name]]]


@each_interface
async def test_a_pin_from_one_interface_reaches_all(sockets: Sockets, interface: str) -> None:
    participant, name, json, line = await set_scene(sockets, interface)
    assert await participant.pin(1) == ""
    event = await json.client.event("marks", room=json.room, seq=1)
    assert (event["pinned"], event["pinned_by"]) == (True, name)
    assert await line.client.line(f"* {name} pinned") == f"* {name} pinned 1"
    pins = sockets.api.ok("GET", f"rooms/{json.room}/pins", by="cy")
    assert [message["seq"] for message in pins["messages"]] == [1]
    await line.client.say("/pins")
    assert await line.client.line("* Pinned here")
    assert await line.client.line("* 1 ana: ") == "* 1 ana: what a day"


@each_interface
async def test_an_answer_from_one_interface_makes_a_thread_for_all(
    sockets: Sockets, interface: str
) -> None:
    participant, name, json, line = await set_scene(sockets, interface)
    thread = f"{json.room}.1"
    assert await participant.answer(1, "not bad") == ""
    event = await json.client.event("marks", room=json.room, seq=1)
    assert (event["replies"], event["repliers"]) == (1, [name])
    # Ana wrote the message, so she follows its thread.
    me = await json.client.event("me")
    assert (me["room"]["room"], me["room"]["parent"], me["room"]["seq"]) == (thread, json.room, 1)
    await json.client.do("sync", room=thread, after=0)
    assert json.client.messages(thread) == [(name, "not bad")]
    notice = await line.client.line(f"* {name} answered")
    assert notice == f"* {name} answered 1 in its thread: /thread 1"
    await line.client.say("/thread 1")
    assert await line.client.line("* You are in") == f"* You are in #{thread}"
    await json.client.do("post", room=thread, text="all in all")
    await line.wait_for_messages(("ana", "all in all"))
    await line.client.say("rather good")
    await json.until(lambda: json.client.messages(thread)[-1] == ("bo", "rather good"), "bo's")
    await line.client.say("/leave")
    assert await line.client.line("* You are in") == f"* You are in #{json.room}"


IMPOSSIBLE_COMMANDS = {
    "no emoji": ("react", (1, "x"), "invalid", "* A reaction must be a single emoji"),
    "no such message": ("react", (99, "👍"), "not_found", "* There is no message 99"),
    "no message to pin": ("pin", (99,), "not_found", "* There is no message 99"),
    "no message to answer": ("answer", (99, "hi"), "not_found", "* There is no message 99"),
    "a deleted message": ("react", (2, "👍"), "not_found", "* Message 2 in"),
    "a thread on it": ("answer", (2, "hi"), "not_found", "* Message 2 in"),
}


@each_interface
async def test_impossible_commands_are_refused_alike_by_all_interfaces(
    sockets: Sockets, interface: str
) -> None:
    participants = await enter_all(sockets)
    await one_message(participants)
    await one_message(participants, "gone soon")
    await participants["json"].delete(2)
    await participants["text"].client.line("* 2 by ana was deleted")  # type: ignore[attr-defined]
    for doing, given, code, line in IMPOSSIBLE_COMMANDS.values():
        answer = await getattr(participants[interface], doing)(*given)
        if interface == "text":
            assert answer.startswith(line), answer
        else:
            assert answer == code
    await participants[interface].say("still here")
    for listener in participants.values():
        await listener.wait_for_messages((PEOPLE[interface], "still here"))
    assert "reactions" not in stored_message(sockets, participants["json"].room)


async def test_plain_text_can_list_the_numbers_of_messages(sockets: Sockets) -> None:
    line = (await set_scene(sockets, "text")).line
    await line.client.say("/numbers")
    assert await line.client.line("* 1") == "* 1 ana: what a day"
    for words, answer in (
        ("/react 🎉", "* bo reacted to 1 with 🎉"),
        ("/react 🎉", "* bo removed 🎉 from 1"),
        ("/pin", "* bo pinned 1"),
        ("/pin", "* bo unpinned 1"),
        ("/answer fine", "* bo answered 1 in its thread"),
    ):
        await line.client.say(words)
        assert (await line.client.line("* bo ")).startswith(answer)


async def test_who_lists_people_connected_through_any_interface(sockets: Sockets) -> None:
    participants = await enter_all(sockets)
    room = participants["json"].room
    await participants["http"].say("@here anybody?")
    await participants["json"].wait_for_messages(("cy", "@here anybody?"))
    for name, mentions in (("ana", 1), ("bo", 1), ("cy", 0)):
        mine = sockets.api.ok("GET", "me", by=name)["rooms"]
        assert [one.get("mentions", 0) for one in mine if one["room"] == room] == [mentions], name
    assert stored_message(sockets, room)["mentions"] == ["@here"]


# Watching


async def test_watching_a_thread_delivers_it_without_following(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room("bo", "cy")
    thread = f"{room}.1"
    api.post(room, "question", by="ana")
    api.post(thread, "first", by="bo")
    cy, ana = await sockets.json("cy"), await sockets.json("ana")
    found = await cy.do("watch", room=thread)
    assert [message["text"] for message in found["messages"]] == ["first"]
    assert found["room"].get("role") is None
    await ana.do("post", room=thread, text="second")
    await cy.event("message", room=thread, text="second")
    await cy.do("unwatch", room=thread)
    await ana.do("post", room=thread, text="third")
    await ana.do("post", room=room, text="in the room")
    await cy.event("message", room=room, text="in the room")
    assert ("ana", "third") not in cy.messages(thread)
    assert all(one["room"] != thread for one in api.ok("GET", "me", by="cy")["rooms"])


async def test_typing_in_a_watched_room_is_refused(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room()
    api.post(room, "question", by="ana")
    bo = await sockets.json("bo")
    await bo.do("watch", room=room)
    assert await bo.refused("typing", room=room) == "not_member"


async def test_unwatching_does_not_end_following(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room("bo")
    thread = f"{room}.1"
    api.post(room, "question", by="ana")
    api.post(thread, "first", by="ana")
    bo = await sockets.json("bo")
    await bo.do("watch", room=thread)
    await bo.do("join", room=thread)
    await bo.do("unwatch", room=thread)
    api.post(thread, "second", by="ana")
    await bo.event("message", room=thread, text="second")


async def test_a_removed_member_gets_nothing_more_of_watched_threads(
    sockets: Sockets,
) -> None:
    api = sockets.api
    room = api.room("bo", "cy", kind="private")
    thread = f"{room}.1"
    api.post(room, "question", by="ana")
    api.post(thread, "first", by="ana")
    bo, cy = await sockets.json("bo"), await sockets.json("cy")
    for watcher in (bo, cy):
        await watcher.do("watch", room=thread)
    api.ok("DELETE", f"rooms/{room}/members/bo", by="ana")
    await bo.event("removed", room=room)
    api.post(thread, "without bo", by="ana")
    await cy.event("message", room=thread, text="without bo")
    await bo.do("about")
    assert ("ana", "without bo") not in bo.messages(thread)
    for do in ("watch", "history", "join"):
        assert await bo.refused(do, room=thread) == "not_found"
    api.ok("DELETE", f"rooms/{room}", by="ana")
    await cy.event("removed", room=room)
    assert await cy.refused("watch", room=thread) == "not_found"


async def test_the_number_of_watched_rooms_is_bounded(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room("bo")
    threads = []
    for seq in range(1, 23):
        api.post(room, f"question {seq}", by="ana")
        api.post(f"{room}.{seq}", "answer", by="ana")
        threads.append(f"{room}.{seq}")
    bo = await sockets.json("bo")
    for thread in threads[:20]:
        await bo.do("watch", room=thread)
    assert await bo.refused("watch", room=threads[20]) == "conflict"
    await bo.do("watch", room=threads[0])
    await bo.do("unwatch", room=threads[0])
    await bo.do("watch", room=threads[20])


async def test_guests_can_watch_and_answer_but_store_nothing(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room()
    api.post(room, "question", by="ana")
    api.post(f"{room}.1", "first", by="ana")
    robin = await sockets.json(api.guest("robin"))
    await robin.do("join", room=room)
    await robin.do("watch", room=f"{room}.1")
    await robin.do("post", room=f"{room}.1", text="may I?")
    await robin.event("message", room=f"{room}.1", text="may I?")
    assert await robin.refused("bookmark", room=room, seq=1) == "forbidden"
    assert await robin.refused("draft", room=room, text="x") == "forbidden"
    assert await robin.refused("pin", room=room, seq=1) == "not_member"


async def test_personal_events_reach_all_devices_of_a_person(sockets: Sockets) -> None:
    api = sockets.api
    room = api.room("bo")
    api.post(room, "look at this", by="ana")
    one, other, ana = await asyncio.gather(*(sockets.json(name) for name in ("bo", "bo", "ana")))
    await one.do("bookmark", room=room, seq=1, note="later")
    assert (await other.event("bookmark", room=room))["note"] == "later"
    await one.do("draft", room=room, text="half a thou")
    assert (await other.event("draft", room=room))["text"] == "half a thou"
    await one.do("draft", room=room)
    assert "text" not in await other.event("draft", room=room)
    await ana.do("about")
    assert not ana.of("bookmark")
    assert not ana.of("draft")
