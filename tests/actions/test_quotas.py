"""Quotas: commands up to the limit succeed, the next one is refused and changes nothing."""

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
    TouchSessions,
)
from hubbub.model.blocks import Block
from hubbub.model.bookmarks import Bookmark
from hubbub.model.drafts import Draft
from hubbub.model.errors import Conflict, HubbubError, QuotaReached
from hubbub.model.marks import Pin, React
from hubbub.model.messages import Forward, Post, Posted
from hubbub.model.outcome import SessionsEnded
from hubbub.model.policy import ServerRole
from hubbub.model.quotas import DAY_MS, QUOTA_RULES, Quotas
from hubbub.model.rooms import CreateRoom, Direct, Invite, Join, Kick, Leave
from tests.support.world import World, guest

LIMIT = 3


class Case(NamedTuple):
    """A command that is repeated until its quota refuses it.

    ``free`` makes room for one more; None for a daily quota, which is free again the next day.
    """

    act: Callable[[int], object]
    free: Callable[[], object] | None = None


def people(world: World, count: int = LIMIT + 2) -> list[str]:
    return [world.account(f"p{nth}").name for nth in range(count)]


def rooms_made_per_day(world: World, ana: Actor) -> Case:
    return Case(lambda nth: world.do(ana, CreateRoom(title=f"Room {nth}")))


def rooms_created_by_directs(world: World, ana: Actor) -> Case:
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
    """The same person is added by several people."""
    others = world.people("x y z v w")
    for nth, other in enumerate(others):
        world.do(other, CreateRoom(title=f"Room {nth}"))
    return Case(lambda nth: world.do(others[nth], Invite(room=f"room-{nth}", user="ana")))


def times_added_by_directs(world: World, ana: Actor) -> Case:
    others = world.people("x y z v w")
    return Case(lambda nth: world.do(others[nth], Direct(users=("ana",))))


def times_added_repeatedly(world: World, ana: Actor) -> Case:
    bo = world.account("bo")
    world.do(bo, CreateRoom(title="Tea"))

    def act(nth: int) -> None:
        world.do(bo, Invite(room="tea", user="ana"))
        world.do(ana, Leave(room="tea"))

    return Case(act)


def threads_begun_per_day(world: World, ana: Actor) -> Case:
    for _ in range(LIMIT + 2):
        world.post(ana)
    return Case(lambda nth: world.post(ana, room=f"lobby.{nth + 1}"))


def threads_created_by_a_guest(world: World, ana: Actor) -> Case:
    for _ in range(LIMIT + 2):
        world.post(ana)
    return Case(lambda nth: world.post(guest(), room=f"lobby.{nth + 1}"))


def threads_created_by_forwarding(world: World, ana: Actor) -> Case:
    for _ in range(LIMIT + 2):
        world.post(ana)
    return Case(lambda nth: world.do(ana, Forward(room="lobby", seq=1, to=f"lobby.{nth + 1}")))


def rooms_per_user(world: World, ana: Actor) -> Case:
    """In addition to the lobby."""
    bo = world.account("bo")
    world.quotas = Quotas()
    for nth in range(LIMIT + 1):
        world.do(bo, CreateRoom(title=f"Room {nth}"))
    world.quotas = Quotas(rooms_per_user=LIMIT + 1)
    return Case(
        lambda nth: world.do(ana, Join(room=f"room-{nth}")),
        lambda: world.do(ana, Leave(room="room-0")),
    )


def rooms_per_user_when_added(world: World, ana: Actor) -> Case:
    case = rooms_per_user(world, ana)
    bo = Actor(user_id=2, name="bo", role=ServerRole.MEMBER)
    return Case(lambda nth: world.do(bo, Invite(room=f"room-{nth}", user="ana")), case.free)


def rooms_per_user_when_creating(world: World, ana: Actor) -> Case:
    world.quotas = Quotas(rooms_per_user=LIMIT + 1)
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
    for _ in range(LIMIT + 1):
        world.post(ana)
    return Case(
        lambda nth: world.do(ana, Draft(room=f"lobby.{nth + 1}", text="hm")),
        lambda: world.do(ana, Draft(room="lobby.1")),
    )


def bookmarks_per_user(world: World, ana: Actor) -> Case:
    for _ in range(LIMIT + 1):
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
    for _ in range(LIMIT + 1):
        world.post(ana)
    return Case(
        lambda nth: world.do(ana, Pin(room="lobby", seq=nth + 1)),
        lambda: world.do(ana, Pin(room="lobby", seq=1, on=False)),
    )


def reactions_per_message(world: World, ana: Actor) -> Case:
    """Guests react, too."""
    world.post(ana)
    return Case(
        lambda nth: world.do(guest(f"g{nth}"), React(room="lobby", seq=1, emoji="👍🎉😀😎"[nth])),
        lambda: world.do(guest("g0"), React(room="lobby", seq=1, emoji="👍", on=False)),
    )


# The quota and the error with which each case is refused.
CASES: dict[Callable[[World, Actor], Case], tuple[str, type[HubbubError]]] = {
    rooms_made_per_day: ("rooms_made_per_day", QuotaReached),
    rooms_created_by_directs: ("rooms_made_per_day", QuotaReached),
    people_added_per_day: ("people_added_per_day", QuotaReached),
    people_added_by_directs: ("people_added_per_day", QuotaReached),
    people_added_with_a_room: ("people_added_per_day", QuotaReached),
    times_added_per_day: ("times_added_per_day", Conflict),
    times_added_by_directs: ("times_added_per_day", Conflict),
    times_added_repeatedly: ("times_added_per_day", Conflict),
    threads_begun_per_day: ("threads_begun_per_day", QuotaReached),
    threads_created_by_a_guest: ("threads_begun_per_day", QuotaReached),
    threads_created_by_forwarding: ("threads_begun_per_day", QuotaReached),
    rooms_per_user: ("rooms_per_user", QuotaReached),
    rooms_per_user_when_creating: ("rooms_per_user", QuotaReached),
    rooms_per_user_when_added: ("rooms_per_user", Conflict),
    invites_per_user: ("invites_per_user", QuotaReached),
    drafts_per_user: ("drafts_per_user", Conflict),
    bookmarks_per_user: ("bookmarks_per_user", Conflict),
    blocks_per_user: ("blocks_per_user", QuotaReached),
    pins_per_room: ("pins_per_room", Conflict),
    reactions_per_message: ("reactions_per_message", Conflict),
}
# These refuse nothing: the oldest thread or session ends instead. See below.
REPLACING = {"threads_per_user", "sessions_per_user"}


def all_rows(world: World) -> dict[str, list[str]]:
    tables = (
        "users rooms members messages invites reactions pins bookmarks drafts blocks usage mentions"
    )
    queries = {name: f"SELECT * FROM {name}" for name in tables.split()}  # noqa: S608 - our own names
    return {name: sorted(map(repr, world.rows(rows))) for name, rows in queries.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_command_beyond_its_quota_is_refused_and_changes_nothing(
    world: World, case: Callable[[World, Actor], Case]
) -> None:
    name, error = CASES[case]
    ana = world.account("ana")
    world.quotas = Quotas()
    repeated = case(world, ana)
    if world.quotas == Quotas():
        world.quotas = Quotas(**{name: LIMIT})
    for nth in range(LIMIT):
        repeated.act(nth)
    before = all_rows(world)
    with pytest.raises(error) as refusal:
        repeated.act(LIMIT)
    assert all_rows(world) == before
    is_own_quota = error is QuotaReached
    if repeated.free is None:
        left_s = (DAY_MS - world.now % DAY_MS) / 1000
        assert refusal.value.retry_after == (left_s if is_own_quota else None)
        world.now += round(left_s * 1000) - 1
        with pytest.raises(error):
            repeated.act(LIMIT)
        world.now += 1
    else:
        assert refusal.value.retry_after is None
        repeated.free()
    repeated.act(LIMIT)


def test_every_quota_has_a_case_and_a_refusal_with_its_limit() -> None:
    assert {name for name, _ in CASES.values()} | REPLACING == set(QUOTA_RULES)
    for rule in QUOTA_RULES.values():
        assert "{limit}" in rule.refusal
        assert rule.refusal.endswith(".")


def test_a_refusal_says_the_limit_and_what_to_do(world: World) -> None:
    ana = world.account("ana")
    world.quotas = Quotas(rooms_made_per_day=1)
    world.do(ana, CreateRoom(title="One"))
    with pytest.raises(QuotaReached, match=r"at most 1 rooms and conversations a day.*tomorrow\."):
        world.do(ana, CreateRoom(title="Two"))


def test_a_person_can_create_a_hundred_rooms_a_day(world: World) -> None:
    ana = world.account("ana")
    made = world.batch(*((ana, CreateRoom(title=f"Room {n}")) for n in range(500)))
    assert sum(not isinstance(each, HubbubError) for each in made) == 100
    assert world.rows("SELECT count(*) FROM rooms") == [(101,)]


def test_a_person_can_be_added_to_a_hundred_rooms_a_day(world: World) -> None:
    """The limit holds over all people who add them."""
    adders = world.people(" ".join(f"sock-{n}" for n in range(6)))
    bo = world.account("bo")
    for nth in range(50 * len(adders)):
        other = adders[nth % len(adders)]
        world.batch((other, CreateRoom(title=f"Room {nth}", members=("bo",))))
    assert len(world.mine(bo)) == 1 + 100


def test_admins_and_the_operator_are_exempt_from_daily_quotas(world: World) -> None:
    root = world.account("root", ServerRole.ADMIN)
    names = tuple(people(world, 4))
    world.quotas = Quotas(rooms_made_per_day=1, people_added_per_day=1, times_added_per_day=1)
    for nth in range(3):
        made = world.do(root, CreateRoom(title=f"Class {nth}", members=names))
        assert made.room.members == 5
    for _ in range(3):
        world.do(OPERATOR, CreateInvite())
    assert world.rows("SELECT count(*) FROM usage") == [(0,)]
    # Quotas that protect others from too much also apply to them.
    world.quotas = Quotas(rooms_per_user=4)
    with pytest.raises(QuotaReached):
        world.do(root, CreateRoom(title="One more"))


def test_only_replies_that_would_create_a_thread_are_refused(
    world: World,
) -> None:
    ana, bo = world.people("ana bo")
    for _ in range(4):
        world.post(ana)
    world.quotas = Quotas(threads_begun_per_day=2)
    commands = [
        (bo, Post(room=f"lobby.{seq}", text=f"{seq} {word}", nonce=f"{seq} {word}"))
        for seq in (1, 2, 3, 4)
        for word in ("first", "second")
    ]
    posted = [isinstance(each, Posted) for each in world.batch(*commands)]
    assert posted == [True, True, True, True, False, False, False, False]
    assert world.rows("SELECT id FROM rooms") == [("lobby",), ("lobby.1",), ("lobby.2",)]
    # In a thread that somebody else creates, bo can still reply.
    world.post(ana, room="lobby.3")
    again = world.batch(*commands)
    assert [isinstance(each, Posted) for each in again] == [True] * 6 + [False] * 2
    assert [each.seq for each in again[:6]] == [1, 2, 1, 2, 2, 3]


def test_a_refused_guest_gets_no_row(world: World) -> None:
    ana = world.account("ana")
    world.post(ana)
    with pytest.raises(HubbubError):
        world.post(guest(), room="lobby.2")
    assert world.rows("SELECT count(*) FROM users") == [(1,)]


def test_existing_memberships_and_rooms_use_no_quota(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.quotas = Quotas(rooms_made_per_day=2, people_added_per_day=2)
    world.do(ana, CreateRoom(title="Tea", members=("bo", "bo", "ana")))
    for _ in range(3):
        world.do(ana, Invite(room="tea", user="bo"))
        world.do(ana, Direct(users=("bo",)))
        world.do(bo, Direct(users=("ana",)))
    with pytest.raises(QuotaReached):
        world.do(ana, Direct(users=(world.account("cy").name,)))


def test_direct_rooms_do_not_count_towards_rooms_per_user(world: World) -> None:
    ana = world.account("ana")
    names = people(world, 3)
    world.quotas = Quotas(rooms_per_user=2)
    for name in names:
        world.do(ana, Direct(users=(name,)))
    world.do(ana, CreateRoom(title="Tea"))


def test_following_too_many_threads_unfollows_the_oldest(world: World) -> None:
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


def test_a_new_session_beyond_the_quota_ends_the_oldest_one(world: World) -> None:
    ana = world.account("ana", session="s0")
    world.quotas = Quotas(sessions_per_user=3)

    def sign_in(session: str) -> None:
        world.now += 1_000
        world.do(OPERATOR, OpenSession(user_id=ana.user_id, session=session, label=""))

    for session in ("s1", "s2"):
        sign_in(session)
    assert world.effects == []
    world.now += 1_000
    world.do(OPERATOR, TouchSessions(sessions=("s0",)))
    sign_in("s3")
    assert world.effects == [SessionsEnded("ana", ("s1",))]
    assert world.rows("SELECT id FROM sessions") == [("s0",), ("s2",), ("s3",)]


def test_used_and_expired_invites_are_deleted(world: World) -> None:
    root = world.account("root", ServerRole.ADMIN)
    for _ in range(3):
        world.do(root, CreateInvite(days=1))
    world.now += DAY_MS
    world.do(root, CreateInvite())
    assert world.rows("SELECT count(*) FROM invites") == [(1,)]


def test_quotas_recover_from_a_clock_that_was_ahead(world: World) -> None:
    ana = world.account("ana")
    world.quotas = Quotas(rooms_made_per_day=1)
    world.now += 400 * DAY_MS
    world.do(ana, CreateRoom(title="In a year"))
    world.now -= 400 * DAY_MS
    world.do(ana, CreateRoom(title="Today"))
    # Another node's clock may be a little ahead; usage of its day is kept.
    world.now = (world.now // DAY_MS + 1) * DAY_MS
    world.do(ana, CreateRoom(title="Midnight"))
    world.now -= 1
    with pytest.raises(QuotaReached):
        world.do(ana, CreateRoom(title="Before midnight again"))


def test_being_added_again_after_a_kick_counts_again(world: World) -> None:
    ana, bo = world.people("ana bo")
    world.do(ana, CreateRoom(title="Tea"))
    world.quotas = Quotas(times_added_per_day=2)
    for _ in range(2):
        world.do(ana, Invite(room="tea", user="bo"))
        world.do(ana, Kick(room="tea", user="bo"))
    with pytest.raises(Conflict, match=r"^bo cannot be added\.$"):
        world.do(ana, Invite(room="tea", user="bo"))
    assert sorted(world.mine(bo)) == ["lobby"]
