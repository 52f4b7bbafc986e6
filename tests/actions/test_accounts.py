"""Registration, accounts, sessions and server settings."""

import msgspec
import pytest

from hubbub.model.accounts import (
    OPERATOR,
    SESSION_IDLE_S,
    Actor,
    CreateInvite,
    DisableUser,
    EndInvite,
    EndSession,
    Invites,
    MyProfile,
    OpenSession,
    OwnerInvite,
    Prepare,
    Sessions,
    SetPassword,
    SignOut,
    TouchSessions,
    UpdateMe,
    UpdateServer,
    UserChanged,
)
from hubbub.model.base import Command
from hubbub.model.errors import (
    Conflict,
    Forbidden,
    HubbubError,
    InviteInvalid,
    InviteRequired,
    LastOwner,
    NameTaken,
    NotFound,
    RegistrationClosed,
    SignInRequired,
)
from hubbub.model.outcome import AccountChanged, SessionsEnded, ToRooms
from hubbub.model.policy import ServerRole
from hubbub.model.rooms import SetRole
from tests.support.world import DAY_MS, World, guest, sign_up

OWNER, ADMIN, MEMBER = ServerRole.OWNER, ServerRole.ADMIN, ServerRole.MEMBER


def invite(world: World, by: Actor, **more: int) -> str:
    return str(world.do(by, CreateInvite(**more)).invite.invite)


def test_open_registration_makes_anyone_a_member_in_the_lobby(world: World) -> None:
    added = world.do(guest(), sign_up("ana"))
    assert (added.me.name, added.me.display_name, added.me.role) == ("ana", "Ana", MEMBER)
    ana = Actor(user_id=added.user_id, name="ana", role=MEMBER)
    assert world.mine(ana)["lobby"].role == "member"
    assert world.ask(ana, MyProfile()).me.rev == added.me.rev


@pytest.mark.parametrize(
    ("registration", "error"), [("invite", InviteRequired), ("closed", RegistrationClosed)]
)
def test_other_registration_modes_require_an_invite(
    world: World, registration: str, error: type[HubbubError]
) -> None:
    admin = world.account("adam", ADMIN)
    with pytest.raises(error):
        world.do(guest(), sign_up("ana", registration=registration))
    assert world.rows("SELECT name FROM users") == [("adam",)]
    key = invite(world, admin)
    assert world.do(guest(), sign_up("ana", registration=registration, invite=key)).me.role == (
        MEMBER
    )


def test_the_first_account_is_the_owner_if_first_owns_is_set(world: World) -> None:
    assert world.do(guest(), sign_up("ana", first_owns=True)).me.role == OWNER
    assert world.do(guest(), sign_up("bo", first_owns=True)).me.role == MEMBER


def test_an_invite_can_be_used_as_often_as_it_says(world: World) -> None:
    key = invite(world, world.account("adam", ADMIN), uses=2)
    for name in ("ana", "bo"):
        world.do(guest(), sign_up(name, registration="invite", invite=key))
    with pytest.raises(InviteInvalid):
        world.do(guest(), sign_up("eva", registration="invite", invite=key))


def test_a_refused_sign_up_does_not_use_an_invite(world: World) -> None:
    admin = world.account("adam", ADMIN)
    key = invite(world, admin)
    with pytest.raises(NameTaken):
        world.do(guest(), sign_up("adam", registration="invite", invite=key))
    assert [one.uses for one in world.ask(admin, Invites()).invites] == [1]


def test_an_invite_expires_after_its_days(world: World) -> None:
    admin = world.account("adam", ADMIN)
    key = invite(world, admin, days=3, uses=5)
    world.now += 3 * DAY_MS - 1
    world.do(guest(), sign_up("ana", registration="invite", invite=key))
    world.now += 1
    with pytest.raises(InviteInvalid):
        world.do(guest(), sign_up("bo", registration="invite", invite=key))
    assert world.ask(admin, Invites()).invites == []


def test_an_ended_invite_is_refused_even_with_open_registration(
    world: World,
) -> None:
    admin = world.account("adam", ADMIN)
    key = invite(world, admin)
    assert [one.by for one in world.ask(admin, Invites()).invites] == ["adam"]
    world.do(admin, EndInvite(invite=key))
    with pytest.raises(NotFound):
        world.do(admin, EndInvite(invite=key))
    with pytest.raises(InviteInvalid):
        world.do(guest(), sign_up("ana", invite=key))


def test_an_owner_invite_works_once_and_a_new_one_replaces_it(world: World) -> None:
    first = world.do(OPERATOR, OwnerInvite()).invite.invite
    second = world.do(OPERATOR, OwnerInvite()).invite.invite
    with pytest.raises(InviteInvalid):
        world.do(guest(), sign_up("ana", invite=first))
    assert world.do(guest(), sign_up("ana", invite=second)).me.role == OWNER
    with pytest.raises(InviteInvalid):
        world.do(guest(), sign_up("bo", invite=second))


@pytest.mark.parametrize("wanted", ["ana", "Ana", "аna", "anа", "ANA"])
def test_a_name_that_looks_like_a_taken_one_is_refused(world: World, wanted: str) -> None:
    world.account("ana")
    with pytest.raises(NameTaken):
        world.do(guest(), sign_up(wanted))


def test_two_sign_ups_for_one_name_in_a_batch_do_not_both_succeed(world: World) -> None:
    first, second = world.batch((guest(), sign_up("ana")), (guest(), sign_up("аna")))
    assert first.me.name == "ana"
    assert isinstance(second, NameTaken)


def test_a_guest_name_does_not_block_an_account_of_the_same_name(world: World) -> None:
    world.post(guest("ana"))
    assert world.account("ana").name == "ana"


@pytest.mark.parametrize("command", [CreateInvite(), Invites(), DisableUser(user="ana")])
def test_members_cannot_manage_people(world: World, command: Command) -> None:
    ana = world.account("ana")
    for actor in (ana, guest()):
        with pytest.raises(Forbidden):
            world.take(actor, command)


def test_the_last_owner_can_be_neither_demoted_nor_locked(world: World) -> None:
    owner = world.account("olga", OWNER)
    world.account("bo")
    for command in (SetRole(user="olga", role="member"), DisableUser(user="olga")):
        with pytest.raises(LastOwner):
            world.do(owner, command)
    world.do(owner, SetRole(user="bo", role="owner"))
    world.do(owner, SetRole(user="olga", role="member"))
    assert world.ask(owner, MyProfile()).me.role == MEMBER


def test_a_locked_owner_does_not_count_as_an_owner(world: World) -> None:
    owner = world.account("olga", OWNER)
    world.account("bo", OWNER)
    world.do(owner, DisableUser(user="bo"))
    with pytest.raises(LastOwner):
        world.do(owner, DisableUser(user="olga"))


def test_admins_can_lock_members_but_not_owners(world: World) -> None:
    world.account("olga", OWNER)
    world.account("olaf", OWNER)
    admin, _ = world.account("adam", ADMIN), world.account("bo")
    with pytest.raises(Forbidden):
        world.do(admin, DisableUser(user="olga"))
    world.do(admin, DisableUser(user="bo"))
    with pytest.raises(Forbidden):
        world.do(admin, SetRole(user="bo", role="admin"))


def test_a_locked_account_loses_its_sessions_and_can_neither_sign_in_nor_post(world: World) -> None:
    admin, bo = world.account("adam", ADMIN), world.account("bo", session="s1")
    world.do(admin, DisableUser(user="bo"))
    assert world.effects == [SessionsEnded("bo", ("s1",)), AccountChanged("bo")]
    assert world.rows("SELECT * FROM sessions") == []
    with pytest.raises(Forbidden):
        world.do(OPERATOR, OpenSession(user_id=bo.user_id, session="s2", label=""))
    with pytest.raises(Forbidden):
        world.post(bo)
    world.do(admin, DisableUser(user="bo", disabled=False))
    world.do(OPERATOR, OpenSession(user_id=bo.user_id, session="s2", label=""))
    with pytest.raises(SignInRequired):
        world.post(bo)
    assert world.post(msgspec.structs.replace(bo, session="s2")).seq == 1


def test_a_locked_account_cannot_get_a_role(world: World) -> None:
    owner, _ = world.account("olga", OWNER), world.account("bo")
    world.do(owner, DisableUser(user="bo"))
    with pytest.raises(Conflict):
        world.do(owner, SetRole(user="bo", role="owner"))


def test_setting_the_present_role_changes_nothing(world: World) -> None:
    owner, _ = world.account("olga", OWNER), world.account("bo")
    first = world.do(owner, SetRole(user="bo", role="admin"))
    world.effects.clear()
    assert world.do(owner, SetRole(user="bo", role="admin")) == first
    assert world.effects == []


def test_people_list_and_end_only_their_own_sessions(world: World) -> None:
    ana, bo = world.account("ana", session="a1"), world.account("bo", session="b1")
    world.now += 1000
    world.do(OPERATOR, OpenSession(user_id=ana.user_id, session="a2", label="Firefox"))
    found = world.ask(ana, Sessions()).sessions
    assert [(one.session, one.label, one.current) for one in found] == [
        ("a2", "Firefox", False),
        ("a1", "", True),
    ]
    with pytest.raises(NotFound):
        world.do(bo, EndSession(session="a2"))
    world.do(ana, EndSession(session="a2"))
    assert world.effects == [SessionsEnded("ana", ("a2",))]
    world.do(ana, SignOut())
    with pytest.raises(SignInRequired):
        world.ask(ana, Sessions())
    world.do(OPERATOR, OpenSession(user_id=ana.user_id, session="a3", label=""))
    ana = msgspec.structs.replace(ana, session="a3")
    assert [one.session for one in world.ask(ana, Sessions()).sessions] == ["a3"]
    assert len(world.ask(bo, Sessions()).sessions) == 1


def test_a_new_password_ends_all_other_sessions(world: World) -> None:
    ana = world.account("ana", session="a1")
    for session in ("a2", "a3"):
        world.do(OPERATOR, OpenSession(user_id=ana.user_id, session=session, label=""))
    world.do(ana, SetPassword(user="ana", password_hash="new", keep="a1"))
    assert [one.session for one in world.ask(ana, Sessions()).sessions] == ["a1"]
    assert world.rows("SELECT password_hash FROM users") == [("new",)]
    bo = world.account("bo", ADMIN)
    with pytest.raises(Forbidden):
        world.do(bo, SetPassword(user="ana", password_hash="mine"))


def test_sessions_end_after_thirty_idle_days_unless_lasting(world: World) -> None:
    ana = world.account("ana", session="idle")
    for session, lasting in (("used", False), ("bot", True)):
        command = OpenSession(user_id=ana.user_id, session=session, label="", lasting=lasting)
        world.do(OPERATOR, command)
    world.now += SESSION_IDLE_S * 1000
    world.do(OPERATOR, TouchSessions(sessions=("used",)))
    assert world.effects == []
    world.now += 1
    world.do(OPERATOR, TouchSessions(sessions=("used",)))
    assert world.effects == [SessionsEnded("", ("idle",))]
    ana = msgspec.structs.replace(ana, session="used")
    assert {one.session for one in world.ask(ana, Sessions()).sessions} == {"used", "bot"}


def test_a_new_display_name_is_sent_to_all_shared_rooms(world: World) -> None:
    ana = world.account("ana")
    before = world.ask(ana, MyProfile()).me.rev
    world.do(ana, UpdateMe(display_name="Ana María"))
    assert ToRooms(("lobby",), UserChanged(user="ana", display_name="Ana María")) in world.effects
    me = world.ask(ana, MyProfile()).me
    assert (me.name, me.display_name, me.rev) == ("ana", "Ana María", before + 1)
    world.do(ana, UpdateMe(display_name="Ana María"))
    assert world.effects == []


def test_guests_have_no_account_to_manage(world: World) -> None:
    for command in (UpdateMe(display_name="X"), EndSession(session="s")):
        with pytest.raises(Forbidden):
            world.do(guest(), command)
    for query in (MyProfile(), Sessions()):
        with pytest.raises(Forbidden):
            world.ask(guest(), query)


def test_only_the_owner_can_change_server_settings(world: World) -> None:
    owner, admin = world.account("olga", OWNER), world.account("adam", ADMIN)
    with pytest.raises(Forbidden):
        world.do(admin, UpdateServer(name="Mine"))
    world.do(owner, UpdateServer(name="Tea", registration="closed", guests=False))
    done = world.do(owner, UpdateServer(guests=True))
    values = {key: done.values[key] for key in ("name", "registration", "guests")}
    assert values == {"name": "Tea", "registration": "closed", "guests": "1"}


def test_every_start_uses_the_same_epoch_and_lobby(world: World) -> None:
    ana = world.account("ana")
    first = world.do(OPERATOR, Prepare(shown=0))
    world.post(ana)
    second = world.do(OPERATOR, Prepare(shown=1))
    assert first.values["epoch"] == second.values["epoch"]
    assert (first.total, second.total) == (0, 1)
    assert world.rows("SELECT id FROM rooms") == [("lobby",)]


@pytest.mark.parametrize("shown", [None, 3])
def test_a_restored_or_moved_database_gets_a_new_epoch(world: World, shown: int | None) -> None:
    ana = world.account("ana")
    world.post(ana)
    world.post(ana)
    before = world.do(OPERATOR, Prepare(shown=2)).values["epoch"]
    assert world.do(OPERATOR, Prepare(shown=shown)).values["epoch"] != before
