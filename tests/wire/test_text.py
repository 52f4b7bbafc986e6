"""The plain-text dialect: nothing that a person types can look like the server."""

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

# What is typed when one wants to be taken for the server, and whatever else.
SLY = st.lists(
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


def lines_of(shown: str) -> list[str]:
    """What a client would take for lines, by whatever it takes for the end of one."""
    return shown.splitlines()


def message(typed: str, kind: MessageKind = "text", by: str = "ana") -> Message:
    said = Post(room="lobby", text=typed, kind=kind)
    return Message(room="lobby", seq=41, rev=57, by=by, at=0, text=said.text, kind=kind)


@settings(max_examples=300, deadline=None)
@given(SLY, handles())
def test_no_message_has_a_line_that_could_be_the_servers(typed: str, by: str) -> None:
    kinds: list[MessageKind] = ["text", "me"]
    for kind in kinds:
        try:
            said = message(typed, kind, by)
        except HubbubError:
            continue
        first, *more = lines_of(text.message(said))
        assert first.startswith(f"{by}: ")
        assert not first.startswith("*")
        assert all(line.startswith("  ") for line in more)


@settings(max_examples=150, deadline=None)
@given(SLY)
def test_an_edited_message_cannot_pretend_to_be_more_than_that(typed: str) -> None:
    try:
        said = message(typed)
    except HubbubError:
        return
    first, *more = lines_of(text.changed(said))
    assert first.startswith("* ana edited 41: ")
    assert all(line.startswith("  ") for line in more)


@settings(max_examples=150, deadline=None)
@given(SLY)
def test_whatever_is_typed_becomes_lines_to_post_or_known_words(typed: str) -> None:
    for line in text.lines(typed):
        try:
            one = text.parse(line)
        except UnknownCommand:
            continue
        except Invalid:
            assert "\0" in line
            continue
        if isinstance(one, SlashCommand):
            assert one.word in text.HELP
        else:
            assert one.text.strip()
            assert len(one.text.splitlines()) == 1


def test_each_line_that_is_not_empty_is_a_message() -> None:
    assert text.lines("one\n\n  \ntwo\r\nthree") == ["one", "two", "three"]


def test_a_slash_begins_a_word_and_two_begin_a_message() -> None:
    assert text.parse("/join  general ") == SlashCommand("join", "general")
    assert text.parse("//join general") == TextMessage("/join general")
    assert text.parse("/who") == SlashCommand("who", "")


@pytest.mark.parametrize("typed", ["/", "/fly me", "/ join", "/JOIN"])
def test_an_unknown_word_is_refused_and_not_said(typed: str) -> None:
    with pytest.raises(UnknownCommand):
        text.parse(typed)


def test_help_names_every_word() -> None:
    shown = text.help_lines()
    assert all(f"/{word}" in shown for word in text.HELP)
    assert lines_of(shown)[0].startswith("* ")


def test_each_line_is_a_frame_of_its_own() -> None:
    assert text.frames("ana: a\n  b") == b"\x81\x06ana: a" + b"\x81\x03  b"


def test_how_things_are_shown() -> None:
    assert text.message(message("hello")) == "ana: hello"
    assert text.message(message("one\ntwo")) == "ana: one\n  two"
    assert text.message(message("waves", kind="me")) == "ana: /me waves"
    gone = Message(room="lobby", seq=41, rev=58, by="ana", at=0, deleted=True)
    assert text.message(gone) == text.changed(gone) == "* 41 by ana was deleted"
    assert text.changed(message("hello")) == "* ana edited 41: hello"
    assert text.error(NotFound("No such room.")) == "* No such room."
    changed = RoomChanged(room="tea", rev=1, title="Tea", topic="Leaves", archived=True)
    assert text.room(changed) == "* #tea is now “Tea”: Leaves (archived)"
    assert text.presence(Presence(user="bo", state="online")) == "* bo is here"
    assert text.presence(Presence(user="bo", state="offline")) == "* bo left"
    assert text.presence(Presence(room="tea", online=300)) is None
