"""People are put out while they come in, by all ways at once; whoever is out is to hear nothing.

Each try has a private room with its thread, a subject who is in it, and a witness at each node who
stays. The subject comes in by several ways at moments of chance, and at another something is taken
from them. Once that has been acknowledged, everything they ask for must be refused, and a secret is
said in the room. When the witness at a node has heard it and the subject's connections there have
answered once more, all that was to come has come: no fixed time is waited for.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import aiohttp

from tests.support.chat import PASSWORD, SUBPROTOCOL, Answer, JsonClient, Refused, TextClient
from tests.support.server import Server

WORKERS = 6
JITTER_S = 0.006  # within which the ways in and the revocation begin

Ear = JsonClient | TextClient


class RevocationResult:
    """What became of the tries; ``heard`` and the others are by what was done and how."""

    def __init__(self) -> None:
        self.tries: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self.succeeded: Counter[str] = Counter()
        self.survived: Counter[str] = Counter()

    @property
    def faults(self) -> int:
        return sum((self.heard + self.succeeded + self.survived).values())

    def __str__(self) -> str:
        found = [f"{sum(self.tries.values())} tries ({_listed(self.tries)})"]
        for what, counted in (
            ("secrets heard", self.heard),
            ("requests answered", self.succeeded),
            ("connections left open", self.survived),
        ):
            found.append(f"{what}: {sum(counted.values())} {_listed(counted)}".rstrip())
        return "\n".join(found)


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))


class Node:
    """One of the servers, as people call it."""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self.server = server
        self._http = http

    async def api(
        self, token: str, method: str, path: str, body: Answer | None = None
    ) -> tuple[int, Answer]:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.server.url}/api/{path}"
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def ok(self, token: str, method: str, path: str, body: Answer | None = None) -> Answer:
        status, answer = await self.api(token, method, path, body)
        assert status < 300, (method, path, answer)
        return answer

    async def json(self, token: str | None) -> JsonClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return JsonClient(await self._connect([SUBPROTOCOL], "", headers))

    async def text(self, token: str | None, query: str = "") -> TextClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return TextClient(await self._connect([], query, headers))

    async def _connect(
        self, protocols: list[str], query: str, headers: dict[str, str]
    ) -> aiohttp.ClientWebSocketResponse:
        return await self._http.ws_connect(
            self.server.socket_url + query, protocols=protocols, headers=headers, max_msg_size=0
        )


class Witness:
    """Somebody who stays in all rooms of a worker, listening at each node."""

    def __init__(self, name: str, token: str) -> None:
        self.name = name
        self.token = token
        self.ears: list[JsonClient] = []


class Ground:
    """The nodes, their owner, and the workers' people."""

    def __init__(self, nodes: list[Node], chance: random.Random) -> None:
        self.nodes = nodes
        self.chance = chance
        self.owner = ""
        self.figures = RevocationResult()
        self._numbers = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def on(cls, servers: list[Server], seed: int) -> "AsyncIterator[Ground]":
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            ground = cls([Node(server, http) for server in servers], random.Random(seed))
            ground.owner = await ground.sign_up("ana")
            yield ground

    def number(self) -> int:
        return next(self._numbers)

    def node(self) -> Node:
        return self.chance.choice(self.nodes)

    async def moment(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, JITTER_S))

    async def sign_up(self, name: str) -> str:
        body = {"name": name, "password": PASSWORD}
        return str((await self.nodes[0].ok("", "POST", "sign-up", body))["token"])

    async def sign_in(self, name: str) -> str:
        body = {"name": name, "password": PASSWORD}
        return str((await self.node().ok("", "POST", "sign-in", body))["token"])

    async def witness(self) -> Witness:
        name = f"w{self.number()}"
        made = Witness(name, await self.sign_up(name))
        for node in self.nodes:
            ear = await node.json(made.token)
            await ear.do("hello")
            made.ears.append(ear)
        return made

    async def run(self, tries: int) -> RevocationResult:
        left = iter(range(tries))
        workers = [self._work(left) for _ in range(min(WORKERS, tries))]
        await asyncio.gather(*workers)
        return self.figures

    async def _work(self, left: "itertools.count[int] | Any") -> None:
        witness = await self.witness()
        name = f"s{self.number()}"
        await self.sign_up(name)
        kinds = list(KINDS)
        for nth in left:
            # Each kind in its turn, so that few tries have all of them.
            kind = kinds[nth % len(kinds)]
            await Try(self, kind, name, witness).run()
        for ear in witness.ears:
            await ear.end()


class Kind(NamedTuple):
    """Something that is taken from somebody, and what they may not do any more."""

    revoke: Callable[["Try"], Awaitable[None]]
    scope: str
    """``room``, ``session``, ``posting`` or ``admin``."""
    has_room: bool = True


class Try:
    """One subject, one room, one thing that is taken."""

    def __init__(self, ground: Ground, kind: str, name: str, witness: Witness) -> None:
        self.ground = ground
        self.kind = kind
        self.name = name
        self.witness = witness
        self.scope = KINDS[kind].scope
        self.token = ""
        self.other = ""
        """Another session of the subject's, which goes on unless the account is locked."""
        self.room = ""
        self.revoked_at = ground.node()
        self.ears: dict[str, Ear] = {}
        self.is_acknowledged = False
        self.changed_to = ""

    def found(self, where: Counter[str], how: str) -> None:
        where[f"{self.kind}/{how}"] += 1

    async def run(self) -> None:
        ground = self.ground
        ground.figures.tries[self.kind] += 1
        await self._prepare()
        ways = ground.chance.sample(list(WAYS), k=4)
        if self.scope == "admin":
            ways = ["admin", *ways[:2]]
        before = ground.chance.sample(["json", "text"], k=ground.chance.randint(0, 2))
        for way in before:
            await WAYS[way](self)
        coming = [asyncio.create_task(self._come(way)) for way in ways]
        await ground.moment()
        await KINDS[self.kind].revoke(self)
        self.is_acknowledged = True
        await self._is_out()
        secrets = [await self._secret()]
        await asyncio.gather(*coming)
        await self._is_out()
        secrets += [await self._secret()]
        await self._drained(secrets)
        self._listen(secrets)
        for ear in self.ears.values():
            await ear.end()
        await self._tidy()

    async def _prepare(self) -> None:
        ground, node = self.ground, self.ground.node()
        self.token, self.other = await ground.sign_in(self.name), await ground.sign_in(self.name)
        if self.scope == "admin":
            await self._owner("PUT", f"users/{self.name}/role", {"role": "admin"})
            self.token = await ground.sign_in(self.name)
        members = [self.name, self.witness.name]
        body = {"title": f"Room {ground.number()}", "kind": "private", "members": members}
        self.room = (await self._owner("POST", "rooms", body))["room"]["room"]
        await self._owner("POST", f"rooms/{self.room}/messages", {"text": "before"})
        await self._owner("POST", f"rooms/{self.room}.1/messages", {"text": "in the thread"})
        own = {"text": "mine", "nonce": "old"}
        await node.ok(self.token, "POST", f"rooms/{self.room}/messages", own)
        for ear in self.witness.ears:
            await ear.do("watch", room=f"{self.room}.1")

    async def _owner(self, method: str, path: str, body: Answer | None = None) -> Answer:
        return await self.ground.node().ok(self.ground.owner, method, path, body)

    async def _come(self, way: str) -> None:
        """Come in by one way; being refused is all right, whenever."""
        await self.ground.moment()
        with suppress(Refused, AssertionError, aiohttp.ClientError):
            await WAYS[way](self)

    def listen(self, how: str, ear: Ear) -> None:
        self.ears[f"{how} {len(self.ears)}"] = ear

    # After the acknowledgement

    async def _is_out(self) -> None:
        """Whatever is asked for from now on is refused, at each node."""
        for node in self.ground.nodes:
            for what, method, path, body in self._forbidden():
                status, _ = await node.api(self.token, method, path, body)
                if status not in REFUSED[self.scope]:
                    self.found(self.ground.figures.succeeded, what)

    def _forbidden(self) -> list[tuple[str, str, str, Answer | None]]:
        room = f"rooms/{self.room}"
        number = self.ground.number()
        post = ("post", "POST", f"{room}/messages", {"text": f"late {number}"})
        if self.scope == "posting":
            return [post, ("react", "PUT", f"{room}/messages/1/reactions/%F0%9F%91%8D", {})]
        if self.scope == "admin":
            return [("invite", "POST", "invites", {})]
        asked: list[tuple[str, str, str, Answer | None]] = [
            post,
            ("history", "GET", f"{room}/messages", None),
            ("sync", "GET", f"{room}/changes?after=0", None),
            ("retry", "POST", f"{room}/messages", {"text": "mine", "nonce": "old"}),
            ("thread", "POST", f"{room}.1/messages", {"text": f"late {number}"}),
            ("members", "GET", f"{room}/members", None),
            ("join", "POST", f"{room}/join", {}),
        ]
        if self.scope == "session":
            asked.append(("me", "GET", "me", None))
        return asked

    async def _secret(self) -> str:
        """Said in the room and in its thread by somebody who is still there."""
        if not KINDS[self.kind].has_room:
            return "no room to say it in"
        if self.scope == "session" and len(self.ground.nodes) > 1:
            await self._all_nodes_know()
        secret = f"secret {self.ground.number()}"
        for room in (f"{self.room}.1", self.room):
            await self._owner("POST", f"rooms/{room}/messages", {"text": secret})
        return secret

    async def _all_nodes_know(self) -> None:
        """What comes after in the journal has been carried out everywhere."""
        role = f"rooms/{self.room}/members/{self.witness.name}/role"
        for to in ("moderator", "member"):
            mrev = (await self._owner("PUT", role, {"role": to}))["mrev"]
            for ear in self.witness.ears:
                await ear.event("member", room=self.room, mrev=mrev)

    async def _drained(self, secrets: list[str]) -> None:
        """All that will ever come of the secrets to anybody's ears has come."""
        if KINDS[self.kind].has_room:
            for witness in self.witness.ears:
                for room in (f"{self.room}.1", self.room):
                    await witness.event("message", room=room, text=secrets[-1])
        if self.kind == "demoted":
            return  # some of them were closed, to come back; others have come since
        for how, ear in self.ears.items():
            if await self._answers(ear) and self.scope == "session":
                self.found(self.ground.figures.survived, how.split()[0])

    async def _answers(self, ear: Ear) -> bool:
        """Whether it is still open; then all that was written to it before has been heard."""
        try:
            if isinstance(ear, JsonClient):
                await ear.do("about")
            else:
                await ear.say("/help")
                await ear.line("* What you type")
        except (AssertionError, ConnectionError, aiohttp.ClientError):
            assert ear.is_over or ear.socket.closed, "it neither answered nor was closed"
            return False
        return True

    def _listen(self, secrets: list[str]) -> None:
        if self.scope not in ("room", "session"):
            return
        for how, ear in self.ears.items():
            heard = repr(ear.heard) if isinstance(ear, JsonClient) else repr(ear.lines)
            if any(f"{secret}'" in heard or f'{secret}"' in heard for secret in secrets):
                self.found(self.ground.figures.heard, how.split()[0])

    async def _tidy(self) -> None:
        for ear in self.witness.ears:
            ear.events.clear()
            ear.heard.clear()
            with suppress(Refused):
                await ear.do("unwatch", room=f"{self.room}.1")
        if self.kind == "locked":
            await self._owner("PUT", f"users/{self.name}/disabled", {"disabled": False})
        if self.changed_to:
            status, _ = await self.ground.node().api(
                self.other, "PUT", "me/password", {"old": self.changed_to, "new": PASSWORD}
            )
            assert status == 200


# What is taken


async def _kicked(one: Try) -> None:
    path = f"rooms/{one.room}/members/{one.name}"
    await one.revoked_at.ok(one.ground.owner, "DELETE", path)


async def _left(one: Try) -> None:
    await one.revoked_at.ok(one.other, "POST", f"rooms/{one.room}/leave")


async def _deleted(one: Try) -> None:
    await one.revoked_at.ok(one.ground.owner, "DELETE", f"rooms/{one.room}")


async def _locked(one: Try) -> None:
    await one.revoked_at.ok(one.ground.owner, "PUT", f"users/{one.name}/disabled", {})


async def _signed_out(one: Try) -> None:
    await one.revoked_at.ok(one.token, "POST", "sign-out")


async def _session_ended(one: Try) -> None:
    found = await one.revoked_at.ok(one.token, "GET", "sessions")
    [session] = [each["session"] for each in found["sessions"] if each.get("current")]
    await one.revoked_at.ok(one.other, "DELETE", f"sessions/{session}")


async def _password_changed(one: Try) -> None:
    one.changed_to = f"another one {one.ground.number()}"
    body = {"old": PASSWORD, "new": one.changed_to}
    await one.revoked_at.ok(one.other, "PUT", "me/password", body)


async def _demoted(one: Try) -> None:
    body = {"role": "member"}
    await one.revoked_at.ok(one.ground.owner, "PUT", f"users/{one.name}/role", body)


async def _archived(one: Try) -> None:
    body = {"archived": True}
    await one.revoked_at.ok(one.ground.owner, "PATCH", f"rooms/{one.room}", body)


KINDS: dict[str, Kind] = {
    "kicked": Kind(_kicked, "room"),
    "locked": Kind(_locked, "session"),
    "left": Kind(_left, "room"),
    "signed out": Kind(_signed_out, "session"),
    "room deleted": Kind(_deleted, "room", has_room=False),
    "session ended": Kind(_session_ended, "session"),
    "password changed": Kind(_password_changed, "session"),
    "demoted": Kind(_demoted, "admin"),
    "archived": Kind(_archived, "posting", has_room=False),
}

# A locked account is told so where it is known before the session is.
REFUSED = {"room": {404}, "session": {401, 403}, "posting": {409}, "admin": {403}}


# How they come in


async def _json(one: Try) -> None:
    ear = await one.ground.node().json(one.token)
    one.listen("json", ear)
    await ear.do("hello")


async def _auth(one: Try) -> None:
    ear = await one.ground.node().json(None)
    try:
        await ear.do("auth", token=one.token)
    except Refused:  # a stranger's connection may stay for a while
        await ear.end()
        raise
    one.listen("auth", ear)
    await ear.do("hello")


async def _watch(one: Try) -> None:
    """The thread, which they do not follow; several times, as it takes but a moment."""
    ear = await one.ground.node().json(one.token)
    one.listen("watch", ear)
    for room in (f"{one.room}.1", one.room) * 3:
        with suppress(Refused):
            await ear.do("watch", room=room)


async def _join(one: Try) -> None:
    ear = await one.ground.node().json(one.token)
    one.listen("join", ear)
    await ear.do("hello")
    for _ in range(3):
        await ear.do("join", room=one.room)


async def _text(one: Try) -> None:
    ear = await one.ground.node().text(one.token, f"?room={one.room}")
    one.listen("text", ear)
    await ear.line("* You are in #")


async def _text_after(one: Try) -> None:
    ear = await one.ground.node().text(one.token, f"?room={one.room}&after=0")
    one.listen("text-after", ear)
    await ear.line("* You are in #")


async def _text_join(one: Try) -> None:
    ear = await one.ground.node().text(one.token)
    one.listen("text-join", ear)
    await ear.line("* You are in #")
    for room in (one.room, "lobby", f"{one.room}.1", one.room, "lobby", one.room):
        await ear.say(f"/join {room}")
        await ear.say("/history 2")


async def _read(one: Try) -> None:
    node = one.ground.node()
    for _ in range(4):
        was_out = one.is_acknowledged
        status, _ = await node.api(one.token, "GET", f"rooms/{one.room}/messages")
        if was_out and status == 200 and one.scope in ("room", "session"):
            one.found(one.ground.figures.succeeded, "reading")


async def _write(one: Try) -> None:
    node = one.ground.node()
    for number in range(4):
        was_out = one.is_acknowledged
        body = {"text": f"said {number}"}
        status, _ = await node.api(one.token, "POST", f"rooms/{one.room}/messages", body)
        if was_out and status < 300 and one.scope != "admin" and one.kind != "archived":
            one.found(one.ground.figures.succeeded, "writing")


async def _admin(one: Try) -> None:
    node = one.ground.node()
    for _ in range(4):
        was_out = one.is_acknowledged
        status, _ = await node.api(one.token, "POST", "invites", {})
        if was_out and status < 300 and one.scope == "admin":
            one.found(one.ground.figures.succeeded, "inviting")


WAYS: dict[str, Callable[[Try], Awaitable[None]]] = {
    "json": _json,
    "auth": _auth,
    "watch": _watch,
    "join": _join,
    "text": _text,
    "text after": _text_after,
    "text join": _text_join,
    "read": _read,
    "write": _write,
    "admin": _admin,
}
