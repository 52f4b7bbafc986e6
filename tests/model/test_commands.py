"""The tagged unions of commands and events."""

import re

import msgspec
import pytest

from hubbub.model import accounts, blocks, bookmarks, marks, messages, reading, rooms
from hubbub.model.base import Command, Event, Query
from hubbub.model.commands import COMMANDS, HTTP_ONLY, SOCKET_ONLY, is_query
from hubbub.model.events import EVENTS

MODULES = (accounts, blocks, bookmarks, marks, messages, reading, rooms)

# Between the server's own parts; nobody can send them.
INWARD = {
    accounts.AddAccount,
    accounts.KeepKey,
    accounts.OpenSession,
    accounts.OwnerInvite,
    accounts.Prepare,
    accounts.SeeSessions,
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


def test_every_command_is_in_the_union_or_is_known_to_be_inward() -> None:
    assert defined(Command) - INWARD == set(COMMANDS.values())


def test_every_event_is_in_the_union() -> None:
    assert defined(Event) == set(EVENTS.values())


def test_every_word_names_one_command() -> None:
    # A post that says who is here is the same word to everyone else.
    commands = defined(Command)
    words = [command.word() for command in commands]  # type: ignore[attr-defined]
    assert len(words) == len(set(words))
    assert len(EVENTS) == len(defined(Event))


@pytest.mark.parametrize("word", [*COMMANDS, *EVENTS])
def test_words_are_lower_case_with_underscores(word: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", word)


@pytest.mark.parametrize("word", [*COMMANDS, *EVENTS])
def test_everything_says_what_it_is(word: str) -> None:
    for kind in (COMMANDS.get(word), EVENTS.get(word)):
        assert kind is None or (vars(kind).get("__doc__") or "").strip()


def test_commands_bound_to_a_door_exist() -> None:
    assert set(COMMANDS) >= HTTP_ONLY | SOCKET_ONLY
    assert not HTTP_ONLY & SOCKET_ONLY


def test_a_command_that_only_reads_is_a_query() -> None:
    assert is_query(messages.Sync(room="lobby", after=0))
    assert not is_query(messages.Delete(room="lobby", seq=1))


def test_every_type_names_its_word_on_the_wire() -> None:
    for word in (*COMMANDS, *EVENTS):
        assert word == word.lower(), "msgspec takes the class's name where no tag is given"


def test_commands_are_values_that_nobody_changes() -> None:
    command = messages.Delete(room="lobby", seq=1)
    with pytest.raises(AttributeError):
        command.seq = 2  # type: ignore[misc]
    assert msgspec.json.encode(command) == b'{"do":"delete","room":"lobby","seq":1}'
