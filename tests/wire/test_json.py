"""The JSON dialect: decoding validates, and never raises."""

import json as plain
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.model.accounts import About
from hubbub.model.base import Command, Done
from hubbub.model.commands import COMMANDS
from hubbub.model.errors import HubbubError, Invalid, Malformed, TooLarge, UnknownCommand
from hubbub.model.messages import Changes, Message, Post, Posted, Reset
from hubbub.wire import json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@st.composite
def almost_valid_commands(draw: st.DrawFn) -> str:
    """A known command whose fields have the right names but arbitrary values."""
    word = draw(st.sampled_from(sorted(COMMANDS)))
    fields = [field.encode_name for field in msgspec.structs.fields(COMMANDS[word])]
    values: dict[str, Any] = draw(st.dictionaries(st.sampled_from(fields), VALUES))
    return plain.dumps({"do": word, **values})


def assert_decoded_or_refused(data: str | bytes) -> None:
    number, command = json.decode(data)
    if isinstance(command, HubbubError):
        answer = plain.loads(json.error(number, command))
        assert answer["re"] == number
        assert answer["error"]["code"] == command.code
        assert answer["error"]["message"]
    else:
        assert isinstance(command, Command)
        assert command.id == number


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_make_decoding_raise(data: bytes) -> None:
    assert_decoded_or_refused(data)


@settings(max_examples=80, deadline=None)
@given(st.text(st.characters(codec=None), max_size=40))
def test_no_text_makes_decoding_raise(data: str) -> None:
    assert_decoded_or_refused(data)
    assert_decoded_or_refused(f'{{"do":"post","room":"lobby","text":"{data}"}}')


@settings(max_examples=250, deadline=None)
@given(almost_valid_commands())
def test_no_fields_of_a_known_command_make_decoding_raise(data: str) -> None:
    assert_decoded_or_refused(data)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("", Malformed),
        ("null", Malformed),
        ("[" * 10_000, Malformed),
        ('{"do":"post","room":' + "[" * 10_000, Malformed),
        ('{"id":1}', Malformed),
        ('{"id":"1","do":"about"}', Malformed),
        ('{"do":"post","room":"lobby","text":7}', Malformed),
        ('{"do":"post","room":"lobby"}', Malformed),
        (r'{"do":"post","room":"lobby","text":"\ud800"}', Malformed),
        ('{"do":"post","room":"lobby","text":"  "}', Invalid),
        (r'{"do":"post","room":"lobby","text":"a\u0007"}', Invalid),
        ('{"do":"fly"}', UnknownCommand),
        ('{"do":"prepare"}', UnknownCommand),
        ('{"do":"add_account"}', UnknownCommand),
    ],
)
def test_each_malformed_frame_has_its_error(data: str, error: type[HubbubError]) -> None:
    _, refused = json.decode(data)
    assert type(refused) is error


def test_the_error_for_a_text_that_is_too_long_has_the_commands_number() -> None:
    longest = plain.dumps({"id": 5, "do": "post", "room": "lobby", "text": "x" * 16_000})
    assert isinstance(json.decode(longest).command, Post)
    number, refused = json.decode(longest.replace("xx", "xxx", 1))
    assert number == 5
    assert isinstance(refused, TooLarge)


@pytest.mark.parametrize("data", ['{"id":7,"do":"fly"}', '{"id":7,"do":"post","room":1}'])
def test_an_error_has_the_number_of_its_command(data: str) -> None:
    assert json.decode(data).id == 7


@pytest.mark.parametrize("field", ["after", "before", "around"])
def test_numbers_above_64_bits_are_refused(field: str) -> None:
    _, refused = json.decode(f'{{"do":"history","room":"lobby","{field}":{2**63}}}')
    assert isinstance(refused, Malformed)


def test_unknown_fields_are_ignored() -> None:
    assert json.decode('{"id":1,"do":"about","from":"the future"}').command == About(id=1)


def test_a_reply_has_its_commands_number_and_all_fields() -> None:
    [frame] = json.reply(7, Posted(seq=41, rev=57, at=3))
    assert plain.loads(frame) == {"re": 7, "ok": {"seq": 41, "rev": 57, "at": 3}}
    [frame] = json.reply(None, Done())
    assert plain.loads(frame) == {"re": None, "ok": {}}


def test_an_event_omits_empty_fields() -> None:
    message = Message(room="lobby", seq=1, rev=1, by="ana", at=0, text="hi")
    assert plain.loads(json.event(message)) == {
        "on": "message",
        "room": "lobby",
        "seq": 1,
        "rev": 1,
        "by": "ana",
        "at": 0,
        "text": "hi",
    }


def test_a_sync_reply_follows_its_events() -> None:
    message = Message(room="lobby", seq=1, rev=1, by="ana", at=0, text="hi")
    changes = Changes(events=[Reset(room="lobby"), message], through=4, reset=True)
    first, second, last = map(plain.loads, json.reply(9, changes))
    assert first == {"on": "reset", "room": "lobby"}
    assert second["on"] == "message"
    assert last == {"re": 9, "ok": {"through": 4, "more": False, "reset": True}}


def test_an_error_says_when_to_try_again() -> None:
    frame = json.error(3, TooLarge("No.", retry_after=1.5))
    assert plain.loads(frame) == {
        "re": 3,
        "error": {"code": "too_large", "message": "No.", "retry_after": 1.5},
    }
