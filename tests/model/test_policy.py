"""Who may do what, checked for every role and every action."""

from itertools import product

import pytest

from hubbub.model import policy
from hubbub.model.commands import COMMANDS
from hubbub.model.errors import Forbidden, NotMember
from hubbub.model.policy import RULES, Action, RoomKind, RoomRole, ServerRole

# One column for each who, one line for each action; `x` may, `·` may not, `j` may after joining.
ON_SERVER = """
                 owner admin member guest
list_rooms       x     x     x      x
list_users       x     x     x      ·
create_room      x     x     x      ·
direct           x     x     x      ·
manage_self      x     x     x      ·
keep             x     x     x      ·
block            x     x     x      ·
exceed_quotas    x     x     ·      ·
create_invite    x     x     ·      ·
manage_invites   x     x     ·      ·
manage_users     x     x     ·      ·
manage_server    x     ·     ·      ·
"""

# In a public room: a guest, somebody who is no member, members by role, an admin of the server
# who is no member.
IN_PUBLIC = """
                 guest passer member moderator owner admin
read             x     x      x      x         x     x
join             x     x      x      x         x     x
leave            j     j      x      x         x     j
post             x     j      x      x         x     j
edit             ·     ·      ·      ·         ·     ·
delete           ·     ·      ·      x         x     x
react            x     j      x      x         x     j
pin              j     j      x      x         x     j
mention_all      j     j      x      x         x     j
mention_crowd    ·     ·      ·      x         x     x
keep_draft       j     j      x      x         x     j
mark_read        j     j      x      x         x     j
set_prefs        j     j      x      x         x     j
type             x     j      x      x         x     j
list_members     x     x      x      x         x     x
invite           j     j      x      x         x     j
kick             ·     ·      ·      x         x     x
set_room_role    ·     ·      ·      ·         x     x
update_room      ·     ·      ·      x         x     x
delete_room      ·     ·      ·      ·         x     x
"""

# Admins of the server have no say in private rooms that they are not in.
IN_PRIVATE = """
                 guest passer member moderator owner admin
read             j     j      x      x         x     j
join             j     j      x      x         x     j
leave            j     j      x      x         x     j
post             j     j      x      x         x     j
edit             ·     ·      ·      ·         ·     ·
delete           ·     ·      ·      x         x     ·
react            j     j      x      x         x     j
pin              j     j      x      x         x     j
mention_all      j     j      x      x         x     j
mention_crowd    ·     ·      ·      x         x     ·
keep_draft       j     j      x      x         x     j
mark_read        j     j      x      x         x     j
set_prefs        j     j      x      x         x     j
type             j     j      x      x         x     j
list_members     j     j      x      x         x     j
invite           j     j      x      x         x     j
kick             ·     ·      ·      x         x     ·
set_room_role    ·     ·      ·      ·         x     ·
update_room      ·     ·      ·      x         x     ·
delete_room      ·     ·      ·      ·         x     ·
"""

# All in a direct room are equal, and who they are is fixed.
IN_DIRECT = """
                 passer member admin
read             j      x      j
join             j      ·      j
leave            j      x      j
post             j      x      j
edit             ·      ·      ·
delete           ·      ·      ·
react            j      x      j
pin              j      x      j
mention_all      j      x      j
mention_crowd    ·      ·      ·
keep_draft       j      x      j
mark_read        j      x      j
set_prefs        j      x      j
type             j      x      j
list_members     j      x      j
invite           j      ·      j
kick             ·      ·      ·
set_room_role    ·      ·      ·
update_room      ·      ·      ·
delete_room      ·      ·      ·
"""

# A thread of a public room: who follows it may be anybody; the rest is as in the room itself.
IN_THREAD = """
                 guest passer member follower owner admin
join             x     j      x      x        x     j
leave            j     j      ·      x        ·     j
mark_read        j     j      ·      x        ·     j
set_prefs        j     j      ·      x        ·     j
invite           ·     ·      ·      ·        ·     ·
kick             ·     ·      ·      ·        ·     ·
set_room_role    ·     ·      ·      ·        ·     ·
update_room      ·     ·      ·      ·        ·     ·
delete_room      ·     ·      ·      ·        ·     ·
read             x     x      x      x        x     x
post             x     j      x      x        x     j
react            x     j      x      x        x     j
delete           ·     ·      ·      ·        x     x
"""

WHO: dict[str, tuple[ServerRole, RoomRole | None]] = {
    "guest": (ServerRole.GUEST, None),
    "passer": (ServerRole.MEMBER, None),
    "member": (ServerRole.MEMBER, RoomRole.MEMBER),
    "follower": (ServerRole.MEMBER, RoomRole.MEMBER),
    "moderator": (ServerRole.MEMBER, RoomRole.MODERATOR),
    "owner": (ServerRole.MEMBER, RoomRole.OWNER),
    "admin": (ServerRole.ADMIN, None),
}


def cells(table: str) -> list[tuple[str, str, str]]:
    """Who, action and mark of each cell."""
    head, *lines = table.strip().splitlines()
    found = []
    for line in lines:
        action, *marks = line.split()
        found += [(who, action, mark) for who, mark in zip(head.split(), marks, strict=True)]
    return found


def verdict(action: Action, standings: frozenset[policy.Standing]) -> str:
    try:
        policy.require(action, standings)
    except NotMember:
        return "j"
    except Forbidden:
        return "·"
    return "x"


@pytest.mark.parametrize(("who", "action", "mark"), cells(ON_SERVER))
def test_toward_the_server(who: str, action: str, mark: str) -> None:
    assert verdict(Action(action), policy.server_standings(ServerRole(who))) == mark


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
def test_toward_a_room(kind: RoomKind, who: str, action: str, mark: str) -> None:
    role, room_role = WHO[who]
    standings = policy.room_standings(role, kind, room_role)
    assert verdict(Action(action), standings) == mark
    assert policy.allows(Action(action), standings) == (mark == "x")


@pytest.mark.parametrize(("who", "action", "mark"), cells(IN_THREAD))
def test_toward_a_thread(who: str, action: str, mark: str) -> None:
    role, room_role = WHO[who]
    standings = policy.room_standings(
        role, RoomKind.PUBLIC, room_role, thread=True, follows=who == "follower"
    )
    assert verdict(Action(action), standings) == mark
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


def test_an_owner_of_the_server_may_in_rooms_what_an_admin_may() -> None:
    for kind, room_role in product(RoomKind, [None, *RoomRole]):
        assert policy.room_standings(ServerRole.OWNER, kind, room_role) == policy.room_standings(
            ServerRole.ADMIN, kind, room_role
        )


def test_every_action_has_a_rule_and_stands_in_the_tables_above() -> None:
    assert set(RULES) == set(Action)
    assert all(RULES.values())
    shown = {action for _, action, _ in cells(ON_SERVER)}
    for table in (IN_PUBLIC, IN_PRIVATE, IN_DIRECT):
        assert {action for _, action, _ in cells(table)} | shown == set(Action)


# Which action guards which command. What needs no leave of anyone says so.
ANYONE = "anyone who is let in"
GUARDS: dict[str, Action | str] = {
    "post": Action.POST,
    "forward": Action.POST,
    "react": Action.REACT,
    "reactions": Action.READ,
    "pin": Action.PIN,
    "pins": Action.READ,
    "watch": Action.READ,
    "bookmark": Action.KEEP,
    "bookmarks": Action.KEEP,
    "draft": Action.KEEP_DRAFT,
    "drafts": Action.KEEP,
    "mentions": Action.KEEP,
    "threads": Action.KEEP,
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


# These guard a part of what a command does: of a post, and of making rooms and adding people.
PARTLY = {Action.MENTION_ALL, Action.MENTION_CROWD, Action.EXCEED_QUOTAS}


def test_every_command_is_guarded_and_every_action_guards_something() -> None:
    assert set(GUARDS) == set(COMMANDS)
    assert set(GUARDS.values()) - {ANYONE} | PARTLY == set(Action)


@pytest.mark.parametrize(
    ("mine", "theirs", "may"),
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
def test_people_are_removed_by_those_above_them(mine: str, theirs: str, may: bool) -> None:
    if may:
        policy.require_above(RoomRole(mine), RoomRole(theirs), admin=False)
    else:
        with pytest.raises(Forbidden):
            policy.require_above(RoomRole(mine), RoomRole(theirs), admin=False)
    policy.require_above(None, RoomRole(theirs), admin=True)
