"""Entering rooms: the database grants access, unless it is revoked in the meantime."""

import asyncio

import pytest

from hubbub.live.client import Client
from hubbub.model.errors import Busy, HubbubError, NotFound
from hubbub.model.outcome import MembershipChanged, RoomGone, SessionsEnded
from hubbub.model.policy import RoomKind, RoomRole
from hubbub.model.rooms import Joined, MemberChanged, MyRoom
from tests.support.hub import HubHarness, end_turn, events, message
from tests.support.waiting import until

PRIVATE = "private"


def _joined(room: str) -> Joined:
    mine = MyRoom(room=room, kind=RoomKind.PRIVATE, title="", topic="", created_at=0)
    return Joined(room=mine, messages=[], people=[])


def _changed(mrev: int, role: RoomRole | None, user: str = "bo") -> MembershipChanged:
    event = MemberChanged(room=PRIVATE, mrev=mrev, members=1, user=user, role=role)
    return MembershipChanged(PRIVATE, event)


class FakeJoin:
    """Grants access. In the first call these effects are published; later ones raise the error."""

    def __init__(
        self, harness: HubHarness, *effects: object, later_error: HubbubError | None
    ) -> None:
        self.harness = harness
        self.effects = list(effects)
        self.later_error = later_error
        self.calls = 0

    async def __call__(self) -> Joined:
        self.calls += 1
        await asyncio.sleep(0)
        if self.calls == 1:
            self.harness.hub.publish(self.effects)  # type: ignore[arg-type]
        elif self.later_error:
            raise self.later_error
        return _joined(PRIVATE)


@pytest.fixture
def bo(harness: HubHarness) -> Client:
    harness.stored[PRIVATE] = []
    return harness.connect("bo", session="of bo")


@pytest.mark.parametrize(
    "effect", [_changed(2, None), RoomGone(PRIVATE)], ids=["removed", "deleted"]
)
async def test_a_client_that_loses_a_room_while_entering_is_not_attached(
    harness: HubHarness, bo: Client, effect: object
) -> None:
    join = FakeJoin(harness, effect, later_error=NotFound())
    with pytest.raises(NotFound):
        await harness.hub.enter(bo, PRIVATE, join)
    assert bo.rooms == {}
    assert harness.hub.rooms.get(PRIVATE) is None or harness.room(PRIVATE).is_empty


async def test_a_removal_of_somebody_else_does_not_repeat_the_join(
    harness: HubHarness, bo: Client
) -> None:
    join = FakeJoin(harness, _changed(2, None, "cy"), later_error=NotFound())
    await harness.hub.enter(bo, PRIVATE, join)
    assert join.calls == 1
    harness.publish(message(1, room=PRIVATE))
    await end_turn()
    assert [event["room"] for event in events(bo, "message")] == [PRIVATE]


async def test_a_client_that_is_a_member_again_when_asked_twice_is_attached(
    harness: HubHarness, bo: Client
) -> None:
    join = FakeJoin(harness, _changed(2, None), later_error=None)
    await harness.hub.enter(bo, PRIVATE, join)
    assert (list(bo.rooms), join.calls) == ([PRIVATE], 2)


async def test_a_client_that_disconnects_while_entering_is_not_attached(
    harness: HubHarness, bo: Client
) -> None:
    async def join() -> Joined:
        harness.hub.disconnect(bo)
        return _joined(PRIVATE)

    with pytest.raises(HubbubError):
        await harness.hub.enter(bo, PRIVATE, join)
    assert harness.room(PRIVATE).is_empty


async def test_a_client_that_is_removed_on_every_attempt_gets_busy(
    harness: HubHarness, bo: Client
) -> None:
    async def join() -> Joined:
        harness.hub.publish([_changed(2, None)])
        return _joined(PRIVATE)

    with pytest.raises(Busy):
        await harness.hub.enter(bo, PRIVATE, join)
    assert bo.rooms == {}


async def test_a_member_removed_while_the_room_is_loaded_is_not_attached(
    harness: HubHarness, bo: Client
) -> None:
    harness.reads_allowed.clear()
    harness.hub.publish([_changed(2, RoomRole.MEMBER)])
    await until(lambda: (PRIVATE, None) in harness.reads)
    harness.hub.publish([_changed(3, None)])
    harness.reads_allowed.set()
    await until(lambda: harness.room(PRIVATE).recent_changes is not None)
    await end_turn()
    assert bo.rooms == {}


async def test_a_pending_resume_is_revoked_when_its_session_ends(harness: HubHarness) -> None:
    with harness.hub.track_resume("bo") as of_bo, harness.hub.track_resume("cy") as of_cy:
        harness.hub.publish([SessionsEnded("bo", ("s",))])
        assert (of_bo.is_revoked, of_cy.is_revoked) == (True, False)
        harness.hub.publish([SessionsEnded("", ("s",))])  # expired sessions of anybody
        assert of_cy.is_revoked
