"""A server inside the test's own process, and people who send it HTTP requests.

It runs on a thread with an event loop of its own, as the product does, and starts in a moment;
what it logs is kept for the test to look at. For what only a process can show (signals, kills,
the command line) there is `tests.support.server`.
"""

import asyncio
import itertools
import json
import logging
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import aiohttp
import structlog
import uvloop
from argon2 import PasswordHasher

from hubbub.app import App
from hubbub.gateway.auth import passwords
from hubbub.model.settings import Settings
from tests.support.chat import PASSWORD, SUBPROTOCOL, JsonClient, TextClient
from tests.support.server import HOST, free_port

TIMEOUT_S = 15.0

T = TypeVar("T")


class Answer(NamedTuple):
    """What a request was answered with."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of an error's document."""
        assert self.status >= 400, self
        assert self.headers.get_content_type() == "application/problem+json", self
        return str(self.json["code"])

    def ok(self, status: int = 200) -> Any:
        """The answer's document; the request must have succeeded with this status."""
        assert self.status == status, self
        return self.json

    def refused(self, status: int, code: str) -> Any:
        """The error's document; the request must have failed like this."""
        assert (self.status, self.code) == (status, code), self
        return self.json


class Book(logging.Handler):
    """What the servers of this process log, by structlog and by `logging`: level and words."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def open(self) -> None:
        if self not in logging.getLogger().handlers:
            structlog.configure(processors=[self._note])
            logging.getLogger().addHandler(self)

    def _note(
        self, _logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if method != "info":
            fields = {key: value for key, value in event.items() if key != "exc_info"}
            self.lines.append(f"{method}: {fields} {_traceback() if 'exc_info' in event else ''}")
        raise structlog.DropEvent

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname}: {record.name}: {self.format(record)}")


def _traceback() -> str:
    import traceback

    return traceback.format_exc()


BOOK = Book()


class Caller:
    """Sends requests, each on a connection of its own; with a token as that person."""

    def __init__(self, site: "Site", token: str | None = None, name: str = "") -> None:
        self.site = site
        self.token = token
        self.name = name

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        """``body`` goes as JSON; ``content`` as it is, an iterable of it in chunks."""
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            content = json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = HTTPConnection(HOST, self.site.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, content, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers=_named(headers))

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.call("POST", path, body, headers=_named(headers))

    def put(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.call("PUT", path, body, headers=_named(headers))

    def patch(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.call("PATCH", path, body, headers=_named(headers))

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, headers=_named(headers))

    # What most tests begin with

    def room(self, *members: "Caller", kind: str = "public", **more: object) -> str:
        """A new room of this person's, with these others in it; its id."""
        title = f"Room {next(self.site.numbers)}"
        names = [member.name for member in members]
        body = {"title": title, "kind": kind, "members": names, **more}
        return str(self.post("/api/rooms", body).ok(201)["room"]["room"])

    def say(self, room: str, text: str = "hi") -> int:
        """Post; the message's seq."""
        return int(self.post(f"/api/rooms/{room}/messages", {"text": text}).ok(201)["seq"])

    def rooms(self) -> dict[str, Any]:
        """My rooms by id."""
        return {room["room"]: room for room in self.get("/api/me").ok()["rooms"]}

    def texts(self, room: str) -> list[str]:
        page = self.get(f"/api/rooms/{room}/messages?limit=200").ok()
        return [message.get("text", "") for message in page["messages"]]


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def _end_all_tasks() -> None:
    """What `asyncio.run` does last: end what still waits, for who has left without a word."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Site:
    """One server in this process: open and with guests, its first account the owner's.

    ``settings`` are those of `Settings`. Limits are off unless given.
    """

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        self.port = free_port()
        self.numbers = itertools.count(1)
        usual = {"default_registration": "open", "default_guests": True, "limits": False}
        self.app = App(
            Settings(
                port=self.port, data=data, host=HOST, **{"first_owns": True, **usual, **settings}
            )
        )
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._first_line = len(BOOK.lines)
        self.anyone = Caller(self)

    def start(self) -> Self:
        BOOK.open()
        # Strong hashes are the product's; here they would be most of the time of each test.
        passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self._thread.start()
        self.run(self.app.start())
        if self.app.settings.first_owns:
            self.owner = self.person("owner")
        return self

    def stop(self) -> Path:
        """Stop, if it still runs; the folder with its data, for another to go on with."""
        if not self._thread.is_alive():
            return self.data
        self.run(self.app.stop())
        self.run(_end_all_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()
        return self.data

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    def at(self, now: int) -> None:
        """From now on it is this time (milliseconds since the epoch), and stays it."""
        self.app.executor._clock = lambda: now

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def owner_link(self) -> str | None:
        return self.app.owner_link

    def logged(self) -> list[str]:
        """Warnings and worse, since it started or the log was last forgotten."""
        return BOOK.lines[self._first_line :]

    def forget_log(self) -> None:
        """What was logged was meant to be; to the other servers of this process as well."""
        del BOOK.lines[self._first_line :]

    def assert_silent(self) -> None:
        """It has logged no warning and no traceback, whatever was done to it."""
        assert not self.logged(), "\n".join(self.logged())

    def person(self, name: str | None = None, **more: object) -> Caller:
        """Somebody with a new account, by a name that nobody has unless one is given."""
        name = name or f"p{next(self.numbers)}"
        body = {"name": name, "password": PASSWORD, **more}
        return Caller(self, self.anyone.post("/api/sign-up", body).ok(201)["token"], name)

    def people(self, count: int) -> list[Caller]:
        return [self.person() for _ in range(count)]

    def guest(self, name: str | None = None) -> Caller:
        signed_in = self.anyone.post("/api/guest", {"name": name} if name else {}).ok()
        return Caller(self, signed_in["token"], signed_in["me"]["name"])

    def sign_in(self, name: str, password: str = PASSWORD, **headers: str) -> Caller:
        """Another session of somebody."""
        body = {"name": name, "password": password}
        return Caller(self, self.anyone.post("/api/sign-in", body, **headers).ok()["token"], name)

    @asynccontextmanager
    async def socket(self, by: Caller | None = None, **headers: str) -> AsyncIterator[JsonClient]:
        """A connection at the JSON door, not yet greeted."""
        if by is not None:
            headers["Authorization"] = f"Bearer {by.token}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                f"{self.url}/ws", protocols=[SUBPROTOCOL], headers=_named(headers)
            ) as opened,
        ):
            client = JsonClient(opened)
            try:
                yield client
            finally:
                await client.end()

    @asynccontextmanager
    async def text_socket(self, by: Caller) -> AsyncIterator[TextClient]:
        """A connection at the plain-text door, in the lobby."""
        headers = {"Authorization": f"Bearer {by.token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self.url}/ws", headers=headers, max_msg_size=0) as opened,
        ):
            client = TextClient(opened)
            try:
                await client.line("* You are in #")
                yield client
            finally:
                await client.end()
