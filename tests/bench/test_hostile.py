"""The bounds of the hostile scenario, and its accounts."""

import io
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.bystanders import DELIVERY_TIMEOUT_S, PostLog
from bench.hostile import Dataset, Outcome, rows_of, table_of
from bench.report import MB
from hubbub.model.names import LOBBY
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.sqlite.database import Database
from hubbub.store.tx import Tx

HELD = Outcome(
    flood="pings",
    p99_quiet_ms=10,
    p99_ms=29,
    posts=96,
    idle_bytes=60 * MB,
    peak_bytes=110 * MB,
    after_bytes=65 * MB,
    visits=20,
    visits_succeeded=20,
)


def changed(**fields: object) -> Outcome:
    return msgspec.structs.replace(HELD, **fields)


def test_a_flood_without_effect_on_others_passes() -> None:
    assert HELD.faults() == []
    assert all(row.ok for row in rows_of([HELD]))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"p99_quiet_ms": 40, "p99_ms": 101}, "above 100 ms"),
        ({"p99_ms": 31}, "above 3 × quiet"),
        ({"lost": 1}, "1 posts lost"),
        ({"disconnected": 1}, "1 bystanders disconnected"),
        ({"is_busy": True}, "still busy"),
        ({"peak_bytes": 121 * MB}, "peak above 2 × idle"),
        ({"after_bytes": 67 * MB}, "memory kept"),
        ({"visits_succeeded": 19}, "only 19 of 20 signed in"),
        ({"failure": "the server ended"}, "the server ended"),
    ],
)
def test_each_missed_bound_is_named(fields: dict[str, object], fault: str) -> None:
    outcome = changed(**fields)
    assert len(outcome.faults()) == 1
    assert fault in outcome.faults()[0]
    assert not all(row.ok for row in rows_of([HELD, outcome]))


def test_the_worst_of_all_floods_is_judged_and_named() -> None:
    rows = rows_of([HELD, changed(flood="hello", p99_ms=250)])
    assert rows[0].measured == 250
    assert "hello" in rows[0].what


def test_the_table_shows_each_flood_and_why_it_failed() -> None:
    page = io.StringIO()
    Console(file=page, width=132).print(table_of([HELD, changed(flood="hello", lost=2)]))
    assert "60 / 110 / 65" in page.getvalue()
    assert "NO: 2 posts lost" in page.getvalue()


def test_a_post_counts_when_it_is_acknowledged_and_delivered_to_everybody() -> None:
    now = time.perf_counter()
    log = PostLog(began={1: now, 2: now, 3: now})
    for number in (1, 2):
        log.on_acknowledged(number)
    for number in (1, 1, 2, 3, 3):
        log.on_delivered(number)
    assert log.lost(listeners=2) == 2  # 2 was delivered to one listener, 3 was not acknowledged
    assert len(log.taken_ms) == 7
    # Two of six deliveries and three acknowledgements never came; they count with the timeout.
    assert sorted(log.latencies_ms(listeners=2))[-2:] == [DELIVERY_TIMEOUT_S * 1000] * 2


def test_posts_of_another_phase_are_not_counted() -> None:
    log = PostLog(began={2: 0.0})
    log.on_acknowledged(1)
    log.on_delivered(1)
    assert log.taken_ms == []


def test_flooders_are_members_of_the_long_room_and_not_of_the_other(tmp_path: Path) -> None:
    dataset = Dataset.create(tmp_path)
    people = {*dataset.earlier, *dataset.later, dataset.owner}
    assert len(people) == len(dataset.earlier) + len(dataset.later) + 1
    assert not set(dataset.bystanders) & set(dataset.flooders)
    with closing(Database(DataFolder(tmp_path).database).reader()) as db:
        tx = Tx(db, 0)
        rooms = tx.rooms_by_id({LOBBY, dataset.long_room, dataset.other_room})
        flooder = tx.user("person-00002")
        assert flooder is not None
        assert tx.member(rooms[dataset.long_room].pk, flooder.id) is not None
        assert tx.member(rooms[dataset.other_room].pk, flooder.id) is None
        assert rooms[dataset.long_room].seq > 100
        owner = tx.user(dataset.owner)
        assert owner is not None
        assert owner.password_hash
