"""Access is revoked while a person connects in several ways; afterwards they must get nothing.

Each attempt has a private room with a thread, a subject who is a member, and a witness at each
node who stays one. The subject connects in several ways at random moments, and at another random
moment their access is revoked. Once that is acknowledged, all their requests must be refused, and
a secret is posted in the room. When the witness at a node has received it and the subject's
connections there have answered once more, everything has been delivered, so no fixed time is
waited for.
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

CONCURRENCY = 6
JITTER_S = 0.006  # the connections and the revocation begin within this time

Listener = JsonClient | TextClient


class RevocationStats:
    """Counts attempts by revocation, and faults by “revocation/entry”."""

    def __init__(self) -> None:
        self.tries: Counter[str] = Counter()
        self.leaks: Counter[str] = Counter()
        self.allowed: Counter[str] = Counter()
        self.left_open: Counter[str] = Counter()

    @property
    def faults(self) -> int:
        return sum((self.leaks + self.allowed + self.left_open).values())

    def __str__(self) -> str:
        lines = [f"{sum(self.tries.values())} tries ({_listed(self.tries)})"]
        for what, counted in (
            ("secrets received", self.leaks),
            ("requests answered", self.allowed),
            ("connections left open", self.left_open),
        ):
            lines.append(f"{what}: {sum(counted.values())} {_listed(counted)}".rstrip())
        return "\n".join(lines)


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))


class Node:
    """One of the servers, with methods to connect to it."""

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
    """A person who stays a member of all rooms of one task, with a connection to each node."""

    def __init__(self, name: str, token: str) -> None:
        self.name = name
        self.token = token
        self.listeners: list[JsonClient] = []


class Scenario:
    """The nodes, their owner, and the tasks that revoke access."""

    def __init__(self, nodes: list[Node], rng: random.Random) -> None:
        self.nodes = nodes
        self.rng = rng
        self.owner = ""
        self.stats = RevocationStats()
        self._numbers = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def on(cls, servers: list[Server], seed: int) -> "AsyncIterator[Scenario]":
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            scenario = cls([Node(server, http) for server in servers], random.Random(seed))
            scenario.owner = await scenario.sign_up("ana")
            yield scenario

    def next_number(self) -> int:
        return next(self._numbers)

    def random_node(self) -> Node:
        return self.rng.choice(self.nodes)

    async def random_delay(self) -> None:
        await asyncio.sleep(self.rng.uniform(0, JITTER_S))

    async def sign_up(self, name: str) -> str:
        body = {"name": name, "password": PASSWORD}
        return str((await self.nodes[0].ok("", "POST", "sign-up", body))["token"])

    async def sign_in(self, name: str) -> str:
        body = {"name": name, "password": PASSWORD}
        return str((await self.random_node().ok("", "POST", "sign-in", body))["token"])

    async def witness(self) -> Witness:
        name = f"w{self.next_number()}"
        witness = Witness(name, await self.sign_up(name))
        for node in self.nodes:
            listener = await node.json(witness.token)
            await listener.do("hello")
            witness.listeners.append(listener)
        return witness

    async def run(self, tries: int) -> RevocationStats:
        left = iter(range(tries))
        workers = [self._work(left) for _ in range(min(CONCURRENCY, tries))]
        await asyncio.gather(*workers)
        return self.stats

    async def _work(self, left: "itertools.count[int] | Any") -> None:
        witness = await self.witness()
        name = f"s{self.next_number()}"
        await self.sign_up(name)
        revocations = list(REVOCATIONS)
        for nth in left:
            # In turn, so that a few attempts already cover all revocations.
            kind = revocations[nth % len(revocations)]
            await Attempt(self, kind, name, witness).run()
        for listener in witness.listeners:
            await listener.end()


class Revocation(NamedTuple):
    """A way to revoke access, and the scope of what it takes away."""

    revoke: Callable[["Attempt"], Awaitable[None]]
    scope: str
    """``room``, ``session``, ``posting`` or ``admin``."""
    has_room: bool = True


class Attempt:
    """One subject, one room and one revocation."""

    def __init__(self, scenario: Scenario, kind: str, name: str, witness: Witness) -> None:
        self.scenario = scenario
        self.kind = kind
        self.name = name
        self.witness = witness
        self.scope = REVOCATIONS[kind].scope
        self.token = ""
        self.other = ""
        """Another session of the subject, which stays valid unless the account is locked."""
        self.room = ""
        self.revoked_at = scenario.random_node()
        self.listeners: dict[str, Listener] = {}
        self.is_acknowledged = False
        self.changed_to = ""

    def record(self, counter: Counter[str], how: str) -> None:
        counter[f"{self.kind}/{how}"] += 1

    async def run(self) -> None:
        scenario = self.scenario
        scenario.stats.tries[self.kind] += 1
        await self._prepare()
        entries = scenario.rng.sample(list(ENTRIES), k=4)
        if self.scope == "admin":
            entries = ["admin", *entries[:2]]
        before = scenario.rng.sample(["json", "text"], k=scenario.rng.randint(0, 2))
        for entry in before:
            await ENTRIES[entry](self)
        entering = [asyncio.create_task(self._enter(entry)) for entry in entries]
        await scenario.random_delay()
        await REVOCATIONS[self.kind].revoke(self)
        self.is_acknowledged = True
        await self._check_access()
        secrets = [await self._post_secret()]
        await asyncio.gather(*entering)
        await self._check_access()
        secrets += [await self._post_secret()]
        await self._wait_for_delivery(secrets)
        self._check_secrets(secrets)
        for listener in self.listeners.values():
            await listener.end()
        await self._clean_up()

    async def _prepare(self) -> None:
        scenario, node = self.scenario, self.scenario.random_node()
        self.token = await scenario.sign_in(self.name)
        self.other = await scenario.sign_in(self.name)
        if self.scope == "admin":
            await self._as_owner("PUT", f"users/{self.name}/role", {"role": "admin"})
            self.token = await scenario.sign_in(self.name)
        members = [self.name, self.witness.name]
        body = {"title": f"Room {scenario.next_number()}", "kind": "private", "members": members}
        self.room = (await self._as_owner("POST", "rooms", body))["room"]["room"]
        await self._as_owner("POST", f"rooms/{self.room}/messages", {"text": "before"})
        await self._as_owner("POST", f"rooms/{self.room}.1/messages", {"text": "in the thread"})
        own = {"text": "mine", "nonce": "old"}
        await node.ok(self.token, "POST", f"rooms/{self.room}/messages", own)
        for listener in self.witness.listeners:
            await listener.do("watch", room=f"{self.room}.1")

    async def _as_owner(self, method: str, path: str, body: Answer | None = None) -> Answer:
        return await self.scenario.random_node().ok(self.scenario.owner, method, path, body)

    async def _enter(self, entry: str) -> None:
        """Connect in one way; it may be refused at any moment."""
        await self.scenario.random_delay()
        with suppress(Refused, AssertionError, aiohttp.ClientError):
            await ENTRIES[entry](self)

    def add_listener(self, how: str, listener: Listener) -> None:
        self.listeners[f"{how} {len(self.listeners)}"] = listener

    # After the acknowledgement

    async def _check_access(self) -> None:
        """Check that each node refuses all requests that are forbidden now."""
        for node in self.scenario.nodes:
            for what, method, path, body in self._forbidden():
                status, _ = await node.api(self.token, method, path, body)
                if status not in REFUSED[self.scope]:
                    self.record(self.scenario.stats.allowed, what)

    def _forbidden(self) -> list[tuple[str, str, str, Answer | None]]:
        room = f"rooms/{self.room}"
        number = self.scenario.next_number()
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

    async def _post_secret(self) -> str:
        """Post a secret in the room and its thread, and return it."""
        if not REVOCATIONS[self.kind].has_room:
            return "no room for a secret"
        if self.scope == "session" and len(self.scenario.nodes) > 1:
            await self._wait_for_all_nodes()
        secret = f"secret {self.scenario.next_number()}"
        for room in (f"{self.room}.1", self.room):
            await self._as_owner("POST", f"rooms/{room}/messages", {"text": secret})
        return secret

    async def _wait_for_all_nodes(self) -> None:
        """Wait until each node has applied a later journal entry."""
        role = f"rooms/{self.room}/members/{self.witness.name}/role"
        for to in ("moderator", "member"):
            mrev = (await self._as_owner("PUT", role, {"role": to}))["mrev"]
            for listener in self.witness.listeners:
                await listener.event("member", room=self.room, mrev=mrev)

    async def _wait_for_delivery(self, secrets: list[str]) -> None:
        """Wait until the secrets can no longer reach any connection."""
        if REVOCATIONS[self.kind].has_room:
            for witness in self.witness.listeners:
                for room in (f"{self.room}.1", self.room):
                    await witness.event("message", room=room, text=secrets[-1])
        if self.kind == "demoted":
            return  # some connections were closed to reconnect, and new ones have come since
        for how, listener in self.listeners.items():
            if await self._is_answering(listener) and self.scope == "session":
                self.record(self.scenario.stats.left_open, how.split()[0])

    async def _is_answering(self, listener: Listener) -> bool:
        """Whether it is still open; if so, everything sent to it before has been received."""
        try:
            if isinstance(listener, JsonClient):
                await listener.do("about")
            else:
                await listener.say("/help")
                await listener.line("* What you type")
        except (AssertionError, ConnectionError, aiohttp.ClientError):
            assert listener.is_over or listener.socket.closed, "it neither answered nor was closed"
            return False
        return True

    def _check_secrets(self, secrets: list[str]) -> None:
        if self.scope not in ("room", "session"):
            return
        for how, listener in self.listeners.items():
            frames = listener.frames if isinstance(listener, JsonClient) else listener.lines
            received = repr(frames)
            if any(f"{secret}'" in received or f'{secret}"' in received for secret in secrets):
                self.record(self.scenario.stats.leaks, how.split()[0])

    async def _clean_up(self) -> None:
        for listener in self.witness.listeners:
            listener.events.clear()
            listener.frames.clear()
            with suppress(Refused):
                await listener.do("unwatch", room=f"{self.room}.1")
        if self.kind == "locked":
            await self._as_owner("PUT", f"users/{self.name}/disabled", {"disabled": False})
        if self.changed_to:
            status, _ = await self.scenario.random_node().api(
                self.other, "PUT", "me/password", {"old": self.changed_to, "new": PASSWORD}
            )
            assert status == 200


# Revocations


async def _kicked(attempt: Attempt) -> None:
    path = f"rooms/{attempt.room}/members/{attempt.name}"
    await attempt.revoked_at.ok(attempt.scenario.owner, "DELETE", path)


async def _left(attempt: Attempt) -> None:
    await attempt.revoked_at.ok(attempt.other, "POST", f"rooms/{attempt.room}/leave")


async def _deleted(attempt: Attempt) -> None:
    await attempt.revoked_at.ok(attempt.scenario.owner, "DELETE", f"rooms/{attempt.room}")


async def _locked(attempt: Attempt) -> None:
    await attempt.revoked_at.ok(attempt.scenario.owner, "PUT", f"users/{attempt.name}/disabled", {})


async def _signed_out(attempt: Attempt) -> None:
    await attempt.revoked_at.ok(attempt.token, "POST", "sign-out")


async def _session_ended(attempt: Attempt) -> None:
    record = await attempt.revoked_at.ok(attempt.token, "GET", "sessions")
    [session] = [each["session"] for each in record["sessions"] if each.get("current")]
    await attempt.revoked_at.ok(attempt.other, "DELETE", f"sessions/{session}")


async def _password_changed(attempt: Attempt) -> None:
    attempt.changed_to = f"another one {attempt.scenario.next_number()}"
    body = {"old": PASSWORD, "new": attempt.changed_to}
    await attempt.revoked_at.ok(attempt.other, "PUT", "me/password", body)


async def _demoted(attempt: Attempt) -> None:
    body = {"role": "member"}
    await attempt.revoked_at.ok(attempt.scenario.owner, "PUT", f"users/{attempt.name}/role", body)


async def _archived(attempt: Attempt) -> None:
    body = {"archived": True}
    await attempt.revoked_at.ok(attempt.scenario.owner, "PATCH", f"rooms/{attempt.room}", body)


REVOCATIONS: dict[str, Revocation] = {
    "kicked": Revocation(_kicked, "room"),
    "locked": Revocation(_locked, "session"),
    "left": Revocation(_left, "room"),
    "signed out": Revocation(_signed_out, "session"),
    "room deleted": Revocation(_deleted, "room", has_room=False),
    "session ended": Revocation(_session_ended, "session"),
    "password changed": Revocation(_password_changed, "session"),
    "demoted": Revocation(_demoted, "admin"),
    "archived": Revocation(_archived, "posting", has_room=False),
}

# A locked account gets 403 where the account is checked before the session.
REFUSED = {"room": {404}, "session": {401, 403}, "posting": {409}, "admin": {403}}


# Entries


async def _json(attempt: Attempt) -> None:
    listener = await attempt.scenario.random_node().json(attempt.token)
    attempt.add_listener("json", listener)
    await listener.do("hello")


async def _auth(attempt: Attempt) -> None:
    listener = await attempt.scenario.random_node().json(None)
    try:
        await listener.do("auth", token=attempt.token)
    except Refused:  # an unauthenticated connection may stay open for a while
        await listener.end()
        raise
    attempt.add_listener("auth", listener)
    await listener.do("hello")


async def _watch(attempt: Attempt) -> None:
    """Watch the thread, which they do not follow; several times, as each takes little time."""
    listener = await attempt.scenario.random_node().json(attempt.token)
    attempt.add_listener("watch", listener)
    for room in (f"{attempt.room}.1", attempt.room) * 3:
        with suppress(Refused):
            await listener.do("watch", room=room)


async def _join(attempt: Attempt) -> None:
    listener = await attempt.scenario.random_node().json(attempt.token)
    attempt.add_listener("join", listener)
    await listener.do("hello")
    for _ in range(3):
        await listener.do("join", room=attempt.room)


async def _text(attempt: Attempt) -> None:
    listener = await attempt.scenario.random_node().text(attempt.token, f"?room={attempt.room}")
    attempt.add_listener("text", listener)
    await listener.line("* You are in #")


async def _text_after(attempt: Attempt) -> None:
    listener = await attempt.scenario.random_node().text(
        attempt.token, f"?room={attempt.room}&after=0"
    )
    attempt.add_listener("text-after", listener)
    await listener.line("* You are in #")


async def _text_join(attempt: Attempt) -> None:
    listener = await attempt.scenario.random_node().text(attempt.token)
    attempt.add_listener("text-join", listener)
    await listener.line("* You are in #")
    for room in (attempt.room, "lobby", f"{attempt.room}.1", attempt.room, "lobby", attempt.room):
        await listener.say(f"/join {room}")
        await listener.say("/history 2")


async def _read(attempt: Attempt) -> None:
    node = attempt.scenario.random_node()
    for _ in range(4):
        is_revoked = attempt.is_acknowledged
        status, _ = await node.api(attempt.token, "GET", f"rooms/{attempt.room}/messages")
        if is_revoked and status == 200 and attempt.scope in ("room", "session"):
            attempt.record(attempt.scenario.stats.allowed, "reading")


async def _write(attempt: Attempt) -> None:
    node = attempt.scenario.random_node()
    for number in range(4):
        is_revoked = attempt.is_acknowledged
        body = {"text": f"message {number}"}
        status, _ = await node.api(attempt.token, "POST", f"rooms/{attempt.room}/messages", body)
        if is_revoked and status < 300 and attempt.scope != "admin" and attempt.kind != "archived":
            attempt.record(attempt.scenario.stats.allowed, "writing")


async def _admin(attempt: Attempt) -> None:
    node = attempt.scenario.random_node()
    for _ in range(4):
        is_revoked = attempt.is_acknowledged
        status, _ = await node.api(attempt.token, "POST", "invites", {})
        if is_revoked and status < 300 and attempt.scope == "admin":
            attempt.record(attempt.scenario.stats.allowed, "inviting")


ENTRIES: dict[str, Callable[[Attempt], Awaitable[None]]] = {
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
