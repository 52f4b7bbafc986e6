"""Rooms, their members, and the commands and events about them."""

import unicodedata
from typing import Annotated, Literal

import msgspec

from hubbub.model.base import (
    Command,
    Event,
    Millis,
    Query,
    Reply,
    Rev,
    RoomId,
    UserName,
    Value,
    restate,
)
from hubbub.model.errors import Invalid
from hubbub.model.messages import Message, Person
from hubbub.model.names import room_id
from hubbub.model.normalize import normalized
from hubbub.model.policy import RoomKind, RoomRole, ServerRole

TITLE_MAX = 80
TOPIC_MAX = 500
DIRECT_MAX = 9  # people in a direct room, oneself included
SMALL_ROOM = 200  # up to here members and presence are told one by one, above as counts
DIRECTORY_PAGE = 100
SEARCH_MAX = 64

Notify = Literal["all", "mentions", "none"]
PageLimit = Annotated[int, msgspec.Meta(ge=1, le=DIRECTORY_PAGE)]
# A title in lower case, which makes some letters three, and an id.
After = Annotated[str, msgspec.Meta(max_length=3 * TITLE_MAX + 1 + 64)]


def line(text: str, limit: int, what: str, least: int = 0) -> str:
    """One line of a title or topic: NFC, spaces folded. Raises Invalid."""
    length = f"A {what} has {least} to {limit} characters."
    folded = " ".join(normalized(text.strip(), "NFC", limit, length).split())
    if not least <= len(folded) <= limit:
        raise Invalid(length)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in folded):
        raise Invalid(f"A {what} has no control characters.")
    return folded


def search_words(text: str) -> str:
    """The words by which a list is filtered. Raises Invalid."""
    if len(text) > SEARCH_MAX:
        raise Invalid(f"Search for at most {SEARCH_MAX} characters.")
    return text


class Room(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A room as anyone who may know of it sees it.

    A thread is a room too: under message ``parent_seq`` of the room ``parent``, whose kind it
    has, and without a title. Its members are those who follow it.
    """

    room: RoomId
    kind: RoomKind
    title: str
    topic: str = ""
    seq: int = 0
    rev: Rev = 0
    mrev: int = 0
    members: int = 0
    created_at: Millis = 0
    archived: bool = False
    parent: RoomId | None = None
    parent_seq: int | None = None


class MyRoom(Room, frozen=True, kw_only=True, omit_defaults=True):
    """A room with what it is to me. Unread are ``seq - read_seq`` messages.

    ``people`` are the others in a direct room. ``added_by`` is who put me into it, until I say that
    I stay. Without a ``role`` I am only looking in.
    """

    role: RoomRole | None = None
    read_seq: int = 0
    mentions: int = 0
    notify: Notify = "all"
    hidden: bool = False
    people: tuple[Person, ...] = ()
    added_by: UserName | None = None


class Membership(Value, frozen=True, kw_only=True, omit_defaults=True):
    name: UserName
    display_name: str
    role: RoomRole = RoomRole.MEMBER
    presence: str = "offline"


class CreateRoom(Command, frozen=True, kw_only=True, omit_defaults=True, tag="create_room"):
    """Make a room and own it.

    A public room's id is ``room``, or made from its title; a private one's is random.
    (``room`` and not ``id``, which is the number of the command.)
    """

    title: str
    room: RoomId | None = None
    kind: Literal["public", "private"] = "public"
    topic: str = ""
    members: tuple[UserName, ...] = ()

    def __post_init__(self) -> None:
        restate(self, "title", line(self.title, TITLE_MAX, "title", least=1))
        restate(self, "topic", line(self.topic, TOPIC_MAX, "topic"))
        if self.room is not None:
            if self.kind == "private":
                raise Invalid("A private room's address is random, so that it gives nothing away.")
            restate(self, "room", room_id(self.room))
        if len(self.members) > SMALL_ROOM:
            raise Invalid(f"Invite at most {SMALL_ROOM} people at once.")


class Direct(Command, frozen=True, kw_only=True, omit_defaults=True, tag="direct"):
    """Find or make the direct room of exactly these people and me."""

    users: tuple[UserName, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.users) < DIRECT_MAX:
            raise Invalid(f"A direct conversation has 1 to {DIRECT_MAX - 1} other people.")


class Join(Command, frozen=True, kw_only=True, omit_defaults=True, tag="join"):
    """Become a member (a guest: be present) and get the room with its latest messages.

    A member of a room who joins one of its threads follows it.
    """

    room: RoomId


class Joined(Reply, frozen=True, kw_only=True):
    room: MyRoom
    messages: list[Message]
    people: list[Person]


class Leave(Command, frozen=True, kw_only=True, omit_defaults=True, tag="leave"):
    """Stop being a member; a direct room is only hidden."""

    room: RoomId


class Watch(Query, frozen=True, kw_only=True, omit_defaults=True, tag="watch"):
    """Hear what happens in a room that one may read, as in a thread that one does not follow.

    It holds for this connection. Answered with the room and its latest messages, as `join` is.
    """

    room: RoomId


class Unwatch(Query, frozen=True, kw_only=True, omit_defaults=True, tag="unwatch"):
    """Hear no more of a room that is only watched; one's own rooms go on."""

    room: RoomId


class Invite(Command, frozen=True, kw_only=True, omit_defaults=True, tag="invite"):
    """Make somebody a member of a room."""

    room: RoomId
    user: UserName


class Kick(Command, frozen=True, kw_only=True, omit_defaults=True, tag="kick"):
    """Remove somebody from a room."""

    room: RoomId
    user: UserName


class SetRole(Command, frozen=True, kw_only=True, omit_defaults=True, tag="set_role"):
    """Give somebody a role in a room, or without a room on the server.

    In a room: owner, moderator, member; on the server: owner, admin, member.
    """

    user: UserName
    role: Literal["owner", "admin", "moderator", "member"]
    room: RoomId | None = None

    def __post_init__(self) -> None:
        roles = set(RoomRole) if self.room else {ServerRole.OWNER, ServerRole.ADMIN, "member"}
        if self.role not in roles:
            raise Invalid(f"The roles here are {', '.join(sorted(roles))}.")


class MembersChanged(Reply, frozen=True, kw_only=True):
    mrev: int


class UpdateRoom(Command, frozen=True, kw_only=True, omit_defaults=True, tag="update_room"):
    """Change a room's title or topic, or archive it (it can be read, not written)."""

    room: RoomId
    title: str | None = None
    topic: str | None = None
    archived: bool | None = None

    def __post_init__(self) -> None:
        if self.title is not None:
            restate(self, "title", line(self.title, TITLE_MAX, "title", least=1))
        if self.topic is not None:
            restate(self, "topic", line(self.topic, TOPIC_MAX, "topic"))


class DeleteRoom(Command, frozen=True, kw_only=True, omit_defaults=True, tag="delete_room"):
    """Delete a room with all its messages, for everyone and for good."""

    room: RoomId


class Prefs(Command, frozen=True, kw_only=True, omit_defaults=True, tag="prefs"):
    """What I want to be told of a room, whether it stands in my list, and that I stay in it.

    With ``stay`` it is no longer told who added me.
    """

    room: RoomId
    notify: Notify | None = None
    hidden: bool | None = None
    stay: bool = False


class Members(Query, frozen=True, kw_only=True, omit_defaults=True, tag="members"):
    """A page of a room's members by name; ``after`` is the last name of the page before."""

    room: RoomId
    after: After = ""
    limit: PageLimit = DIRECTORY_PAGE


class MembersPage(Reply, frozen=True, kw_only=True):
    members: list[Membership]
    mrev: int
    more: bool


class Rooms(Query, frozen=True, kw_only=True, omit_defaults=True, tag="rooms"):
    """A page of the rooms one may know of, by title; ``q`` filters."""

    q: str = ""
    after: After = ""
    limit: PageLimit = DIRECTORY_PAGE

    def __post_init__(self) -> None:
        search_words(self.q)


class RoomsPage(Reply, frozen=True, kw_only=True):
    """``cursor`` is the next ``after``; null at the end."""

    rooms: list[MyRoom]
    cursor: str | None


class RoomChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="room"):
    """A room's title, topic or archive changed: the whole present state of these."""

    room: RoomId
    rev: Rev
    title: str
    topic: str = ""
    archived: bool = False


class MemberChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="member"):
    """Somebody joined, left (``role`` null) or got a role.

    In rooms of more than 200 only ``members``, the new count, at most once a second.
    """

    room: RoomId
    mrev: int
    members: int
    user: UserName | None = None
    display_name: str | None = None
    role: RoomRole | None = None


class Removed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="removed"):
    """I am no longer in this room; erase what is kept of it and of its threads.

    ``rev`` is mine.
    """

    room: RoomId
    rev: Rev
    reason: Literal["left", "kicked", "deleted"]
