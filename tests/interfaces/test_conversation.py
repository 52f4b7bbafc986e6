"""Reactions, pins, threads: the same at every door and on every store; and watching a thread."""

import asyncio
from typing import Any, NamedTuple

import pytest

from tests.interfaces.dialects import JsonVoice, TextVoice, Voice
from tests.interfaces.test_contract import PEOPLE, each_door, gathered, store
from tests.support.chat import Visitors

pytestmark = pytest.mark.xdist_group("doors-conversation")

__all__ = ["store"]


async def one_message(voices: dict[str, Voice], text: str = "what a day") -> None:
    await voices["json"].say(text)
    for voice in voices.values():
        await voice.heard(("ana", text))


class Scene(NamedTuple):
    """Somebody does something at a door; two others look on."""

    voice: Voice
    name: str
    json: JsonVoice
    line: TextVoice


async def scene(visitors: Visitors, door: str) -> Scene:
    voices = await gathered(visitors)
    await one_message(voices)
    json, line = voices["json"], voices["text"]
    assert isinstance(json, JsonVoice)
    assert isinstance(line, TextVoice)
    return Scene(voices[door], PEOPLE[door], json, line)


def as_kept(visitors: Visitors, room: str, seq: int = 1) -> dict[str, Any]:
    """The message as whoever comes later finds it."""
    page = visitors.house.ok("GET", f"rooms/{room}/messages?around={seq}&limit=1", by="cy")
    message: dict[str, Any] = page["messages"][0]
    return message


@each_door
async def test_a_reaction_at_one_door_is_seen_at_all(visitors: Visitors, door: str) -> None:
    voice, name, json, line = await scene(visitors, door)
    assert await voice.react(1, "👍") == ""
    event = await json.client.event("marks", room=json.room, seq=1)
    assert event["reactions"] == [["👍", 1, [name]]]
    assert "text" not in event
    assert await line.client.line(f"* {name} reacted") == f"* {name} reacted to 1 with 👍"
    assert as_kept(visitors, json.room)["reactions"] == [["👍", 1, [name]]]


@each_door
async def test_a_pin_at_one_door_is_seen_at_all(visitors: Visitors, door: str) -> None:
    voice, name, json, line = await scene(visitors, door)
    assert await voice.pin(1) == ""
    event = await json.client.event("marks", room=json.room, seq=1)
    assert (event["pinned"], event["pinned_by"]) == (True, name)
    assert await line.client.line(f"* {name} pinned") == f"* {name} pinned 1"
    pins = visitors.house.ok("GET", f"rooms/{json.room}/pins", by="cy")
    assert [message["seq"] for message in pins["messages"]] == [1]
    await line.client.say("/pins")
    assert await line.client.line("* Pinned here")
    assert await line.client.line("* 1 ana: ") == "* 1 ana: what a day"


@each_door
async def test_an_answer_at_one_door_makes_a_thread_for_all(visitors: Visitors, door: str) -> None:
    voice, name, json, line = await scene(visitors, door)
    thread = f"{json.room}.1"
    assert await voice.answer(1, "not bad") == ""
    event = await json.client.event("marks", room=json.room, seq=1)
    assert (event["replies"], event["repliers"]) == (1, [name])
    # Ana wrote the message: she follows the thread, wherever it was begun.
    me = await json.client.event("me")
    assert (me["room"]["room"], me["room"]["parent"], me["room"]["seq"]) == (thread, json.room, 1)
    await json.client.do("sync", room=thread, after=0)
    assert json.client.messages(thread) == [(name, "not bad")]
    told = await line.client.line(f"* {name} answered")
    assert told == f"* {name} answered 1 in its thread: /thread 1"
    await line.client.say("/thread 1")
    assert await line.client.line("* You are in") == f"* You are in #{thread}"
    await json.client.do("post", room=thread, text="all in all")
    await line.heard(("ana", "all in all"))
    await line.client.say("rather good")
    await json.until(lambda: json.client.messages(thread)[-1] == ("bo", "rather good"), "bo's")
    await line.client.say("/leave")
    assert await line.client.line("* You are in") == f"* You are in #{json.room}"


WRONG = {
    "no emoji": ("react", (1, "x"), "invalid", "* A reaction is one emoji"),
    "no such message": ("react", (99, "👍"), "not_found", "* There is no message 99"),
    "no message to pin": ("pin", (99,), "not_found", "* There is no message 99"),
    "no message to answer": ("answer", (99, "hi"), "not_found", "* There is no message 99"),
    "a deleted message": ("react", (2, "👍"), "not_found", "* Message 2 in"),
    "a thread on it": ("answer", (2, "hi"), "not_found", "* Message 2 in"),
}


@each_door
async def test_what_cannot_be_is_refused_alike_and_nobody_is_disturbed(
    visitors: Visitors, door: str
) -> None:
    voices = await gathered(visitors)
    await one_message(voices)
    await one_message(voices, "gone soon")
    await voices["json"].delete(2)
    await voices["text"].client.line("* 2 by ana was deleted")  # type: ignore[attr-defined]
    for doing, given, code, line in WRONG.values():
        answer = await getattr(voices[door], doing)(*given)
        if door == "text":
            assert answer.startswith(line), answer
        else:
            assert answer == code
    await voices[door].say("still here")
    for listener in voices.values():
        await listener.heard((PEOPLE[door], "still here"))
    assert "reactions" not in as_kept(visitors, voices["json"].room)


async def test_the_numbers_of_messages_can_be_asked_for_in_plain_text(visitors: Visitors) -> None:
    line = (await scene(visitors, "text")).line
    await line.client.say("/numbers")
    assert await line.client.line("* 1") == "* 1 ana: what a day"
    for words, answer in (
        ("/react 🎉", "* bo reacted to 1 with 🎉"),
        ("/react 🎉", "* bo took 🎉 back from 1"),
        ("/pin", "* bo pinned 1"),
        ("/pin", "* bo unpinned 1"),
        ("/answer fine", "* bo answered 1 in its thread"),
    ):
        await line.client.say(words)
        assert (await line.client.line("* bo ")).startswith(answer)


async def test_here_are_those_who_stand_at_any_door(visitors: Visitors) -> None:
    voices = await gathered(visitors)
    room = voices["json"].room
    await voices["http"].say("@here anybody?")
    await voices["json"].heard(("cy", "@here anybody?"))
    for name, mentions in (("ana", 1), ("bo", 1), ("cy", 0)):
        mine = visitors.house.ok("GET", "me", by=name)["rooms"]
        assert [one.get("mentions", 0) for one in mine if one["room"] == room] == [mentions], name
    assert as_kept(visitors, room)["mentions"] == ["@here"]


# Watching


async def test_who_does_not_follow_a_thread_hears_it_while_watching(visitors: Visitors) -> None:
    house = visitors.house
    room = house.room("bo", "cy")
    thread = f"{room}.1"
    house.post(room, "question", by="ana")
    house.post(thread, "first", by="bo")
    cy, ana = await visitors.json("cy"), await visitors.json("ana")
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
    assert all(one["room"] != thread for one in house.ok("GET", "me", by="cy")["rooms"])


async def test_who_only_watches_a_room_is_not_told_to_be_writing_there(visitors: Visitors) -> None:
    house = visitors.house
    room = house.room()
    house.post(room, "question", by="ana")
    bo = await visitors.json("bo")
    await bo.do("watch", room=room)
    assert await bo.refused("typing", room=room) == "not_member"


async def test_to_stop_watching_does_not_end_following(visitors: Visitors) -> None:
    house = visitors.house
    room = house.room("bo")
    thread = f"{room}.1"
    house.post(room, "question", by="ana")
    house.post(thread, "first", by="ana")
    bo = await visitors.json("bo")
    await bo.do("watch", room=thread)
    await bo.do("join", room=thread)
    await bo.do("unwatch", room=thread)
    house.post(thread, "second", by="ana")
    await bo.event("message", room=thread, text="second")


async def test_who_is_put_out_of_a_room_hears_no_more_of_the_threads_they_watch(
    visitors: Visitors,
) -> None:
    house = visitors.house
    room = house.room("bo", "cy", kind="private")
    thread = f"{room}.1"
    house.post(room, "question", by="ana")
    house.post(thread, "first", by="ana")
    bo, cy = await visitors.json("bo"), await visitors.json("cy")
    for watcher in (bo, cy):
        await watcher.do("watch", room=thread)
    house.ok("DELETE", f"rooms/{room}/members/bo", by="ana")
    await bo.event("removed", room=room)
    house.post(thread, "without bo", by="ana")
    await cy.event("message", room=thread, text="without bo")
    await bo.do("about")
    assert ("ana", "without bo") not in bo.messages(thread)
    for do in ("watch", "history", "join"):
        assert await bo.refused(do, room=thread) == "not_found"
    house.ok("DELETE", f"rooms/{room}", by="ana")
    await cy.event("removed", room=room)
    assert await cy.refused("watch", room=thread) == "not_found"


async def test_what_a_connection_may_watch_has_a_bound(visitors: Visitors) -> None:
    house = visitors.house
    room = house.room("bo")
    threads = []
    for seq in range(1, 23):
        house.post(room, f"question {seq}", by="ana")
        house.post(f"{room}.{seq}", "answer", by="ana")
        threads.append(f"{room}.{seq}")
    bo = await visitors.json("bo")
    for thread in threads[:20]:
        await bo.do("watch", room=thread)
    assert await bo.refused("watch", room=threads[20]) == "conflict"
    await bo.do("watch", room=threads[0])
    await bo.do("unwatch", room=threads[0])
    await bo.do("watch", room=threads[20])


async def test_guests_watch_and_answer_and_keep_nothing(visitors: Visitors) -> None:
    house = visitors.house
    room = house.room()
    house.post(room, "question", by="ana")
    house.post(f"{room}.1", "first", by="ana")
    robin = await visitors.json(house.guest("robin"))
    await robin.do("join", room=room)
    await robin.do("watch", room=f"{room}.1")
    await robin.do("post", room=f"{room}.1", text="may I?")
    await robin.event("message", room=f"{room}.1", text="may I?")
    assert await robin.refused("bookmark", room=room, seq=1) == "forbidden"
    assert await robin.refused("draft", room=room, text="x") == "forbidden"
    assert await robin.refused("pin", room=room, seq=1) == "not_member"


async def test_a_person_s_own_things_come_to_all_of_their_devices(visitors: Visitors) -> None:
    house = visitors.house
    room = house.room("bo")
    house.post(room, "look at this", by="ana")
    one, other, ana = await asyncio.gather(*(visitors.json(name) for name in ("bo", "bo", "ana")))
    await one.do("bookmark", room=room, seq=1, note="later")
    assert (await other.event("bookmark", room=room))["note"] == "later"
    await one.do("draft", room=room, text="half a thou")
    assert (await other.event("draft", room=room))["text"] == "half a thou"
    await one.do("draft", room=room)
    assert "text" not in await other.event("draft", room=room)
    await ana.do("about")
    assert not ana.of("bookmark")
    assert not ana.of("draft")
