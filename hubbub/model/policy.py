"""Permissions: one table of who may do what.

A person's *standings* toward the server, a room or a message follow from their roles; an action is
allowed if the table lists any of these standings. To people who may not READ a room, the server
answers that it does not exist.
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
    """A relation of a person to the server, a room or a message."""

    SERVER_OWNER = "server_owner"
    SERVER_ADMIN = "server_admin"  # owners are admins too
    ACCOUNT = "account"  # anybody with an account, so not a guest
    VISITOR = "visitor"  # anybody, guests too, toward a public room
    PUBLIC_GUEST = "public_guest"  # a guest toward a public room
    PUBLIC_ADMIN = "public_admin"  # a server admin toward a public room
    ROOM_OWNER = "room_owner"
    MODERATOR = "moderator"  # owners of the room are moderators too
    MEMBER = "member"  # of the room, any role
    DIRECT_PARTNER = "direct_partner"  # a member of a direct room
    AUTHOR = "author"  # of the message
    # Set in threads, where the other standings are those toward the parent room.
    IN_THREAD = "in_thread"
    FOLLOWER = "follower"


class Action(StrEnum):
    # in a room
    READ = "read"
    JOIN = "join"
    LEAVE = "leave"
    POST = "post"
    EDIT = "edit"
    DELETE = "delete"
    REACT = "react"
    PIN = "pin"
    MENTION_ALL = "mention_all"  # @room, @here
    MENTION_LARGE_ROOM = "mention_large_room"  # the same in a room of more than 200 members
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
    # on the server
    LIST_ROOMS = "list_rooms"
    LIST_USERS = "list_users"
    CREATE_ROOM = "create_room"
    DIRECT = "direct"
    MANAGE_SELF = "manage_self"
    USE_PERSONAL_LISTS = "use_personal_lists"  # bookmarks, drafts, mentions, followed threads
    BLOCK = "block"  # and list blocked people
    EXCEED_QUOTAS = "exceed_quotas"  # those that exempt admins
    CREATE_INVITE = "create_invite"
    MANAGE_INVITES = "manage_invites"
    MANAGE_USERS = "manage_users"
    MANAGE_SERVER = "manage_server"


_S = Standing

RULES: Mapping[Action, frozenset[Standing]] = {
    Action.READ: frozenset({_S.MEMBER, _S.VISITOR}),
    Action.JOIN: frozenset({_S.VISITOR, _S.MEMBER}),
    Action.LEAVE: frozenset({_S.MEMBER}),
    Action.POST: frozenset({_S.MEMBER, _S.PUBLIC_GUEST}),
    Action.EDIT: frozenset({_S.AUTHOR}),
    Action.DELETE: frozenset({_S.AUTHOR, _S.MODERATOR, _S.PUBLIC_ADMIN}),
    Action.REACT: frozenset({_S.MEMBER, _S.PUBLIC_GUEST}),
    Action.PIN: frozenset({_S.MEMBER}),
    Action.MENTION_ALL: frozenset({_S.MEMBER}),
    Action.MENTION_LARGE_ROOM: frozenset({_S.MODERATOR, _S.PUBLIC_ADMIN}),
    Action.KEEP_DRAFT: frozenset({_S.MEMBER}),
    Action.MARK_READ: frozenset({_S.MEMBER}),
    Action.SET_PREFS: frozenset({_S.MEMBER}),
    Action.TYPE: frozenset({_S.MEMBER, _S.PUBLIC_GUEST}),
    Action.LIST_MEMBERS: frozenset({_S.MEMBER, _S.VISITOR}),
    Action.INVITE: frozenset({_S.MEMBER}),
    Action.KICK: frozenset({_S.MODERATOR, _S.PUBLIC_ADMIN}),
    Action.SET_ROOM_ROLE: frozenset({_S.ROOM_OWNER, _S.PUBLIC_ADMIN}),
    Action.UPDATE_ROOM: frozenset({_S.MODERATOR, _S.PUBLIC_ADMIN}),
    Action.DELETE_ROOM: frozenset({_S.ROOM_OWNER, _S.PUBLIC_ADMIN}),
    Action.LIST_ROOMS: frozenset({_S.ACCOUNT, _S.VISITOR}),
    Action.LIST_USERS: frozenset({_S.ACCOUNT}),
    Action.CREATE_ROOM: frozenset({_S.ACCOUNT}),
    Action.DIRECT: frozenset({_S.ACCOUNT}),
    Action.MANAGE_SELF: frozenset({_S.ACCOUNT}),
    Action.USE_PERSONAL_LISTS: frozenset({_S.ACCOUNT}),
    Action.BLOCK: frozenset({_S.ACCOUNT}),
    Action.EXCEED_QUOTAS: frozenset({_S.SERVER_ADMIN}),
    Action.CREATE_INVITE: frozenset({_S.SERVER_ADMIN}),
    Action.MANAGE_INVITES: frozenset({_S.SERVER_ADMIN}),
    Action.MANAGE_USERS: frozenset({_S.SERVER_ADMIN}),
    Action.MANAGE_SERVER: frozenset({_S.SERVER_OWNER}),
}

# The people of a direct room are fixed and have equal rights, so nobody can do these in it.
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

# Rights in a room also apply in its threads, except for these actions: they concern following a
# thread, or what a thread inherits from its room.
IN_THREAD: Mapping[Action, frozenset[Standing]] = {
    Action.JOIN: frozenset({_S.MEMBER, _S.PUBLIC_GUEST}),
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
    Action.EDIT: "Only the author may edit a message.",
    Action.DELETE: "Only the author or a moderator may delete a message.",
    Action.KICK: "Only a moderator may remove people from this room.",
    Action.SET_ROOM_ROLE: "Only an owner of this room may change roles.",
    Action.UPDATE_ROOM: "Only a moderator may change this room.",
    Action.DELETE_ROOM: "Only an owner may delete this room.",
    Action.CREATE_ROOM: "Guests cannot create rooms. Sign up first.",
    Action.DIRECT: "Guests cannot send direct messages. Sign up first.",
    Action.LIST_USERS: "Guests cannot list people. Sign up first.",
    Action.USE_PERSONAL_LISTS: "Guests have no bookmarks, drafts or mentions. Sign up first.",
    Action.BLOCK: "Guests cannot block people. Sign up first.",
    Action.MANAGE_SELF: "Guests have no account settings. Sign up first.",
    Action.CREATE_INVITE: "Only an admin may invite people to this server.",
    Action.MANAGE_INVITES: "Only an admin may see or end invites.",
    Action.MANAGE_USERS: "Only an admin may manage accounts.",
    Action.MANAGE_SERVER: "Only the owner may change the server's settings.",
}


@cache
def server_standings(role: ServerRole) -> frozenset[Standing]:
    """The standings of a person with this role toward the server."""
    if role is ServerRole.GUEST:
        return frozenset({Standing.VISITOR})
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
    """The standings of a person toward a room, and toward a message in it if ``author``.

    For a ``thread``, ``room_role`` is the role in its parent room, and ``follows`` is whether the
    person follows the thread.
    """
    found = set(_member_standings(kind, room_role))
    if kind is RoomKind.PUBLIC:
        found.add(Standing.VISITOR)
        if role is ServerRole.GUEST:
            found.add(Standing.PUBLIC_GUEST)
        if role in (ServerRole.OWNER, ServerRole.ADMIN):
            found.add(Standing.PUBLIC_ADMIN)
    if thread:
        found.add(Standing.IN_THREAD)
    if follows:
        found.add(Standing.FOLLOWER)
    if author:
        found.add(Standing.AUTHOR)
    return frozenset(found)


def _member_standings(kind: RoomKind, room_role: RoomRole | None) -> frozenset[Standing]:
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
    """Raises Forbidden, or NotMember if joining the room would help, unless it is allowed."""
    if allows(action, standings):
        return
    if Standing.IN_THREAD in standings and action in IN_THREAD:
        _refuse_in_thread(action, standings)
    if Standing.DIRECT_PARTNER in standings and action in NOT_IN_DIRECT:
        raise Forbidden(
            "The people of a direct conversation cannot change. Start another conversation."
        )
    if Standing.MEMBER in RULES[action] and Standing.MEMBER not in standings:
        raise NotMember()
    raise Forbidden(_REFUSALS.get(action))


def _refuse_in_thread(action: Action, standings: frozenset[Standing]) -> None:
    if not IN_THREAD[action]:
        raise Forbidden("A thread takes its members and settings from its room. Change them there.")
    if Standing.MEMBER not in standings:
        raise NotMember()
    raise Forbidden("You do not follow this thread. Follow it first.")


_RANK = {None: 0, RoomRole.MEMBER: 0, RoomRole.MODERATOR: 1, RoomRole.OWNER: 2}


def require_outranks(role: RoomRole | None, other: RoomRole, *, admin: bool) -> None:
    """Raises Forbidden unless ``role`` is above ``other``, or the actor is an ``admin``."""
    if not admin and _RANK[role] <= _RANK[other]:
        raise Forbidden("You can only remove people whose role is below yours.")
