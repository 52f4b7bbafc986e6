"""Clients of a running server: its HTTP API, JSON WebSockets and plain-text WebSockets."""

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


class RestApi:
    """The HTTP API of a running server with some accounts; the first is the owner's."""

    def __init__(self, server: Server, *names: str) -> None:
        self.server = server
        self.tokens = {name: self.sign_up(name) for name in names}
        self._rooms = itertools.count(1)

    @classmethod
    def at(cls, folder: Path, *names: str, options: tuple[str, ...] = ()) -> "RestApi":
        return cls(Server(folder, *options).start(), *names)

    def request(
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
        status, answer = self.request(method, path, body, by=by)
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
        """Create a room with these members; its owner is ``by``, by default the first account."""
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
        """Authors and texts, oldest first."""
        page = self.ok("GET", f"rooms/{room}/messages?limit=200", by=by)
        return [(one["by"], one.get("text", "")) for one in page["messages"]]


class Refused(Exception):
    """A command was answered with an error."""

    def __init__(self, error: Answer) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.message: str = error["message"]


class _SocketReader:
    """Reads one socket in the background, so that the server never waits for the test."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for frame in self.socket:
            assert frame.type is aiohttp.WSMsgType.TEXT, frame
            self.on_data(frame.data)
            self._news.set()
        self._news.set()

    def on_data(self, data: str) -> None:
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended and all its frames have been read."""
        return self._task.done()

    async def _until(self, find: Callable[[], Any], what: str, received: Callable[[], Any]) -> Any:
        """Wait until ``find`` finds something in the received frames, and return it."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while (found := find()) is None:
                    assert not self._task.done(), f"closed with {self.socket.close_code}: {what}"
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"did not receive {what}, but {received()}") from None
        return found

    async def close_code(self) -> int | None:
        """Wait until the server has closed, and return its close code."""
        async with asyncio.timeout(TIMEOUT_S):
            await self._task
        return self.socket.close_code

    async def end(self) -> None:
        await self.socket.close()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class JsonClient(_SocketReader):
    """A connection with the subprotocol ``hubbub.v1``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._numbers = itertools.count(1)
        self.events: list[Answer] = []
        self.replies: dict[int | None, Answer] = {}
        self.frames: list[Answer] = []  # all frames in order
        super().__init__(socket)

    def on_data(self, data: str) -> None:
        frame = json.loads(data)
        self.frames.append(frame)
        if "re" in frame:
            self.replies[frame["re"]] = frame
        else:
            self.events.append(frame)

    async def send(self, do: str, **fields: Any) -> int:
        """Send a command without waiting for its reply, and return its number."""
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "do": do, **fields})
        return number

    async def reply(self, number: int | None) -> Answer:
        found: Answer = await self._until(
            lambda: self.replies.pop(number, None), f"a reply to {number}", lambda: self.frames
        )
        return found

    async def do(self, do: str, **fields: Any) -> Answer:
        """Send a command and return its reply. Raises Refused."""
        reply = await self.reply(await self.send(do, **fields))
        if "error" in reply:
            raise Refused(reply["error"])
        answer: Answer = reply["ok"]
        return answer

    async def refused(self, do: str, **fields: Any) -> str:
        """Send a command that must fail, and return the error's code."""
        try:
            answer = await self.do(do, **fields)
        except Refused as refused:
            return refused.code
        raise AssertionError(f"{do} was not refused but answered {answer}")

    async def event(self, on: str, **fields: Any) -> Answer:
        """Wait for an event with these fields, and remove it from ``events``."""

        def find() -> Answer | None:
            for nth, event in enumerate(self.events):
                if event["on"] == on and all(event.get(k) == v for k, v in fields.items()):
                    return self.events.pop(nth)
            return None

        found: Answer = await self._until(find, f"{on} {fields}", lambda: self.frames[-20:])
        return found

    def of(self, kind: str) -> list[Answer]:
        """The events of one kind, in the order in which they came."""
        return [frame for frame in self.frames if frame.get("on") == kind]

    def messages(self, room: str) -> list[tuple[str, str]]:
        """Authors and texts of the messages of a room, in the order in which they came."""
        return [
            (frame["by"], frame.get("text", ""))
            for frame in self.frames
            if frame.get("on") == "message" and frame["room"] == room
        ]


class TextClient(_SocketReader):
    """A connection without a subprotocol: lines out, lines in."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.lines: list[str] = []
        self._read = 0  # the number of lines that `line` has passed
        super().__init__(socket)

    def on_data(self, data: str) -> None:
        self.lines.append(data)

    async def say(self, line: str) -> None:
        await self.socket.send_str(line)

    async def line(self, beginning: str) -> str:
        """Wait for the next line that begins so."""

        def find() -> str | None:
            for nth in range(self._read, len(self.lines)):
                if self.lines[nth].startswith(beginning):
                    self._read = nth + 1
                    return self.lines[nth]
            return None

        found: str = await self._until(find, repr(beginning), lambda: self.lines[-20:])
        return found

    def messages(self) -> list[tuple[str, str]]:
        """Authors and texts of messages, in the order in which they came."""
        parts = [line.partition(": ") for line in self.lines if not line.startswith(("* ", "  "))]
        return [(by, text) for by, _, text in parts]


class Sockets:
    """Opens WebSockets to one server; all are closed at the end of the test."""

    def __init__(self, api: RestApi, session: aiohttp.ClientSession) -> None:
        self.api = api
        self._session = session
        self._open: list[_SocketReader] = []

    @classmethod
    @asynccontextmanager
    async def of(cls, api: RestApi) -> AsyncIterator[Self]:
        async with aiohttp.ClientSession() as session:
            sockets = cls(api, session)
            try:
                yield sockets
            finally:
                for one in sockets._open:
                    await one.end()

    async def connect(
        self, query: str = "", by: str | None = None, json: bool = False, **headers: str
    ) -> aiohttp.ClientWebSocketResponse:
        if by is not None:
            headers["Authorization"] = f"Bearer {self.api.tokens.get(by, by)}"
        return await self._session.ws_connect(
            self.api.server.socket_url + query,
            protocols=[SUBPROTOCOL] if json else [],
            headers=headers,
            max_msg_size=0,
        )

    async def json(self, by: str | None, **hello: Any) -> JsonClient:
        """Open a JSON WebSocket and send hello. ``by`` is a name, a token, or None: signed out."""
        client = JsonClient(await self.connect(by=by, json=True))
        self._open.append(client)
        if by is not None:
            await client.do("hello", **hello)
        return client

    async def text(self, query: str = "", by: str | None = None) -> TextClient:
        """Open a plain-text WebSocket and wait for the line that names the room."""
        client = TextClient(await self.connect(query, by))
        self._open.append(client)
        await client.line("* You are in #")
        return client
