"""The load generator with servers of known faults: it must report exactly these."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from aiohttp import WSCloseCode, web

from bench.loadgen import (
    HTTP_API,
    JSON_SOCKET,
    SOURCE,
    ChatResult,
    ConnectResult,
    Endpoint,
    PostResult,
    build,
    compiler,
)
from tests.support.load import needs_compiler

pytestmark = needs_compiler

CLIENTS = 5
SENDERS = 2
SENT = 40
#: One at a time, so that the senders are the first in the room.
RUN = tuple(f"--clients {CLIENTS} --senders {SENDERS} --at-once 1 --rate 200 --seconds 0.2".split())

Answer = TypeVar("Answer", ChatResult, ConnectResult, PostResult)
Room = list[web.WebSocketResponse]
#: Sends the n-th message to everyone, or leaves it out.
Deliver = Callable[[Room, int, str], Awaitable[None]]


async def to_everyone(room: Room, _number: int, text: str) -> None:
    for socket in room:
        await socket.send_str(f"~guest: {text}")


@asynccontextmanager
async def chat_server(deliver: Deliver) -> AsyncIterator[int]:
    """A minimal chat whose messages are sent by `deliver`; yields its port."""
    room: Room = []
    count = 0

    async def enter(request: web.Request) -> web.WebSocketResponse:
        nonlocal count
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        room.append(socket)
        async for message in socket:
            count += 1
            await deliver(room, count, str(message.data))
        return socket

    async with listening(web.get("/ws", enter)) as port:
        yield port


@asynccontextmanager
async def listening(*routes: web.RouteDef) -> AsyncIterator[int]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def run(port: int, mode: str, endpoint: Endpoint, *more: str) -> tuple[int, bytes, str]:
    process = await asyncio.create_subprocess_exec(
        str(build()),
        mode,
        "--port",
        str(port),
        *endpoint.arguments(),
        *more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out, err.decode()


async def result(
    kind: type[Answer], port: int, mode: str, endpoint: Endpoint, *more: str
) -> Answer:
    code, out, err = await run(port, mode, endpoint, *more)
    assert code == 0, err
    return msgspec.json.decode(out, type=kind)


@asynccontextmanager
async def talking(
    port: int, endpoint: Endpoint, *more: str
) -> AsyncIterator[Callable[[bytes], Awaitable[ChatResult]]]:
    """A load with --pause; yields a function that sends "RATE SECONDS" and returns the result."""
    process = await asyncio.create_subprocess_exec(
        str(build()),
        *("chat", "--pause", "--port", str(port), *endpoint.arguments(), *RUN, *more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    stdin, stdout = process.stdin, process.stdout

    async def step(line: bytes) -> ChatResult:
        stdin.write(line + b"\n")
        return msgspec.json.decode(await stdout.readline(), type=ChatResult)

    yield step
    stdin.close()
    assert await process.wait() == 0


async def chat(deliver: Deliver) -> ChatResult:
    async with chat_server(deliver) as port:
        return await result(ChatResult, port, "chat", Endpoint("/ws"), *RUN)


async def test_a_faultless_server_is_reported_without_faults() -> None:
    seen = await chat(to_everyone)
    assert (seen.sent, seen.unsent) == (SENT, 0)
    assert seen.deliveries == seen.expected == SENT * CLIENTS
    assert (seen.lost, seen.repeated, seen.wrong, seen.closed) == (0, 0, 0, 0)
    assert 0 < seen.p50_us <= seen.p99_us <= seen.max_us


async def test_one_lost_delivery_is_counted_once() -> None:
    async def deliver(room: Room, number: int, text: str) -> None:
        await to_everyone(room[1:] if number == 7 else room, number, text)

    seen = await chat(deliver)
    assert (seen.lost, seen.repeated, seen.wrong) == (1, 0, 0)


async def test_a_duplicate_delivery_is_counted() -> None:
    async def deliver(room: Room, number: int, text: str) -> None:
        await to_everyone(room, number, text)
        if number == 7:
            await room[0].send_str(f"~guest: {text}")

    seen = await chat(deliver)
    assert (seen.lost, seen.repeated, seen.wrong) == (0, 1, 0)


async def test_a_lost_and_a_duplicate_delivery_do_not_cancel_out() -> None:
    async def deliver(room: Room, number: int, text: str) -> None:
        for _ in range({7: 0, 8: 2}.get(number, 1)):
            await room[0].send_str(f"~guest: {text}")
        await to_everyone(room[1:], number, text)

    seen = await chat(deliver)
    assert (seen.lost, seen.repeated, seen.wrong) == (0, 0, 1)


async def test_several_messages_in_one_frame_all_count() -> None:
    held: list[str] = []

    async def deliver(room: Room, number: int, text: str) -> None:
        held.append(f"~guest: {text}")
        if number % 10 == 0:
            # Taken before the first await, as others go on delivering meanwhile.
            frame = "\n".join(held)
            held.clear()
            await asyncio.gather(*(socket.send_str(frame) for socket in room))

    seen = await chat(deliver)
    assert seen.deliveries == SENT * CLIENTS
    assert (seen.lost, seen.repeated, seen.wrong) == (0, 0, 0)


async def test_a_fragmented_message_counts_even_when_its_marker_is_split() -> None:
    async def deliver(room: Room, _number: int, text: str) -> None:
        whole = f"~guest: {text}".encode()
        cut = whole.index(b"@T") + 1
        first = bytes([0x01, cut]) + whole[:cut]  # text, more to come (RFC 6455, 5.4)
        last = bytes([0x80, len(whole) - cut]) + whole[cut:]
        for socket in room:
            assert socket._writer is not None
            socket._writer.transport.write(first + last)

    seen = await chat(deliver)
    assert seen.deliveries == SENT * CLIENTS
    assert (seen.lost, seen.repeated, seen.wrong) == (0, 0, 0)


async def test_long_messages_are_parsed_however_they_are_split() -> None:
    async with chat_server(to_everyone) as port:
        seen = await result(ChatResult, port, "chat", Endpoint("/ws"), *RUN, "--size", "60000")
    assert seen.deliveries == SENT * CLIENTS
    assert seen.bytes_in > SENT * CLIENTS * 60_000
    assert (seen.lost, seen.repeated, seen.wrong, seen.closed) == (0, 0, 0, 0)


async def test_a_disconnected_client_and_its_code_are_reported() -> None:
    async def deliver(room: Room, number: int, text: str) -> None:
        await to_everyone(room, number, text)
        if number == 7:
            gone = room.pop()
            await gone.close(code=WSCloseCode.TRY_AGAIN_LATER)

    seen = await chat(deliver)
    assert seen.closed == 1
    assert seen.close_code == WSCloseCode.TRY_AGAIN_LATER
    assert seen.lost == SENT - 7


async def test_steps_on_the_same_connections_count_each_for_itself() -> None:
    arrivals = 0

    async def deliver(room: Room, number: int, text: str) -> None:
        nonlocal arrivals
        arrivals = len(room)
        await to_everyone(room[1:] if number == 7 else room, number, text)

    async with chat_server(deliver) as port, talking(port, Endpoint("/ws")) as step:
        first, second = await step(b"200 0.2"), await step(b"400 0.2")
    assert (first.sent, first.lost) == (SENT, 1)
    assert (second.sent, second.lost) == (2 * SENT, 0)
    assert second.deliveries == 2 * SENT * CLIENTS
    assert arrivals == CLIENTS


async def test_a_refused_message_is_shown_and_counts_as_lost() -> None:
    async def deliver(room: Room, number: int, text: str) -> None:
        if number == 7:
            await room[0].send_str("* Slow down.")
        else:
            await to_everyone(room, number, text)

    seen = await chat(deliver)
    assert seen.lost == CLIENTS
    assert (seen.notices, seen.first_notice) == (1, "* Slow down.")


@asynccontextmanager
async def json_server(received: list[dict[str, object]]) -> AsyncIterator[int]:
    """Implements enough of the JSON WebSocket for hello and posts."""
    room: Room = []

    async def enter(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("hubbub.v1",), compress=False)
        await socket.prepare(request)
        received.append({"token": request.headers["Authorization"], "protocol": socket.ws_protocol})
        async for message in socket:
            command = msgspec.json.decode(message.data)
            received.append(command)
            if command["do"] == "hello":
                await socket.send_str('{"on":"notice","text":"not the welcome yet"}')
                await socket.send_str('{"re":1,"ok":{"epoch":"e"}}')
                room.append(socket)
                continue
            event = msgspec.json.encode({"on": "message", "text": command["text"]}).decode()
            for member in room:
                await member.send_str(event)
            await socket.send_str(f'{{"re":{command["id"]},"ok":{{"seq":1}}}}')
        return socket

    async with listening(web.get("/ws", enter)) as port:
        yield port


def tokens_file(folder: Path, count: int) -> str:
    path = folder / "tokens"
    path.write_text("".join(f"token-{number}\n" for number in range(count)))
    return str(path)


async def test_json_clients_sign_in_send_hello_and_post_with_unique_nonces(tmp_path: Path) -> None:
    received: list[dict[str, object]] = []
    async with json_server(received) as port:
        tokens = tokens_file(tmp_path, CLIENTS)
        async with talking(port, JSON_SOCKET, "--tokens", tokens) as step:
            for seen in (await step(b"200 0.2"), await step(b"200 0.2")):
                assert (seen.deliveries, seen.lost, seen.notices) == (SENT * CLIENTS, 0, 0)
    posts = [command for command in received if command.get("do") == "post"]
    assert len({post["nonce"] for post in posts}) == 2 * SENT
    assert len({post["id"] for post in posts} - {1}) == 2 * SENT
    assert {len(str(post["text"])) for post in posts} == {120}
    arrivals = [entry for entry in received if "token" in entry]
    assert {entry["token"] for entry in arrivals} == {f"Bearer token-{n}" for n in range(CLIENTS)}
    assert {entry["protocol"] for entry in arrivals} == {"hubbub.v1"}


async def test_connecting_waits_for_every_welcome(tmp_path: Path) -> None:
    received: list[dict[str, object]] = []
    async with json_server(received) as port:
        more = ("--clients", "30", "--at-once", "4", "--skip", "10", "--browser")
        tokens = tokens_file(tmp_path, 40)
        seen = await result(ConnectResult, port, "connect", JSON_SOCKET, *more, "--tokens", tokens)
    assert (seen.clients, seen.closed) == (30, 0)
    assert seen.connect_s > 0
    used = {entry["token"] for entry in received if "token" in entry}
    assert used == {f"Bearer token-{number}" for number in range(10, 40)}


async def test_a_server_that_refuses_everybody_is_an_error() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=401, text="Sign in first.")

    async with listening(web.get("/ws", refuse)) as port:
        code, _, err = await run(port, "chat", Endpoint("/ws"), *RUN)
    assert code == 1
    assert "401" in err


async def test_too_few_tokens_are_an_error(tmp_path: Path) -> None:
    code, _, err = await run(1, "chat", JSON_SOCKET, *RUN, "--tokens", tokens_file(tmp_path, 2))
    assert code == 1
    assert "only 2 tokens" in err


async def test_posts_are_counted_by_their_answers(tmp_path: Path) -> None:
    bodies: list[dict[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"seq": len(bodies)}, status=429 if len(bodies) == 3 else 201)

    async with listening(web.post(HTTP_API.path, take)) as port:
        more = ("--clients", "3", "--seconds", "30", "--most", "20")
        tokens = tokens_file(tmp_path, 3)
        seen = await result(PostResult, port, "post", HTTP_API, *more, "--tokens", tokens)
    assert (seen.sent, seen.acknowledged) == (20, 19)
    assert (seen.refused, seen.first_refusal) == (1, 429)
    assert len({body["nonce"] for body in bodies}) == len(bodies) == 20


PERCENTILES = """
#include <stdio.h>
#include "histogram.h"
int main(void) {
    static struct histogram h;
    unsigned long long value;
    while (scanf("%llu", &value) == 1) histogram_record(&h, value);
    for (int part = 0; part <= 100; part++)
        printf("%llu\\n", (unsigned long long)histogram_percentile(&h, part / 100.0));
    return 0;
}
"""


@pytest.mark.parametrize(
    "values",
    [
        [7],
        list(range(1, 200)),
        [3**power for power in range(40)],
        [2**power + offset for power in range(1, 63) for offset in (-1, 0, 1)],
    ],
)
def test_percentiles_are_those_of_the_sorted_values(tmp_path: Path, values: list[int]) -> None:
    source = tmp_path / "percentiles.c"
    source.write_text(PERCENTILES)
    program = tmp_path / "percentiles"
    headers = str(SOURCE.with_suffix(""))
    subprocess.run(
        [str(compiler()), "-O1", "-I", headers, "-o", str(program), str(source)], check=True
    )
    given = "\n".join(map(str, values))
    done = subprocess.run([str(program)], input=given, capture_output=True, text=True, check=True)
    ordered = sorted(values)
    for quantile, found in enumerate(map(int, done.stdout.split())):
        rank = max(1, -(-quantile * len(ordered) // 100))
        assert found == pytest.approx(ordered[rank - 1], rel=0.004)
