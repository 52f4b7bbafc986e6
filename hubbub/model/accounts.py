"""Accounts, sessions, invites and server settings: the commands, replies and events."""

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
from hubbub.model.messages import Person
from hubbub.model.names import display_name, user_name
from hubbub.model.paging import LIST_PAGE_MAX, PageLimit
from hubbub.model.policy import ServerRole
from hubbub.model.rooms import After, MyRoom, require_short_search, single_line

PASSWORD_MIN = 8
PASSWORD_MAX = 1024  # Argon2 hashes any length; the limit bounds the work
SERVER_NAME_MAX = 60
SESSION_IDLE_S = 30 * 24 * 3600
INVITE_DAYS_MAX = 365

Registration = Literal["open", "invite", "closed"]
Password = Annotated[str, msgspec.Meta(max_length=PASSWORD_MAX)]
Epoch = Annotated[str, msgspec.Meta(max_length=64)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """The person that a command comes from.

    ``user_id`` is 0 for a guest, who may have no row yet.
    """

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
        """Identifies the person: the handle, or the guest key, as guests may share a handle."""
        return self.guest_key or self.name


OPERATOR = Actor(user_id=-1, name="operator", role=ServerRole.OWNER)
"""The command line, which has access to the data folder. It owns the server and is in no room."""


def checked_password(password: str) -> str:
    """The same password. Raises Invalid if it is too short."""
    if len(password) < PASSWORD_MIN:
        raise Invalid(
            f"A password needs at least {PASSWORD_MIN} characters. Three words are a good choice."
        )
    return password


class Me(Value, frozen=True, kw_only=True, omit_defaults=True):
    """My own profile. ``rev`` counts my changes: read markers, memberships, settings."""

    name: UserName
    display_name: str
    role: ServerRole
    rev: Rev = 0


class AddAccount(Command, frozen=True, kw_only=True, omit_defaults=True, tag="add_account"):
    """A sign-up whose password has been hashed; not on the wire.

    With ``first_owns`` the first account on the server becomes its owner. Only the operator sets
    ``role``, and needs no invite. ``session`` is the id of the new session, None for no session.
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
    """A sign-in whose password has been verified; not on the wire.

    ``checked_hash`` is the hash that it was verified against, which may have been replaced since.
    """

    user_id: int
    session: str
    label: str
    lasting: bool = False
    checked_hash: str | None = None


class SetPassword(Command, frozen=True, kw_only=True, omit_defaults=True, tag="set_password"):
    """A new password, hashed; ends all sessions except ``keep``. Not on the wire.

    ``checked_hash`` is the hash that the old password was verified against, None if the old
    password was not required.
    """

    user: UserName
    password_hash: str
    keep: str | None = None
    checked_hash: str | None = msgspec.field(default=None, name="checked")


class TouchSessions(Command, frozen=True, kw_only=True, omit_defaults=True, tag="see_sessions"):
    """Mark these sessions as in use, and end those idle for too long. Not on the wire.

    With ``more``, another command with more sessions in use follows, so that no session can be
    ended as idle yet.
    """

    sessions: tuple[str, ...]
    more: bool = False


class OwnerInvite(Command, frozen=True, kw_only=True, omit_defaults=True, tag="owner_invite"):
    """Create the one-time link that makes somebody the server's owner; not on the wire."""


class Prepare(Command, frozen=True, kw_only=True, omit_defaults=True, tag="prepare"):
    """Create the epoch and the lobby if they are missing; part of each start. Not on the wire.

    ``shown`` is how many revs of the epoch the server of this data folder has shown to clients,
    None if unknown. ``shared`` is set where other servers use the same database: then an empty
    data folder belongs to a new server, not to a database that was copied without its folder.
    """

    shown: int | None = None
    shared: bool = False


class StartupState(Reply, frozen=True, kw_only=True):
    """The state at a start. ``total`` is how many revs this database has issued."""

    values: dict[str, str]
    total: int
    needs_owner: bool


class StoreSigningKey(Command, frozen=True, kw_only=True, omit_defaults=True, tag="keep_key"):
    """Store this session signing key (hexadecimal) if there is none yet. Not on the wire."""

    key: str


class SigningKey(Reply, frozen=True, kw_only=True):
    """The key with which all servers on this database sign sessions."""

    key: str


class SignUp(Command, frozen=True, kw_only=True, omit_defaults=True, tag="sign_up"):
    """Create an account. The first on a server, or one with an owner's invite, owns the server.

    A name has 1 to 32 letters, digits, dots, hyphens and underscores and is kept in lower case;
    a password has at least 8 characters.
    """

    name: UserName
    password: Password
    display_name: str | None = None
    invite: Key | None = None

    def __post_init__(self) -> None:
        set_canonical(self, "name", user_name(self.name))
        checked_password(self.password)
        if self.display_name is not None:
            set_canonical(self, "display_name", display_name(self.display_name))


class SignIn(Command, frozen=True, kw_only=True, omit_defaults=True, tag="sign_in"):
    """Sign in to my account: a new session, which any of my devices can end."""

    name: UserName
    password: Password


class SignInAsGuest(Command, frozen=True, kw_only=True, omit_defaults=True, tag="guest"):
    """Read and post without an account, on servers that allow guests."""

    name: UserName | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            set_canonical(self, "name", user_name(self.name.removeprefix("~")))


class SignOut(Command, frozen=True, kw_only=True, omit_defaults=True, tag="sign_out"):
    """End this session."""


class SignedIn(Reply, frozen=True, kw_only=True):
    """Send ``token`` as ``Authorization: Bearer``; browsers also get it as a cookie."""

    token: str
    me: Me


class Auth(Command, frozen=True, kw_only=True, omit_defaults=True, tag="auth"):
    """The first command of a WebSocket client that can send neither a cookie nor a header."""

    token: str


class Hello(Query, frozen=True, kw_only=True, omit_defaults=True, tag="hello"):
    """Start or resume a session: the epoch I know, and the last rev that I have of each room."""

    epoch: Epoch | None = None
    rooms: dict[RoomId, Annotated[int, msgspec.Meta(ge=0)]] = msgspec.field(default_factory=dict)


class Limits(Value, frozen=True, kw_only=True):
    text: int
    frame_bytes: int
    page: int


class ServerInfo(Reply, frozen=True, kw_only=True):
    """With ``needs_owner`` nobody has an account yet; the first account will own the server."""

    name: str
    version: str
    registration: Registration
    guests: bool
    needs_owner: bool
    limits: Limits


class Welcome(Reply, frozen=True, kw_only=True):
    """My profile and my rooms.

    ``presence`` has the people in my small rooms who are online or away; ``gone`` has the rooms
    of my ``hello`` to erase. Changes follow as events, room by room, each ending with ``synced``;
    rooms without ``synced`` must be synced when they are opened.
    """

    epoch: str
    me: Me
    server: ServerInfo
    rooms: list[MyRoom]
    gone: list[str]
    presence: dict[str, str]


class About(Query, frozen=True, kw_only=True, omit_defaults=True, tag="about"):
    """The server's public settings; anybody may ask."""


class MyProfile(Query, frozen=True, kw_only=True, omit_defaults=True, tag="me"):
    """My profile and all my rooms; clients ask for it after a gap in their own rev."""


class Mine(Reply, frozen=True, kw_only=True):
    me: Me
    rooms: list[MyRoom]


class UpdateMe(Command, frozen=True, kw_only=True, omit_defaults=True, tag="update_me"):
    """Change my display name; my handle stays the same."""

    display_name: str

    def __post_init__(self) -> None:
        set_canonical(self, "display_name", display_name(self.display_name))


class ChangePassword(Command, frozen=True, kw_only=True, omit_defaults=True, tag="change_password"):
    """Change my password and end all my other sessions."""

    old: Password
    new: Password

    def __post_init__(self) -> None:
        checked_password(self.new)


class Sessions(Query, frozen=True, kw_only=True, omit_defaults=True, tag="sessions"):
    """The list of my sessions."""


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
    """People by name: those in ``names``, or a page filtered by ``q``.

    ``after`` is the last name of the page before.
    """

    names: tuple[UserName, ...] = ()
    q: str = ""
    after: After = ""
    limit: PageLimit = LIST_PAGE_MAX

    def __post_init__(self) -> None:
        require_short_search(self.q)
        if len(self.names) > LIST_PAGE_MAX:
            raise Invalid(f"A request has at most {LIST_PAGE_MAX} names.")


class UsersPage(Reply, frozen=True, kw_only=True):
    users: list[Person]
    more: bool


class CreateInvite(Command, frozen=True, kw_only=True, omit_defaults=True, tag="create_invite"):
    """Create a link with which people may join the server."""

    days: Annotated[int, msgspec.Meta(ge=1, le=INVITE_DAYS_MAX)] = 7
    uses: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1


class ServerInvite(Value, frozen=True, kw_only=True):
    """``url`` is the link; ``uses`` is how many more people may use it."""

    invite: Key
    url: str
    by: UserName | None
    created_at: Millis
    expires_at: Millis
    uses: int


class InviteMade(Reply, frozen=True, kw_only=True):
    invite: ServerInvite


class Invites(Query, frozen=True, kw_only=True, omit_defaults=True, tag="invites"):
    """The invites that are still valid."""


class InvitesPage(Reply, frozen=True, kw_only=True):
    invites: list[ServerInvite]


class EndInvite(Command, frozen=True, kw_only=True, omit_defaults=True, tag="end_invite"):
    """Revoke an invite link."""

    invite: Key


class DisableUser(Command, frozen=True, kw_only=True, omit_defaults=True, tag="disable_user"):
    """Disable an account, ending its sessions at once, or enable it (``disabled`` false)."""

    user: UserName
    disabled: bool = True


class UpdateServer(Command, frozen=True, kw_only=True, omit_defaults=True, tag="update_server"):
    """Change the server's name and who may join."""

    name: str | None = None
    registration: Registration | None = None
    guests: bool | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            set_canonical(
                self, "name", single_line(self.name, SERVER_NAME_MAX, "server name", least=1)
            )


class UserChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="user"):
    """Somebody's display name changed."""

    user: UserName
    display_name: str


class MeChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="me"):
    """My profile, or one of my rooms, changed (``room`` is its present state).

    ``rev`` increases by one each time; after a gap, ask for `me`.
    """

    rev: Rev
    me: Me | None = None
    room: MyRoom | None = None


class ServerChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag="server"):
    """The server's name or registration mode changed; `about` now answers this."""

    server: ServerInfo
