"""Tables of commands: the reply of each, and which ones may be repeated or go over HTTP."""

from typing import Any

import msgspec

from hubbub.client.frames import SyncReply
from hubbub.model.accounts import (
    About,
    Auth,
    ChangePassword,
    CreateInvite,
    DisableUser,
    EndInvite,
    EndSession,
    Hello,
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
    Welcome,
)
from hubbub.model.base import Command, Done, Query, Reply
from hubbub.model.blocks import Block, Blocks, BlocksPage
from hubbub.model.bookmarks import Bookmark, Bookmarks, BookmarksPage
from hubbub.model.drafts import Draft, Drafts, DraftsPage
from hubbub.model.marks import Pin, Pins, PinsPage, React, Reactions, ReactionsPage
from hubbub.model.mentions import Mentions, MentionsPage
from hubbub.model.messages import (
    Changed,
    Delete,
    Edit,
    Forward,
    History,
    Page,
    Post,
    Posted,
    Sync,
    Typing,
)
from hubbub.model.reading import Active, Read, ReadMarker
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
    Unwatch,
    UpdateRoom,
    Watch,
)
from hubbub.model.threads import Threads, ThreadsPage


class LeaveReply(Reply, frozen=True, kw_only=True):
    """The reply to `leave`; ``mrev`` is null for a guest, who was not a member."""

    mrev: int | None = None


REPLIES: dict[type[Command], type[Reply]] = {
    About: ServerInfo,
    Auth: Done,
    Block: Changed,
    Blocks: BlocksPage,
    Bookmark: Changed,
    Bookmarks: BookmarksPage,
    ChangePassword: Done,
    CreateInvite: InviteMade,
    CreateRoom: Joined,
    Delete: Changed,
    DeleteRoom: Done,
    Direct: Joined,
    DisableUser: Done,
    Draft: Changed,
    Drafts: DraftsPage,
    Edit: Changed,
    EndInvite: Done,
    EndSession: Done,
    Forward: Posted,
    Hello: Welcome,
    History: Page,
    Invite: MembersChanged,
    Invites: InvitesPage,
    Join: Joined,
    Kick: MembersChanged,
    Leave: LeaveReply,
    Members: MembersPage,
    Mentions: MentionsPage,
    MyProfile: Mine,
    Pin: Changed,
    Pins: PinsPage,
    Post: Posted,
    Prefs: Changed,
    React: Changed,
    Reactions: ReactionsPage,
    Read: ReadMarker,
    Rooms: RoomsPage,
    Sessions: SessionsPage,
    SetRole: MembersChanged,
    SignIn: SignedIn,
    SignInAsGuest: SignedIn,
    SignOut: Done,
    SignUp: SignedIn,
    Sync: SyncReply,
    Threads: ThreadsPage,
    Unwatch: Done,
    UpdateMe: Changed,
    UpdateRoom: Changed,
    # The new state comes as a `server` event.
    UpdateServer: Done,
    Users: UsersPage,
    Watch: Joined,
}

# Commands without a reply; they are lost without a connection.
UNANSWERED: frozenset[type[Command]] = frozenset({Active, Typing})

OVER_HTTP: dict[type[Command], tuple[str, str]] = {
    SignUp: ("POST", "/api/sign-up"),
    SignIn: ("POST", "/api/sign-in"),
    SignInAsGuest: ("POST", "/api/guest"),
    SignOut: ("POST", "/api/sign-out"),
    ChangePassword: ("PUT", "/api/me/password"),
}

# Idempotent commands, which are sent again if their reply was lost.
REPEATABLE: frozenset[type[Command]] = frozenset(
    {
        Block,
        Bookmark,
        Delete,
        Direct,
        Draft,
        Edit,
        EndInvite,
        EndSession,
        Join,
        Pin,
        Prefs,
        React,
        UpdateMe,
        UpdateRoom,
    }
)


def may_repeat(command: Command) -> bool:
    """Whether a command may be sent again if its outcome is unknown."""
    if isinstance(command, Post | Forward):
        return command.nonce is not None
    if isinstance(command, Read):
        return not command.back
    return isinstance(command, Query) or type(command) in REPEATABLE


def reply_of(command: Command) -> type[Reply]:
    """The type of a command's reply."""
    if isinstance(command, SetRole) and command.room is None:
        return Changed
    return REPLIES[type(command)]


def decode(command: Command, reply: bytes) -> Any:
    """Decode a command's reply. Raises msgspec.DecodeError if it is not of this protocol."""
    return msgspec.json.decode(reply, type=reply_of(command))
