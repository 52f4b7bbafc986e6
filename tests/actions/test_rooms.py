"""Rooms and their members."""

from typing import Any

import pytest

from hubbub.model.accounts import Actor, DisableUser
from hubbub.model.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LastOwner,
    NameTaken,
    NotFound,
    NotMember,
)
from hubbub.model.messages import Edit, History, Post
from hubbub.model.outcome import MembershipChanged, RoomGone, ToPerson, ToRoom
from hubbub.model.policy import ServerRole
from hubbub.model.rooms import (
    CreateRoom,
    DeleteRoom,
    Direct,
    Invite,
    Join,
    Kick,
    Leave,
    Members,
    Removed,
    RoomChanged,
    Rooms,
    SetRole,
    UpdateRoom,
)
from tests.support.world import World, guest


def create(world: World, actor: Actor, title: str = "Tea", **more: Any) -> str:
    return str(world.do(actor, CreateRoom(title=title, **more)).room.room)


def names(world: World, actor: Actor, room: str) -> dict[str, str]:
    """The members of a room with their roles."""
    return {one.name: one.role for one in world.ask(actor, Members(room=room)).members}


# Creating and listing


def test_the_creator_of_a_room_owns_it(world: World) -> None:
    ana, _ = world.people("ana bo")
    made = world.do(ana, CreateRoom(title="Tea", topic="Leaves", members=("bo", "ana")))
    assert (made.room.room, made.room.topic, made.room.members) == ("tea", "Leaves", 2)
    assert names(world, ana, "tea") == {"ana": "owner", "bo": "member"}


@pytest.mark.parametrize(
    ("title", "room_id"),
    [("Tea & Cake", "tea-cake"), ("Über uns", "uber-uns"), ("x" * 40, "x" * 28), ("!a!", "a")],
)
def test_a_public_rooms_id_is_made_from_its_title(world: World, title: str, room_id: str) -> None:
    [ana] = world.people("ana")
    assert create(world, ana, title) == room_id
    assert create(world, ana, title) == f"{room_id}-2"


def test_a_room_id_can_be_chosen_once(world: World) -> None:
    [ana] = world.people("ana")
    assert create(world, ana, room="#Den") == "den"
    with pytest.raises(NameTaken):
        create(world, ana, room="den")


def test_a_private_rooms_id_is_random(world: World) -> None:
    [ana] = world.people("ana")
    assert create(world, ana, "Secret plan", kind="private").startswith("random-")
    assert create(world, ana, "李雷").startswith("random-")
    with pytest.raises(Invalid):
        CreateRoom(title="Tea", room="tea", kind="private")


def test_a_room_with_an_unknown_member_is_not_created(world: World) -> None:
    [ana] = world.people("ana")
    with pytest.raises(NotFound):
        create(world, ana, members=("nobody",))
    assert world.rows("SELECT id FROM rooms") == [("lobby",)]


def test_guests_cannot_create_rooms_or_direct_rooms(world: World) -> None:
    world.people("ana")
    for command in (CreateRoom(title="Tea"), Direct(users=("ana",))):
        with pytest.raises(Forbidden):
            world.do(guest(), command)


def test_the_directory_pages_public_rooms_and_ones_own_private_ones(world: World) -> None:
    ana, bo = world.people("ana bo")
    for number in range(5):
        create(world, ana, f"Room {number}")
    private = create(world, ana, "Private", kind="private")
    world.do(ana, Direct(users=("bo",)))

    def listed(actor: Actor, limit: int) -> list[str]:
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = world.ask(actor, Rooms(after=after, limit=limit))
            assert len(page.rooms) <= limit
            found += [room.room for room in page.rooms]
            after = page.cursor
        return found

    public = ["lobby", *(f"room-{number}" for number in range(5))]
    assert listed(bo, 2) == listed(guest(), 100) == public
    assert listed(ana, 4) == ["lobby", private, *public[1:]]
    assert [room.room for room in world.ask(bo, Rooms(q="OM 3")).rooms] == ["room-3"]
    assert world.ask(bo, Rooms(q="%")).rooms == []


def test_members_are_listed_in_pages_by_name(world: World) -> None:
    ana, *_ = world.people("ana bo eva")
    page = world.ask(ana, Members(room="lobby", limit=2))
    assert ([one.name for one in page.members], page.more) == (["ana", "bo"], True)
    page = world.ask(ana, Members(room="lobby", limit=2, after="bo"))
    assert ([one.name for one in page.members], page.more, page.mrev) == (["eva"], False, 3)


# Joining and leaving


def test_joining_returns_the_room_and_its_latest_messages(world: World) -> None:
    ana, bo = world.people("ana bo")
    create(world, ana)
    world.post(ana, "one", "tea")
    joined = world.do(bo, Join(room="tea"))
    assert (joined.room.role, joined.room.read_seq, joined.room.members) == ("member", 1, 2)
    assert [one.text for one in joined.messages] == ["one"]
    assert [one.name for one in joined.people] == ["ana"]
    world.do(bo, Join(room="tea"))
    assert world.effects == []
    assert names(world, ana, "tea") == {"ana": "owner", "bo": "member"}


def test_a_guest_who_joins_adds_no_rows(world: World) -> None:
    before = world.rows("SELECT COUNT(*) FROM users, members")
    assert world.do(guest(), Join(room="lobby")).room.role is None
    assert world.effects == []
    assert world.rows("SELECT COUNT(*) FROM users, members") == before


def test_leaving_removes_the_member(world: World) -> None:
    ana, bo = world.people("ana bo")
    create(world, ana)
    world.do(bo, Join(room="tea"))
    world.do(bo, Leave(room="tea"))
    assert [type(one) for one in world.effects] == [ToPerson, MembershipChanged]
    assert names(world, ana, "tea") == {"ana": "owner"}
    assert "tea" not in world.mine(bo)
    with pytest.raises(NotMember):
        world.do(bo, Leave(room="tea"))


def test_the_last_owner_must_appoint_another_before_leaving(world: World) -> None:
    ana, bo = world.people("ana bo")
    create(world, ana, members=("bo",))
    with pytest.raises(LastOwner):
        world.do(ana, Leave(room="tea"))
    with pytest.raises(LastOwner):
        world.do(ana, SetRole(room="tea", user="ana", role="member"))
    world.do(ana, SetRole(room="tea", user="bo", role="owner"))
    world.do(ana, Leave(room="tea"))
    assert names(world, bo, "tea") == {"bo": "owner"}


def test_a_private_room_is_deleted_with_its_last_member(world: World) -> None:
    [ana] = world.people("ana")
    public, private = create(world, ana), create(world, ana, kind="private")
    world.do(ana, Leave(room=public))
    world.do(ana, Leave(room=private))
    assert RoomGone(private) in world.effects
    assert world.rows("SELECT id FROM rooms") == [("lobby",), (public,)]


def test_membership_has_its_own_counter(world: World) -> None:
    ana, bo, _ = world.people("ana bo eva")
    create(world, ana)
    revs = [
        world.do(ana, Invite(room="tea", user="bo")).mrev,
        world.do(ana, SetRole(room="tea", user="bo", role="moderator")).mrev,
        world.do(bo, Invite(room="tea", user="eva")).mrev,
        world.do(bo, Kick(room="tea", user="eva")).mrev,
        world.do(bo, Leave(room="tea")).mrev,
    ]
    assert revs == [2, 3, 4, 5, 6]
    assert world.mine(ana)["tea"].rev == 0
    assert world.rows("SELECT members, mrev FROM rooms WHERE id = 'tea'") == [(1, 6)]


def test_moderators_can_remove_members_and_owners_moderators(world: World) -> None:
    ana, bo, eva, _ = world.people("ana bo eva max")
    create(world, ana, members=("bo", "eva", "max"))
    for name in ("bo", "eva"):
        world.do(ana, SetRole(room="tea", user=name, role="moderator"))
    for target, error in (("eva", Forbidden), ("ana", Forbidden), ("bo", Conflict)):
        with pytest.raises(error):
            world.do(bo, Kick(room="tea", user=target))
    world.do(bo, Kick(room="tea", user="max"))
    rev = world.rows("SELECT rev FROM users WHERE name = 'max'")[0][0]
    assert ToPerson("max", Removed(room="tea", rev=rev, reason="kicked")) in world.effects
    world.do(ana, Kick(room="tea", user="eva"))
    assert names(world, ana, "tea") == {"ana": "owner", "bo": "moderator"}
    with pytest.raises(NotMember):
        world.post(eva, room="tea")


def test_server_admins_moderate_public_rooms_but_cannot_remove_the_last_owner(
    world: World,
) -> None:
    ana, _ = world.people("ana bo")
    admin = world.account("adam", ServerRole.ADMIN)
    create(world, ana, members=("bo",))
    world.do(ana, SetRole(room="tea", user="bo", role="moderator"))
    world.do(admin, Kick(room="tea", user="bo"))
    with pytest.raises(LastOwner):
        world.do(admin, Kick(room="tea", user="ana"))
    world.do(admin, UpdateRoom(room="tea", title="Coffee"))
    world.do(admin, DeleteRoom(room="tea"))


def test_locked_accounts_cannot_be_invited(world: World) -> None:
    ana, _ = world.people("ana bo")
    admin = world.account("adam", ServerRole.ADMIN)
    create(world, ana)
    world.do(admin, DisableUser(user="bo"))
    with pytest.raises(Conflict):
        world.do(ana, Invite(room="tea", user="bo"))
    with pytest.raises(Conflict):
        world.do(ana, Direct(users=("bo",)))


# Changing and deleting


def test_title_and_topic_changes_are_sent_to_the_room(world: World) -> None:
    [ana] = world.people("ana")
    create(world, ana)
    assert world.do(ana, UpdateRoom(room="tea", title="Coffee")).rev == 1
    assert world.do(ana, UpdateRoom(room="tea", topic="Beans")).rev == 2
    event = RoomChanged(room="tea", rev=2, title="Coffee", topic="Beans")
    assert world.effects == [ToRoom("tea", event, mrev=1)]
    assert world.do(ana, UpdateRoom(room="tea", title="Coffee")).rev == 2
    assert world.effects == []
    assert world.sync(ana, 1, "tea").events == [event]
    assert world.sync(ana, 2, "tea").events == []


def test_an_archived_room_is_read_only(world: World) -> None:
    [ana] = world.people("ana")
    create(world, ana)
    world.post(ana, "one", "tea")
    world.do(ana, UpdateRoom(room="tea", archived=True))
    for refused in (Post(room="tea", text="two"), Edit(room="tea", seq=1, text="two")):
        with pytest.raises(Conflict):
            world.do(ana, refused)
    assert [one.text for one in world.ask(ana, History(room="tea")).messages] == ["one"]
    world.do(ana, UpdateRoom(room="tea", archived=False))
    assert world.post(ana, "two", "tea").seq == 2


def test_deleting_a_room_deletes_everything_in_it(world: World) -> None:
    ana, bo = world.people("ana bo")
    create(world, ana, members=("bo",))
    world.post(ana, "@bo", "tea")
    total = world.tx().total_rev()
    world.do(ana, DeleteRoom(room="tea"))
    removed = {one.user for one in world.effects if isinstance(one, ToPerson)}
    assert removed == {"ana", "bo"}
    assert RoomGone("tea") in world.effects
    assert world.rows("SELECT * FROM messages") == world.rows("SELECT * FROM mentions") == []
    assert set(world.mine(bo)) == {"lobby"}
    assert world.tx().total_rev() == total
    assert create(world, bo) == "tea"


def test_the_lobby_cannot_be_deleted_or_archived(world: World) -> None:
    owner = world.account("olga", ServerRole.OWNER)
    for command in (DeleteRoom(room="lobby"), UpdateRoom(room="lobby", archived=True)):
        with pytest.raises(Forbidden):
            world.do(owner, command)
