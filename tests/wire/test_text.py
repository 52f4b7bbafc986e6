"""The plain-text dialect: no message can look like a line from the server."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.model.errors import HubbubError, Invalid, NotFound, UnknownCommand
from hubbub.model.messages import Message, MessageKind, Post
from hubbub.model.names import user_name
from hubbub.model.reading import Presence
from hubbub.model.rooms import RoomChanged
from hubbub.wire import text
from hubbub.wire.text import SlashCommand, TextMessage

# Texts that try to imitate a server line, and arbitrary ones.
FORGED_TEXTS = st.lists(
    st.sampled_from(
        ["* ", "*", " ", "\n", "\r", "\x0b", "\x85", "\u2028", "\u2029", "/", "me", "a"]
    )
    | st.text(max_size=3),
    max_size=12,
).map("".join)


@st.composite
def handles(draw: st.DrawFn) -> str:
    try:
        return draw(st.sampled_from(["", "~"])) + user_name(draw(st.text(min_size=1, max_size=5)))
    except Invalid:
        return "ana"


def split_lines(text_: str) -> list[str]:
    """The lines that a client may show, at all characters that may break a line."""
    return text_.splitlines()


def message(typed: str, kind: MessageKind = "text", by: str = "ana") -> Message:
    post = Post(room="lobby", text=typed, kind=kind)
    return Message(room="lobby", seq=41, rev=57, by=by, at=0, text=post.text, kind=kind)


@settings(max_examples=300, deadline=None)
@given(FORGED_TEXTS, handles())
def test_no_line_of_a_message_looks_like_a_server_line(typed: str, by: str) -> None:
    kinds: list[MessageKind] = ["text", "me"]
    for kind in kinds:
        try:
            posted = message(typed, kind, by)
        except HubbubError:
            continue
        first, *more = split_lines(text.message(posted))
        assert first.startswith(f"{by}: ")
        assert not first.startswith("*")
        assert all(line.startswith("  ") for line in more)


@settings(max_examples=150, deadline=None)
@given(FORGED_TEXTS)
def test_no_line_of_an_edited_message_looks_like_another_server_line(typed: str) -> None:
    try:
        posted = message(typed)
    except HubbubError:
        return
    first, *more = split_lines(text.changed(posted))
    assert first.startswith("* ana edited 41: ")
    assert all(line.startswith("  ") for line in more)


@settings(max_examples=150, deadline=None)
@given(FORGED_TEXTS)
def test_typed_text_becomes_messages_or_known_commands(typed: str) -> None:
    for line in text.lines(typed):
        try:
            parsed = text.parse(line)
        except UnknownCommand:
            continue
        except Invalid:
            assert "\0" in line
            continue
        if isinstance(parsed, SlashCommand):
            assert parsed.word in text.HELP
        else:
            assert parsed.text.strip()
            assert len(parsed.text.splitlines()) == 1


def test_each_nonempty_line_is_a_message() -> None:
    assert text.lines("one\n\n  \ntwo\r\nthree") == ["one", "two", "three"]


def test_a_slash_begins_a_command_and_two_begin_a_message() -> None:
    assert text.parse("/join  general ") == SlashCommand("join", "general")
    assert text.parse("//join general") == TextMessage("/join general")
    assert text.parse("/who") == SlashCommand("who", "")


@pytest.mark.parametrize("typed", ["/", "/fly me", "/ join", "/JOIN"])
def test_an_unknown_command_is_refused_and_not_posted(typed: str) -> None:
    with pytest.raises(UnknownCommand):
        text.parse(typed)


def test_help_lists_every_command() -> None:
    help_text = text.help_lines()
    assert all(f"/{word}" in help_text for word in text.HELP)
    assert split_lines(help_text)[0].startswith("* ")


def test_each_line_has_its_own_frame() -> None:
    assert text.frames("ana: a\n  b") == b"\x81\x06ana: a" + b"\x81\x03  b"


def test_the_text_of_each_event() -> None:
    assert text.message(message("hello")) == "ana: hello"
    assert text.message(message("one\ntwo")) == "ana: one\n  two"
    assert text.message(message("waves", kind="me")) == "ana: /me waves"
    deleted = Message(room="lobby", seq=41, rev=58, by="ana", at=0, deleted=True)
    assert text.message(deleted) == text.changed(deleted) == "* 41 by ana was deleted"
    assert text.changed(message("hello")) == "* ana edited 41: hello"
    assert text.error(NotFound("No such room.")) == "* No such room."
    changed = RoomChanged(room="tea", rev=1, title="Tea", topic="Leaves", archived=True)
    assert text.room(changed) == "* #tea is now “Tea”: Leaves (archived)"
    assert text.presence(Presence(user="bo", state="online")) == "* bo is here"
    assert text.presence(Presence(user="bo", state="offline")) == "* bo left"
    assert text.presence(Presence(room="tea", online=300)) is None
