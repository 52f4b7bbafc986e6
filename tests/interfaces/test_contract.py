"""The contract of all interfaces, on each database."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.interfaces.dialects import INTERFACES, Participant, TextParticipant
from tests.support.chat import Sockets

pytestmark = pytest.mark.xdist_group("interfaces-contract")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "sqlite":
        return ()
    make: Callable[[], str] = request.getfixturevalue("postgres_url")
    return ("--database", make())


PEOPLE = {"json": "ana", "text": "bo", "http": "cy"}

each_interface = pytest.mark.parametrize("interface", INTERFACES)


async def enter_all(sockets: Sockets, room: str | None = None) -> dict[str, Participant]:
    """A room with one participant through each interface."""
    room = room or sockets.api.room()
    return {
        interface: await INTERFACES[interface].enter(sockets, name, sockets.api.tokens[name], room)
        for interface, name in PEOPLE.items()
    }


@each_interface
async def test_a_message_from_one_interface_reaches_all(sockets: Sockets, interface: str) -> None:
    participants = await enter_all(sockets)
    await participants[interface].say("good morning")
    for participant in participants.values():
        await participant.wait_for_messages((PEOPLE[interface], "good morning"))


async def test_everyone_gets_every_message_once_and_in_the_same_order(sockets: Sockets) -> None:
    participants = await enter_all(sockets)
    expected = [
        (PEOPLE[interface], f"{n} from {interface}") for interface in INTERFACES for n in range(15)
    ]

    async def talk(participant: Participant, interface: str) -> None:
        for n in range(15):
            await participant.say(f"{n} from {interface}")

    await asyncio.gather(
        *(talk(participant, interface) for interface, participant in participants.items())
    )
    received = [
        await participant.wait_for_count(len(expected)) for participant in participants.values()
    ]
    assert received[0] == received[1] == received[2]
    assert sorted(received[0]) == sorted(expected)
    for interface, name in PEOPLE.items():
        own = [text for by, text in received[0] if by == name]
        assert own == [f"{n} from {interface}" for n in range(15)]


class InvalidMessage(NamedTuple):
    """A refused text, and its refusal: an error code, or a sentence in plain text."""

    text: str
    code: str
    line: str


INVALID_MESSAGES = {
    # In plain text an empty line is ignored.
    "empty": InvalidMessage(" \n", "invalid", ""),
    "too long": InvalidMessage(
        "x" * 16_001, "too_large", "* A message has at most 16,000 characters"
    ),
    "control characters": InvalidMessage(
        "a\x07b", "invalid", "* A message cannot contain control characters"
    ),
}


@each_interface
@pytest.mark.parametrize("wrong", INVALID_MESSAGES.values(), ids=INVALID_MESSAGES)
async def test_a_refused_message_gets_an_error_and_the_connection_stays_open(
    sockets: Sockets, interface: str, wrong: InvalidMessage
) -> None:
    participants = await enter_all(sockets)
    participant = participants[interface]
    if interface != "text":
        assert await participant.refused(wrong.text) == wrong.code
    elif wrong.line:
        assert (await participant.refused(wrong.text)).startswith(wrong.line)
    else:
        await participant.say(wrong.text)
    await participant.say("still here")
    for listener in participants.values():
        assert await listener.wait_for_count(1) == [(participant.name, "still here")]


@each_interface
async def test_a_missing_and_a_private_room_look_the_same(sockets: Sockets, interface: str) -> None:
    participants = await enter_all(sockets)
    secret = sockets.api.room(kind="private", by="ana" if interface != "json" else "bo")
    answers = [
        await participants[interface].enter_hidden_room(room) for room in ("nowhere", secret)
    ]
    if interface == "text":
        assert answers[0].replace("nowhere", secret) == answers[1]
    else:
        assert answers == ["not_found", "not_found"]
    await participants[interface].say("still here")
    for listener in participants.values():
        await listener.wait_for_messages((participants[interface].name, "still here"))


@each_interface
async def test_a_forbidden_post_is_refused_and_the_connection_stays_open(
    sockets: Sockets, interface: str
) -> None:
    api = sockets.api
    participants = await enter_all(sockets)
    room = participants[interface].room
    api.ok("PATCH", f"rooms/{room}", {"archived": True}, by="ana")
    answer = await participants[interface].refused("too late")
    assert answer == "conflict" or (interface == "text" and "is archived: it can be read" in answer)
    api.ok("PATCH", f"rooms/{room}", {"archived": False}, by="ana")
    await participants[interface].say("open again")
    for listener in participants.values():
        assert await listener.wait_for_count(1) == [(participants[interface].name, "open again")]


@each_interface
async def test_edits_and_deletions_reach_all_interfaces(sockets: Sockets, interface: str) -> None:
    participants = await enter_all(sockets)
    participant, name = participants[interface], PEOPLE[interface]
    await participant.say("helo")
    for listener in participants.values():
        await listener.wait_for_messages((name, "helo"))
    await participant.edit(1, "hello")
    await participants["json"].wait_for_messages((name, "hello"))
    await participants["http"].until(
        lambda: participants["http"].messages() == [(name, "hello")], "the edited message"
    )
    assert isinstance(participants["text"], TextParticipant)
    assert await participants["text"].client.line(f"* {name} edited") == f"* {name} edited 1: hello"
    await participant.delete(1)
    await participants["json"].wait_for_messages((name, ""))
    assert participants["http"].messages() == [(name, "")]
    assert await participants["text"].client.line("* 1 by") == f"* 1 by {name} was deleted"


@each_interface
async def test_a_former_member_gets_nothing_more(sockets: Sockets, interface: str) -> None:
    api = sockets.api
    participants = await enter_all(sockets, api.room("bo", "cy", kind="private"))
    leaving = participants.pop(interface)
    if leaving.name == "ana":  # the owner must name another first
        role = f"rooms/{leaving.room}/members/bo/role"
        api.ok("PUT", role, {"role": "owner"}, by="ana")
    await leaving.say("bye")
    await leaving.wait_for_messages((leaving.name, "bye"))
    await leaving.leave()
    speaker = next(iter(participants.values()))
    await speaker.say("she is gone")
    for listener in participants.values():
        await listener.wait_for_messages((speaker.name, "she is gone"))
    if interface == "http":
        assert api.request("GET", f"rooms/{leaving.room}/messages", by=leaving.token)[0] == 404
        return
    # A later message in the lobby would arrive after it.
    api.post("lobby", f"after leaving by {interface}", by="bo")
    lobby = {"json": "lobby", "text": leaving.room}[interface]
    leaving.room = lobby
    await leaving.wait_for_messages(("bo", f"after leaving by {interface}"))
    assert (speaker.name, "she is gone") not in leaving.messages()


@each_interface
async def test_a_guest_may_post_in_public_rooms_through_every_interface(
    sockets: Sockets, interface: str
) -> None:
    participants = await enter_all(sockets)
    token = sockets.api.guest(f"robin-{interface}")
    guest = await INTERFACES[interface].enter(
        sockets, f"~robin-{interface}", token, participants["json"].room
    )
    await guest.say("may I?")
    for participant in (*participants.values(), guest):
        await participant.wait_for_messages((f"~robin-{interface}", "may I?"))


@each_interface
async def test_me_messages_are_marked_in_all_interfaces(sockets: Sockets, interface: str) -> None:
    participants = await enter_all(sockets)
    await participants[interface].act("waves")
    await participants["text"].wait_for_messages((PEOPLE[interface], "/me waves"))
    for other in ("json", "http"):
        await participants[other].wait_for_messages((PEOPLE[interface], "waves"))
    page = sockets.api.ok("GET", f"rooms/{participants['http'].room}/messages", by="cy")
    assert page["messages"][0]["kind"] == "me"


@pytest.mark.parametrize("interface", ["json", "http"])
async def test_a_message_of_several_lines_arrives_as_one_message(
    sockets: Sockets, interface: str
) -> None:
    participants = await enter_all(sockets)
    await participants[interface].say("one\r\ntwo\n* three")
    for other in ("json", "http"):
        await participants[other].wait_for_messages((PEOPLE[interface], "one\ntwo\n* three"))
    assert isinstance(participants["text"], TextParticipant)
    client = participants["text"].client
    assert await client.line(f"{PEOPLE[interface]}: ") == f"{PEOPLE[interface]}: one"
    assert [await client.line("  "), await client.line("  ")] == ["  two", "  * three"]


async def test_several_lines_in_one_frame_are_several_messages_in_plain_text(
    sockets: Sockets,
) -> None:
    participants = await enter_all(sockets)
    await participants["text"].say("one\n\ntwo\n")
    assert await participants["http"].wait_for_count(2) == [("bo", "one"), ("bo", "two")]
