"""People at the doors of a running server: what they say, and what they hear."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.support.server import HOST, Server

SUBPROTOCOL = "hubbub.v1"
TIMEOUT_S = 20.0
PASSWORD = "three words do well"

Answer = dict[str, Any]


class House:
    """A running server and the people who have an account there; the first owns it."""

    def __init__(self, server: Server, *names: str) -> None:
        self.server = server
        self.tokens = {name: self.sign_up(name) for name in names}
        self._rooms = itertools.count(1)

    @classmethod
    def at(cls, folder: Path, *names: str, options: tuple[str, ...] = ()) -> "House":
        return cls(Server(folder, *options).start(), *names)

    def api(
        self, method: str, path: str, body: Answer | None = None, *, by: str | None = None
    ) -> tuple[int, Answer]:
        """Status and body of one HTTP request. ``by`` is a name, or a token."""
        connection = HTTPConnection(HOST, self.server.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json"}
        if by is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(by, by)}"
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/api/{path}", content, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def ok(
        self, method: str, path: str, body: Answer | None = None, *, by: str | None = None
    ) -> Answer:
        status, answer = self.api(method, path, body, by=by)
        assert status < 300, answer
        return answer

    def sign_up(self, name: str) -> str:
        answer = self.ok("POST", "sign-up", {"name": name, "password": PASSWORD})
        return str(answer["token"])

    def sign_in(self, name: str) -> str:
        answer = self.ok("POST", "sign-in", {"name": name, "password": PASSWORD})
        return str(answer["token"])

    def guest(self, name: str) -> str:
        return str(self.ok("POST", "guest", {"name": name})["token"])

    def room(self, *members: str, kind: str = "public", by: str | None = None) -> str:
        """A new room with these people in it; the first of all made it, unless ``by``."""
        owner = by or next(iter(self.tokens))
        title = f"Room {next(self._rooms)}"
        made = self.ok("POST", "rooms", {"title": title, "kind": kind}, by=owner)
        room = str(made["room"]["room"])
        for name in members:
            if name != owner:
                self.ok("POST", f"rooms/{room}/members", {"user": name}, by=owner)
        return room

    def post(self, room: str, text: str, *, by: str) -> Answer:
        return self.ok("POST", f"rooms/{room}/messages", {"text": text}, by=by)

    def history(self, room: str, *, by: str) -> list[tuple[str, str]]:
        """Who said what, oldest first."""
        page = self.ok("GET", f"rooms/{room}/messages?limit=200", by=by)
        return [(one["by"], one.get("text", "")) for one in page["messages"]]


class Refused(Exception):
    """A command was answered with an error."""

    def __init__(self, error: Answer) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.message: str = error["message"]


class _Listener:
    """Reads one socket in the background, so that nothing in it waits for the test."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for frame in self.socket:
            assert frame.type is aiohttp.WSMsgType.TEXT, frame
            self.took(frame.data)
            self._news.set()
        self._news.set()

    def took(self, data: str) -> None:
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended and all that came over it has been taken."""
        return self._task.done()

    async def _until(self, find: Callable[[], Any], what: str, heard: Callable[[], Any]) -> Any:
        """What ``find`` finds in what has been heard, as soon as it is there."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while (found := find()) is None:
                    assert not self._task.done(), f"closed with {self.socket.close_code}: {what}"
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"never heard {what}, but {heard()}") from None
        return found

    async def close_code(self) -> int | None:
        """Wait until the server has closed; the code it gave."""
        async with asyncio.timeout(TIMEOUT_S):
            await self._task
        return self.socket.close_code

    async def end(self) -> None:
        await self.socket.close()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class JsonClient(_Listener):
    """A connection with the subprotocol ``hubbub.v1``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._numbers = itertools.count(1)
        self.events: list[Answer] = []
        self.replies: dict[int | None, Answer] = {}
        self.heard: list[Answer] = []  # all frames, as they came
        super().__init__(socket)

    def took(self, data: str) -> None:
        frame = json.loads(data)
        self.heard.append(frame)
        if "re" in frame:
            self.replies[frame["re"]] = frame
        else:
            self.events.append(frame)

    async def tell(self, do: str, **fields: Any) -> int:
        """Send a command without waiting; its number."""
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "do": do, **fields})
        return number

    async def reply(self, number: int | None) -> Answer:
        found: Answer = await self._until(
            lambda: self.replies.pop(number, None), f"a reply to {number}", lambda: self.heard
        )
        return found

    async def do(self, do: str, **fields: Any) -> Answer:
        """Send a command and wait for what it answers. Raises Refused."""
        reply = await self.reply(await self.tell(do, **fields))
        if "error" in reply:
            raise Refused(reply["error"])
        answer: Answer = reply["ok"]
        return answer

    async def refused(self, do: str, **fields: Any) -> str:
        """Send a command that must fail; the error's code."""
        try:
            answer = await self.do(do, **fields)
        except Refused as refused:
            return refused.code
        raise AssertionError(f"{do} was not refused but answered {answer}")

    async def event(self, on: str, **fields: Any) -> Answer:
        """The next event of this kind with these fields; it is taken out of ``events``."""

        def find() -> Answer | None:
            for nth, event in enumerate(self.events):
                if event["on"] == on and all(event.get(k) == v for k, v in fields.items()):
                    return self.events.pop(nth)
            return None

        found: Answer = await self._until(find, f"{on} {fields}", lambda: self.heard[-20:])
        return found

    def of(self, kind: str) -> list[Answer]:
        """The events of one kind, in the order in which they were heard."""
        return [frame for frame in self.heard if frame.get("on") == kind]

    def messages(self, room: str) -> list[tuple[str, str]]:
        """Who said what in a room, in the order in which it was heard."""
        return [
            (frame["by"], frame.get("text", ""))
            for frame in self.heard
            if frame.get("on") == "message" and frame["room"] == room
        ]


class TextClient(_Listener):
    """A connection without a subprotocol: lines out, lines in."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.lines: list[str] = []
        self._read = 0  # how many of the lines `line` has passed
        super().__init__(socket)

    def took(self, data: str) -> None:
        self.lines.append(data)

    async def say(self, line: str) -> None:
        await self.socket.send_str(line)

    async def line(self, beginning: str) -> str:
        """The next line that begins so."""

        def find() -> str | None:
            for nth in range(self._read, len(self.lines)):
                if self.lines[nth].startswith(beginning):
                    self._read = nth + 1
                    return self.lines[nth]
            return None

        found: str = await self._until(find, repr(beginning), lambda: self.lines[-20:])
        return found

    def messages(self) -> list[tuple[str, str]]:
        """Who said what, in the order in which it was heard."""
        said = [line.partition(": ") for line in self.lines if not line.startswith(("* ", "  "))]
        return [(by, text) for by, _, text in said]


class Visitors:
    """Opens connections to one house; all end with the test."""

    def __init__(self, house: House, session: aiohttp.ClientSession) -> None:
        self.house = house
        self._session = session
        self._open: list[_Listener] = []

    @classmethod
    @asynccontextmanager
    async def of(cls, house: House) -> AsyncIterator[Self]:
        async with aiohttp.ClientSession() as session:
            visitors = cls(house, session)
            try:
                yield visitors
            finally:
                for one in visitors._open:
                    await one.end()

    async def connect(
        self, query: str = "", by: str | None = None, json: bool = False, **headers: str
    ) -> aiohttp.ClientWebSocketResponse:
        if by is not None:
            headers["Authorization"] = f"Bearer {self.house.tokens.get(by, by)}"
        return await self._session.ws_connect(
            self.house.server.socket_url + query,
            protocols=[SUBPROTOCOL] if json else [],
            headers=headers,
            max_msg_size=0,
        )

    async def json(self, by: str | None, **hello: Any) -> JsonClient:
        """Somebody at the JSON door, greeted. ``by`` is a name or a token; None: not signed in."""
        client = JsonClient(await self.connect(by=by, json=True))
        self._open.append(client)
        if by is not None:
            await client.do("hello", **hello)
        return client

    async def text(self, query: str = "", by: str | None = None) -> TextClient:
        """Somebody at the plain-text door, who has been told where they are."""
        client = TextClient(await self.connect(query, by))
        self._open.append(client)
        await client.line("* You are in #")
        return client
