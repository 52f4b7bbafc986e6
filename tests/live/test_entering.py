"""Coming into rooms: by an answer of the database, unless it was overtaken meanwhile."""

import asyncio

import pytest

from hubbub.live.client import Client
from hubbub.model.errors import Busy, HubbubError, NotFound
from hubbub.model.outcome import MembershipChanged, RoomGone, SessionsEnded
from hubbub.model.policy import RoomKind, RoomRole
from hubbub.model.rooms import Joined, MemberChanged, MyRoom
from tests.support.hub import Hall, events, message, turn
from tests.support.waiting import until

PRIVATE = "private"


def _joined(room: str) -> Joined:
    mine = MyRoom(room=room, kind=RoomKind.PRIVATE, title="", topic="", created_at=0)
    return Joined(room=mine, messages=[], people=[])


def _changed(mrev: int, role: RoomRole | None, user: str = "bo") -> MembershipChanged:
    event = MemberChanged(room=PRIVATE, mrev=mrev, members=1, user=user, role=role)
    return MembershipChanged(PRIVATE, event)


class Database:
    """Says who may come in; something happens while it is asked for the first time."""

    def __init__(self, hall: Hall, *happens: object, then: HubbubError | None) -> None:
        self.hall = hall
        self.happens = list(happens)
        self.then = then
        self.asked = 0

    async def ask(self) -> Joined:
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked == 1:
            self.hall.hub.tell(self.happens)  # type: ignore[arg-type]
        elif self.then:
            raise self.then
        return _joined(PRIVATE)


@pytest.fixture
def bo(hall: Hall) -> Client:
    hall.stored[PRIVATE] = []
    return hall.client("bo", session="of bo")


@pytest.mark.parametrize(
    "happens", [_changed(2, None), RoomGone(PRIVATE)], ids=["put out", "deleted"]
)
async def test_who_loses_a_room_while_they_come_in_is_not_in(
    hall: Hall, bo: Client, happens: object
) -> None:
    database = Database(hall, happens, then=NotFound())
    with pytest.raises(NotFound):
        await hall.hub.enter(bo, PRIVATE, database.ask)
    assert bo.rooms == {}
    assert hall.hub.rooms.get(PRIVATE) is None or hall.room(PRIVATE).is_empty


async def test_what_others_lose_is_no_concern_of_theirs(hall: Hall, bo: Client) -> None:
    database = Database(hall, _changed(2, None, "cy"), then=NotFound())
    await hall.hub.enter(bo, PRIVATE, database.ask)
    assert database.asked == 1
    hall.say(message(1, room=PRIVATE))
    await turn()
    assert [event["room"] for event in events(bo, "message")] == [PRIVATE]


async def test_who_is_in_again_by_then_is_in(hall: Hall, bo: Client) -> None:
    database = Database(hall, _changed(2, None), then=None)
    await hall.hub.enter(bo, PRIVATE, database.ask)
    assert (list(bo.rooms), database.asked) == ([PRIVATE], 2)


async def test_a_connection_that_has_ended_meanwhile_is_in_no_room(hall: Hall, bo: Client) -> None:
    async def ask() -> Joined:
        hall.hub.disconnect(bo)
        return _joined(PRIVATE)

    with pytest.raises(HubbubError):
        await hall.hub.enter(bo, PRIVATE, ask)
    assert hall.room(PRIVATE).is_empty


async def test_who_is_put_out_again_and_again_is_told_to_come_back(hall: Hall, bo: Client) -> None:
    async def ask() -> Joined:
        hall.hub.tell([_changed(2, None)])
        return _joined(PRIVATE)

    with pytest.raises(Busy):
        await hall.hub.enter(bo, PRIVATE, ask)
    assert bo.rooms == {}


async def test_who_is_put_out_while_their_room_is_read_is_not_brought_in(
    hall: Hall, bo: Client
) -> None:
    hall.may_read.clear()
    hall.hub.tell([_changed(2, RoomRole.MEMBER)])
    await until(lambda: (PRIVATE, None) in hall.reads)
    hall.hub.tell([_changed(3, None)])
    hall.may_read.set()
    await until(lambda: hall.room(PRIVATE).recent_changes is not None)
    await turn()
    assert bo.rooms == {}


async def test_a_question_notices_that_its_session_has_ended(hall: Hall) -> None:
    with hall.hub.look("bo") as of_bo, hall.hub.look("cy") as of_cy:
        hall.hub.tell([SessionsEnded("bo", ("s",))])
        assert (of_bo.is_revoked, of_cy.is_revoked) == (True, False)
        hall.hub.tell([SessionsEnded("", ("s",))])  # those idle for too long, whosever they are
        assert of_cy.is_revoked
