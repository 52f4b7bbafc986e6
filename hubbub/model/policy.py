"""Who may do what: one table, and nothing elsewhere.

A person's *standings* toward a thing are worked out from roles (`standings`); an action is
allowed if the table gives it to any of them. Whoever may not READ a room is told that it does
not exist.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from hubbub.model.errors import Forbidden, NotMember


class ServerRole(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class RoomRole(StrEnum):
    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"


class RoomKind(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"
    DIRECT = "direct"


class Standing(StrEnum):
    """What somebody is to the server, a room or a message."""

    SERVER_OWNER = "server_owner"
    SERVER_ADMIN = "server_admin"  # owners are admins too
    ACCOUNT = "account"  # any signed-in person, not a guest
    PASSER_BY = "passer_by"  # anyone let in, guests too, toward a public room
    GUEST_HERE = "guest_here"  # a guest toward a public room
    PUBLIC_ADMIN = "public_admin"  # an admin of the server toward a public room
    ROOM_OWNER = "room_owner"
    MODERATOR = "moderator"  # owners of the room are moderators too
    MEMBER = "member"  # of the room, any role
    DIRECT_PARTNER = "direct_partner"  # a member, and the room is a direct one
    AUTHOR = "author"  # of the message
    # In a thread the others are toward the room that it belongs to.
    IN_THREAD = "in_thread"
    FOLLOWER = "follower"


class Action(StrEnum):
    # toward a room
    READ = "read"
    JOIN = "join"
    LEAVE = "leave"
    POST = "post"
    EDIT = "edit"
    DELETE = "delete"
    REACT = "react"
    PIN = "pin"
    MENTION_ALL = "mention_all"  # @room, @here
    MENTION_CROWD = "mention_crowd"  # the same where more than 200 people are members
    KEEP_DRAFT = "keep_draft"
    MARK_READ = "mark_read"
    SET_PREFS = "set_prefs"
    TYPE = "type"
    LIST_MEMBERS = "list_members"
    INVITE = "invite"
    KICK = "kick"
    SET_ROOM_ROLE = "set_room_role"
    UPDATE_ROOM = "update_room"
    DELETE_ROOM = "delete_room"
    # toward the server
    LIST_ROOMS = "list_rooms"
    LIST_USERS = "list_users"
    CREATE_ROOM = "create_room"
    DIRECT = "direct"
    MANAGE_SELF = "manage_self"
    KEEP = "keep"  # bookmarks, drafts; see one's mentions and threads
    BLOCK = "block"  # and see whom one has blocked
    EXCEED_QUOTAS = "exceed_quotas"  # those that spare admins
    CREATE_INVITE = "create_invite"
    MANAGE_INVITES = "manage_invites"
    MANAGE_USERS = "manage_users"
    MANAGE_SERVER = "manage_server"


_S = Standing

RULES: Mapping[Action, frozenset[Standing]] = {
    Action.READ: frozenset({_S.MEMBER, _S.PASSER_BY}),
    Action.JOIN: frozenset({_S.PASSER_BY, _S.MEMBER}),
    Action.LEAVE: frozenset({_S.MEMBER}),
    Action.POST: frozenset({_S.MEMBER, _S.GUEST_HERE}),
    Action.EDIT: frozenset({_S.AUTHOR}),
    Action.DELETE: frozenset({_S.AUTHOR, _S.MODERATOR, _S.PUBLIC_ADMIN}),
    Action.REACT: frozenset({_S.MEMBER, _S.GUEST_HERE}),
    Action.PIN: frozenset({_S.MEMBER}),
    Action.MENTION_ALL: frozenset({_S.MEMBER}),
    Action.MENTION_CROWD: frozenset({_S.MODERATOR, _S.PUBLIC_ADMIN}),
    Action.KEEP_DRAFT: frozenset({_S.MEMBER}),
    Action.MARK_READ: frozenset({_S.MEMBER}),
    Action.SET_PREFS: frozenset({_S.MEMBER}),
    Action.TYPE: frozenset({_S.MEMBER, _S.GUEST_HERE}),
    Action.LIST_MEMBERS: frozenset({_S.MEMBER, _S.PASSER_BY}),
    Action.INVITE: frozenset({_S.MEMBER}),
    Action.KICK: frozenset({_S.MODERATOR, _S.PUBLIC_ADMIN}),
    Action.SET_ROOM_ROLE: frozenset({_S.ROOM_OWNER, _S.PUBLIC_ADMIN}),
    Action.UPDATE_ROOM: frozenset({_S.MODERATOR, _S.PUBLIC_ADMIN}),
    Action.DELETE_ROOM: frozenset({_S.ROOM_OWNER, _S.PUBLIC_ADMIN}),
    Action.LIST_ROOMS: frozenset({_S.ACCOUNT, _S.PASSER_BY}),
    Action.LIST_USERS: frozenset({_S.ACCOUNT}),
    Action.CREATE_ROOM: frozenset({_S.ACCOUNT}),
    Action.DIRECT: frozenset({_S.ACCOUNT}),
    Action.MANAGE_SELF: frozenset({_S.ACCOUNT}),
    Action.KEEP: frozenset({_S.ACCOUNT}),
    Action.BLOCK: frozenset({_S.ACCOUNT}),
    Action.EXCEED_QUOTAS: frozenset({_S.SERVER_ADMIN}),
    Action.CREATE_INVITE: frozenset({_S.SERVER_ADMIN}),
    Action.MANAGE_INVITES: frozenset({_S.SERVER_ADMIN}),
    Action.MANAGE_USERS: frozenset({_S.SERVER_ADMIN}),
    Action.MANAGE_SERVER: frozenset({_S.SERVER_OWNER}),
}

# A direct room's people are fixed and equal: these do not apply to it, whatever the role.
NOT_IN_DIRECT = frozenset(
    {
        Action.JOIN,
        Action.INVITE,
        Action.KICK,
        Action.SET_ROOM_ROLE,
        Action.UPDATE_ROOM,
        Action.DELETE_ROOM,
    }
)

# Who may do in a room what, may do it in its threads. But these are about following one, or about
# what a thread has from its room.
IN_THREAD: Mapping[Action, frozenset[Standing]] = {
    Action.JOIN: frozenset({_S.MEMBER, _S.GUEST_HERE}),
    Action.LEAVE: frozenset({_S.FOLLOWER}),
    Action.MARK_READ: frozenset({_S.FOLLOWER}),
    Action.SET_PREFS: frozenset({_S.FOLLOWER}),
    Action.INVITE: frozenset(),
    Action.KICK: frozenset(),
    Action.SET_ROOM_ROLE: frozenset(),
    Action.UPDATE_ROOM: frozenset(),
    Action.DELETE_ROOM: frozenset(),
}

_REFUSALS: Mapping[Action, str] = {
    Action.EDIT: "Only its author may edit a message.",
    Action.DELETE: "Only its author or a moderator may delete a message.",
    Action.KICK: "Only a moderator may remove people from this room.",
    Action.SET_ROOM_ROLE: "Only an owner of this room may change roles.",
    Action.UPDATE_ROOM: "Only a moderator may change this room.",
    Action.DELETE_ROOM: "Only an owner may delete this room.",
    Action.CREATE_ROOM: "Guests cannot make rooms. Sign up first.",
    Action.DIRECT: "Guests cannot write to people directly. Sign up first.",
    Action.LIST_USERS: "Guests cannot list people. Sign up first.",
    Action.KEEP: "Guests have no account to keep anything in. Sign up first.",
    Action.BLOCK: "Guests cannot block people. Sign up first.",
    Action.MANAGE_SELF: "Guests have no account to change. Sign up first.",
    Action.CREATE_INVITE: "Only an admin may invite people to this server.",
    Action.MANAGE_INVITES: "Only an admin may see or end invites.",
    Action.MANAGE_USERS: "Only an admin may manage accounts.",
    Action.MANAGE_SERVER: "Only the owner may change the server's settings.",
}


@cache
def server_standings(role: ServerRole) -> frozenset[Standing]:
    """What a person with this role is to the server."""
    if role is ServerRole.GUEST:
        return frozenset({Standing.PASSER_BY})
    found = {Standing.ACCOUNT}
    if role in (ServerRole.OWNER, ServerRole.ADMIN):
        found.add(Standing.SERVER_ADMIN)
    if role is ServerRole.OWNER:
        found.add(Standing.SERVER_OWNER)
    return frozenset(found)


@cache
def room_standings(
    role: ServerRole,
    kind: RoomKind,
    room_role: RoomRole | None,
    *,
    author: bool = False,
    thread: bool = False,
    follows: bool = False,
) -> frozenset[Standing]:
    """What a person is to a room (and to a message in it, if its author).

    To a ``thread``: by their role in its room, and whether they follow it.
    """
    found = set(_of_role(kind, room_role))
    if kind is RoomKind.PUBLIC:
        found.add(Standing.PASSER_BY)
        if role is ServerRole.GUEST:
            found.add(Standing.GUEST_HERE)
        if role in (ServerRole.OWNER, ServerRole.ADMIN):
            found.add(Standing.PUBLIC_ADMIN)
    if thread:
        found.add(Standing.IN_THREAD)
    if follows:
        found.add(Standing.FOLLOWER)
    if author:
        found.add(Standing.AUTHOR)
    return frozenset(found)


def _of_role(kind: RoomKind, room_role: RoomRole | None) -> frozenset[Standing]:
    """What a member is to a room."""
    if room_role is None:
        return frozenset()
    found = {Standing.MEMBER}
    if room_role in (RoomRole.OWNER, RoomRole.MODERATOR):
        found.add(Standing.MODERATOR)
    if room_role is RoomRole.OWNER:
        found.add(Standing.ROOM_OWNER)
    if kind is RoomKind.DIRECT:
        found.add(Standing.DIRECT_PARTNER)
    return frozenset(found)


@cache
def allows(action: Action, standings: frozenset[Standing]) -> bool:
    if Standing.IN_THREAD in standings and action in IN_THREAD:
        return not IN_THREAD[action].isdisjoint(standings)
    if action in NOT_IN_DIRECT and Standing.DIRECT_PARTNER in standings:
        return False
    return not RULES[action].isdisjoint(standings)


def require(action: Action, standings: frozenset[Standing]) -> None:
    """Raises NotMember if joining the room would help, else Forbidden, unless it is allowed."""
    if allows(action, standings):
        return
    if Standing.IN_THREAD in standings and action in IN_THREAD:
        _refuse_in_thread(action, standings)
    if Standing.DIRECT_PARTNER in standings and action in NOT_IN_DIRECT:
        raise Forbidden("The people of a direct conversation are fixed. Start another with them.")
    if Standing.MEMBER in RULES[action] and Standing.MEMBER not in standings:
        raise NotMember()
    raise Forbidden(_REFUSALS.get(action))


def _refuse_in_thread(action: Action, standings: frozenset[Standing]) -> None:
    if not IN_THREAD[action]:
        raise Forbidden("A thread has its people and settings from its room. Change them there.")
    if Standing.MEMBER not in standings:
        raise NotMember()
    raise Forbidden("You do not follow this thread. Follow it first.")


_RANK = {None: 0, RoomRole.MEMBER: 0, RoomRole.MODERATOR: 1, RoomRole.OWNER: 2}


def require_above(role: RoomRole | None, other: RoomRole, *, admin: bool) -> None:
    """Raises Forbidden unless one may remove another: moderators members, owners moderators."""
    if not admin and _RANK[role] <= _RANK[other]:
        raise Forbidden(
            f"Only somebody above {'an' if other is RoomRole.OWNER else 'a'} {other} "
            "of the room may remove them."
        )
