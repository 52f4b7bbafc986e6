"""People, their sessions, who may join the server, and the commands and events about them."""

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
from hubbub.model.messages import Person
from hubbub.model.names import display_name, user_name
from hubbub.model.policy import ServerRole
from hubbub.model.rooms import DIRECTORY_PAGE, After, MyRoom, PageLimit, line, search_words

PASSWORD_MIN = 8
PASSWORD_MAX = 1024  # Argon2 hashes any length; this bounds the work
SERVER_NAME_MAX = 60
SESSION_IDLE_S = 30 * 24 * 3600
INVITE_DAYS_MAX = 365

Registration = Literal["open", "invite", "closed"]
Password = Annotated[str, msgspec.Meta(max_length=PASSWORD_MAX)]
Epoch = Annotated[str, msgspec.Meta(max_length=64)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does something. ``user_id`` is 0 for a guest, who may have no row yet."""

    user_id: int
    name: UserName
    role: ServerRole
    session: str | None = None
    guest_key: str | None = None

    @property
    def is_guest(self) -> bool:
        return self.role is ServerRole.GUEST

    @property
    def key(self) -> str:
        """The person: their handle, or a guest's key, as several guests may have one handle."""
        return self.guest_key or self.name


OPERATOR = Actor(user_id=-1, name="operator", role=ServerRole.OWNER)
"""Whoever holds the data folder: the command line. It owns the server and is in no room."""


def checked_password(password: str) -> str:
    if len(password) < PASSWORD_MIN:
        raise Invalid(f"A password has at least {PASSWORD_MIN} characters. Three words do well.")
    return password


class Me(Value, frozen=True, kw_only=True, omit_defaults=True):
    """My own profile. ``rev`` counts what changed for me: markers, memberships, settings."""

    name: UserName
    display_name: str
    role: ServerRole
    rev: Rev = 0


class AddAccount(Command, frozen=True, kw_only=True, omit_defaults=True, tag="add_account"):
    """A sign-up whose password has been hashed; not on the wire.

    ``first_owns``: the first account of all is the owner's. ``role`` is given by the operator
    only, who also needs no invite. ``session`` is the new session's id, None for none.
    """

    name: UserName
    skeleton: str
    display_name: str
    password_hash: str | None
    registration: Registration
    first_owns: bool = False
    invite: str | None = None
    role: ServerRole | None = None
    session: str | None = None
    label: str = ""
    lasting: bool = False

    def with_password(self, password_hash: str) -> "AddAccount":
        return msgspec.structs.replace(self, password_hash=password_hash)


class AccountAdded(Reply, frozen=True, kw_only=True):
    user_id: int
    me: Me


class OpenSession(Command, frozen=True, kw_only=True, omit_defaults=True, tag="open_session"):
    """A sign-in whose password was right; not on the wire.

    ``checked`` is the hash that it was right for, which may have been replaced since.
    """

    user_id: int
    session: str
    label: str
    lasting: bool = False
    checked: str | None = None


class SetPassword(Command, frozen=True, kw_only=True, omit_defaults=True, tag="set_password"):
    """A new password, hashed; ends the sessions but ``keep``. Not on the wire.

    ``checked`` is the hash that the old one was right for, None if it was not asked for.
    """

    user: UserName
    password_hash: str
    keep: str | None = None
    checked: str | None = None


class SeeSessions(Command, frozen=True, kw_only=True, omit_defaults=True, tag="see_sessions"):
    """These sessions are in use; those idle for too long end. Not on the wire.

    ``more``: others in use are told next, so none has been idle for certain yet.
    """

    sessions: tuple[str, ...]
    more: bool = False


class OwnerInvite(Command, frozen=True, kw_only=True, omit_defaults=True, tag="owner_invite"):
    """The one-time link by which a server gets its owner; not on the wire."""


class Prepare(Command, frozen=True, kw_only=True, omit_defaults=True, tag="prepare"):
    """What each start needs: the epoch and the lobby. Not on the wire.

    ``shown`` is how many revs of the epoch this folder's server has shown, None if unknown.
    ``shared`` is set where other servers use the same database: then a folder that knows nothing
    is a new server's, not a database that came here without its folder.
    """

    shown: int | None = None
    shared: bool = False


class Prepared(Reply, frozen=True, kw_only=True):
    """``total`` is how many revs this database has given out."""

    values: dict[str, str]
    total: int
    needs_owner: bool


class KeepKey(Command, frozen=True, kw_only=True, omit_defaults=True, tag="keep_key"):
    """Sign sessions with this key (hexadecimal), unless there is one already. Not on the wire."""

    key: str


class KeyKept(Reply, frozen=True, kw_only=True):
    """The key that all servers on this database sign with."""

    key: str


class SignUp(Command, frozen=True, kw_only=True, omit_defaults=True, tag="sign_up"):
    """Make an account. The first one on a server, or one by an owner's invite, owns it.

    A name has 1 to 32 letters, digits, dots, hyphens and underscores and is kept in lower case;
    a password has at least 8 characters.
    """

    name: UserName
    password: Password
    display_name: str | None = None
    invite: Key | None = None

    def __post_init__(self) -> None:
        restate(self, "name", user_name(self.name))
        checked_password(self.password)
        if self.display_name is not None:
            restate(self, "display_name", display_name(self.display_name))


class SignIn(Command, frozen=True, kw_only=True, omit_defaults=True, tag="sign_in"):
    """Sign in to my account: a new session, which any of my devices can end."""

    name: UserName
    password: Password


class SignInAsGuest(Command, frozen=True, kw_only=True, omit_defaults=True, tag="guest"):
    """Look in without an account, where the server lets guests in."""

    name: UserName | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            restate(self, "name", user_name(self.name.removeprefix("~")))


class SignOut(Command, frozen=True, kw_only=True, omit_defaults=True, tag="sign_out"):
    """End this session."""


class SignedIn(Reply, frozen=True, kw_only=True):
    """``token`` goes into ``Authorization: Bearer``; browsers have it as a cookie too."""

    token: str
    me: Me


class Auth(Command, frozen=True, kw_only=True, omit_defaults=True, tag="auth"):
    """First command of a WebSocket client that can send neither cookie nor header."""

    token: str


class Hello(Query, frozen=True, kw_only=True, omit_defaults=True, tag="hello"):
    """Begin or resume: the epoch I know, and up to which rev I have each room."""

    epoch: Epoch | None = None
    rooms: dict[RoomId, Annotated[int, msgspec.Meta(ge=0)]] = msgspec.field(default_factory=dict)


class Limits(Value, frozen=True, kw_only=True):
    text: int
    frame_bytes: int
    page: int


class ServerInfo(Reply, frozen=True, kw_only=True):
    """``needs_owner``: nobody has an account yet; the first one will own the server."""

    name: str
    version: str
    registration: Registration
    guests: bool
    needs_owner: bool
    limits: Limits


class Welcome(Reply, frozen=True, kw_only=True):
    """Who I am and where I am.

    ``presence`` holds those online or away with whom I share small rooms; ``gone`` the rooms
    of my ``hello`` to erase. Changes follow as events, room by room, each ended by ``synced``;
    rooms without one must be synced when they are opened.
    """

    epoch: str
    me: Me
    server: ServerInfo
    rooms: list[MyRoom]
    gone: list[str]
    presence: dict[str, str]


class About(Query, frozen=True, kw_only=True, omit_defaults=True, tag="about"):
    """What the server says of itself to anyone."""


class MyProfile(Query, frozen=True, kw_only=True, omit_defaults=True, tag="me"):
    """My profile and all my rooms; asked for after a gap in my own rev."""


class Mine(Reply, frozen=True, kw_only=True):
    me: Me
    rooms: list[MyRoom]


class UpdateMe(Command, frozen=True, kw_only=True, omit_defaults=True, tag="update_me"):
    """Be shown by another name; my handle stays what it is."""

    display_name: str

    def __post_init__(self) -> None:
        restate(self, "display_name", display_name(self.display_name))


class ChangePassword(Command, frozen=True, kw_only=True, omit_defaults=True, tag="change_password"):
    """Change my password and end all my other sessions."""

    old: Password
    new: Password

    def __post_init__(self) -> None:
        checked_password(self.new)


class Sessions(Query, frozen=True, kw_only=True, omit_defaults=True, tag="sessions"):
    """Where I am signed in."""


class Session(Value, frozen=True, kw_only=True, omit_defaults=True):
    session: Key
    label: str
    created_at: Millis
    seen_at: Millis
    current: bool = False


class SessionsPage(Reply, frozen=True, kw_only=True):
    sessions: list[Session]


class EndSession(Command, frozen=True, kw_only=True, omit_defaults=True, tag="end_session"):
    """Sign one of my devices out."""

    session: Key


class Users(Query, frozen=True, kw_only=True, omit_defaults=True, tag="users"):
    """People by name; those of ``names``, or a page filtered by ``q``.

    ``after`` is the last name of the page before.
    """

    names: tuple[UserName, ...] = ()
    q: str = ""
    after: After = ""
    limit: PageLimit = DIRECTORY_PAGE

    def __post_init__(self) -> None:
        search_words(self.q)
        if len(self.names) > DIRECTORY_PAGE:
            raise Invalid(f"Ask for at most {DIRECTORY_PAGE} names at once.")


class UsersPage(Reply, frozen=True, kw_only=True):
    users: list[Person]
    more: bool


class CreateInvite(Command, frozen=True, kw_only=True, omit_defaults=True, tag="create_invite"):
    """A link by which people may join the server."""

    days: Annotated[int, msgspec.Meta(ge=1, le=INVITE_DAYS_MAX)] = 7
    uses: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1


class ServerInvite(Value, frozen=True, kw_only=True):
    """``url`` is where the invited go; ``uses`` how many more may."""

    invite: Key
    url: str
    by: UserName | None
    created_at: Millis
    expires_at: Millis
    uses: int


class InviteMade(Reply, frozen=True, kw_only=True):
    invite: ServerInvite


class Invites(Query, frozen=True, kw_only=True, omit_defaults=True, tag="invites"):
    """The invites that still work."""


class InvitesPage(Reply, frozen=True, kw_only=True):
    invites: list[ServerInvite]


class EndInvite(Command, frozen=True, kw_only=True, omit_defaults=True, tag="end_invite"):
    """Make an invite link useless from now on."""

    invite: Key


class DisableUser(Command, frozen=True, kw_only=True, omit_defaults=True, tag="disable_user"):
    """Lock somebody out (``disabled`` false: let them in again). Their sessions end at once."""

    user: UserName
    disabled: bool = True


class UpdateServer(Command, frozen=True, kw_only=True, omit_defaults=True, tag="update_server"):
    """Change the server's name and who may join."""

    name: str | None = None
    registration: Registration | None = None
    guests: bool | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            restate(self, "name", line(self.name, SERVER_NAME_MAX, "server name", least=1))


class UserChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="user"):
    """Somebody's display name changed."""

    user: UserName
    display_name: str


class MeChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="me"):
    """Something of mine changed: my profile, or one of my rooms (``room`` as it is now).

    ``rev`` counts up by one; a gap asks for `me`.
    """

    rev: Rev
    me: Me | None = None
    room: MyRoom | None = None


class ServerChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="server"):
    """The server's name, or who may join it, changed: what `about` answers now."""

    server: ServerInfo
