"""A server inside the test's own process, and people who send it HTTP requests.

It runs on a thread with its own event loop, starts quickly, and keeps its log for the test. For
signals, kills and the command line, which need a real process, use `tests.support.server`.
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
    """The response to a request."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code in an error's document."""
        assert self.status >= 400, self
        assert self.headers.get_content_type() == "application/problem+json", self
        return str(self.json["code"])

    def ok(self, status: int = 200) -> Any:
        """Check the status of a successful request, and return its document."""
        assert self.status == status, self
        return self.json

    def refused(self, status: int, code: str) -> Any:
        """Check the status and code of a failed request, and return its document."""
        assert (self.status, self.code) == (status, code), self
        return self.json


class LogCapture(logging.Handler):
    """Collects what the servers of this process log through structlog and `logging`."""

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


LOGS = LogCapture()


class Caller:
    """Sends each request on a new connection; with a token, as that person."""

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
        """Send one request: ``body`` as JSON, or ``content`` unchanged (an iterable in chunks)."""
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
        """Create a room of this person with these members, and return its id."""
        title = f"Room {next(self.site.numbers)}"
        names = [member.name for member in members]
        body = {"title": title, "kind": kind, "members": names, **more}
        return str(self.post("/api/rooms", body).ok(201)["room"]["room"])

    def say(self, room: str, text: str = "hi") -> int:
        """Post a message, and return its seq."""
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
    """Cancel all remaining tasks, as `asyncio.run` does at its end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Site:
    """One server in this process: registration is open, and the first account is the owner's.

    ``settings`` are those of `Settings`. By default guests are allowed and limits are off.
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
        self._first_line = len(LOGS.lines)
        self.anyone = Caller(self)

    def start(self) -> Self:
        LOGS.open()
        # Strong hashes would take most of the time of each test.
        passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self._thread.start()
        self.run(self.app.start())
        if self.app.settings.first_owns:
            self.owner = self.person("owner")
        return self

    def stop(self) -> Path:
        """Stop, if it is still running; return the data folder for another server."""
        if not self._thread.is_alive():
            return self.data
        self.run(self.app.stop())
        self.run(_end_all_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()
        return self.data

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    def at(self, now: int) -> None:
        """Stop the server's clock at this time (milliseconds since the epoch)."""
        self.app.executor._clock = lambda: now

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def owner_link(self) -> str | None:
        return self.app.owner_link

    def logged(self) -> list[str]:
        """Warnings and errors since it started or `clear_log` was called."""
        return LOGS.lines[self._first_line :]

    def clear_log(self) -> None:
        """Forget the log so far, also that of other servers of this process."""
        del LOGS.lines[self._first_line :]

    def assert_nothing_logged(self) -> None:
        """Check that no warning and no traceback was logged."""
        assert not self.logged(), "\n".join(self.logged())

    def person(self, name: str | None = None, **more: object) -> Caller:
        """Sign up a person, with a unique name unless one is given."""
        name = name or f"p{next(self.numbers)}"
        body = {"name": name, "password": PASSWORD, **more}
        return Caller(self, self.anyone.post("/api/sign-up", body).ok(201)["token"], name)

    def people(self, count: int) -> list[Caller]:
        return [self.person() for _ in range(count)]

    def guest(self, name: str | None = None) -> Caller:
        signed_in = self.anyone.post("/api/guest", {"name": name} if name else {}).ok()
        return Caller(self, signed_in["token"], signed_in["me"]["name"])

    def sign_in(self, name: str, password: str = PASSWORD, **headers: str) -> Caller:
        """Begin another session of a person."""
        body = {"name": name, "password": password}
        return Caller(self, self.anyone.post("/api/sign-in", body, **headers).ok()["token"], name)

    @asynccontextmanager
    async def socket(self, by: Caller | None = None, **headers: str) -> AsyncIterator[JsonClient]:
        """A JSON WebSocket on which hello has not been sent yet."""
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
        """A plain-text WebSocket in the lobby."""
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
