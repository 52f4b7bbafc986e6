"""The connection to a real NATS server."""

import asyncio
import logging
import signal

import pytest
from nats.aio.client import Client

from hubbub.live.cluster.nats import NatsBus
from tests.support.nats import Nats
from tests.support.waiting import until


async def test_a_stop_during_a_heartbeat_is_clean_and_sends_what_was_published(
    nats: Nats, caplog: pytest.LogCaptureFixture
) -> None:
    received: list[bytes] = []
    other = NatsBus(nats.url(), "other")
    other.on_message = lambda subject, payload: received.append(payload)
    await other.start()
    other.subscribe("hubbub.test")
    leaving = NatsBus(nats.url(), "leaving")
    await leaving.start()

    def is_received() -> bool:
        leaving.publish("hubbub.test", b"hello")
        return bool(received)

    await until(is_received)

    client = leaving._client
    assert client
    # The server is frozen for a moment, so a heartbeat waits for its answer.
    nats.signal(signal.SIGSTOP)
    try:
        await until(lambda: bool(client._pongs))
        leaving.publish("hubbub.test", b"goodbye")
        stopping = asyncio.create_task(leaving.stop())
        await asyncio.sleep(0)  # let it begin
        await asyncio.sleep(0)
    finally:
        nats.signal(signal.SIGCONT)
    await stopping
    await until(lambda: received[-1] == b"goodbye")
    await other.stop()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_the_bus_reconnects_after_an_unexpected_error_of_the_library(
    nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = NatsBus(nats.url(), "patient")
    await bus.start()
    connect, attempts = bus._connect, 0

    async def fail_once() -> Client:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("an unexpected error")
        return await connect()

    monkeypatch.setattr(bus, "_connect", fail_once)
    nats.kill()
    await until(lambda: not bus.is_connected)
    await asyncio.to_thread(nats.start)
    await until(lambda: bus.is_connected)
    assert attempts >= 2
    await bus.stop()


async def test_a_late_reply_to_a_heartbeat_reconnects_without_a_traceback(
    nats: Nats, caplog: pytest.LogCaptureFixture
) -> None:
    bus = NatsBus(nats.url(), "late")
    await bus.start()
    first = bus._client
    assert first
    # As after a pause of this process: the heartbeat was given up, and its reply is read then.
    given_up = asyncio.get_running_loop().create_future()
    given_up.cancel()
    first._pongs.insert(0, given_up)
    await until(lambda: bus.is_connected and bus._client is not first)
    assert not [record for record in caplog.records if record.exc_info]
    await bus.stop()
