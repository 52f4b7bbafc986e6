"""Permissions, for every role and every action."""

from itertools import product

import pytest

from hubbub.model import policy
from hubbub.model.commands import COMMANDS
from hubbub.model.errors import Forbidden, NotMember
from hubbub.model.policy import RULES, Action, RoomKind, RoomRole, ServerRole

# A column for each role, a line for each action. `x`: allowed; `·`: not allowed; `j`: after joining
ON_SERVER = """
                    owner admin member guest
list_rooms          x     x     x      x
list_users          x     x     x      ·
create_room         x     x     x      ·
direct              x     x     x      ·
manage_self         x     x     x      ·
use_personal_lists  x     x     x      ·
block               x     x     x      ·
exceed_quotas       x     x     ·      ·
create_invite       x     x     ·      ·
manage_invites      x     x     ·      ·
manage_users        x     x     ·      ·
manage_server       x     ·     ·      ·
"""

# In a public room: a guest, a person who is not a member, members by role, and a server admin who
# is not a member.
IN_PUBLIC = """
                    guest other member moderator owner admin
read                x     x     x      x         x     x
join                x     x     x      x         x     x
leave               j     j     x      x         x     j
post                x     j     x      x         x     j
edit                ·     ·     ·      ·         ·     ·
delete              ·     ·     ·      x         x     x
react               x     j     x      x         x     j
pin                 j     j     x      x         x     j
mention_all         j     j     x      x         x     j
mention_large_room  ·     ·     ·      x         x     x
keep_draft          j     j     x      x         x     j
mark_read           j     j     x      x         x     j
set_prefs           j     j     x      x         x     j
type                x     j     x      x         x     j
list_members        x     x     x      x         x     x
invite              j     j     x      x         x     j
kick                ·     ·     ·      x         x     x
set_room_role       ·     ·     ·      ·         x     x
update_room         ·     ·     ·      x         x     x
delete_room         ·     ·     ·      ·         x     x
"""

# Server admins have no rights in private rooms of which they are not members.
IN_PRIVATE = """
                    guest other member moderator owner admin
read                j     j     x      x         x     j
join                j     j     x      x         x     j
leave               j     j     x      x         x     j
post                j     j     x      x         x     j
edit                ·     ·     ·      ·         ·     ·
delete              ·     ·     ·      x         x     ·
react               j     j     x      x         x     j
pin                 j     j     x      x         x     j
mention_all         j     j     x      x         x     j
mention_large_room  ·     ·     ·      x         x     ·
keep_draft          j     j     x      x         x     j
mark_read           j     j     x      x         x     j
set_prefs           j     j     x      x         x     j
type                j     j     x      x         x     j
list_members        j     j     x      x         x     j
invite              j     j     x      x         x     j
kick                ·     ·     ·      x         x     ·
set_room_role       ·     ·     ·      ·         x     ·
update_room         ·     ·     ·      x         x     ·
delete_room         ·     ·     ·      ·         x     ·
"""

# The people of a direct room are fixed and have equal rights.
IN_DIRECT = """
                    other member admin
read                j     x      j
join                j     ·      j
leave               j     x      j
post                j     x      j
edit                ·     ·      ·
delete              ·     ·      ·
react               j     x      j
pin                 j     x      j
mention_all         j     x      j
mention_large_room  ·     ·      ·
keep_draft          j     x      j
mark_read           j     x      j
set_prefs           j     x      j
type                j     x      j
list_members        j     x      j
invite              j     ·      j
kick                ·     ·      ·
set_room_role       ·     ·      ·
update_room         ·     ·      ·
delete_room         ·     ·      ·
"""

# In a thread of a public room, which anybody can follow; other rights are as in the room.
IN_THREAD = """
                    guest other member follower owner admin
join                x     j     x      x        x     j
leave               j     j     ·      x        ·     j
mark_read           j     j     ·      x        ·     j
set_prefs           j     j     ·      x        ·     j
invite              ·     ·     ·      ·        ·     ·
kick                ·     ·     ·      ·        ·     ·
set_room_role       ·     ·     ·      ·        ·     ·
update_room         ·     ·     ·      ·        ·     ·
delete_room         ·     ·     ·      ·        ·     ·
read                x     x     x      x        x     x
post                x     j     x      x        x     j
react               x     j     x      x        x     j
delete              ·     ·     ·      ·        x     x
"""

ROLES: dict[str, tuple[ServerRole, RoomRole | None]] = {
    "guest": (ServerRole.GUEST, None),
    "other": (ServerRole.MEMBER, None),
    "member": (ServerRole.MEMBER, RoomRole.MEMBER),
    "follower": (ServerRole.MEMBER, RoomRole.MEMBER),
    "moderator": (ServerRole.MEMBER, RoomRole.MODERATOR),
    "owner": (ServerRole.MEMBER, RoomRole.OWNER),
    "admin": (ServerRole.ADMIN, None),
}


def cells(table: str) -> list[tuple[str, str, str]]:
    """Role, action and mark of each cell."""
    head, *lines = table.strip().splitlines()
    roles = head.split()
    found = []
    for line in lines:
        action, *marks = line.split()
        found += [(role, action, mark) for role, mark in zip(roles, marks, strict=True)]
    return found


def mark_of(action: Action, standings: frozenset[policy.Standing]) -> str:
    try:
        policy.require(action, standings)
    except NotMember:
        return "j"
    except Forbidden:
        return "·"
    return "x"


@pytest.mark.parametrize(("who", "action", "mark"), cells(ON_SERVER))
def test_permissions_on_the_server(who: str, action: str, mark: str) -> None:
    assert mark_of(Action(action), policy.server_standings(ServerRole(who))) == mark


@pytest.mark.parametrize(
    ("kind", "who", "action", "mark"),
    [
        (kind, *cell)
        for kind, table in (
            (RoomKind.PUBLIC, IN_PUBLIC),
            (RoomKind.PRIVATE, IN_PRIVATE),
            (RoomKind.DIRECT, IN_DIRECT),
        )
        for cell in cells(table)
    ],
)
def test_permissions_in_a_room(kind: RoomKind, who: str, action: str, mark: str) -> None:
    role, room_role = ROLES[who]
    standings = policy.room_standings(role, kind, room_role)
    assert mark_of(Action(action), standings) == mark
    assert policy.allows(Action(action), standings) == (mark == "x")


@pytest.mark.parametrize(("who", "action", "mark"), cells(IN_THREAD))
def test_permissions_in_a_thread(who: str, action: str, mark: str) -> None:
    role, room_role = ROLES[who]
    standings = policy.room_standings(
        role, RoomKind.PUBLIC, room_role, thread=True, follows=who == "follower"
    )
    assert mark_of(Action(action), standings) == mark
    assert policy.allows(Action(action), standings) == (mark == "x")


def test_a_thread_of_a_direct_conversation_can_be_followed() -> None:
    standings = policy.room_standings(
        ServerRole.MEMBER, RoomKind.DIRECT, RoomRole.MEMBER, thread=True
    )
    assert policy.allows(Action.JOIN, standings)


@pytest.mark.parametrize("kind", RoomKind)
def test_an_author_may_edit_and_delete(kind: RoomKind) -> None:
    standings = policy.room_standings(ServerRole.MEMBER, kind, RoomRole.MEMBER, author=True)
    assert policy.allows(Action.EDIT, standings)
    assert policy.allows(Action.DELETE, standings)


def test_server_owners_have_the_same_rights_in_rooms_as_server_admins() -> None:
    for kind, room_role in product(RoomKind, [None, *RoomRole]):
        assert policy.room_standings(ServerRole.OWNER, kind, room_role) == policy.room_standings(
            ServerRole.ADMIN, kind, room_role
        )


def test_every_action_has_a_rule_and_is_in_the_tables_above() -> None:
    assert set(RULES) == set(Action)
    assert all(RULES.values())
    on_server = {action for _, action, _ in cells(ON_SERVER)}
    for table in (IN_PUBLIC, IN_PRIVATE, IN_DIRECT):
        assert {action for _, action, _ in cells(table)} | on_server == set(Action)


# The action that each command requires. Some commands require none.
ANYONE = "anybody"
REQUIRED_ACTIONS: dict[str, Action | str] = {
    "post": Action.POST,
    "forward": Action.POST,
    "react": Action.REACT,
    "reactions": Action.READ,
    "pin": Action.PIN,
    "pins": Action.READ,
    "watch": Action.READ,
    "bookmark": Action.USE_PERSONAL_LISTS,
    "bookmarks": Action.USE_PERSONAL_LISTS,
    "draft": Action.KEEP_DRAFT,
    "drafts": Action.USE_PERSONAL_LISTS,
    "mentions": Action.USE_PERSONAL_LISTS,
    "threads": Action.USE_PERSONAL_LISTS,
    "edit": Action.EDIT,
    "delete": Action.DELETE,
    "history": Action.READ,
    "sync": Action.READ,
    "typing": Action.TYPE,
    "read": Action.MARK_READ,
    "join": Action.JOIN,
    "leave": Action.LEAVE,
    "create_room": Action.CREATE_ROOM,
    "direct": Action.DIRECT,
    "invite": Action.INVITE,
    "kick": Action.KICK,
    "set_role": Action.SET_ROOM_ROLE,
    "update_room": Action.UPDATE_ROOM,
    "delete_room": Action.DELETE_ROOM,
    "prefs": Action.SET_PREFS,
    "members": Action.LIST_MEMBERS,
    "rooms": Action.LIST_ROOMS,
    "users": Action.LIST_USERS,
    "block": Action.BLOCK,
    "blocks": Action.BLOCK,
    "me": Action.MANAGE_SELF,
    "update_me": Action.MANAGE_SELF,
    "sessions": Action.MANAGE_SELF,
    "end_session": Action.MANAGE_SELF,
    "change_password": Action.MANAGE_SELF,
    "create_invite": Action.CREATE_INVITE,
    "invites": Action.MANAGE_INVITES,
    "end_invite": Action.MANAGE_INVITES,
    "disable_user": Action.MANAGE_USERS,
    "update_server": Action.MANAGE_SERVER,
    **dict.fromkeys(("hello", "about", "active", "auth", "sign_out", "unwatch"), ANYONE),
    **dict.fromkeys(("sign_up", "sign_in", "guest"), ANYONE),
}


# Actions for a part of a command: of a post, or of creating rooms and adding people.
PARTIAL = {Action.MENTION_ALL, Action.MENTION_LARGE_ROOM, Action.EXCEED_QUOTAS}


def test_every_command_has_an_action_and_every_action_is_used() -> None:
    assert set(REQUIRED_ACTIONS) == set(COMMANDS)
    assert set(REQUIRED_ACTIONS.values()) - {ANYONE} | PARTIAL == set(Action)


@pytest.mark.parametrize(
    ("role", "other", "is_allowed"),
    [
        ("owner", "moderator", True),
        ("owner", "member", True),
        ("owner", "owner", False),
        ("moderator", "member", True),
        ("moderator", "moderator", False),
        ("moderator", "owner", False),
        ("member", "member", False),
    ],
)
def test_people_can_be_removed_by_those_with_a_higher_role(
    role: str, other: str, is_allowed: bool
) -> None:
    if is_allowed:
        policy.require_outranks(RoomRole(role), RoomRole(other), admin=False)
    else:
        with pytest.raises(Forbidden):
            policy.require_outranks(RoomRole(role), RoomRole(other), admin=False)
    policy.require_outranks(None, RoomRole(other), admin=True)
