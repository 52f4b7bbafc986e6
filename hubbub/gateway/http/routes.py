"""The routes of the HTTP API: a table of methods, paths, commands and replies.

A name in braces in the path is the command's field of that name. The other fields come from the
query string (GET, DELETE) or from a JSON object in the body (POST, PUT, PATCH).
"""

import msgspec

from hubbub.model.accounts import (
    About,
    ChangePassword,
    CreateInvite,
    DisableUser,
    EndInvite,
    EndSession,
    InviteMade,
    Invites,
    InvitesPage,
    Mine,
    MyProfile,
    ServerInfo,
    Sessions,
    SessionsPage,
    SignedIn,
    SignIn,
    SignInAsGuest,
    SignOut,
    SignUp,
    UpdateMe,
    UpdateServer,
    Users,
    UsersPage,
)
from hubbub.model.base import Command, Done
from hubbub.model.blocks import Block, Blocks, BlocksPage
from hubbub.model.bookmarks import Bookmark, Bookmarks, BookmarksPage
from hubbub.model.drafts import Draft, Drafts, DraftsPage
from hubbub.model.marks import Pin, Pins, PinsPage, React, Reactions, ReactionsPage
from hubbub.model.mentions import Mentions, MentionsPage
from hubbub.model.messages import (
    Changed,
    Changes,
    Delete,
    Edit,
    Forward,
    History,
    Page,
    Post,
    Posted,
    Sync,
)
from hubbub.model.reading import Read, ReadMarker
from hubbub.model.rooms import (
    CreateRoom,
    DeleteRoom,
    Direct,
    Invite,
    Join,
    Joined,
    Kick,
    Leave,
    Members,
    MembersChanged,
    MembersPage,
    Prefs,
    Rooms,
    RoomsPage,
    SetRole,
    UpdateRoom,
)
from hubbub.model.threads import Threads, ThreadsPage

READ_ONLY = frozenset({"GET", "HEAD"})
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Route(msgspec.Struct, frozen=True):
    """One method and path. ``status`` is that of success: 201 if something was created.

    ``without`` are fields of the command that this request cannot set. ``name`` replaces the
    command's own name if another route uses that.
    """

    method: str
    path: str
    command: type[Command]
    reply: type[msgspec.Struct]
    status: int = 200
    without: tuple[str, ...] = ()
    name: str = ""

    @property
    def in_path(self) -> tuple[str, ...]:
        """The fields of the command that are in the path, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def not_in_path(self) -> tuple[str, ...]:
        """The other fields, except ``id``, which numbers commands on a WebSocket."""
        excluded = {"id", *self.in_path, *self.without}
        fields = (field.name for field in msgspec.structs.fields(self.command))
        return tuple(name for name in fields if name not in excluded)

    @property
    def operation(self) -> str:
        """The operation id in the OpenAPI document."""
        return self.name or self.command.word()


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/about", About, ServerInfo),
    Route("PATCH", "/api/server", UpdateServer, ServerInfo),
    # Accounts
    Route("POST", "/api/sign-up", SignUp, SignedIn, 201),
    Route("POST", "/api/sign-in", SignIn, SignedIn),
    Route("POST", "/api/guest", SignInAsGuest, SignedIn),
    Route("POST", "/api/sign-out", SignOut, Done),
    Route("GET", "/api/me", MyProfile, Mine),
    Route("PATCH", "/api/me", UpdateMe, Changed),
    Route("PUT", "/api/me/password", ChangePassword, Done),
    Route("GET", "/api/sessions", Sessions, SessionsPage),
    Route("DELETE", "/api/sessions/{session}", EndSession, Done),
    Route("GET", "/api/users", Users, UsersPage),
    Route("PUT", "/api/users/{user}/block", Block, Changed),
    Route("GET", "/api/blocks", Blocks, BlocksPage),
    Route("PUT", "/api/users/{user}/disabled", DisableUser, Done),
    Route(
        "PUT",
        "/api/users/{user}/role",
        SetRole,
        Changed,
        without=("room",),
        name="set_server_role",
    ),
    Route("GET", "/api/invites", Invites, InvitesPage),
    Route("POST", "/api/invites", CreateInvite, InviteMade, 201),
    Route("DELETE", "/api/invites/{invite}", EndInvite, Done),
    # Rooms
    Route("GET", "/api/rooms", Rooms, RoomsPage),
    Route("POST", "/api/rooms", CreateRoom, Joined, 201),
    Route("POST", "/api/direct", Direct, Joined),
    Route("PATCH", "/api/rooms/{room}", UpdateRoom, Changed),
    Route("DELETE", "/api/rooms/{room}", DeleteRoom, Done),
    Route("POST", "/api/rooms/{room}/join", Join, Joined),
    Route("POST", "/api/rooms/{room}/leave", Leave, MembersChanged),
    Route("PATCH", "/api/rooms/{room}/prefs", Prefs, Changed),
    Route("PUT", "/api/rooms/{room}/read", Read, ReadMarker),
    Route("GET", "/api/rooms/{room}/members", Members, MembersPage),
    Route("POST", "/api/rooms/{room}/members", Invite, MembersChanged),
    Route("DELETE", "/api/rooms/{room}/members/{user}", Kick, MembersChanged),
    Route("PUT", "/api/rooms/{room}/members/{user}/role", SetRole, MembersChanged),
    # Messages
    Route("GET", "/api/rooms/{room}/messages", History, Page),
    Route("POST", "/api/rooms/{room}/messages", Post, Posted, 201),
    Route("PATCH", "/api/rooms/{room}/messages/{seq}", Edit, Changed),
    Route("DELETE", "/api/rooms/{room}/messages/{seq}", Delete, Changed),
    Route("GET", "/api/rooms/{room}/changes", Sync, Changes),
    Route("POST", "/api/rooms/{room}/messages/{seq}/forward", Forward, Posted, 201),
    Route("GET", "/api/rooms/{room}/messages/{seq}/reactions", Reactions, ReactionsPage),
    Route("PUT", "/api/rooms/{room}/messages/{seq}/reactions/{emoji}", React, Changed),
    Route("PUT", "/api/rooms/{room}/messages/{seq}/pin", Pin, Changed),
    Route("GET", "/api/rooms/{room}/pins", Pins, PinsPage),
    # Personal lists
    Route("PUT", "/api/rooms/{room}/messages/{seq}/bookmark", Bookmark, Changed),
    Route("GET", "/api/bookmarks", Bookmarks, BookmarksPage),
    Route("PUT", "/api/rooms/{room}/draft", Draft, Changed),
    Route("GET", "/api/drafts", Drafts, DraftsPage),
    Route("GET", "/api/mentions", Mentions, MentionsPage),
    Route("GET", "/api/threads", Threads, ThreadsPage),
)
