"""The connection to a real NATS, by itself."""

import asyncio
import logging
import signal

import pytest
from nats.aio.client import Client

from hubbub.live.cluster.nats import NatsBus
from tests.support.nats import Nats
from tests.support.waiting import until


async def test_a_stop_in_the_middle_of_a_heartbeat_is_clean_and_sends_what_was_published(
    nats: Nats, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []
    other = NatsBus(nats.url(), "other")
    other.received = lambda subject, payload: heard.append(payload)
    await other.start()
    other.watch("hubbub.test")
    leaving = NatsBus(nats.url(), "leaving")
    await leaving.start()

    def is_heard() -> bool:
        leaving.publish("hubbub.test", b"hello")
        return bool(heard)

    await until(is_heard)

    client = leaving._client
    assert client
    # Frozen for a moment: a heartbeat waits for its answer.
    nats.signal(signal.SIGSTOP)
    try:
        await until(lambda: bool(client._pongs))
        leaving.publish("hubbub.test", b"goodbye")
        stopping = asyncio.create_task(leaving.stop())
        await asyncio.sleep(0)  # it has begun
        await asyncio.sleep(0)
    finally:
        nats.signal(signal.SIGCONT)
    await stopping
    await until(lambda: heard[-1] == b"goodbye")
    await other.stop()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_whatever_the_library_meets_the_bus_is_looked_for_again(
    nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = NatsBus(nats.url(), "patient")
    await bus.start()
    connect, tried = bus._connect, 0

    async def fail_once() -> Client:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise RuntimeError("nobody thought of this")
        return await connect()

    monkeypatch.setattr(bus, "_connect", fail_once)
    nats.kill()
    await until(lambda: not bus.is_connected)
    await asyncio.to_thread(nats.start)
    await until(lambda: bus.is_connected)
    assert tried >= 2
    await bus.stop()
