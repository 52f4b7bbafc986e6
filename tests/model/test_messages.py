"""Texts of messages, and the mentions in them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.model.errors import HubbubError, Invalid, TooLarge
from hubbub.model.messages import (
    MENTIONS_MAX,
    TEXT_MAX,
    Edit,
    History,
    Post,
    canonical_text,
    mentioned_names,
)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("hi", "hi"),
        ("  hi  ", "  hi  "),
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\tb", "a\tb"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("e\u0301", "e\u0301"),
    ],
)
def test_only_the_line_breaks_of_a_text_are_changed(typed: str, stored: str) -> None:
    assert canonical_text(typed) == stored


@pytest.mark.parametrize("typed", ["", " ", "\n\n", "\t", "\u00a0\u2003", "\r\n"])
def test_a_text_without_a_visible_character_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        canonical_text(typed)


@pytest.mark.parametrize(
    "wrong",
    [*"\x00\x07\x08\x0b\x0c\x1b\x7f\x85\x9f\ud800\udfff\ufffe\uffff"],
)
def test_control_characters_and_surrogates_are_refused_with_their_position(wrong: str) -> None:
    with pytest.raises(Invalid, match=rf"position 1 \(U\+{ord(wrong):04X}\)"):
        canonical_text(f"a{wrong}b")


@pytest.mark.parametrize("character", ["x", "漢", "😀"])
def test_a_text_has_at_most_16_000_code_points(character: str) -> None:
    assert TEXT_MAX == 16_000
    assert canonical_text(character * 16_000) == character * 16_000
    with pytest.raises(TooLarge, match=r"16,001"):
        canonical_text(character * 16_001)


def test_a_line_break_counts_once() -> None:
    assert len(canonical_text("\r\n" * 15_999 + "x")) == 16_000


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec=None), max_size=20))
def test_a_canonical_text_is_its_own_canonical_form_and_can_be_encoded(typed: str) -> None:
    try:
        stored = canonical_text(typed)
    except HubbubError:
        return
    assert canonical_text(stored) == stored
    stored.encode()


def test_commands_hold_the_canonical_text() -> None:
    assert Post(room="lobby", text="a\r\nb").text == "a\nb"
    assert Edit(room="lobby", seq=1, text="a\r\nb").text == "a\nb"


def test_a_history_query_has_only_one_of_before_after_and_around() -> None:
    with pytest.raises(Invalid):
        History(room="lobby", before=3, after=1)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hello", []),
        ("@ana", ["ana"]),
        ("@Ana and @bo, @ana again", ["ana", "bo"]),
        ("(@ana) @bo. @eva! @a.b-c_d", ["ana", "bo", "eva", "a.b-c_d"]),
        ("mail me@example.org or see example.org/@ana", []),
        ("@@ana @ ana @", []),
        ("@ÉMILE @李雷", ["émile", "李雷"]),
        ("@ana's", ["ana"]),
        ("@" + "x" * 32, ["x" * 32]),
    ],
)
def test_mentioned_names(text: str, names: list[str]) -> None:
    assert mentioned_names(text) == names


def test_a_text_mentions_at_most_a_hundred_people() -> None:
    assert MENTIONS_MAX == 100
    everyone = " ".join(f"@user{i}" for i in range(150))
    assert mentioned_names(everyone) == [f"user{i}" for i in range(100)]
