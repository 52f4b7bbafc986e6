"""A client that reads slowly, or not at all, keeps nobody waiting and misses nothing."""

import pytest

from hubbub.live.client import PING_EVERY_S, STALLED_AFTER_S
from hubbub.model.accounts import MeChanged
from hubbub.model.outcome import ToPerson
from hubbub.model.reading import Notice
from hubbub.model.rooms import Removed
from tests.support.hub import (
    HIGH_WATER,
    Hall,
    door,
    events,
    forget,
    message,
    received,
    sees,
    transport,
    turn,
)
from tests.support.waiting import until


@pytest.mark.parametrize("dialect", ["json", "text"])
async def test_who_reads_too_slowly_is_behind_and_told_later(hall: Hall, dialect: str) -> None:
    fast, slow = await hall.come("ana"), await hall.come("bo", dialect=dialect)
    hall.say(message(1), message(2))
    await sees(fast, [1, 2])
    forget(slow)
    hall.waits(slow, HIGH_WATER + 1)
    hall.say(message(3))
    hall.say(message(1, 4, "edited"))
    await sees(fast, [1, 2, 3, 4])
    hall.say(message(4, 5))
    await sees(fast, [1, 2, 3, 4, 5])
    assert received(slow) == []
    assert slow.behind
    assert slow.missed == {"lobby": 2}, "what it was shown last"
    assert hall.hub.backpressure.behind == hall.hub.backpressure.fell_behind == 1

    slow.send(b'{"re":1,"ok":{}}')
    removed = Removed(room="tea", rev=7, reason="kicked")
    hall.hub.tell([ToPerson("bo", removed), ToPerson("bo", MeChanged(rev=8))])
    is_json = dialect == "json"
    assert len(received(slow)) == (2 if is_json else 1), "replies and removals are never dropped"
    assert slow.missed_rev == (8 if is_json else None)

    hall.waits(slow, HIGH_WATER // 2)
    await until(lambda: slow.buffered == HIGH_WATER // 2)
    assert (door(slow).catch_ups, door(slow).goes_on) == (0, 0)
    hall.waits(slow, 0)
    await until(lambda: door(slow).catch_ups > 0)
    heads = hall.hub.heads(slow.missed)
    assert (heads.rooms["lobby"].seq, heads.rooms["lobby"].rev) == (4, 5)
    hall.hub.backpressure.caught_up(slow)
    assert door(slow).goes_on == 1, "reading from it goes on"
    forget(slow)
    hall.say(message(5, 6))
    await until(lambda: len(received(slow)) == 1)
    assert (slow.behind, slow.missed, hall.hub.backpressure.behind) == (False, {}, 0)


async def test_only_who_makes_no_progress_for_a_minute_is_closed(hall: Hall) -> None:
    slow, stuck = await hall.come("ana"), await hall.come("bo")
    for client in (slow, stuck):
        hall.waits(client, 1_000_000)
    hall.say(message(1))
    await until(lambda: hall.hub.backpressure.behind == 2)
    for _ in range(4):
        hall.now += 30
        hall.waits(slow, transport(slow).waiting - 1000)
        seen = slow.progress_at
        await until(lambda: slow.progress_at > seen)  # noqa: B023 - awaited here
    await until(lambda: bool(door(stuck).closed))
    assert (door(stuck).closed, door(slow).closed) == ([4000], [])
    assert hall.hub.backpressure.closed_slow == 1


async def test_a_connection_that_breaks_while_it_is_written_to_harms_nobody(hall: Hall) -> None:
    everyone = [await hall.come(name) for name in ("ana", "bo", "eva")]
    broken = transport(everyone[1])

    def fail(data: bytes) -> None:
        raise RuntimeError("the handler is closed")

    broken.write = fail  # type: ignore[method-assign]
    hall.say(message(1))
    await sees(everyone[0], [1])
    await sees(everyone[2], [1])
    hall.hub.send_to_all(Notice(text="hi"))
    hall.hub.tell([ToPerson("bo", MeChanged(rev=1))])
    assert len(events(everyone[2], "notice")) == 1


async def test_who_is_gone_keeps_nobody_waiting(hall: Hall) -> None:
    ana = await hall.come("ana")
    hall.waits(ana, HIGH_WATER + 1)
    hall.say(message(1))
    await until(lambda: ana.behind)
    hall.hub.disconnect(ana)
    assert (hall.hub.clients, hall.hub.people, hall.hub.backpressure.behind) == (set(), {}, 0)


async def test_who_gives_no_sign_of_life_is_pinged_and_then_closed(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hall.come("ana")
    await turn()
    forget(ana)
    hall.now += PING_EVERY_S
    await until(lambda: transport(ana).writes == [b"\x89\x00"])
    hall.now += STALLED_AFTER_S + PING_EVERY_S
    await until(lambda: bool(door(ana).closed))
    assert door(ana).closed[0] == 4000
