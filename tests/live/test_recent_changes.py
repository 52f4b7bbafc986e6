"""The latest changes of a room."""

from hubbub.live.recent_changes import BYTES_MAX, ENTRIES_MAX, Ring
from hubbub.model.messages import Message
from hubbub.model.rooms import RoomChanged
from tests.support.hub import message, payloads


def revs(ring: Ring, after: int) -> list[int] | None:
    found = ring.after(after)
    return None if found is None else [entry.event.rev for entry in found]


def test_it_knows_what_changed_after_a_rev_and_says_when_it_does_not() -> None:
    ring = Ring(3)
    for rev in (4, 5, 6):
        ring.add(message(rev))
    assert revs(ring, 6) == []
    assert revs(ring, 4) == [5, 6]
    assert revs(ring, 3) == [4, 5, 6]
    assert revs(ring, 2) is None


def test_a_later_state_takes_the_place_of_the_one_before_so_no_deleted_text_stays() -> None:
    ring = Ring(0)
    ring.add(message(1, 1, "secret"))
    ring.add(message(2, 2))
    ring.add(message(1, 3, "secret too"))
    ring.add(message(1, 4, "", deleted=True))
    assert revs(ring, 0) == [2, 4]
    frames = b"".join(entry.frame for entry in ring)
    assert b"secret" not in frames
    assert not any("secret" in getattr(entry.event, "text", "") for entry in ring)


def test_the_room_itself_is_one_thing() -> None:
    ring = Ring(0)
    ring.add(RoomChanged(room="lobby", rev=1, title="a"))
    ring.add(message(1, 2))
    ring.add(RoomChanged(room="lobby", rev=3, title="b"))
    assert revs(ring, 0) == [2, 3]


def test_it_is_bounded_by_entries_and_its_floor_rises() -> None:
    ring = Ring(0)
    for seq in range(1, ENTRIES_MAX + 11):
        ring.add(message(seq))
    assert ring.floor == 10
    assert revs(ring, 9) is None
    assert revs(ring, 10) == list(range(11, ENTRIES_MAX + 11))


def test_it_is_bounded_by_bytes_whatever_is_replaced() -> None:
    ring = Ring(0)
    for rev in range(1, 101):
        ring.add(message(1, rev, "x" * 16_000))
    assert (ring.floor, revs(ring, 0)) == (0, [100])
    for rev in range(101, 201):
        ring.add(message(rev, rev, "x" * 16_000))
    texts = [entry.event.text for entry in ring if isinstance(entry.event, Message)]
    assert 0 < sum(map(len, texts)) <= BYTES_MAX
    assert ring.floor == 200 - len(texts)


def test_the_latest_page_is_by_seq_or_is_not_told() -> None:
    ring = Ring(0)
    for seq in (1, 2, 3):
        ring.add(message(seq))
    ring.add(message(1, 4, "edited"))

    def page(head: int, limit: int) -> list[int] | None:
        found = ring.latest(head, limit)
        return None if found is None else [entry.event.seq for entry in found]  # type: ignore[union-attr]

    assert page(3, 2) == [2, 3]
    assert page(3, 50) == [1, 2, 3]
    assert page(4, 2) is None
    assert page(0, 5) == []


def test_a_state_is_encoded_and_framed_once() -> None:
    entry = Ring(0).add(message(1))
    assert entry.frame is entry.frame
    assert payloads(entry.frame) == [
        b'{"on":"message","room":"lobby","seq":1,"rev":1,"by":"ana","at":0,"text":"hi"}'
    ]
