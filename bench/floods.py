"""The floods: the bytes that are sent repeatedly, and on which kind of connection.

A flood is one entry of `FLOODS`. Its bytes are created once, before the measurement, and sent by
a C program (`flood.c`), which reopens connections that are closed or refused. All addresses are
loopback: 127.0.0.1 is flooded from 127.0.3.1, or from as many such addresses as `sources` says.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from bench.frames import (
    BINARY,
    CONTINUATION,
    PING_FRAME,
    PONG_FRAME,
    TEXT,
    TEXT_FRAGMENT,
    client_frame,
    frame,
    frame_head,
    upgrade,
)
from bench.server import HOST
from hubbub.model.messages import FRAME_MAX_BYTES
from hubbub.model.names import LOBBY

BUFFER_BYTES = 64 * 1024
#: The server trusts `X-Forwarded-For` from here, so that one machine can have many addresses.
SOURCE = "127.0.3"
SOURCES_MAX = 250
#: Slow to normalise: two runs of combining marks, where the second sorts before the first.
MARKS = "a" + "\u0301" * 60_000 + "\u0323" * 60_000
JSON = "Content-Type: application/json\r\n"
#: Nearly the limit of a frame or a body.
HUGE_BYTES = 250_000
ECHO_BYTES = 16_000_000
CHUNKED = f"{JSON}Transfer-Encoding: chunked\r\n"
BAD_TOKEN = {"token": "a.b.c"}
ENDLESS = "Content-Length: 1000000000\r\n"


@dataclass(frozen=True)
class Target:
    """The server of a flood, and the accounts and rooms that the flood uses."""

    port: int
    #: Tokens of the flooding accounts; the first is a member of `long_room`.
    tokens: tuple[str, ...]
    long_room: str
    #: A public room of which none of them is a member.
    other_room: str
    #: The account whose password is guessed.
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


class Opening(Enum):
    """How a connection begins."""

    TCP = "nothing is sent first"
    ANYONE = "the JSON socket, not signed in"
    MEMBER = "the JSON socket, signed in, welcomed"
    TEXT = "the text interface, signed in"
    GUEST = "the text interface, as a guest"
    ECHO = "the echo socket"

    def openings(self, target: Target) -> list[bytes]:
        """The upgrade requests, used by the connections in turn."""
        match self:
            case Opening.TCP:
                return []
            case Opening.ANYONE:
                return [upgrade(target.port, None)]
            case Opening.MEMBER:
                return [upgrade(target.port, token) for token in target.tokens]
            case Opening.TEXT:
                return [upgrade(target.port, token, protocol=None) for token in target.tokens]
            case Opening.GUEST:
                return [upgrade(target.port, None, protocol=None)]
            case Opening.ECHO:
                return [upgrade(target.port, None, "/ws/echo", protocol=None)]

    @property
    def prelude(self) -> bytes:
        """The bytes sent once after the upgrade."""
        return frame({"id": 1, "do": "hello"}) if self is Opening.MEMBER else b""


class VisitorKind(Enum):
    """The kind of visitors who sign in during a flood."""

    NONE = "nobody"
    NEWCOMERS = "people who load the page and sign in"
    OWNER = "the owner of the name whose password is guessed"


Unit = bytes | Callable[[Target], bytes]


@dataclass(frozen=True)
class Flood:
    """One flood. `times` 0 repeats it forever; after the last time a connection closes or stays."""

    name: str
    opening: Opening
    unit: Unit
    sockets: int = 1
    sources: int = 1
    times: int = 0
    closes: bool = False
    #: Bytes sent at a time, with a pause; 0: as many as the server accepts.
    piece: int = 0
    pause_ms: float = 0
    reads: bool = True
    #: Sent once first: the beginning of a request or message that never ends.
    first: Unit = b""
    visit: VisitorKind = VisitorKind.NONE
    #: Whether `--quick` includes it.
    quick: bool = False
    #: The server's limit of open files, if lower than usual.
    open_files: int | None = None

    def payload(self, target: Target) -> bytes:
        return _bytes_for(self.unit, target)

    def prelude(self, target: Target) -> bytes:
        return self.opening.prelude + _bytes_for(self.first, target)


def _bytes_for(unit: Unit, target: Target) -> bytes:
    return unit if isinstance(unit, bytes) else unit(target)


def filled(unit: bytes) -> bytes:
    """As many whole units as fit into a buffer, but at least one."""
    return unit * max(1, BUFFER_BYTES // len(unit))


def texts(*payloads: str | bytes) -> bytes:
    """Repeated text frames."""
    encoded = [text.encode() if isinstance(text, str) else text for text in payloads]
    return filled(b"".join(client_frame(TEXT, text) for text in encoded))


def commands(**command: Any) -> bytes:
    return filled(frame(command))


def in_long_room(**command: Any) -> Callable[[Target], bytes]:
    return lambda target: commands(room=target.long_room, **command)


def requests(
    method: str, path: str, body: Any = None, *, headers: str = "", member: bool = False
) -> Callable[[Target], bytes]:
    """Pipelined requests; `body` is JSON or raw bytes."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""

    def made(target: Target) -> bytes:
        more = headers + (target.bearer if member else "")
        return filled(target.request(method, path, raw, more))

    return made


def request_head(method: str, path: str, headers: str) -> Callable[[Target], bytes]:
    """The head of a request without its body."""
    return lambda target: target.head(method, path, headers)


def partial_head(target: Target) -> bytes:
    """The head of a request without its end."""
    return target.head("GET", "/")[:-2]


def unfinished(size: int) -> bytes:
    """All but the last byte of a text frame."""
    return frame_head(TEXT, size) + b"x" * (size - 1)


def password_guesses(target: Target) -> bytes:
    """Sign-ins with wrong passwords, each with another X-Forwarded-For of a trusted proxy."""
    made = []
    for number, (high, low) in enumerate(itertools.product(range(16), range(1, 251))):
        body = msgspec.json.encode({"name": target.owner, "password": f"wrong guess {number}"})
        forwarded = f"X-Forwarded-For: 10.1.{high}.{low}\r\n"
        made.append(target.request("POST", "/api/sign-in", body, forwarded))
    return b"".join(made)


def mass_sign_ups(target: Target) -> bytes:
    """Sign-ups, each with another X-Forwarded-For."""
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
        "sign-up, 120,000 marks",
        Opening.TCP,
        requests("POST", "/api/sign-up", SIGN_UP),
        4,
        quick=True,
    ),
    Flood(
        "sign-up, 120,000 marks, 50 addresses",
        Opening.TCP,
        requests("POST", "/api/sign-up", SIGN_UP),
        50,
        sources=50,
    ),
    Flood("auth, 120,000 marks", Opening.ANYONE, commands(do="auth", token=MARKS), 4),
    Flood(
        "post, 120,000 marks",
        Opening.MEMBER,
        commands(do="post", room=LOBBY, text=MARKS),
        4,
        quick=True,
    ),
    Flood("search, 120,000 marks", Opening.MEMBER, commands(do="rooms", search=MARKS), 4),
    Flood("accounts from everywhere", Opening.TCP, mass_sign_ups, 20),
    # Frames
    Flood("{ frames, not signed in", Opening.ANYONE, texts("{"), quick=True),
    Flood("{ frames, signed in", Opening.MEMBER, texts("{")),
    Flood("pings, not signed in", Opening.ANYONE, filled(client_frame(PING_FRAME))),
    Flood("pings, signed in", Opening.MEMBER, filled(client_frame(PING_FRAME)), quick=True),
    Flood("pings of 125 bytes", Opening.MEMBER, filled(client_frame(PING_FRAME, b"p" * 125))),
    Flood("pongs", Opening.MEMBER, filled(client_frame(PONG_FRAME))),
    Flood(
        "empty continuations",
        Opening.MEMBER,
        filled(client_frame(CONTINUATION)),
        first=client_frame(TEXT_FRAGMENT, b"x"),
        quick=True,
    ),
    Flood("about", Opening.MEMBER, commands(do="about")),
    Flood(
        "posts to a room one is not in",
        Opening.MEMBER,
        lambda target: commands(do="post", room=target.other_room, text="let me in"),
    ),
    Flood(
        "posts above the rate",
        Opening.MEMBER,
        commands(do="post", room=LOBBY, text="hi"),
        quick=True,
    ),
    Flood("typing", Opening.MEMBER, commands(do="typing", room=LOBBY)),
    Flood("unknown commands", Opening.MEMBER, commands(do="dance")),
    Flood("binary frames", Opening.MEMBER, filled(client_frame(BINARY, b"{"))),
    Flood("auth with bad tokens", Opening.ANYONE, commands(do="auth", **BAD_TOKEN)),
    Flood("/help", Opening.TEXT, texts("/help"), quick=True),
    Flood("/history", Opening.TEXT, texts("/history")),
    Flood("/who", Opening.TEXT, texts("/who")),
    Flood("unknown words", Opening.TEXT, texts("/dance")),
    Flood("empty lines", Opening.TEXT, texts("\n" * 100)),
    Flood("43,000 /help in one frame", Opening.TEXT, HELP, quick=True),
    Flood("connect and go", Opening.TCP, b"", 20, closes=True),
    Flood("upgrade and go", Opening.ANYONE, b"", 20, closes=True, quick=True),
    Flood("upgrade, hello and go", Opening.MEMBER, b"", 20, closes=True),
    Flood("guests come and go", Opening.GUEST, b"", 20, closes=True),
    Flood(
        "guests come, speak and go",
        Opening.GUEST,
        client_frame(TEXT, b"hi"),
        20,
        times=1,
        closes=True,
        quick=True,
    ),
    # Large and invalid frames
    Flood("nested, not signed in", Opening.ANYONE, texts("[" * 100_000), 20, quick=True),
    Flood("nested, signed in", Opening.MEMBER, texts("[" * 100_000), 20),
    Flood(
        "huge and malformed",
        Opening.MEMBER,
        texts('{"do":"post","room":"lobby","text":"' + "x" * HUGE_BYTES),
        50,
        quick=True,
    ),
    Flood("huge and malformed, not signed in", Opening.ANYONE, texts("x" * HUGE_BYTES), 50),
    Flood("unfinished frames", Opening.ANYONE, unfinished(FRAME_MAX_BYTES), 400, times=1),
    Flood(
        "unfinished frames, 20 addresses",
        Opening.ANYONE,
        unfinished(FRAME_MAX_BYTES),
        1_000,
        sources=20,
        times=1,
        quick=True,
    ),
    Flood(
        "unfinished frames, signed in", Opening.MEMBER, unfinished(FRAME_MAX_BYTES), 200, times=1
    ),
    Flood(
        "unfinished frames to be echoed",
        Opening.ECHO,
        unfinished(ECHO_BYTES),
        16,
        times=1,
        quick=True,
    ),
    Flood("echoes that nobody reads", Opening.ECHO, texts("x" * 60_000), 16, reads=False),
    # HTTP
    Flood("an endless request line", Opening.TCP, b"a" * BUFFER_BYTES, 8, first=b"GET /"),
    Flood("an endless header", Opening.TCP, b"x" * BUFFER_BYTES, 8, first=partial_head),
    Flood("endless headers", Opening.TCP, filled(b"a: b\r\n"), 8, first=partial_head, quick=True),
    Flood(
        "slow headers",
        Opening.TCP,
        filled(b"a: b\r\n"),
        400,
        first=partial_head,
        piece=1,
        pause_ms=100,
        quick=True,
    ),
    Flood(
        "endless bodies",
        Opening.TCP,
        b"x" * BUFFER_BYTES,
        8,
        first=request_head("POST", "/api/sign-in", JSON + ENDLESS),
    ),
    Flood(
        "endless chunks", Opening.TCP, CHUNK, 8, first=request_head("POST", "/api/sign-in", CHUNKED)
    ),
    Flood(
        "tiny chunks",
        Opening.TCP,
        filled(b"1\r\nx\r\n"),
        8,
        first=request_head("POST", "/api/sign-in", CHUNKED),
        quick=True,
    ),
    Flood("huge bodies", Opening.TCP, requests("POST", "/api/sign-in", b"[" * HUGE_BYTES), 8),
    Flood(
        "unfinished bodies",
        Opening.TCP,
        lambda target: target.request("POST", "/api/sign-in", b"[" * HUGE_BYTES)[:-1],
        400,
        times=1,
    ),
    Flood("GET /api/about", Opening.TCP, requests("GET", "/api/about")),
    Flood("GET /", Opening.TCP, requests("GET", "/"), 4, quick=True),
    Flood("GET what is not there", Opening.TCP, requests("GET", "/api/nothing"), 4),
    Flood("GET without a token", Opening.TCP, requests("GET", "/api/me"), 4, quick=True),
    Flood("broken HTTP", Opening.TCP, filled(NONSENSE), 20),
    Flood(
        "POST what is no JSON",
        Opening.TCP,
        requests("POST", f"/api/rooms/{LOBBY}/messages", b"{", member=True),
        4,
    ),
    Flood("HEAD", Opening.TCP, requests("HEAD", "/"), 4),
    Flood("OPTIONS", Opening.TCP, requests("OPTIONS", "/api/about"), 4),
    Flood("GET /metrics", Opening.TCP, requests("GET", "/metrics"), 4),
    Flood("GET /api/openapi.json", Opening.TCP, requests("GET", "/api/openapi.json"), 4),
    Flood(
        "POST above the rate",
        Opening.TCP,
        requests("POST", f"/api/rooms/{LOBBY}/messages", {"text": "hi"}, member=True),
        4,
        quick=True,
    ),
    Flood("GET /api/about, not read", Opening.TCP, requests("GET", "/api/about"), 100, reads=False),
    Flood("wrong hosts", Opening.TCP, requests("GET", "http://elsewhere.example/"), 4),
    # The same from so many addresses that limits by address do not help
    Flood("{ frames, 200 addresses", Opening.ANYONE, texts("{"), 200, sources=200),
    Flood(
        "pings, 200 addresses", Opening.ANYONE, filled(client_frame(PING_FRAME)), 200, sources=200
    ),
    Flood("upgrade and go, 200 addresses", Opening.ANYONE, b"", 200, sources=200, closes=True),
    Flood("GET /, 200 addresses", Opening.TCP, requests("GET", "/"), 200, sources=200, quick=True),
    Flood("GET /api/me, 200 addresses", Opening.TCP, requests("GET", "/api/me"), 200, sources=200),
    Flood("broken HTTP, 200 addresses", Opening.TCP, filled(NONSENSE), 200, sources=200),
    Flood(
        "endless headers, 200 addresses",
        Opening.TCP,
        filled(b"a: b\r\n"),
        200,
        first=partial_head,
        sources=200,
    ),
    Flood(
        "huge bodies, 200 addresses",
        Opening.TCP,
        requests("POST", "/api/sign-in", b"[" * HUGE_BYTES),
        200,
        sources=200,
    ),
    # So many connections that nobody else can connect
    Flood("1,200 idle", Opening.TCP, b"", 1_200, visit=VisitorKind.NEWCOMERS, open_files=1_024),
    Flood(
        "1,200 idle, 60 addresses",
        Opening.TCP,
        b"",
        1_200,
        sources=60,
        visit=VisitorKind.NEWCOMERS,
        open_files=1_024,
        quick=True,
    ),
    Flood(
        "1,200 half a request, renewed",
        Opening.TCP,
        partial_head,
        1_200,
        sources=60,
        times=1,
        visit=VisitorKind.NEWCOMERS,
        open_files=1_024,
        quick=True,
    ),
    Flood(
        "1,200 sockets, not signed in",
        Opening.ANYONE,
        b"",
        1_200,
        sources=60,
        visit=VisitorKind.NEWCOMERS,
        open_files=1_024,
    ),
    # Guessed passwords
    Flood(
        "wrong passwords from everywhere",
        Opening.TCP,
        password_guesses,
        20,
        visit=VisitorKind.OWNER,
        quick=True,
    ),
    # Large replies, read or not
    Flood(
        "history, not read",
        Opening.MEMBER,
        in_long_room(do="history", limit=100),
        100,
        reads=False,
        quick=True,
    ),
    Flood("history, above the rate", Opening.MEMBER, in_long_room(do="history", limit=100)),
    Flood("sync from the beginning", Opening.MEMBER, in_long_room(do="sync", after=0)),
    Flood("hello", Opening.MEMBER, commands(do="hello")),
    Flood("hello, not read", Opening.MEMBER, commands(do="hello"), 100, reads=False, quick=True),
    Flood("about, not read", Opening.MEMBER, commands(do="about"), 100, reads=False),
    Flood(
        "pings, not read",
        Opening.MEMBER,
        filled(client_frame(PING_FRAME, b"p" * 125)),
        100,
        reads=False,
        quick=True,
    ),
)
