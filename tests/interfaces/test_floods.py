"""Whoever sends much that leads to nothing is slowed down, then closed; everybody else goes on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hubbub.gateway.dispatch import dispatcher, limits
from hubbub.gateway.websocket import json_connection
from hubbub.gateway.websocket.connection import STRANGER_MESSAGE_MAX_BYTES
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
    """A server with limits, on which a flood is over within a moment."""
    monkeypatch.setattr(dispatcher, "REFUSALS_PER_CONNECTION", RateLimit(per_s=200, burst=FREE))
    monkeypatch.setattr(limits, "STRIKES_MAX", STRIKES)
    made = make_site(limits=True)
    yield made
    made.forget_log()


def _headers(site: Site, way: str) -> dict[str, Any]:
    """The headers that open a socket in this way; call it off the server's own loop."""
    if way == "text":
        return {}
    headers = {"Sec_WebSocket_Protocol": SUBPROTOCOL}
    if way == "json, signed in":
        headers["Authorization"] = f"Bearer {site.person().token}"
    return headers


def _close_code(frames: list[Frame]) -> int | None:
    return next((one.code for one in frames if one.opcode == CLOSE), None)


def _flood(site: Site, way: str, sent: bytes) -> list[Frame]:
    """All that the server says until it closes the connection."""
    headers = _headers(site, way)

    async def flood() -> list[Frame]:
        said: list[Frame] = []
        async with raw_socket(site.port, **headers) as raw:
            raw.writer.write(sent)
            while (one := await raw.frame()) is not None:
                said.append(one)
                if one.opcode == CLOSE:
                    break
        return said

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


@pytest.mark.parametrize("way", ["json", "json, signed in"])
@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_is_slowed_then_closed(site: Site, way: str, what: str) -> None:
    said = _flood(site, way, FLOODS[what] * MANY)
    # What a stranger sends at once is bounded as a whole, too.
    assert _close_code(said) in (CLOSE_POLICY, TOO_BIG if way == "json" else CLOSE_POLICY)
    # What is in order is answered until the rate is met; nearly all of the flood is never read.
    assert len(said) <= 60 + 240 + FREE + STRIKES + 2
    site.person().say("lobby", "still here")


@pytest.mark.parametrize("line", ["/help", "/nothing", "/history", "/who", "hello", "/msg x y"])
def test_every_line_of_plain_text_is_a_command(site: Site, line: str) -> None:
    said = _flood(site, "text", frame(TEXT, line.encode()) * MANY)
    assert _close_code(said) == CLOSE_POLICY
    assert len(said) <= 60 * 40
    assert sum(len(one.payload) for one in said) < 200_000


def test_thousands_of_lines_in_one_frame_cost_what_they_would_one_by_one(site: Site) -> None:
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
    assert not site.app.dispatcher.connections.turned_away


async def _next(raw: RawSocket, opcode: int) -> Frame:
    while (one := await raw.frame()) is not None:
        if one.opcode == opcode:
            return one
    raise AssertionError("the connection ended")


def test_who_floods_does_not_slow_down_their_neighbours(site: Site) -> None:
    """From the same address, as behind a router."""
    for _ in range(3):
        assert _flood(site, "json, signed in", FLOODS["pings"] * MANY)
    assert site.app.dispatcher.connections.turned_away["flood"] == 3
    before = site.app.dispatcher.connections.turned_away["flood"]

    headers = _headers(site, "json, signed in")

    async def ask() -> None:
        async with raw_socket(site.port, **headers) as raw:
            for _ in range(FREE // 4):
                await raw.send(frame(PING, b"a"))
                await _next(raw, PONG)

    site.run(ask())
    assert site.app.dispatcher.connections.turned_away["flood"] == before


# Before it is known who it is


def test_a_stranger_sends_no_more_than_a_token_needs(site: Site) -> None:
    fits = json.dumps({"id": 1, "do": "auth", "token": "x" * 4_000}).encode()

    async def ask(sent: bytes) -> Frame | None:
        async with raw_socket(site.port, **_headers(site, "json")) as raw:
            await raw.send(sent)
            return await raw.frame()

    answer = site.run(ask(frame(TEXT, fits)))
    assert answer
    assert json.loads(answer.payload)["error"]["code"] == "sign_in_required"
    for size in (4 * STRANGER_MESSAGE_MAX_BYTES, FRAME_MAX_BYTES):
        refused = site.run(ask(frame(TEXT, b"x" * size)))
        assert refused
        assert refused.code == TOO_BIG


def test_fragments_that_never_make_a_message_end_the_connection(site: Site) -> None:
    begun = frame(TEXT, b"", fin=False)
    empty = frame(CONTINUATION, b"", fin=False)
    for way, many in (("json", 10_000), ("json, signed in", 200_000)):
        assert _close_code(_flood(site, way, begun + empty * many)) == TOO_BIG


def test_a_bad_token_gives_no_more_time(
    make_site: MakeSite,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_connection, "AUTH_WITHIN_S", 0.3)
    site = make_site()

    async def ask() -> int | None:
        async with raw_socket(site.port, **_headers(site, "json")) as raw:
            while True:
                raw.writer.write(FLOODS["bad tokens"])
                one = await raw.frame()
                if one is None or one.opcode == CLOSE:
                    return one and one.code

    assert site.run(ask()) == CLOSE_SIGN_IN_AGAIN
