"""The floods: what is sent again and again, on which kind of connection.

A flood is one entry of `FLOODS`. What it sends is made once, before the measurement, and a C
program (`flood.c`) sends it; a connection that is closed or refused comes back. All addresses
are of this machine: 127.0.0.1 is flooded from 127.0.3.1, or from as many addresses beside it
as `sources` says.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from bench.frames import (
    BINARY,
    CONTINUES,
    PINGS,
    PONGS,
    TEXT,
    TEXT_BEGINS,
    client_frame,
    frame,
    frame_head,
    upgrade,
)
from bench.server import HOST
from hubbub.model.messages import FRAME_MAX_BYTES
from hubbub.model.names import LOBBY

BUFFER_BYTES = 64 * 1024
#: From here the server believes `X-Forwarded-For`, so that one machine can be many addresses.
SOURCE = "127.0.3"
SOURCES_MAX = 250
#: Slow to normalise: two runs of marks, the later of which sort before the earlier.
MARKS = "a" + "\u0301" * 60_000 + "\u0323" * 60_000
JSON = "Content-Type: application/json\r\n"
#: Nearly as long as a frame or a body may be.
HUGE_BYTES = 250_000
ECHO_BYTES = 16_000_000
CHUNKED = f"{JSON}Transfer-Encoding: chunked\r\n"
BAD_TOKEN = {"token": "a.b.c"}
ENDLESS = "Content-Length: 1000000000\r\n"


@dataclass(frozen=True)
class Target:
    """Whom a flood meets, and what it knows."""

    port: int
    #: Of accounts that do the flooding; the first is a member of `long_room`.
    tokens: tuple[str, ...]
    long_room: str
    #: A public room in which none of them is.
    other_room: str
    #: Whose password is guessed.
    owner: str

    def request(self, method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
        if body:
            headers += f"{JSON}Content-Length: {len(body)}\r\n"
        return self.head(method, path, headers) + body

    def head(self, method: str, path: str, headers: str = "") -> bytes:
        return f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\n{headers}\r\n".encode()

    @property
    def bearer(self) -> str:
        return f"Authorization: Bearer {self.tokens[0]}\r\n"


class Way(Enum):
    """How a connection begins."""

    TCP = "nothing is sent first"
    ANYONE = "the JSON socket, not signed in"
    MEMBER = "the JSON socket, signed in, welcomed"
    TEXT = "the text interface, signed in"
    GUEST = "the text interface, as a guest"
    ECHO = "the echo socket"

    def openings(self, target: Target) -> list[bytes]:
        """The request of the first connection, of the second…, and so on in turn."""
        match self:
            case Way.TCP:
                return []
            case Way.ANYONE:
                return [upgrade(target.port, None)]
            case Way.MEMBER:
                return [upgrade(target.port, token) for token in target.tokens]
            case Way.TEXT:
                return [upgrade(target.port, token, protocol=None) for token in target.tokens]
            case Way.GUEST:
                return [upgrade(target.port, None, protocol=None)]
            case Way.ECHO:
                return [upgrade(target.port, None, "/ws/echo", protocol=None)]

    @property
    def prelude(self) -> bytes:
        """The bytes sent once after the upgrade."""
        return frame({"id": 1, "do": "hello"}) if self is Way.MEMBER else b""


class Visit(Enum):
    """The kind of visitor who signs in during a flood."""

    NONE = "nobody"
    NEWCOMERS = "people who load the page and sign in"
    OWNER = "the owner of the name whose password is guessed"


Sends = bytes | Callable[[Target], bytes]


@dataclass(frozen=True)
class Flood:
    """One flood. `times` 0 is for ever; after that a connection `leaves`, or stays."""

    name: str
    way: Way
    sends: Sends
    sockets: int = 1
    sources: int = 1
    times: int = 0
    leaves: bool = False
    #: So many bytes at a time, with a pause; 0: as much as the server takes.
    piece: int = 0
    pause_ms: float = 0
    reads: bool = True
    #: Sent once before that: the beginning of something that has no end.
    first: Sends = b""
    visit: Visit = Visit.NONE
    #: One of those for a quick look.
    quick: bool = False
    #: Of the server, if it has fewer than usual.
    open_files: int | None = None

    def payload(self, target: Target) -> bytes:
        return _made(self.sends, target)

    def prelude(self, target: Target) -> bytes:
        return self.way.prelude + _made(self.first, target)


def _made(sends: Sends, target: Target) -> bytes:
    return sends if isinstance(sends, bytes) else sends(target)


def filled(unit: bytes) -> bytes:
    """As many whole units as fit into a buffer, at least one."""
    return unit * max(1, BUFFER_BYTES // len(unit))


def texts(*payloads: str | bytes) -> bytes:
    """Text frames, over and over."""
    encoded = [text.encode() if isinstance(text, str) else text for text in payloads]
    return filled(b"".join(client_frame(TEXT, text) for text in encoded))


def commands(**command: Any) -> bytes:
    return filled(frame(command))


def in_long_room(**command: Any) -> Callable[[Target], bytes]:
    return lambda target: commands(room=target.long_room, **command)


def requests(
    method: str, path: str, body: Any = None, *, headers: str = "", member: bool = False
) -> Callable[[Target], bytes]:
    """Requests one behind another, without waiting for answers; `body` is JSON, or raw bytes."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""

    def made(target: Target) -> bytes:
        more = headers + (target.bearer if member else "")
        return filled(target.request(method, path, raw, more))

    return made


def begun(method: str, path: str, headers: str) -> Callable[[Target], bytes]:
    """The head of a request, whose body is to come."""
    return lambda target: target.head(method, path, headers)


def half_begun(target: Target) -> bytes:
    """A head whose last header is to come."""
    return target.head("GET", "/")[:-2]


def unfinished(size: int) -> bytes:
    """All but the last byte of a text frame."""
    return frame_head(TEXT, size) + b"x" * (size - 1)


def guesses(target: Target) -> bytes:
    """Sign-ins with wrong passwords, each from another address, as a trusted proxy tells it."""
    made = []
    for number, (high, low) in enumerate(itertools.product(range(16), range(1, 251))):
        body = msgspec.json.encode({"name": target.owner, "password": f"wrong guess {number}"})
        forwarded = f"X-Forwarded-For: 10.1.{high}.{low}\r\n"
        made.append(target.request("POST", "/api/sign-in", body, forwarded))
    return b"".join(made)


def strangers(target: Target) -> bytes:
    """Sign-ups, each from another address."""
    made = []
    for number, (high, low) in enumerate(itertools.product(range(4), range(1, 251))):
        body = msgspec.json.encode({"name": f"stranger-{number}", "password": "three plain words"})
        forwarded = f"X-Forwarded-For: 10.2.{high}.{low}\r\n"
        made.append(target.request("POST", "/api/sign-up", body, forwarded))
    return b"".join(made)


SIGN_UP = {"name": "zoe", "password": "three plain words", "display_name": MARKS}
HELP = client_frame(TEXT, b"/help\n" * 43_000)
NONSENSE = b"\r\nNONSENSE\r\n\r\n"
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

FLOODS = (
    # Texts that are slow to normalise
    Flood(
        "sign-up, 120,000 marks", Way.TCP, requests("POST", "/api/sign-up", SIGN_UP), 4, quick=True
    ),
    Flood(
        "sign-up, 120,000 marks, 50 addresses",
        Way.TCP,
        requests("POST", "/api/sign-up", SIGN_UP),
        50,
        sources=50,
    ),
    Flood("auth, 120,000 marks", Way.ANYONE, commands(do="auth", token=MARKS), 4),
    Flood(
        "post, 120,000 marks",
        Way.MEMBER,
        commands(do="post", room=LOBBY, text=MARKS),
        4,
        quick=True,
    ),
    Flood("search, 120,000 marks", Way.MEMBER, commands(do="rooms", search=MARKS), 4),
    Flood("accounts from everywhere", Way.TCP, strangers, 20),
    # Frames
    Flood("{ frames, not signed in", Way.ANYONE, texts("{"), quick=True),
    Flood("{ frames, signed in", Way.MEMBER, texts("{")),
    Flood("pings, not signed in", Way.ANYONE, filled(client_frame(PINGS))),
    Flood("pings, signed in", Way.MEMBER, filled(client_frame(PINGS)), quick=True),
    Flood("pings of 125 bytes", Way.MEMBER, filled(client_frame(PINGS, b"p" * 125))),
    Flood("pongs", Way.MEMBER, filled(client_frame(PONGS))),
    Flood(
        "empty continuations",
        Way.MEMBER,
        filled(client_frame(CONTINUES)),
        first=client_frame(TEXT_BEGINS, b"x"),
        quick=True,
    ),
    Flood("about", Way.MEMBER, commands(do="about")),
    Flood(
        "posts to a room one is not in",
        Way.MEMBER,
        lambda target: commands(do="post", room=target.other_room, text="let me in"),
    ),
    Flood(
        "posts above the rate", Way.MEMBER, commands(do="post", room=LOBBY, text="hi"), quick=True
    ),
    Flood("typing", Way.MEMBER, commands(do="typing", room=LOBBY)),
    Flood("unknown commands", Way.MEMBER, commands(do="dance")),
    Flood("binary frames", Way.MEMBER, filled(client_frame(BINARY, b"{"))),
    Flood("auth with bad tokens", Way.ANYONE, commands(do="auth", **BAD_TOKEN)),
    Flood("/help", Way.TEXT, texts("/help"), quick=True),
    Flood("/history", Way.TEXT, texts("/history")),
    Flood("/who", Way.TEXT, texts("/who")),
    Flood("unknown words", Way.TEXT, texts("/dance")),
    Flood("empty lines", Way.TEXT, texts("\n" * 100)),
    Flood("43,000 /help in one frame", Way.TEXT, HELP, quick=True),
    Flood("connect and go", Way.TCP, b"", 20, leaves=True),
    Flood("upgrade and go", Way.ANYONE, b"", 20, leaves=True, quick=True),
    Flood("upgrade, hello and go", Way.MEMBER, b"", 20, leaves=True),
    Flood("guests come and go", Way.GUEST, b"", 20, leaves=True),
    Flood(
        "guests come, speak and go",
        Way.GUEST,
        client_frame(TEXT, b"hi"),
        20,
        times=1,
        leaves=True,
        quick=True,
    ),
    # Large and broken ones
    Flood("nested, not signed in", Way.ANYONE, texts("[" * 100_000), 20, quick=True),
    Flood("nested, signed in", Way.MEMBER, texts("[" * 100_000), 20),
    Flood(
        "huge and malformed",
        Way.MEMBER,
        texts('{"do":"post","room":"lobby","text":"' + "x" * HUGE_BYTES),
        50,
        quick=True,
    ),
    Flood("huge and malformed, not signed in", Way.ANYONE, texts("x" * HUGE_BYTES), 50),
    Flood("unfinished frames", Way.ANYONE, unfinished(FRAME_MAX_BYTES), 400, times=1),
    Flood(
        "unfinished frames, 20 addresses",
        Way.ANYONE,
        unfinished(FRAME_MAX_BYTES),
        1_000,
        sources=20,
        times=1,
        quick=True,
    ),
    Flood("unfinished frames, signed in", Way.MEMBER, unfinished(FRAME_MAX_BYTES), 200, times=1),
    Flood(
        "unfinished frames to be echoed", Way.ECHO, unfinished(ECHO_BYTES), 16, times=1, quick=True
    ),
    Flood("echoes that nobody reads", Way.ECHO, texts("x" * 60_000), 16, reads=False),
    # HTTP
    Flood("an endless request line", Way.TCP, b"a" * BUFFER_BYTES, 8, first=b"GET /"),
    Flood("an endless header", Way.TCP, b"x" * BUFFER_BYTES, 8, first=half_begun),
    Flood("endless headers", Way.TCP, filled(b"a: b\r\n"), 8, first=half_begun, quick=True),
    Flood(
        "slow headers",
        Way.TCP,
        filled(b"a: b\r\n"),
        400,
        first=half_begun,
        piece=1,
        pause_ms=100,
        quick=True,
    ),
    Flood(
        "endless bodies",
        Way.TCP,
        b"x" * BUFFER_BYTES,
        8,
        first=begun("POST", "/api/sign-in", JSON + ENDLESS),
    ),
    Flood("endless chunks", Way.TCP, CHUNK, 8, first=begun("POST", "/api/sign-in", CHUNKED)),
    Flood(
        "tiny chunks",
        Way.TCP,
        filled(b"1\r\nx\r\n"),
        8,
        first=begun("POST", "/api/sign-in", CHUNKED),
        quick=True,
    ),
    Flood("huge bodies", Way.TCP, requests("POST", "/api/sign-in", b"[" * HUGE_BYTES), 8),
    Flood(
        "unfinished bodies",
        Way.TCP,
        lambda target: target.request("POST", "/api/sign-in", b"[" * HUGE_BYTES)[:-1],
        400,
        times=1,
    ),
    Flood("GET /api/about", Way.TCP, requests("GET", "/api/about")),
    Flood("GET /", Way.TCP, requests("GET", "/"), 4, quick=True),
    Flood("GET what is not there", Way.TCP, requests("GET", "/api/nothing"), 4),
    Flood("GET without a token", Way.TCP, requests("GET", "/api/me"), 4, quick=True),
    Flood("broken HTTP", Way.TCP, filled(NONSENSE), 20),
    Flood(
        "POST what is no JSON",
        Way.TCP,
        requests("POST", f"/api/rooms/{LOBBY}/messages", b"{", member=True),
        4,
    ),
    Flood("HEAD", Way.TCP, requests("HEAD", "/"), 4),
    Flood("OPTIONS", Way.TCP, requests("OPTIONS", "/api/about"), 4),
    Flood("GET /metrics", Way.TCP, requests("GET", "/metrics"), 4),
    Flood("GET /api/openapi.json", Way.TCP, requests("GET", "/api/openapi.json"), 4),
    Flood(
        "POST above the rate",
        Way.TCP,
        requests("POST", f"/api/rooms/{LOBBY}/messages", {"text": "hi"}, member=True),
        4,
        quick=True,
    ),
    Flood("GET /api/about, not read", Way.TCP, requests("GET", "/api/about"), 100, reads=False),
    Flood("wrong hosts", Way.TCP, requests("GET", "http://elsewhere.example/"), 4),
    # The same from so many addresses that no limit by address holds
    Flood("{ frames, 200 addresses", Way.ANYONE, texts("{"), 200, sources=200),
    Flood("pings, 200 addresses", Way.ANYONE, filled(client_frame(PINGS)), 200, sources=200),
    Flood("upgrade and go, 200 addresses", Way.ANYONE, b"", 200, sources=200, leaves=True),
    Flood("GET /, 200 addresses", Way.TCP, requests("GET", "/"), 200, sources=200, quick=True),
    Flood("GET /api/me, 200 addresses", Way.TCP, requests("GET", "/api/me"), 200, sources=200),
    Flood("broken HTTP, 200 addresses", Way.TCP, filled(NONSENSE), 200, sources=200),
    Flood(
        "endless headers, 200 addresses",
        Way.TCP,
        filled(b"a: b\r\n"),
        200,
        first=half_begun,
        sources=200,
    ),
    Flood(
        "huge bodies, 200 addresses",
        Way.TCP,
        requests("POST", "/api/sign-in", b"[" * HUGE_BYTES),
        200,
        sources=200,
    ),
    # So many that nobody else gets in
    Flood("1,200 idle", Way.TCP, b"", 1_200, visit=Visit.NEWCOMERS, open_files=1_024),
    Flood(
        "1,200 idle, 60 addresses",
        Way.TCP,
        b"",
        1_200,
        sources=60,
        visit=Visit.NEWCOMERS,
        open_files=1_024,
        quick=True,
    ),
    Flood(
        "1,200 half a request, renewed",
        Way.TCP,
        half_begun,
        1_200,
        sources=60,
        times=1,
        visit=Visit.NEWCOMERS,
        open_files=1_024,
        quick=True,
    ),
    Flood(
        "1,200 sockets, not signed in",
        Way.ANYONE,
        b"",
        1_200,
        sources=60,
        visit=Visit.NEWCOMERS,
        open_files=1_024,
    ),
    # Whose account it is
    Flood("wrong passwords from everywhere", Way.TCP, guesses, 20, visit=Visit.OWNER, quick=True),
    # Readers
    Flood(
        "history, not read",
        Way.MEMBER,
        in_long_room(do="history", limit=100),
        100,
        reads=False,
        quick=True,
    ),
    Flood("history, above the rate", Way.MEMBER, in_long_room(do="history", limit=100)),
    Flood("sync from the beginning", Way.MEMBER, in_long_room(do="sync", after=0)),
    Flood("hello", Way.MEMBER, commands(do="hello")),
    Flood("hello, not read", Way.MEMBER, commands(do="hello"), 100, reads=False, quick=True),
    Flood("about, not read", Way.MEMBER, commands(do="about"), 100, reads=False),
    Flood(
        "pings, not read",
        Way.MEMBER,
        filled(client_frame(PINGS, b"p" * 125)),
        100,
        reads=False,
        quick=True,
    ),
)
