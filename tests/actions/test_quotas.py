"""Quotas: so many succeed, the next one is refused, and nothing is left behind by it."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from hubbub.model.accounts import (
    OPERATOR,
    Actor,
    CreateInvite,
    EndInvite,
    Invites,
    OpenSession,
    SeeSessions,
)
from hubbub.model.blocks import Block
from hubbub.model.bookmarks import Bookmark, Draft
from hubbub.model.errors import Conflict, HubbubError, QuotaReached
from hubbub.model.marks import Pin, React
from hubbub.model.messages import Forward, Post, Posted
from hubbub.model.outcome import SessionsEnded
from hubbub.model.policy import ServerRole
from hubbub.model.quotas import DAY_MS, RULES, Quotas
from hubbub.model.rooms import CreateRoom, Direct, Invite, Join, Kick, Leave
from tests.support.world import World, guest

MOST = 3


class Case(NamedTuple):
    """Somebody does something again and again; ``free`` is what makes place for one more.

    A daily quota has none: there the next day does.
    """

    act: Callable[[int], object]
    free: Callable[[], object] | None = None


def people(world: World, count: int = MOST + 2) -> list[str]:
    return [world.account(f"p{nth}").name for nth in range(count)]


def rooms_made_per_day(world: World, ana: Actor) -> Case:
    return Case(lambda nth: world.do(ana, CreateRoom(title=f"Room {nth}")))


def rooms_made_by_directs(world: World, ana: Actor) -> Case:
    names = people(world)
    return Case(lambda nth: world.do(ana, Direct(users=(names[nth],))))


def people_added_per_day(world: World, ana: Actor) -> Case:
    names = people(world)
    world.do(ana, CreateRoom(title="Tea"))
    return Case(lambda nth: world.do(ana, Invite(room="tea", user=names[nth])))


def people_added_by_directs(world: World, ana: Actor) -> Case:
    names = people(world)
    return Case(lambda nth: world.do(ana, Direct(users=(names[nth],))))


def people_added_with_a_room(world: World, ana: Actor) -> Case:
    names = people(world)

    def act(nth: int) -> object:
        return world.do(ana, CreateRoom(title=f"Room {nth}", members=(names[nth], "ana")))

    return Case(act)


def times_added_per_day(world: World, ana: Actor) -> Case:
    """By several people."""
    others = world.people("x y z v w")
    for nth, other in enumerate(others):
        world.do(other, CreateRoom(title=f"Room {nth}"))
    return Case(lambda nth: world.do(others[nth], Invite(room=f"room-{nth}", user="ana")))


def times_added_by_directs(world: World, ana: Actor) -> Case:
    others = world.people("x y z v w")
    return Case(lambda nth: world.do(others[nth], Direct(users=("ana",))))


def times_added_again_and_again(world: World, ana: Actor) -> Case:
    bo = world.account("bo")
    world.do(bo, CreateRoom(title="Tea"))

    def act(nth: int) -> None:
        world.do(bo, Invite(room="tea", user="ana"))
        world.do(ana, Leave(room="tea"))

    return Case(act)


def threads_begun_per_day(world: World, ana: Actor) -> Case:
    for _ in range(MOST + 2):
        world.post(ana)
    return Case(lambda nth: world.post(ana, room=f"lobby.{nth + 1}"))


def threads_begun_by_a_guest(world: World, ana: Actor) -> Case:
    for _ in range(MOST + 2):
        world.post(ana)
    return Case(lambda nth: world.post(guest(), room=f"lobby.{nth + 1}"))


def threads_begun_by_forwarding(world: World, ana: Actor) -> Case:
    for _ in range(MOST + 2):
        world.post(ana)
    return Case(lambda nth: world.do(ana, Forward(room="lobby", seq=1, to=f"lobby.{nth + 1}")))


def rooms_per_user(world: World, ana: Actor) -> Case:
    """Beside the lobby."""
    bo = world.account("bo")
    world.quotas = Quotas()
    for nth in range(MOST + 1):
        world.do(bo, CreateRoom(title=f"Room {nth}"))
    world.quotas = Quotas(rooms_per_user=MOST + 1)
    return Case(
        lambda nth: world.do(ana, Join(room=f"room-{nth}")),
        lambda: world.do(ana, Leave(room="room-0")),
    )


def rooms_per_user_when_added(world: World, ana: Actor) -> Case:
    case = rooms_per_user(world, ana)
    bo = Actor(user_id=2, name="bo", role=ServerRole.MEMBER)
    return Case(lambda nth: world.do(bo, Invite(room=f"room-{nth}", user="ana")), case.free)


def rooms_per_user_when_made(world: World, ana: Actor) -> Case:
    world.quotas = Quotas(rooms_per_user=MOST + 1)
    return Case(
        lambda nth: world.do(ana, CreateRoom(title=f"Room {nth}")),
        lambda: world.do(ana, Leave(room="room-0")),
    )


def invites_per_user(world: World, ana: Actor) -> Case:
    ana = world.account("root", ServerRole.ADMIN)

    def end_one() -> None:
        [first, *_] = world.ask(ana, Invites()).invites
        world.do(ana, EndInvite(invite=first.invite))

    return Case(lambda nth: world.do(ana, CreateInvite()), end_one)


def drafts_per_user(world: World, ana: Actor) -> Case:
    for _ in range(MOST + 1):
        world.post(ana)
    return Case(
        lambda nth: world.do(ana, Draft(room=f"lobby.{nth + 1}", text="hm")),
        lambda: world.do(ana, Draft(room="lobby.1")),
    )


def bookmarks_per_user(world: World, ana: Actor) -> Case:
    for _ in range(MOST + 1):
        world.post(ana)
    return Case(
        lambda nth: world.do(ana, Bookmark(room="lobby", seq=nth + 1)),
        lambda: world.do(ana, Bookmark(room="lobby", seq=1, on=False)),
    )


def blocks_per_user(world: World, ana: Actor) -> Case:
    names = people(world)
    return Case(
        lambda nth: world.do(ana, Block(user=names[nth])),
        lambda: world.do(ana, Block(user=names[0], on=False)),
    )


def pins_per_room(world: World, ana: Actor) -> Case:
    for _ in range(MOST + 1):
        world.post(ana)
    return Case(
        lambda nth: world.do(ana, Pin(room="lobby", seq=nth + 1)),
        lambda: world.do(ana, Pin(room="lobby", seq=1, on=False)),
    )


def reactions_per_message(world: World, ana: Actor) -> Case:
    """By guests as well."""
    world.post(ana)
    return Case(
        lambda nth: world.do(guest(f"g{nth}"), React(room="lobby", seq=1, emoji="👍🎉😀😎"[nth])),
        lambda: world.do(guest("g0"), React(room="lobby", seq=1, emoji="👍", on=False)),
    )


# The quota under which each case is refused, and how.
CASES: dict[Callable[[World, Actor], Case], tuple[str, type[HubbubError]]] = {
    rooms_made_per_day: ("rooms_made_per_day", QuotaReached),
    rooms_made_by_directs: ("rooms_made_per_day", QuotaReached),
    people_added_per_day: ("people_added_per_day", QuotaReached),
    people_added_by_directs: ("people_added_per_day", QuotaReached),
    people_added_with_a_room: ("people_added_per_day", QuotaReached),
    times_added_per_day: ("times_added_per_day", Conflict),
    times_added_by_directs: ("times_added_per_day", Conflict),
    times_added_again_and_again: ("times_added_per_day", Conflict),
    threads_begun_per_day: ("threads_begun_per_day", QuotaReached),
    threads_begun_by_a_guest: ("threads_begun_per_day", QuotaReached),
    threads_begun_by_forwarding: ("threads_begun_per_day", QuotaReached),
    rooms_per_user: ("rooms_per_user", QuotaReached),
    rooms_per_user_when_made: ("rooms_per_user", QuotaReached),
    rooms_per_user_when_added: ("rooms_per_user", Conflict),
    invites_per_user: ("invites_per_user", QuotaReached),
    drafts_per_user: ("drafts_per_user", Conflict),
    bookmarks_per_user: ("bookmarks_per_user", Conflict),
    blocks_per_user: ("blocks_per_user", QuotaReached),
    pins_per_room: ("pins_per_room", Conflict),
    reactions_per_message: ("reactions_per_message", Conflict),
}
# Met by nobody: what is oldest ends instead. See below.
QUIET = {"threads_per_user", "sessions_per_user"}


def everything(world: World) -> dict[str, list[str]]:
    tables = (
        "users rooms members messages invites reactions pins bookmarks drafts blocks usage mentions"
    )
    every = {name: f"SELECT * FROM {name}" for name in tables.split()}  # noqa: S608 - our own names
    return {name: sorted(map(repr, world.rows(rows))) for name, rows in every.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_so_many_succeed_and_the_next_is_refused_and_leaves_nothing_behind(
    world: World, case: Callable[[World, Actor], Case]
) -> None:
    name, error = CASES[case]
    ana = world.account("ana")
    world.quotas = Quotas()
    made = case(world, ana)
    if world.quotas == Quotas():
        world.quotas = Quotas(**{name: MOST})
    for nth in range(MOST):
        made.act(nth)
    before = everything(world)
    with pytest.raises(error) as refused:
        made.act(MOST)
    assert everything(world) == before
    is_mine = error is QuotaReached
    if made.free is None:
        left_s = (DAY_MS - world.now % DAY_MS) / 1000
        assert refused.value.retry_after == (left_s if is_mine else None)
        world.now += round(left_s * 1000) - 1
        with pytest.raises(error):
            made.act(MOST)
        world.now += 1
    else:
        assert refused.value.retry_after is None
        made.free()
    made.act(MOST)


def test_every_quota_is_met_above_and_says_its_limit_and_what_to_do() -> None:
    assert {name for name, _ in CASES.values()} | QUIET == set(RULES)
    for rule in RULES.values():
        assert "{limit}" in rule.refusal
        assert rule.refusal.endswith(".")


def test_a_refusal_says_how_many_and_what_to_do(world: World) -> None:
    ana = world.account("ana")
    world.quotas = Quotas(rooms_made_per_day=1)
    world.do(ana, CreateRoom(title="One"))
    with pytest.raises(QuotaReached, match=r"made 1 rooms and conversations today.*tomorrow\."):
        world.do(ana, CreateRoom(title="Two"))


def test_ten_thousand_rooms_are_a_hundred(world: World) -> None:
    ana = world.account("ana")
    made = world.batch(*((ana, CreateRoom(title=f"Room {n}")) for n in range(500)))
    assert sum(not isinstance(each, HubbubError) for each in made) == 100
    assert world.rows("SELECT count(*) FROM rooms") == [(101,)]


def test_two_thousand_rooms_pushed_onto_somebody_are_a_hundred_a_day(world: World) -> None:
    """However many people push them."""
    crowd = world.people(" ".join(f"sock-{n}" for n in range(6)))
    bo = world.account("bo")
    for nth in range(50 * len(crowd)):
        other = crowd[nth % len(crowd)]
        world.batch((other, CreateRoom(title=f"Room {nth}", members=("bo",))))
    assert len(world.mine(bo)) == 1 + 100


def test_admins_and_the_operator_move_a_school_in_and_nobody_else_does(world: World) -> None:
    root = world.account("root", ServerRole.ADMIN)
    names = tuple(people(world, 4))
    world.quotas = Quotas(rooms_made_per_day=1, people_added_per_day=1, times_added_per_day=1)
    for nth in range(3):
        made = world.do(root, CreateRoom(title=f"Class {nth}", members=names))
        assert made.room.members == 5
    for _ in range(3):
        world.do(OPERATOR, CreateInvite())
    assert world.rows("SELECT count(*) FROM usage") == [(0,)]
    # What protects others from too much holds for them as well.
    world.quotas = Quotas(rooms_per_user=4)
    with pytest.raises(QuotaReached):
        world.do(root, CreateRoom(title="One more"))


def test_of_a_batch_of_answers_only_those_that_would_begin_a_thread_are_refused(
    world: World,
) -> None:
    ana, bo = world.people("ana bo")
    for _ in range(4):
        world.post(ana)
    world.quotas = Quotas(threads_begun_per_day=2)
    works = [
        (bo, Post(room=f"lobby.{seq}", text=f"{seq} {word}", nonce=f"{seq} {word}"))
        for seq in (1, 2, 3, 4)
        for word in ("first", "second")
    ]
    kept = [isinstance(each, Posted) for each in world.batch(*works)]
    assert kept == [True, True, True, True, False, False, False, False]
    assert world.rows("SELECT id FROM rooms") == [("lobby",), ("lobby.1",), ("lobby.2",)]
    # In a thread that somebody else begins, whoever may begin no more may answer.
    world.post(ana, room="lobby.3")
    again = world.batch(*works)
    assert [isinstance(each, Posted) for each in again] == [True] * 6 + [False] * 2
    assert [each.seq for each in again[:6]] == [1, 2, 1, 2, 2, 3]


def test_a_guest_who_is_refused_is_not_kept(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    with pytest.raises(HubbubError):
        world.post(guest(), room="lobby.2")
    assert world.rows("SELECT count(*) FROM users") == [(1,)]


def test_what_is_there_already_uses_nothing_up(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.quotas = Quotas(rooms_made_per_day=2, people_added_per_day=2)
    world.do(ana, CreateRoom(title="Tea", members=("bo", "bo", "ana")))
    for _ in range(3):
        world.do(ana, Invite(room="tea", user="bo"))
        world.do(ana, Direct(users=("bo",)))
        world.do(bo, Direct(users=("ana",)))
    with pytest.raises(QuotaReached):
        world.do(ana, Direct(users=(world.account("cy").name,)))


def test_a_direct_conversation_does_not_count_as_a_room_that_one_could_leave(world: World) -> None:
    ana = world.account("ana")
    names = people(world, 3)
    world.quotas = Quotas(rooms_per_user=2)
    for name in names:
        world.do(ana, Direct(users=(name,)))
    world.do(ana, CreateRoom(title="Tea"))


def test_who_follows_too_many_threads_follows_the_oldest_no_more(world: World) -> None:
    ana, bo = world.people("ana bo")
    for _ in range(4):
        world.post(ana)
    world.quotas = Quotas(threads_per_user=2)
    for seq in (1, 2, 3):
        world.post(bo, room=f"lobby.{seq}")
    assert sorted(world.mine(bo)) == ["lobby", "lobby.2", "lobby.3"]
    assert sorted(world.mine(ana)) == ["lobby", "lobby.2", "lobby.3"]
    world.do(bo, Join(room="lobby.1"))
    assert sorted(world.mine(bo)) == ["lobby", "lobby.1", "lobby.3"]
    counts = dict(world.rows("SELECT id, members FROM rooms"))
    assert counts == {"lobby": 2, "lobby.1": 1, "lobby.2": 1, "lobby.3": 2}


def test_the_session_unused_for_longest_ends_for_a_new_one(world: World) -> None:
    ana = world.account("ana", session="s0")
    world.quotas = Quotas(sessions_per_user=3)

    def sign_in(session: str) -> None:
        world.now += 1_000
        world.do(OPERATOR, OpenSession(user_id=ana.user_id, session=session, label=""))

    for session in ("s1", "s2"):
        sign_in(session)
    assert world.effects == []
    world.now += 1_000
    world.do(OPERATOR, SeeSessions(sessions=("s0",)))
    sign_in("s3")
    assert world.effects == [SessionsEnded("ana", ("s1",))]
    assert world.rows("SELECT id FROM sessions") == [("s0",), ("s2",), ("s3",)]


def test_invites_that_are_used_up_or_over_are_not_kept(world: World) -> None:
    root = world.account("root", ServerRole.ADMIN)
    for _ in range(3):
        world.do(root, CreateInvite(days=1))
    world.now += DAY_MS
    world.do(root, CreateInvite())
    assert world.rows("SELECT count(*) FROM invites") == [(1,)]


def test_a_clock_that_ran_ahead_does_not_shut_people_out(world: World) -> None:
    ana = world.account("ana")
    world.quotas = Quotas(rooms_made_per_day=1)
    world.now += 400 * DAY_MS
    world.do(ana, CreateRoom(title="In a year"))
    world.now -= 400 * DAY_MS
    world.do(ana, CreateRoom(title="Today"))
    # That of another node may be a little ahead: its day counts on.
    world.now = (world.now // DAY_MS + 1) * DAY_MS
    world.do(ana, CreateRoom(title="Midnight"))
    world.now -= 1
    with pytest.raises(QuotaReached):
        world.do(ana, CreateRoom(title="Before midnight again"))


def test_kicked_and_added_again_is_added_twice(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea"))
    world.quotas = Quotas(times_added_per_day=2)
    for _ in range(2):
        world.do(ana, Invite(room="tea", user="bo"))
        world.do(ana, Kick(room="tea", user="bo"))
    with pytest.raises(Conflict, match=r"^bo cannot be added\.$"):
        world.do(ana, Invite(room="tea", user="bo"))
    assert sorted(world.mine(bo)) == ["lobby"]
