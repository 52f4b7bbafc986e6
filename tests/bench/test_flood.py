"""The flooder with servers of known behaviour, and the table of floods."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bench import flooder
from bench.errors import BenchError
from bench.flooder import FloodResult
from bench.floods import FLOODS, SOURCES_MAX, Flood, Opening, Target, VisitorKind, filled
from tests.support.load import needs_compiler

pytestmark = needs_compiler

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
SECONDS = 0.3
#: The default of `flood.c`.
RECONNECTS_PER_S = 200

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[Target]:
    """A server that answers each connection with `answer`; the flooder resets connections."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    try:
        yield Target(
            port=server.sockets[0].getsockname()[1],
            tokens=("token-1", "token-2"),
            long_room="long",
            other_room="other",
            owner="ana",
        )
    finally:
        server.close()
        await server.wait_closed()


async def flooded(flood: Flood, answer: Answer, folder: Path) -> FloodResult:
    async with listening(answer) as target:
        return await flooder.run(flooder.command_of(flood, target, folder, SECONDS), SECONDS)


async def test_after_the_upgrade_it_sends_the_first_unit_once_and_then_repeats_the_other(
    tmp_path: Path,
) -> None:
    heads: list[bytes] = []
    bodies: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(UPGRADED)
        bodies.append(await reader.read(-1))

    flood = Flood("a flood", Opening.ANYONE, b"again", times=3, closes=True, first=b"first")
    seen = await flooded(flood, answer, tmp_path)
    assert seen.rounds >= 3
    assert all(head.startswith(b"GET /ws HTTP/1.1\r\n") for head in heads)
    assert bodies[0] == b"first" + b"again" * 3


async def test_each_connection_uses_the_next_account(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read(-1)

    await flooded(Flood("a flood", Opening.MEMBER, b"", sockets=2), answer, tmp_path)
    found = b"".join(heads)
    assert b"Bearer token-1" in found
    assert b"Bearer token-2" in found


async def test_refused_or_closed_connections_reconnect_at_a_bounded_rate(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REFUSED)

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    refused = await flooded(Flood("a flood", Opening.ANYONE, b"x"), refuse, tmp_path / "refused")
    closed = await flooded(Flood("a flood", Opening.TCP, b"x"), close, tmp_path / "closed")
    most = 1 + RECONNECTS_PER_S * (SECONDS + 0.1) + RECONNECTS_PER_S / 10
    assert 1 < refused.connects <= most
    assert 1 < closed.connects <= most
    assert (refused.refused > 0, refused.rounds) == (True, 0)
    assert closed.closed > 0


async def test_a_silent_connection_sends_once_and_stays_open(tmp_path: Path) -> None:
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(-1))

    flood = Flood("a flood", Opening.TCP, b"half a reque", sockets=3, times=1)
    seen = await flooded(flood, answer, tmp_path)
    assert (seen.connects, seen.open, seen.closed, seen.rounds) == (3, 3, 0, 3)
    assert received == [b"half a reque"] * 3


async def test_the_source_addresses_are_loopback_and_as_many_as_requested(tmp_path: Path) -> None:
    peers: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[0])
        await reader.read(-1)

    await flooded(Flood("a flood", Opening.TCP, b"", sockets=6, sources=3), answer, tmp_path)
    assert sorted(peers) == ["127.0.3.1", "127.0.3.1"] + ["127.0.3.2"] * 2 + ["127.0.3.3"] * 2


async def test_source_addresses_outside_loopback_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flooder, "SOURCE", "10.0.0")
    target = Target(1, (), "long", "other", "ana")
    command = flooder.command_of(Flood("a flood", Opening.TCP, b"x"), target, tmp_path, SECONDS)
    with pytest.raises(BenchError, match="usage"):
        await flooder.run(command, SECONDS)


async def test_a_connection_that_does_not_read_still_notices_the_end(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"y" * 1_000)

    seen = await flooded(Flood("a flood", Opening.TCP, b"x", reads=False), answer, tmp_path)
    assert seen.bytes_in == 0
    assert seen.closed > 0


async def test_in_pieces_with_pauses_it_sends_no_faster(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    flood = Flood("a flood", Opening.TCP, b"x" * 1_000, piece=1, pause_ms=50)
    seen = await flooded(flood, answer, tmp_path)
    assert 1 <= seen.bytes_out <= 1 + (SECONDS + 0.1) / 0.05


def test_a_buffer_holds_only_whole_units() -> None:
    assert len(filled(b"abc")) % 3 == 0
    assert filled(b"x" * 100_000) == b"x" * 100_000


def test_every_flood_has_a_unique_name_and_a_unit_to_send(tmp_path: Path) -> None:
    target = Target(8080, ("token-1",), "long", "other", "ana")
    assert len({flood.name for flood in FLOODS}) == len(FLOODS)
    for flood in FLOODS:
        assert 1 <= flood.sources <= SOURCES_MAX
        assert flood.sources <= flood.sockets
        sent = (
            flood.payload(target) + flood.prelude(target) + b"".join(flood.opening.openings(target))
        )
        assert sent or flood.closes or flood.visit is not VisitorKind.NONE, flood.name
