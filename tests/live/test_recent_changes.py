"""The latest changes of a room."""

from hubbub.live.recent_changes import BYTES_MAX, ENTRIES_MAX, RecentChanges
from hubbub.model.messages import Message
from hubbub.model.rooms import RoomChanged
from tests.support.hub import message, payloads


def revs(recent_changes: RecentChanges, after: int) -> list[int] | None:
    found = recent_changes.after(after)
    return None if found is None else [entry.event.rev for entry in found]


def test_changes_after_a_rev_are_complete_or_none() -> None:
    recent_changes = RecentChanges(3)
    for rev in (4, 5, 6):
        recent_changes.add(message(rev))
    assert revs(recent_changes, 6) == []
    assert revs(recent_changes, 4) == [5, 6]
    assert revs(recent_changes, 3) == [4, 5, 6]
    assert revs(recent_changes, 2) is None


def test_a_later_state_replaces_the_earlier_one_so_no_deleted_text_stays() -> None:
    recent_changes = RecentChanges(0)
    recent_changes.add(message(1, 1, "secret"))
    recent_changes.add(message(2, 2))
    recent_changes.add(message(1, 3, "secret too"))
    recent_changes.add(message(1, 4, "", deleted=True))
    assert revs(recent_changes, 0) == [2, 4]
    frames = b"".join(entry.frame for entry in recent_changes)
    assert b"secret" not in frames
    assert not any("secret" in getattr(entry.event, "text", "") for entry in recent_changes)


def test_only_the_latest_state_of_the_room_is_kept() -> None:
    recent_changes = RecentChanges(0)
    recent_changes.add(RoomChanged(room="lobby", rev=1, title="a"))
    recent_changes.add(message(1, 2))
    recent_changes.add(RoomChanged(room="lobby", rev=3, title="b"))
    assert revs(recent_changes, 0) == [2, 3]


def test_entries_are_bounded_and_the_floor_rises() -> None:
    recent_changes = RecentChanges(0)
    for seq in range(1, ENTRIES_MAX + 11):
        recent_changes.add(message(seq))
    assert recent_changes.floor == 10
    assert revs(recent_changes, 9) is None
    assert revs(recent_changes, 10) == list(range(11, ENTRIES_MAX + 11))


def test_bytes_are_bounded_whatever_is_replaced() -> None:
    recent_changes = RecentChanges(0)
    for rev in range(1, 101):
        recent_changes.add(message(1, rev, "x" * 16_000))
    assert (recent_changes.floor, revs(recent_changes, 0)) == (0, [100])
    for rev in range(101, 201):
        recent_changes.add(message(rev, rev, "x" * 16_000))
    texts = [entry.event.text for entry in recent_changes if isinstance(entry.event, Message)]
    assert 0 < sum(map(len, texts)) <= BYTES_MAX
    assert recent_changes.floor == 200 - len(texts)


def test_the_latest_page_is_ordered_by_seq_or_is_none() -> None:
    recent_changes = RecentChanges(0)
    for seq in (1, 2, 3):
        recent_changes.add(message(seq))
    recent_changes.add(message(1, 4, "edited"))

    def page(head: int, limit: int) -> list[int] | None:
        found = recent_changes.latest(head, limit)
        return None if found is None else [entry.event.seq for entry in found]  # type: ignore[union-attr]

    assert page(3, 2) == [2, 3]
    assert page(3, 50) == [1, 2, 3]
    assert page(4, 2) is None
    assert page(0, 5) == []


def test_a_state_is_encoded_and_framed_once() -> None:
    entry = RecentChanges(0).add(message(1))
    assert entry.frame is entry.frame
    assert payloads(entry.frame) == [
        b'{"on":"message","room":"lobby","seq":1,"rev":1,"by":"ana","at":0,"text":"hi"}'
    ]
