"""A client that reads slowly, or not at all, delays nobody and misses nothing."""

import pytest

from hubbub.live.client import PING_EVERY_S, STALLED_AFTER_S
from hubbub.model.accounts import MeChanged
from hubbub.model.outcome import ToPerson
from hubbub.model.reading import Notice
from hubbub.model.rooms import Removed
from tests.support.hub import (
    HIGH_WATER,
    HubHarness,
    clear,
    end_turn,
    events,
    handler,
    message,
    received,
    transport,
    wait_for_revs,
)
from tests.support.waiting import until


@pytest.mark.parametrize("dialect", ["json", "text"])
async def test_a_slow_client_lags_and_is_sent_what_it_missed_later(
    harness: HubHarness, dialect: str
) -> None:
    fast, slow = await harness.enter("ana"), await harness.enter("bo", dialect=dialect)
    harness.publish(message(1), message(2))
    await wait_for_revs(fast, [1, 2])
    clear(slow)
    harness.set_buffered(slow, HIGH_WATER + 1)
    harness.publish(message(3))
    harness.publish(message(1, 4, "edited"))
    await wait_for_revs(fast, [1, 2, 3, 4])
    harness.publish(message(4, 5))
    await wait_for_revs(fast, [1, 2, 3, 4, 5])
    assert received(slow) == []
    assert slow.is_lagging
    assert slow.missed == {"lobby": 2}, "the last seq that was written to it"
    assert harness.hub.backpressure.lagging_count == harness.hub.backpressure.lagged_total == 1

    slow.send(b'{"re":1,"ok":{}}')
    removed = Removed(room="tea", rev=7, reason="kicked")
    harness.hub.publish([ToPerson("bo", removed), ToPerson("bo", MeChanged(rev=8))])
    is_json = dialect == "json"
    assert len(received(slow)) == (2 if is_json else 1), "replies and removals are never dropped"
    assert slow.missed_rev == (8 if is_json else None)

    harness.set_buffered(slow, HIGH_WATER // 2)
    await until(lambda: slow.last_buffered_bytes == HIGH_WATER // 2)
    assert (handler(slow).send_missed_count, handler(slow).resumed_count) == (0, 0)
    harness.set_buffered(slow, 0)
    await until(lambda: handler(slow).send_missed_count > 0)
    heads = harness.hub.heads(slow.missed)
    assert (heads.rooms["lobby"].seq, heads.rooms["lobby"].rev) == (4, 5)
    harness.hub.backpressure.resume(slow)
    assert handler(slow).resumed_count == 1, "reading from it is resumed"
    clear(slow)
    harness.publish(message(5, 6))
    await until(lambda: len(received(slow)) == 1)
    assert (slow.is_lagging, slow.missed, harness.hub.backpressure.lagging_count) == (False, {}, 0)


async def test_only_a_client_without_progress_for_a_minute_is_closed(harness: HubHarness) -> None:
    slow, stuck = await harness.enter("ana"), await harness.enter("bo")
    for client in (slow, stuck):
        harness.set_buffered(client, 1_000_000)
    harness.publish(message(1))
    await until(lambda: harness.hub.backpressure.lagging_count == 2)
    for _ in range(4):
        harness.now += 30
        harness.set_buffered(slow, transport(slow).buffered_bytes - 1000)
        before = slow.progress_at
        await until(lambda: slow.progress_at > before)  # noqa: B023 - awaited here
    await until(lambda: bool(handler(stuck).close_codes))
    assert (handler(stuck).close_codes, handler(slow).close_codes) == ([4000], [])
    assert harness.hub.backpressure.closed_slow == 1


async def test_a_failing_transport_does_not_affect_other_clients(
    harness: HubHarness,
) -> None:
    everyone = [await harness.enter(name) for name in ("ana", "bo", "eva")]
    broken = transport(everyone[1])

    def fail(data: bytes) -> None:
        raise RuntimeError("the handler is closed")

    broken.write = fail  # type: ignore[method-assign]
    harness.publish(message(1))
    await wait_for_revs(everyone[0], [1])
    await wait_for_revs(everyone[2], [1])
    harness.hub.send_to_all(Notice(text="hi"))
    harness.hub.publish([ToPerson("bo", MeChanged(rev=1))])
    assert len(events(everyone[2], "notice")) == 1


async def test_a_lagging_client_that_disconnects_is_forgotten(harness: HubHarness) -> None:
    ana = await harness.enter("ana")
    harness.set_buffered(ana, HIGH_WATER + 1)
    harness.publish(message(1))
    await until(lambda: ana.is_lagging)
    harness.hub.disconnect(ana)
    assert (harness.hub.clients, harness.hub.people, harness.hub.backpressure.lagging_count) == (
        set(),
        {},
        0,
    )


async def test_a_quiet_client_is_pinged_and_then_closed(
    harness: HubHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await harness.enter("ana")
    await end_turn()
    clear(ana)
    harness.now += PING_EVERY_S
    await until(lambda: transport(ana).writes == [b"\x89\x00"])
    harness.now += STALLED_AFTER_S + PING_EVERY_S
    await until(lambda: bool(handler(ana).close_codes))
    assert handler(ana).close_codes[0] == 4000
