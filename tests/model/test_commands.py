"""The tagged unions of commands and events."""

import re

import msgspec
import pytest

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
from hubbub.model.base import Command, Event, Query
from hubbub.model.commands import COMMANDS, HTTP_ONLY, SOCKET_ONLY
from hubbub.model.events import EVENTS

MODULES = (
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

# Commands between the server's own parts, which clients cannot send.
INTERNAL = {
    accounts.AddAccount,
    accounts.StoreSigningKey,
    accounts.OpenSession,
    accounts.OwnerInvite,
    accounts.Prepare,
    accounts.TouchSessions,
    accounts.SetPassword,
    messages.PostHere,
}


def defined(base: type) -> set[type]:
    found = {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base)
    }
    return found - {Command, Query, Event}


def test_every_command_is_in_the_union_or_internal() -> None:
    assert defined(Command) - INTERNAL == set(COMMANDS.values())


def test_every_event_is_in_the_union() -> None:
    assert defined(Event) == set(EVENTS.values())


def test_every_tag_belongs_to_one_command() -> None:
    commands = defined(Command)
    words = [command.word() for command in commands]  # type: ignore[attr-defined]
    assert len(words) == len(set(words))
    assert len(EVENTS) == len(defined(Event))


@pytest.mark.parametrize("word", [*COMMANDS, *EVENTS])
def test_tags_are_lower_case_with_underscores(word: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", word)


@pytest.mark.parametrize("word", [*COMMANDS, *EVENTS])
def test_every_command_and_event_has_a_docstring(word: str) -> None:
    for kind in (COMMANDS.get(word), EVENTS.get(word)):
        assert kind is None or (vars(kind).get("__doc__") or "").strip()


def test_commands_of_one_protocol_only_exist() -> None:
    assert set(COMMANDS) >= HTTP_ONLY | SOCKET_ONLY
    assert not HTTP_ONLY & SOCKET_ONLY


def test_every_type_has_an_explicit_tag() -> None:
    for word in (*COMMANDS, *EVENTS):
        assert word == word.lower(), "msgspec takes the class's name where no tag is given"


def test_commands_are_immutable() -> None:
    command = messages.Delete(room="lobby", seq=1)
    with pytest.raises(AttributeError):
        command.seq = 2  # type: ignore[misc]
    assert msgspec.json.encode(command) == b'{"do":"delete","room":"lobby","seq":1}'
