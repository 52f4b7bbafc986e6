"""All commands: a tagged union for decoding JSON, and a dict by tag."""

from typing import get_args

from hubbub.model import (
    accounts,
    blocks,
    bookmarks,
    drafts,
    marks,
    mentions,
    messages,
    reading,
    rooms,
    threads,
)
from hubbub.model.base import Command

AnyCommand = (
    accounts.Hello
    | messages.Post
    | messages.Edit
    | messages.Delete
    | messages.Forward
    | messages.History
    | messages.Sync
    | messages.Typing
    | marks.React
    | marks.Reactions
    | marks.Pin
    | marks.Pins
    | bookmarks.Bookmark
    | bookmarks.Bookmarks
    | drafts.Draft
    | drafts.Drafts
    | mentions.Mentions
    | threads.Threads
    | reading.Read
    | reading.Active
    | rooms.Join
    | rooms.Leave
    | rooms.Watch
    | rooms.Unwatch
    | rooms.CreateRoom
    | rooms.Direct
    | rooms.Invite
    | rooms.Kick
    | rooms.SetRole
    | rooms.UpdateRoom
    | rooms.DeleteRoom
    | rooms.Prefs
    | rooms.Members
    | rooms.Rooms
    | accounts.Users
    | blocks.Block
    | blocks.Blocks
    | accounts.MyProfile
    | accounts.UpdateMe
    | accounts.Sessions
    | accounts.EndSession
    | accounts.CreateInvite
    | accounts.Invites
    | accounts.EndInvite
    | accounts.DisableUser
    | accounts.UpdateServer
    | accounts.About
    | accounts.Auth
    | accounts.SignUp
    | accounts.SignIn
    | accounts.SignInAsGuest
    | accounts.SignOut
    | accounts.ChangePassword
)

COMMANDS: dict[str, type[Command]] = {command.word(): command for command in get_args(AnyCommand)}

# These carry a password or create a session. They are accepted over HTTP only, which limits their
# rate and can set the cookie.
HTTP_ONLY = frozenset({"sign_up", "sign_in", "guest", "sign_out", "change_password"})
SOCKET_ONLY = frozenset({"hello", "auth", "typing", "active", "watch", "unwatch"})
