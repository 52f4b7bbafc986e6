"""Rooms and members: the commands, replies and events."""

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
    set_canonical,
)
from hubbub.model.errors import Invalid
from hubbub.model.messages import Message, Person
from hubbub.model.names import room_id
from hubbub.model.normalize import normalized
from hubbub.model.paging import LIST_PAGE_MAX, PageLimit
from hubbub.model.policy import RoomKind, RoomRole, ServerRole

TITLE_MAX = 80
TOPIC_MAX = 500
DIRECT_MAX = 9  # people in a direct room, including oneself
SMALL_ROOM = 200  # members; larger rooms get counts instead of member and presence events
SEARCH_MAX = 64

Notify = Literal["all", "mentions", "none"]
# A title in lower case, which can triple its length, and an id.
After = Annotated[str, msgspec.Meta(max_length=3 * TITLE_MAX + 1 + 64)]


def single_line(text: str, limit: int, what: str, least: int = 0) -> str:
    """A canonical single line: NFC, with runs of spaces collapsed. Raises Invalid."""
    length = f"A {what} must have {least} to {limit} characters."
    folded = " ".join(normalized(text.strip(), "NFC", limit, length).split())
    if not least <= len(folded) <= limit:
        raise Invalid(length)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in folded):
        raise Invalid(f"A {what} cannot contain control characters.")
    return folded


def require_short_search(text: str) -> None:
    """Raises Invalid if a search text is too long."""
    if len(text) > SEARCH_MAX:
        raise Invalid(f"A search has at most {SEARCH_MAX} characters.")


class Room(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A room as anybody with access sees it.

    A thread is a room too: under message ``parent_seq`` of the room ``parent``, with the parent's
    kind and no title. Its members are its followers.
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
    """A room with my own settings. ``seq - read_seq`` messages are unread.

    ``people`` are the others in a direct room. ``added_by`` is who added me to the room, until I
    choose to stay. Without a ``role`` I am not a member.
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
    """Create a room, as its owner.

    A public room's id is ``room``, or derived from its title; a private room's is random.
    (The field is not called ``id``, as that is the number of the command.)
    """

    title: str
    room: RoomId | None = None
    kind: Literal["public", "private"] = "public"
    topic: str = ""
    members: tuple[UserName, ...] = ()

    def __post_init__(self) -> None:
        set_canonical(self, "title", single_line(self.title, TITLE_MAX, "title", least=1))
        set_canonical(self, "topic", single_line(self.topic, TOPIC_MAX, "topic"))
        if self.room is not None:
            if self.kind == "private":
                raise Invalid("The address of a private room is random. Leave out the address.")
            set_canonical(self, "room", room_id(self.room))
        if len(self.members) > SMALL_ROOM:
            raise Invalid(f"You can invite at most {SMALL_ROOM} people at once.")


class Direct(Command, frozen=True, kw_only=True, omit_defaults=True, tag="direct"):
    """Open the direct room of exactly these people and me, creating it if necessary."""

    users: tuple[UserName, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.users) < DIRECT_MAX:
            raise Invalid(f"A direct conversation needs 1 to {DIRECT_MAX - 1} other people.")


class Join(Command, frozen=True, kw_only=True, omit_defaults=True, tag="join"):
    """Become a member (guests: be present) and get the room with its latest messages.

    To follow a thread, a member of its room joins it.
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
    """Receive the events of a room without joining it, such as a thread that I do not follow.

    It applies to this connection. The reply has the room and its latest messages, as for `join`.
    """

    room: RoomId


class Unwatch(Query, frozen=True, kw_only=True, omit_defaults=True, tag="unwatch"):
    """Stop receiving the events of a watched room; my own rooms are not affected."""

    room: RoomId


class Invite(Command, frozen=True, kw_only=True, omit_defaults=True, tag="invite"):
    """Add somebody to a room."""

    room: RoomId
    user: UserName


class Kick(Command, frozen=True, kw_only=True, omit_defaults=True, tag="kick"):
    """Remove somebody from a room."""

    room: RoomId
    user: UserName


class SetRole(Command, frozen=True, kw_only=True, omit_defaults=True, tag="set_role"):
    """Set somebody's role in a room, or without a ``room`` on the server.

    In a room: owner, moderator, member; on the server: owner, admin, member.
    """

    user: UserName
    role: Literal["owner", "admin", "moderator", "member"]
    room: RoomId | None = None

    def __post_init__(self) -> None:
        roles = set(RoomRole) if self.room else {ServerRole.OWNER, ServerRole.ADMIN, "member"}
        if self.role not in roles:
            raise Invalid(f"The role must be one of {', '.join(sorted(roles))}.")


class MembersChanged(Reply, frozen=True, kw_only=True):
    mrev: int


class UpdateRoom(Command, frozen=True, kw_only=True, omit_defaults=True, tag="update_room"):
    """Change a room's title or topic, or archive it, which makes it read-only."""

    room: RoomId
    title: str | None = None
    topic: str | None = None
    archived: bool | None = None

    def __post_init__(self) -> None:
        if self.title is not None:
            set_canonical(self, "title", single_line(self.title, TITLE_MAX, "title", least=1))
        if self.topic is not None:
            set_canonical(self, "topic", single_line(self.topic, TOPIC_MAX, "topic"))


class DeleteRoom(Command, frozen=True, kw_only=True, omit_defaults=True, tag="delete_room"):
    """Delete a room and all its messages, for everybody and permanently."""

    room: RoomId


class Prefs(Command, frozen=True, kw_only=True, omit_defaults=True, tag="prefs"):
    """Change my notifications for a room, hide or show it, or choose to stay in it.

    ``stay`` removes ``added_by`` from the room.
    """

    room: RoomId
    notify: Notify | None = None
    hidden: bool | None = None
    stay: bool = False


class Members(Query, frozen=True, kw_only=True, omit_defaults=True, tag="members"):
    """A page of a room's members by name; ``after`` is the last name of the previous page."""

    room: RoomId
    after: After = ""
    limit: PageLimit = LIST_PAGE_MAX


class MembersPage(Reply, frozen=True, kw_only=True):
    members: list[Membership]
    mrev: int
    more: bool


class Rooms(Query, frozen=True, kw_only=True, omit_defaults=True, tag="rooms"):
    """A page of the rooms that I can find, by title; ``q`` filters."""

    q: str = ""
    after: After = ""
    limit: PageLimit = LIST_PAGE_MAX

    def __post_init__(self) -> None:
        require_short_search(self.q)


class RoomsPage(Reply, frozen=True, kw_only=True):
    """``cursor`` is the ``after`` of the next page; null on the last page."""

    rooms: list[MyRoom]
    cursor: str | None


class RoomChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="room"):
    """A room's title, topic or archived flag changed: the complete present state of these."""

    room: RoomId
    rev: Rev
    title: str
    topic: str = ""
    archived: bool = False


class MemberChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="member"):
    """Somebody joined, left (``role`` null) or got a role.

    Rooms of more than 200 get only ``members``, the new count, at most once a second.
    """

    room: RoomId
    mrev: int
    members: int
    user: UserName | None = None
    display_name: str | None = None
    role: RoomRole | None = None


class Removed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="removed"):
    """I am no longer in this room: erase everything stored of it and of its threads.

    ``rev`` is my own.
    """

    room: RoomId
    rev: Rev
    reason: Literal["left", "kicked", "deleted"]
