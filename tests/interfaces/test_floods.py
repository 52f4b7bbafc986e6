"""A connection that floods is slowed down and then closed; others are not affected."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hubbub.gateway.dispatch import dispatcher, limits
from hubbub.gateway.websocket import json_connection
from hubbub.gateway.websocket.connection import ANONYMOUS_MESSAGE_MAX_BYTES
from hubbub.model.messages import FRAME_MAX_BYTES
from hubbub.model.settings import RateLimit
from hubbub.wire.frames import CLOSE_POLICY, CLOSE_SIGN_IN_AGAIN
from tests.gateway.conftest import MakeSite, make_site  # noqa: F401 - a fixture
from tests.support.chat import SUBPROTOCOL
from tests.support.frames import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    RawSocket,
    frame,
    raw_socket,
)
from tests.support.site import Site

FREE, STRIKES = 20, 10
TOO_BIG = 1009
UNLIMITED = RateLimit(per_s=1e6, burst=1e6)
MANY = 5_000


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:  # noqa: F811
    """A server whose limits end a flood quickly."""
    monkeypatch.setattr(dispatcher, "REFUSALS_PER_CONNECTION", RateLimit(per_s=200, burst=FREE))
    monkeypatch.setattr(limits, "STRIKES_MAX", STRIKES)
    made = make_site(limits=True)
    yield made
    made.clear_log()


def _headers(site: Site, connection: str) -> dict[str, Any]:
    """The handshake headers of a kind of connection. Do not call it on the server's loop."""
    if connection == "text":
        return {}
    headers = {"Sec_WebSocket_Protocol": SUBPROTOCOL}
    if connection == "json, signed in":
        headers["Authorization"] = f"Bearer {site.person().token}"
    return headers


def _close_code(frames: list[Frame]) -> int | None:
    return next((one.code for one in frames if one.opcode == CLOSE), None)


def _flood(site: Site, connection: str, sent: bytes) -> list[Frame]:
    """The frames that the server sends until it closes the connection."""
    headers = _headers(site, connection)

    async def flood() -> list[Frame]:
        frames: list[Frame] = []
        async with raw_socket(site.port, **headers) as raw:
            raw.writer.write(sent)
            while (one := await raw.frame()) is not None:
                frames.append(one)
                if one.opcode == CLOSE:
                    break
        return frames

    return site.run(flood())


FLOODS = {
    "broken JSON": frame(TEXT, b"{"),
    "nested JSON": frame(TEXT, b"[" * 2_000),
    "an unknown command": frame(TEXT, b'{"id":1,"do":"nothing"}'),
    "about": frame(TEXT, b'{"id":1,"do":"about"}'),
    "bad tokens": frame(TEXT, b'{"id":1,"do":"auth","token":"x.y.z"}'),
    "a post that is refused": frame(TEXT, b'{"do":"post","room":"none","text":"a"}'),
    "hello": frame(TEXT, b'{"id":1,"do":"hello"}'),
    "pings": frame(PING, b"x"),
    "pongs": frame(PONG, b"x"),
}


@pytest.mark.parametrize("connection", ["json", "json, signed in"])
@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_is_slowed_then_closed(site: Site, connection: str, what: str) -> None:
    frames = _flood(site, connection, FLOODS[what] * MANY)
    # Before auth, the size of what is sent at once is limited, too.
    assert _close_code(frames) in (CLOSE_POLICY, TOO_BIG if connection == "json" else CLOSE_POLICY)
    # Valid commands are answered up to the rate limit; nearly all of the flood is never read.
    assert len(frames) <= 60 + 240 + FREE + STRIKES + 2
    site.person().say("lobby", "still here")


@pytest.mark.parametrize("line", ["/help", "/nothing", "/history", "/who", "hello", "/msg x y"])
def test_every_line_of_plain_text_is_a_command(site: Site, line: str) -> None:
    frames = _flood(site, "text", frame(TEXT, line.encode()) * MANY)
    assert _close_code(frames) == CLOSE_POLICY
    assert len(frames) <= 60 * 40
    assert sum(len(one.payload) for one in frames) < 200_000


def test_thousands_of_lines_in_one_frame_are_charged_one_by_one(site: Site) -> None:
    lines = b"/help\n" * (FRAME_MAX_BYTES // 6 - 1)

    async def ask() -> int:
        async with raw_socket(site.port) as raw:
            await raw.send(frame(TEXT, lines), frame(PING, b"done"))
            size = 0
            while (one := await raw.frame()) is not None:
                size += len(one.payload)
                if one.opcode == PONG:
                    return size
        return size

    assert site.run(ask()) < 200_000


def test_a_few_mistakes_and_pings_cost_nothing(site: Site) -> None:
    headers = _headers(site, "json, signed in")

    async def ask() -> None:
        async with raw_socket(site.port, **headers) as raw:
            for nth in range(FREE // 4):
                await raw.send(frame(TEXT, b"{"), frame(PING, str(nth).encode()))
                assert json.loads((await _next(raw, TEXT)).payload)["error"]
                assert (await _next(raw, PONG)).payload == str(nth).encode()

    site.run(ask())
    assert not site.app.dispatcher.connection_limiter.turned_away


async def _next(raw: RawSocket, opcode: int) -> Frame:
    while (one := await raw.frame()) is not None:
        if one.opcode == opcode:
            return one
    raise AssertionError("the connection ended")


def test_a_flood_does_not_slow_down_neighbours(site: Site) -> None:
    """Connections from the same address, as behind a router."""
    for _ in range(3):
        assert _flood(site, "json, signed in", FLOODS["pings"] * MANY)
    assert site.app.dispatcher.connection_limiter.turned_away["flood"] == 3
    before = site.app.dispatcher.connection_limiter.turned_away["flood"]

    headers = _headers(site, "json, signed in")

    async def ask() -> None:
        async with raw_socket(site.port, **headers) as raw:
            for _ in range(FREE // 4):
                await raw.send(frame(PING, b"a"))
                await _next(raw, PONG)

    site.run(ask())
    assert site.app.dispatcher.connection_limiter.turned_away["flood"] == before


# Before auth


def test_messages_before_auth_have_a_smaller_limit(site: Site) -> None:
    fits = json.dumps({"id": 1, "do": "auth", "token": "x" * 4_000}).encode()

    async def ask(sent: bytes) -> Frame | None:
        async with raw_socket(site.port, **_headers(site, "json")) as raw:
            await raw.send(sent)
            return await raw.frame()

    answer = site.run(ask(frame(TEXT, fits)))
    assert answer
    assert json.loads(answer.payload)["error"]["code"] == "sign_in_required"
    for size in (4 * ANONYMOUS_MESSAGE_MAX_BYTES, FRAME_MAX_BYTES):
        refused = site.run(ask(frame(TEXT, b"x" * size)))
        assert refused
        assert refused.code == TOO_BIG


def test_endless_fragments_end_the_connection(site: Site) -> None:
    begun = frame(TEXT, b"", fin=False)
    empty = frame(CONTINUATION, b"", fin=False)
    for connection, many in (("json", 10_000), ("json, signed in", 200_000)):
        assert _close_code(_flood(site, connection, begun + empty * many)) == TOO_BIG


def test_an_invalid_token_does_not_extend_the_auth_timeout(
    make_site: MakeSite,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_connection, "AUTH_TIMEOUT_S", 0.3)
    site = make_site()

    async def ask() -> int | None:
        async with raw_socket(site.port, **_headers(site, "json")) as raw:
            while True:
                raw.writer.write(FLOODS["bad tokens"])
                one = await raw.frame()
                if one is None or one.opcode == CLOSE:
                    return one and one.code

    assert site.run(ask()) == CLOSE_SIGN_IN_AGAIN
