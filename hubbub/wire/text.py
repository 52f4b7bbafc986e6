"""The plain-text dialect: a line is a message, ``/word`` a command, ``* `` the server speaking.

Nothing that a person says can look like the server: their lines begin with a handle and a
colon, and further lines of the same message are indented.
"""

import re
from typing import NamedTuple

from hubbub.model.errors import HubbubError, Invalid, UnknownCommand
from hubbub.model.marks import Marks
from hubbub.model.messages import Message
from hubbub.model.reading import Presence
from hubbub.model.rooms import MyRoom, RoomChanged
from hubbub.wire.frames import text_frame
from hubbub.wire.json import NO_NUL

HELP: dict[str, tuple[str, str]] = {
    "help": ("", "what can be said here"),
    "join": ("ROOM", "go to another room"),
    "leave": ("", "leave this room for the lobby"),
    "rooms": ("", "the rooms there are"),
    "who": ("", "who is here"),
    "nick": ("NAME", "be called something else (guests)"),
    "me": ("TEXT", "say what you do"),
    "history": ("[N]", "the last N messages (20)"),
    "numbers": ("[N]", "the last N messages with their numbers"),
    "react": ("[NUMBER] EMOJI", "react to a message, else to the last; again: take it back"),
    "pin": ("[NUMBER]", "pin a message, else the last; again: take it off"),
    "pins": ("", "what is pinned here"),
    "answer": ("[NUMBER] TEXT", "answer a message, else the last, in its thread"),
    "thread": ("[NUMBER]", "go into the thread of a message; /leave comes back"),
    "topic": ("[TEXT]", "what this room is about, or change it"),
    "msg": ("USER TEXT", "write to somebody alone"),
    "block": ("USER", "keep somebody from adding you and writing to you alone"),
    "unblock": ("USER", "let them again"),
    "quit": ("", "leave"),
}


# Where a message goes on in a new line: Unicode's own separators are allowed in it, and some
# programs show them as what they are.
_LINE_BREAK = re.compile("[\n\u2028\u2029]")


class TextMessage(NamedTuple):
    """A line to post."""

    text: str


class SlashCommand(NamedTuple):
    """A ``/word`` and what follows it."""

    word: str
    rest: str


def frames(lines: str) -> bytes:
    """One frame for each line, as clients that show one line a frame would join them."""
    return b"".join(text_frame(line.encode()) for line in lines.split("\n"))


def lines(data: str) -> list[str]:
    """What was typed, line by line; empty lines are nothing."""
    return [line for line in data.splitlines() if line.strip()]


def parse(line: str) -> TextMessage | SlashCommand:
    """Raises UnknownCommand, Invalid."""
    if "\0" in line:
        raise Invalid(NO_NUL)
    if line.startswith("//"):
        return TextMessage(line[1:])
    if not line.startswith("/"):
        return TextMessage(line)
    word, _, rest = line[1:].partition(" ")
    if word not in HELP:
        raise UnknownCommand(f"There is no /{word[:20]}. Say /help, or // to begin with a slash.")
    return SlashCommand(word, rest.strip())


def server(text: str) -> str:
    """A line of the server's own."""
    return "* " + _indent(text)


def help_lines() -> str:
    width = max(len(f"/{word} {given}") for word, (given, _) in HELP.items())
    rows = [f"{f'/{word} {given}':<{width}}  {what}" for word, (given, what) in HELP.items()]
    return server("\n".join(["What you type is said to the room, but for:", *rows]))


def message(said: Message) -> str:
    """A message as it stands now: ``ana: hello``."""
    if said.deleted:
        return server(f"{said.seq} by {said.by} was deleted")
    action = "/me " if said.kind == "me" else ""
    return f"{said.by}: {action}{_indent(said.text)}"


def numbered(said: Message) -> str:
    """A message with the number by which it can be named."""
    return server(f"{said.seq} {message(said)}")


def changed(said: Message) -> str:
    """A message that has been shown before and is different now."""
    if said.deleted:
        return message(said)
    return server(f"{said.by} edited {said.seq}: {said.text}")


def marks(happened: Marks) -> str | None:
    """What was just done to a message without touching its text."""
    last, seq = happened.last, happened.seq
    if last is None or last.did == "delete_reply":
        return None
    doing = {
        "react": f"reacted to {seq} with {last.emoji}",
        "unreact": f"took {last.emoji} back from {seq}",
        "pin": f"pinned {seq}",
        "unpin": f"unpinned {seq}",
        "reply": f"answered {seq} in its thread: /thread {seq}",
    }
    return server(f"{last.by} {doing[last.did]}")


def room(happened: RoomChanged) -> str:
    topic = f": {happened.topic}" if happened.topic else ""
    archived = " (archived)" if happened.archived else ""
    return server(f"#{happened.room} is now “{happened.title}”{topic}{archived}")


def arrived(where: MyRoom) -> str:
    topic = f": {where.topic}" if where.topic else ""
    return server(f"You are in #{where.room}{topic}")


def presence(happened: Presence) -> str | None:
    if happened.user is None:
        return None
    return server(f"{happened.user} {'left' if happened.state == 'offline' else 'is here'}")


def error(refused: HubbubError) -> str:
    return server(refused.message)


def _indent(text: str) -> str:
    return _LINE_BREAK.sub("\n  ", text)
