"""What every door promises, whatever it speaks and wherever it is kept: one suite for all."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.interfaces.dialects import DOORS, TextVoice, Voice
from tests.support.chat import Visitors

pytestmark = pytest.mark.xdist_group("doors-contract")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "sqlite":
        return ()
    make: Callable[[], str] = request.getfixturevalue("postgres_url")
    return ("--database", make())


PEOPLE = {"json": "ana", "text": "bo", "http": "cy"}

each_door = pytest.mark.parametrize("door", DOORS)


async def gathered(visitors: Visitors, room: str | None = None) -> dict[str, Voice]:
    """A room in which somebody stands at each door."""
    room = room or visitors.house.room()
    return {
        door: await DOORS[door].enter(visitors, name, visitors.house.tokens[name], room)
        for door, name in PEOPLE.items()
    }


@each_door
async def test_what_is_said_at_one_door_is_heard_at_all(visitors: Visitors, door: str) -> None:
    voices = await gathered(visitors)
    await voices[door].say("good morning")
    for voice in voices.values():
        await voice.heard((PEOPLE[door], "good morning"))


async def test_everyone_hears_everything_once_and_in_the_same_order(visitors: Visitors) -> None:
    voices = await gathered(visitors)
    expected = [(PEOPLE[door], f"{n} from {door}") for door in DOORS for n in range(15)]

    async def talk(voice: Voice, door: str) -> None:
        for n in range(15):
            await voice.say(f"{n} from {door}")

    await asyncio.gather(*(talk(voice, door) for door, voice in voices.items()))
    heard = [await voice.heard_count(len(expected)) for voice in voices.values()]
    assert heard[0] == heard[1] == heard[2]
    assert sorted(heard[0]) == sorted(expected)
    for door, name in PEOPLE.items():
        own = [text for by, text in heard[0] if by == name]
        assert own == [f"{n} from {door}" for n in range(15)]


class Wrong(NamedTuple):
    """What must not be said, and what is answered: a code, or a sentence in plain text."""

    text: str
    code: str
    line: str


WRONG = {
    # The plain-text door says nothing for an empty line; a slash-me without a deed is one.
    "empty": Wrong(" \n", "invalid", ""),
    "too long": Wrong("x" * 16_001, "too_large", "* A message has at most 16,000 characters"),
    "control characters": Wrong("a\x07b", "invalid", "* A message has no control characters"),
}


@each_door
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_a_refused_message_is_answered_and_the_connection_lives(
    visitors: Visitors, door: str, wrong: Wrong
) -> None:
    voices = await gathered(visitors)
    voice = voices[door]
    if door != "text":
        assert await voice.refused(wrong.text) == wrong.code
    elif wrong.line:
        assert (await voice.refused(wrong.text)).startswith(wrong.line)
    else:
        await voice.say(wrong.text)
    await voice.say("still here")
    for listener in voices.values():
        assert await listener.heard_count(1) == [(voice.name, "still here")]


@each_door
async def test_a_room_that_is_not_there_and_one_that_is_secret_look_the_same(
    visitors: Visitors, door: str
) -> None:
    voices = await gathered(visitors)
    secret = visitors.house.room(kind="private", by="ana" if door != "json" else "bo")
    answers = [await voices[door].go_to(room) for room in ("nowhere", secret)]
    if door == "text":
        assert answers[0].replace("nowhere", secret) == answers[1]
    else:
        assert answers == ["not_found", "not_found"]
    await voices[door].say("still here")
    for listener in voices.values():
        await listener.heard((voices[door].name, "still here"))


@each_door
async def test_what_one_may_not_say_is_refused_and_the_connection_lives(
    visitors: Visitors, door: str
) -> None:
    house = visitors.house
    voices = await gathered(visitors)
    room = voices[door].room
    house.ok("PATCH", f"rooms/{room}", {"archived": True}, by="ana")
    answer = await voices[door].refused("too late")
    assert answer == "conflict" or (door == "text" and "is archived: it can be read" in answer)
    house.ok("PATCH", f"rooms/{room}", {"archived": False}, by="ana")
    await voices[door].say("open again")
    for listener in voices.values():
        assert await listener.heard_count(1) == [(voices[door].name, "open again")]


@each_door
async def test_edits_and_deletions_are_seen_at_all_doors(visitors: Visitors, door: str) -> None:
    voices = await gathered(visitors)
    voice, name = voices[door], PEOPLE[door]
    await voice.say("helo")
    for listener in voices.values():
        await listener.heard((name, "helo"))
    await voice.edit(1, "hello")
    await voices["json"].heard((name, "hello"))
    await voices["http"].until(
        lambda: voices["http"].messages() == [(name, "hello")], "the edited message"
    )
    assert isinstance(voices["text"], TextVoice)
    assert await voices["text"].client.line(f"* {name} edited") == f"* {name} edited 1: hello"
    await voice.delete(1)
    await voices["json"].heard((name, ""))
    assert voices["http"].messages() == [(name, "")]
    assert await voices["text"].client.line("* 1 by") == f"* 1 by {name} was deleted"


@each_door
async def test_who_has_left_hears_nothing_more(visitors: Visitors, door: str) -> None:
    house = visitors.house
    voices = await gathered(visitors, house.room("bo", "cy", kind="private"))
    leaving = voices.pop(door)
    if leaving.name == "ana":  # its owner hands it over first
        role = f"rooms/{leaving.room}/members/bo/role"
        house.ok("PUT", role, {"role": "owner"}, by="ana")
    await leaving.say("bye")
    await leaving.heard((leaving.name, "bye"))
    await leaving.leave()
    speaker = next(iter(voices.values()))
    await speaker.say("she is gone")
    for listener in voices.values():
        await listener.heard((speaker.name, "she is gone"))
    if door == "http":
        assert house.api("GET", f"rooms/{leaving.room}/messages", by=leaving.token)[0] == 404
        return
    # What is said in the lobby comes after it, and would come after it here too.
    house.post("lobby", f"after leaving by {door}", by="bo")
    lobby = {"json": "lobby", "text": leaving.room}[door]
    leaving.room = lobby
    await leaving.heard(("bo", f"after leaving by {door}"))
    assert (speaker.name, "she is gone") not in leaving.messages()


@each_door
async def test_a_guest_may_speak_in_public_rooms_through_every_door(
    visitors: Visitors, door: str
) -> None:
    voices = await gathered(visitors)
    token = visitors.house.guest(f"robin-{door}")
    guest = await DOORS[door].enter(visitors, f"~robin-{door}", token, voices["json"].room)
    await guest.say("may I?")
    for voice in (*voices.values(), guest):
        await voice.heard((f"~robin-{door}", "may I?"))


@each_door
async def test_what_one_does_is_told_as_such_at_all_doors(visitors: Visitors, door: str) -> None:
    voices = await gathered(visitors)
    await voices[door].act("waves")
    await voices["text"].heard((PEOPLE[door], "/me waves"))
    for other in ("json", "http"):
        await voices[other].heard((PEOPLE[door], "waves"))
    page = visitors.house.ok("GET", f"rooms/{voices['http'].room}/messages", by="cy")
    assert page["messages"][0]["kind"] == "me"


@pytest.mark.parametrize("door", ["json", "http"])
async def test_a_message_of_several_lines_arrives_as_one(visitors: Visitors, door: str) -> None:
    voices = await gathered(visitors)
    await voices[door].say("one\r\ntwo\n* three")
    for other in ("json", "http"):
        await voices[other].heard((PEOPLE[door], "one\ntwo\n* three"))
    assert isinstance(voices["text"], TextVoice)
    client = voices["text"].client
    assert await client.line(f"{PEOPLE[door]}: ") == f"{PEOPLE[door]}: one"
    assert [await client.line("  "), await client.line("  ")] == ["  two", "  * three"]


async def test_several_lines_in_one_frame_are_several_messages_in_plain_text(
    visitors: Visitors,
) -> None:
    voices = await gathered(visitors)
    await voices["text"].say("one\n\ntwo\n")
    assert await voices["http"].heard_count(2) == [("bo", "one"), ("bo", "two")]
