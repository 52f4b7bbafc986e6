"""Random input causes no log lines, and does not disturb others."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub.model.commands import COMMANDS
from tests.interfaces.conftest import assert_nothing_logged
from tests.support.chat import SUBPROTOCOL, RestApi, Sockets
from tests.support.frames import TEXT, close_frame, frame, raw_socket, tcp, upgrade

pytestmark = pytest.mark.xdist_group("interfaces-garbage")

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

BYTES = st.binary(max_size=200)
# Pieces of requests in any order, which get further in a parser than random bytes.
PIECES = st.lists(
    st.sampled_from(
        [
            *(b"GET ", b"POST ", b"/ws", b"/api/rooms", b" HTTP/1.1\r\n", b" HTTP/9.9\r\n"),
            *(b"Host: localhost\r\n", b"Host: \xff\r\n", b"Content-Length: 5\r\n"),
            *(b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"zz\r\n"),
            *(b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n", b"\r\n", b"\r\n\r\n"),
            *(b"Sec-WebSocket-Version: 13\r\n", b"Sec-WebSocket-Key: x\r\n", b"\x00", b"%ff?&=;"),
            *(b"Cookie: hubbub_session=\xff;;\r\n", b"Authorization: Bearer \xff.e.e\r\n"),
        ]
    )
    | st.binary(max_size=6),
    max_size=12,
).map(b"".join)

FRAMES = st.lists(
    st.builds(
        frame,
        st.integers(0, 15),
        st.binary(max_size=130) | st.text(max_size=40).map(str.encode),
        fin=st.booleans(),
        rsv=st.sampled_from([0, 0, 0, 0, 1, 4]),
        masked=st.sampled_from([True, True, True, False]),
    )
    | st.binary(max_size=20),
    max_size=8,
).map(b"".join)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["lobby", "cy", "bo", "~robin", 0, 1, 2**53, "public", "member", "🙂" * 20]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@st.composite
def near_commands(draw: st.DrawFn) -> str:
    """Known commands with known fields and random values; some are cut off."""
    word = draw(st.sampled_from(sorted(COMMANDS)))
    fields = st.sampled_from(COMMANDS[word].__struct_fields__)
    command: dict[str, Any] = draw(st.dictionaries(fields, VALUES, max_size=5))
    text = json.dumps({"do": word, "room": "lobby", **command})
    return text[: draw(st.sampled_from([None, None, None, len(text) // 2]))]


@asynccontextmanager
async def others_undisturbed(api: RestApi) -> AsyncIterator[None]:
    """Assert that two other people can still talk afterwards, and nothing was logged."""
    async with Sockets.of(api) as sockets:
        before = len(api.server.log)
        ana, bo = await sockets.json("ana"), await sockets.text(by="bo")
        yield
        word = os.urandom(8).hex()
        await ana.do("post", room="lobby", text=word)
        await bo.line(f"ana: {word}")
    assert_nothing_logged(api.server.log[before:])


@few
@given(st.lists(BYTES | PIECES, min_size=1, max_size=5))
async def test_http_garbage_harms_nobody(api: RestApi, garbage: list[bytes]) -> None:
    async with others_undisturbed(api):
        for request in garbage:
            async with tcp(api.server.port) as raw:
                await raw.send(request)


@few
@given(st.sampled_from(["/ws", "/ws/echo"]), BYTES | PIECES, st.text(max_size=20))
async def test_garbage_in_an_upgrade_harms_nobody(
    api: RestApi, path: str, garbage: bytes, query: str
) -> None:
    async with others_undisturbed(api), tcp(api.server.port) as raw:
        asked = upgrade(path, api.server.port, Sec_WebSocket_Protocol="hubbub.v1, x")
        odd = asked.replace(path.encode(), f"{path}?name={query!r}&room={query!r}".encode(), 1)
        place = len(garbage) * 7 % len(odd)
        await raw.send(odd[:place] + garbage + odd[place:])


async def test_an_invalid_handshake_key_is_refused_and_harms_nobody(api: RestApi) -> None:
    for path in ("/ws", "/ws/echo"):
        async with others_undisturbed(api), tcp(api.server.port) as raw:
            asked = upgrade(path, api.server.port, Sec_WebSocket_Key="KEY")
            await raw.send(asked.replace(b"KEY", b"\x80" * 24))
            assert (await raw.reader.readline()).split()[1] == b"400"


@few
@given(FRAMES)
async def test_random_frames_harm_nobody(api: RestApi, garbage: bytes) -> None:
    port = api.server.port
    async with (
        others_undisturbed(api),
        raw_socket(port) as text,
        raw_socket(port, "/ws/echo") as echo,
        raw_socket(
            port,
            Sec_WebSocket_Protocol=SUBPROTOCOL,
            Authorization=f"Bearer {api.tokens['cy']}",
        ) as signed_in,
    ):
        for raw in (text, echo, signed_in):
            await raw.send(garbage)


@few
@given(st.lists(near_commands() | st.text(max_size=30), max_size=12))
async def test_nearly_right_commands_are_answered_and_harm_nobody(
    api: RestApi, garbage: list[str]
) -> None:
    async with others_undisturbed(api), Sockets.of(api) as sockets:
        session = api.sign_in("cy") if "end_session" in str(garbage) else "cy"
        for by in (session, api.guest("robin"), None):
            client = await sockets.json(by)
            for text in garbage:
                await client.socket.send_str(text)
            # The connection is still open, unless it ended its own session.
            if "end_session" not in str(garbage):
                answer = await client.reply(await client.send("about"))
                assert ("ok" in answer) == (by is not None)


@few
@given(st.lists(st.text(max_size=40) | st.sampled_from(["/join", "/nick a", "/msg bo x"])))
async def test_whatever_is_typed_in_plain_text_harms_nobody(api: RestApi, typed: list[str]) -> None:
    async with others_undisturbed(api), Sockets.of(api) as sockets:
        for by in ("cy", None):
            client = await sockets.text(by=by)
            for line in typed:
                await client.say(line)
            await client.say("/help")
            await client.line("* What you type")


@pytest.mark.parametrize("ending", [close_frame(), b""], ids=["closed", "aborted"])
async def test_a_client_that_disconnects_during_a_command_harms_nobody(
    api: RestApi, ending: bytes
) -> None:
    port = api.server.port
    commands = [
        *({"do": "hello"}, {"do": "post", "room": "lobby", "text": "last words"}),
        *({"do": "history", "room": "lobby"}, {"do": "sync", "room": "lobby", "after": 0}),
        *({"do": "join", "room": "lobby"}, {"do": "read", "room": "lobby", "seq": 1}),
        *({"do": "typing", "room": "lobby"}, {"do": "members", "room": "lobby"}),
    ]
    lines = ["/who", "/history", "/nick other", "/join lobby", "/msg bo hi", "last words"]
    async with others_undisturbed(api):
        for _ in range(5):
            async with raw_socket(
                port,
                Sec_WebSocket_Protocol=SUBPROTOCOL,
                Authorization=f"Bearer {api.tokens['cy']}",
            ) as raw:
                # In one segment, so that it is read in one turn of the loop.
                await raw.send(*(frame(TEXT, json.dumps(one).encode()) for one in commands), ending)
                if not ending:
                    raw.abort()
            async with raw_socket(port) as raw:
                await raw.send(*(frame(TEXT, line.encode()) for line in lines), ending)
        await asyncio.to_thread(wait_until_gone, api)


def wait_until_gone(api: RestApi) -> None:
    """Wait until the server has noticed that cy is disconnected."""
    for _ in range(1000):
        if api.ok("GET", "rooms/lobby/members", by="ana")["members"]:
            present = [
                one["name"]
                for one in api.ok("GET", "rooms/lobby/members", by="ana")["members"]
                if one.get("presence", "offline") != "offline"
            ]
            if "cy" not in present:
                return
    raise AssertionError("cy is still connected")
