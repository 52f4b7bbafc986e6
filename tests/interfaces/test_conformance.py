"""RFC 6455 at `/ws/echo`, after the case groups of the Autobahn suite; and at `/ws`.

A case has the frames that a client sends and those that must come back. A client that violates the
RFC may be disconnected without a close frame.
"""

import asyncio
from typing import NamedTuple

import pytest

from hubbub.gateway.websocket.handshake import ECHO_MAX_BYTES
from hubbub.model.messages import FRAME_MAX_BYTES
from tests.support.chat import SUBPROTOCOL, RestApi, Sockets
from tests.support.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    TIMEOUT_S,
    Frame,
    RawSocket,
    close_frame,
    frame,
    raw_socket,
)

pytestmark = pytest.mark.xdist_group("interfaces-conformance")


class Close(NamedTuple):
    codes: tuple[int, ...]
    silent: bool = False  # the connection may end without a close frame


class Case(NamedTuple):
    sent: list[bytes]
    back: list[Frame]
    close: Close | None = None  # None: the connection stays open, and the client closes it


PROTOCOL_ERROR = Close((1002,), silent=True)
BAD_PAYLOAD = Close((1007,), silent=True)
NORMAL = Close((1000,))

GREEK = "Hello-µ@ßöäüàá-UTF-8!!"
COSMOS = "κόσμε".encode()
WITH_SURROGATE = COSMOS + b"\xed\xa0\x80" + b"edited"  # a lone surrogate


def echo(opcode: int, payload: bytes) -> Case:
    return Case([frame(opcode, payload)], [Frame(opcode, payload)])


def invalid(*sent: bytes, back: tuple[Frame, ...] = ()) -> Case:
    return Case(list(sent), list(back), PROTOCOL_ERROR)


def one_byte_at_a_time(payload: bytes) -> list[bytes]:
    """A text in fragments of one byte."""
    first, *middle, last = [payload[n : n + 1] for n in range(len(payload))]
    return [
        frame(TEXT, first, fin=False),
        *(frame(CONTINUATION, one, fin=False) for one in middle),
        frame(CONTINUATION, last),
    ]


SIZES = (0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537)
HELLO = Frame(TEXT, b"hello")

CASES: dict[str, Case] = {}

# 1: framing
for size in SIZES:
    CASES[f"1 text of {size}"] = echo(TEXT, b"*" * size)
    CASES[f"1 binary of {size}"] = echo(BINARY, b"\xfe" * size)

# 2: pings and pongs
for name, payload in {
    "empty": b"",
    "text": b"hi",
    "binary": b"\x00\xff\xfe",
    "125": b"*" * 125,
}.items():
    CASES[f"2 ping {name}"] = Case([frame(PING, payload)], [Frame(PONG, payload)])
CASES |= {
    "2 ping of 126": invalid(frame(PING, b"*" * 126)),
    "2 pong of 126": invalid(frame(PONG, b"*" * 126)),
    "2 a pong without a ping": Case([frame(PONG, b"x"), frame(PING, b"y")], [Frame(PONG, b"y")]),
    "2 ten pings": Case(
        [frame(PING, b"%d" % n) for n in range(10)], [Frame(PONG, b"%d" % n) for n in range(10)]
    ),
}

# 3: reserved bits
for rsv in range(1, 8):
    CASES[f"3 reserved bits {rsv:03b} in a text"] = invalid(frame(TEXT, b"hello", rsv=rsv))
    CASES[f"3 reserved bits {rsv:03b} after a text"] = invalid(
        frame(TEXT, b"hello"), frame(PING, b"x", rsv=rsv), back=(HELLO,)
    )
    CASES[f"3 reserved bits {rsv:03b} in a close"] = invalid(frame(CLOSE, b"\x03\xe8", rsv=rsv))

# 4: opcodes
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    CASES[f"4 opcode {opcode}"] = invalid(frame(opcode))
    CASES[f"4 opcode {opcode} after a text"] = invalid(
        frame(TEXT, b"hello"), frame(opcode, b"x"), frame(PING), back=(HELLO,)
    )

# 5: fragmentation
CASES |= {
    "5 ping in fragments": invalid(frame(PING, b"a", fin=False), frame(CONTINUATION, b"b")),
    "5 pong in fragments": invalid(frame(PONG, b"a", fin=False), frame(CONTINUATION, b"b")),
    "5 two fragments": Case([frame(TEXT, b"hel", fin=False), frame(CONTINUATION, b"lo")], [HELLO]),
    "5 empty fragments": Case(
        [
            *(frame(TEXT, b"", fin=False), frame(CONTINUATION, b"", fin=False)),
            frame(CONTINUATION, b""),
        ],
        [Frame(TEXT, b"")],
    ),
    "5 an empty fragment, and the rest": Case(
        [
            *(frame(TEXT, b"", fin=False), frame(CONTINUATION, b"hello", fin=False)),
            frame(CONTINUATION, b""),
        ],
        [HELLO],
    ),
    "5 pings between fragments": Case(
        [
            *(frame(TEXT, b"he", fin=False), frame(PING, b"1")),
            *(frame(CONTINUATION, b"l", fin=False), frame(PING, b"2")),
            frame(CONTINUATION, b"lo"),
        ],
        [Frame(PONG, b"1"), Frame(PONG, b"2"), HELLO],
    ),
    "5 continuation of nothing": invalid(frame(CONTINUATION, b"x")),
    "5 unfinished continuation of nothing": invalid(frame(CONTINUATION, b"x", fin=False)),
    "5 continuation after a whole text": invalid(
        frame(TEXT, b"hello"), frame(CONTINUATION, b"x"), back=(HELLO,)
    ),
    "5 a text inside a text": invalid(frame(TEXT, b"hel", fin=False), frame(TEXT, b"lo")),
    "5 an unfinished text inside a text": invalid(
        frame(TEXT, b"hel", fin=False), frame(TEXT, b"lo", fin=False)
    ),
    "5 a text inside a text that is empty so far": invalid(
        frame(TEXT, b"", fin=False), frame(TEXT, b"lo")
    ),
    "5 two texts in one segment": Case(
        [b"".join([frame(TEXT, b"one"), frame(TEXT, b"two")])],
        [Frame(TEXT, b"one"), Frame(TEXT, b"two")],
    ),
}

# 6: UTF-8
VALID = {
    "of two to four bytes": GREEK.encode(),
    "the last of each length": "\x7f\u07ff\uffff\U0010ffff".encode(),
    "the first of each length": "\x00\x80\u0800\U00010000".encode(),
    "beside the surrogates": "\ud7ff\ue000".encode(),
    "no characters": "\ufffe\U0001fffe".encode(),
}
INVALID = {
    "a lone surrogate": WITH_SURROGATE,
    "a lone continuation": b"\x80",
    "a lead without the rest": b"\xce",
    "a lead and a letter": b"\xceA",
    "overlong slash": b"\xc0\xaf",
    "overlong null": b"\xe0\x80\x80",
    "above the last": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "no lead at all": b"\xfe",
}
for name, payload in VALID.items():
    CASES[f"6 valid, {name}"] = echo(TEXT, payload)
    CASES[f"6 valid, {name}, byte by byte"] = Case(
        one_byte_at_a_time(payload), [Frame(TEXT, payload)]
    )
for name, payload in INVALID.items():
    CASES[f"6 invalid, {name}"] = Case([frame(TEXT, payload)], [], BAD_PAYLOAD)
    CASES[f"6 invalid, {name}, in fragments"] = Case(
        [frame(TEXT, payload[:1], fin=False), frame(CONTINUATION, payload[1:])], [], BAD_PAYLOAD
    )
    CASES[f"6 binary, {name}"] = echo(BINARY, payload)

# 7: closing
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
    CASES[f"7 code {code}"] = Case([close_frame(code)], [], Close((1000, code)))
for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535):
    CASES[f"7 code {code}, which is none"] = Case([close_frame(code)], [], PROTOCOL_ERROR)
CASES |= {
    "7 no code": Case([close_frame(None)], [], NORMAL),
    "7 half a code": invalid(frame(CLOSE, b"\x03")),
    "7 a reason": Case([close_frame(1000, GREEK.encode())], [], NORMAL),
    "7 a reason of 123": Case([close_frame(1000, b"*" * 123)], [], NORMAL),
    "7 a reason of 124": invalid(close_frame(1000, b"*" * 124)),
    "7 a reason that is no text": Case([close_frame(1000, WITH_SURROGATE)], [], BAD_PAYLOAD),
    "7 close in fragments": invalid(frame(CLOSE, b"\x03\xe8", fin=False)),
    "7 nothing is answered after a close": Case(
        [close_frame(), frame(PING, b"x"), frame(TEXT, b"x"), close_frame()],
        [],
        # Unread data makes TCP reset the connection, sometimes before the close frame is read.
        Close((1000,), silent=True),
    ),
    "7 a text before a close": Case([frame(TEXT, b"hello"), close_frame()], [HELLO], NORMAL),
    "7 a close in an unfinished text": Case(
        [frame(TEXT, b"hel", fin=False), close_frame()], [], NORMAL
    ),
}

# 9 and 10: large ones
MEGABYTE = b"*" * (1 << 20)
CASES |= {
    "9 a megabyte": echo(BINARY, MEGABYTE),
    "9 a megabyte in 64 fragments": Case(
        [
            frame(TEXT, MEGABYTE[: 1 << 14], fin=False),
            *[frame(CONTINUATION, MEGABYTE[: 1 << 14], fin=False)] * 62,
            frame(CONTINUATION, MEGABYTE[: 1 << 14]),
        ],
        [Frame(TEXT, MEGABYTE)],
    ),
    "9 sixteen megabytes": echo(BINARY, MEGABYTE * 16),
    "9 more than sixteen": Case([frame(BINARY, MEGABYTE * 16 + b"*")], [], Close((1009,))),
    "9 a hundred messages": Case(
        [frame(TEXT, b"%d" % n) for n in range(100)], [Frame(TEXT, b"%d" % n) for n in range(100)]
    ),
    "10 64 KB in fragments of 1,300": Case(
        [
            frame(TEXT, b"*" * 1_300, fin=False),
            *[frame(CONTINUATION, b"*" * 1_300, fin=False)] * 49,
            frame(CONTINUATION, b"*" * 536),
        ],
        [Frame(TEXT, b"*" * 65_536)],
    ),
}

# An unmasked frame must be refused (section 5.1).
CASES["no mask"] = invalid(frame(TEXT, b"hello", masked=False))

# Harmless deviations of aiohttp: the case, and what comes back instead. If aiohttp fixes one, its
# case fails here and must be removed.
DEVIATIONS: dict[str, Case] = {
    # The unfinished text is forgotten, as it is empty.
    "5 a text inside a text that is empty so far": echo(TEXT, b"lo"),
    # Masks protect proxies against pages in browsers, and browsers always mask.
    "no mask": echo(TEXT, b"hello"),
}


async def listen(raw: RawSocket, count: int) -> list[Frame]:
    frames: list[Frame] = []
    for _ in range(count):
        one = await raw.frame()
        assert one is not None, f"the end, after {frames}"
        frames.append(one)
    return frames


async def run(api: RestApi, case: Case) -> None:
    async with raw_socket(api.server.port, "/ws/echo") as raw:
        for one in case.sent:
            raw.writer.write(one)
        assert await listen(raw, len(case.back)) == case.back
        if case.close is None:
            await raw.send(close_frame())
        rest = await raw.rest()
        codes = [one.code for one in rest if one.opcode == CLOSE]
        assert len(rest) == len(codes) <= 1, rest
        expected = case.close or NORMAL
        assert expected.silent if not codes else codes[0] in expected.codes


@pytest.mark.parametrize("group", ["1", "2", "3", "4", "5", "6", "7", "9", "10", "no"])
async def test_websocket_conformance(api: RestApi, group: str) -> None:
    wrong = {}
    for name, case in CASES.items():
        if name.split()[0] == group:
            try:
                await run(api, DEVIATIONS.get(name, case))
            except AssertionError as error:
                wrong[name] = str(error)[:300]
    assert not wrong


async def test_frames_may_be_split_anywhere(api: RestApi) -> None:
    whole = frame(TEXT, b"hello") + frame(PING, b"x") + frame(BINARY, b"*" * 130)
    async with raw_socket(api.server.port, "/ws/echo") as raw:
        for n in range(len(whole)):
            await raw.send(whole[n : n + 1])
            await asyncio.sleep(0)
        back = await listen(raw, 3)
    assert back == [HELLO, Frame(PONG, b"x"), Frame(BINARY, b"*" * 130)]


# /ws


@pytest.mark.parametrize("dialect", ["json", "text"])
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"/" + b"*" * FRAME_MAX_BYTES), 1009),
        (frame(TEXT, b"*" * FRAME_MAX_BYTES, fin=False) + frame(CONTINUATION, b"*"), 1009),
        (frame(TEXT, INVALID["a lone surrogate"]), 1007),
        (frame(TEXT, b"x", rsv=4), 1002),
        (frame(3, b"x"), 1002),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(PING, b"*" * 126), 1002),
    ],
    ids=["too large", "too large in fragments", "no text", "rsv", "opcode", "nothing", "ping"],
)
async def test_only_a_connection_that_violates_the_protocol_is_closed(
    api: RestApi, sockets: Sockets, dialect: str, sent: bytes, code: int
) -> None:
    ana, bo = await sockets.json("ana"), await sockets.text(by="bo")
    protocols = SUBPROTOCOL if dialect == "json" else "somebody.elses"
    async with raw_socket(api.server.port, Sec_WebSocket_Protocol=protocols) as raw:
        await raw.send(sent)
        assert [one.code for one in await raw.rest() if one.opcode == CLOSE] == [code]
    await ana.do("post", room="lobby", text=f"after {code} in {dialect}")
    await bo.line(f"ana: after {code} in {dialect}")


async def test_a_frame_of_exactly_the_maximum_size_is_accepted(api: RestApi) -> None:
    async with raw_socket(api.server.port) as raw:
        await raw.send(frame(TEXT, b"/" + b"*" * (FRAME_MAX_BYTES - 1)))
        async with asyncio.timeout(TIMEOUT_S):
            while (one := await raw.frame()) is not None:
                if one.payload.startswith(b"* There is no /****"):
                    break
        assert one is not None
    assert ECHO_MAX_BYTES > FRAME_MAX_BYTES


async def test_pings_are_answered_on_the_chat_websocket(api: RestApi) -> None:
    async with raw_socket(api.server.port, Sec_WebSocket_Protocol=SUBPROTOCOL) as raw:
        await raw.send(frame(PING, b"are you there?"))
        assert await raw.frame() == Frame(PONG, b"are you there?")
