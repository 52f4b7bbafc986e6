"""The plain-text dialect: a line is a message, ``/word`` a command; ``* `` begins a server line.

No message can look like a line from the server: its first line begins with a handle and a colon,
and further lines are indented.
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
    "help": ("", "show the commands"),
    "join": ("ROOM", "go to another room"),
    "leave": ("", "leave this room and go to the lobby"),
    "rooms": ("", "list the rooms"),
    "who": ("", "list who is here"),
    "nick": ("NAME", "change your name (guests)"),
    "me": ("TEXT", "say what you do"),
    "history": ("[N]", "show the last N messages (20)"),
    "numbers": ("[N]", "show the last N messages with their numbers"),
    "react": ("[NUMBER] EMOJI", "react to a message, or the last one; again to undo it"),
    "pin": ("[NUMBER]", "pin a message, or the last one; again to unpin it"),
    "pins": ("", "show the pinned messages"),
    "answer": ("[NUMBER] TEXT", "answer a message, or the last one, in its thread"),
    "thread": ("[NUMBER]", "go to the thread of a message; /leave comes back"),
    "topic": ("[TEXT]", "show the topic of this room, or change it"),
    "msg": ("USER TEXT", "send a direct message"),
    "block": ("USER", "keep somebody from adding you and sending you direct messages"),
    "unblock": ("USER", "undo /block"),
    "quit": ("", "disconnect"),
}


# Line breaks in a message: Unicode's own separators are allowed, and some programs break at them.
_LINE_BREAK = re.compile("[\n\u2028\u2029]")


class TextMessage(NamedTuple):
    """A line to post."""

    text: str


class SlashCommand(NamedTuple):
    """A ``/word`` and what follows it."""

    word: str
    rest: str


def frames(lines: str) -> bytes:
    """One frame for each line, as some clients show each frame on one line."""
    return b"".join(text_frame(line.encode()) for line in lines.split("\n"))


def lines(data: str) -> list[str]:
    """The lines that were typed, without empty ones."""
    return [line for line in data.splitlines() if line.strip()]


def parse(line: str) -> TextMessage | SlashCommand:
    """Parse a line that was typed. Raises UnknownCommand, Invalid."""
    if "\0" in line:
        raise Invalid(NO_NUL)
    if line.startswith("//"):
        return TextMessage(line[1:])
    if not line.startswith("/"):
        return TextMessage(line)
    word, _, rest = line[1:].partition(" ")
    if word not in HELP:
        raise UnknownCommand(f"There is no /{word[:20]}. Type /help, or // to begin with a slash.")
    return SlashCommand(word, rest.strip())


def server(text: str) -> str:
    """A line from the server itself."""
    return "* " + _indent(text)


def help_lines() -> str:
    width = max(len(f"/{word} {arguments}") for word, (arguments, _) in HELP.items())
    rows = [
        f"{f'/{word} {arguments}':<{width}}  {text}" for word, (arguments, text) in HELP.items()
    ]
    return server("\n".join(["What you type is sent to the room, except these commands:", *rows]))


def message(event: Message) -> str:
    """A message in its current state: ``ana: hello``."""
    if event.deleted:
        return server(f"{event.seq} by {event.by} was deleted")
    action = "/me " if event.kind == "me" else ""
    return f"{event.by}: {action}{_indent(event.text)}"


def numbered(event: Message) -> str:
    """A message with its number, which commands refer to."""
    return server(f"{event.seq} {message(event)}")


def changed(event: Message) -> str:
    """A message that was edited or deleted after it was shown."""
    if event.deleted:
        return message(event)
    return server(f"{event.by} edited {event.seq}: {event.text}")


def marks(event: Marks) -> str | None:
    """The reaction, pin or reply that was just added to a message or taken off."""
    last, seq = event.last, event.seq
    if last is None or last.did == "delete_reply":
        return None
    actions = {
        "react": f"reacted to {seq} with {last.emoji}",
        "unreact": f"removed {last.emoji} from {seq}",
        "pin": f"pinned {seq}",
        "unpin": f"unpinned {seq}",
        "reply": f"answered {seq} in its thread: /thread {seq}",
    }
    return server(f"{last.by} {actions[last.did]}")


def room(event: RoomChanged) -> str:
    topic = f": {event.topic}" if event.topic else ""
    archived = " (archived)" if event.archived else ""
    return server(f"#{event.room} is now “{event.title}”{topic}{archived}")


def current_room(room: MyRoom) -> str:
    topic = f": {room.topic}" if room.topic else ""
    return server(f"You are in #{room.room}{topic}")


def presence(event: Presence) -> str | None:
    if event.user is None:
        return None
    return server(f"{event.user} {'left' if event.state == 'offline' else 'is here'}")


def error(cause: HubbubError) -> str:
    return server(cause.message)


def _indent(text: str) -> str:
    return _LINE_BREAK.sub("\n  ", text)
