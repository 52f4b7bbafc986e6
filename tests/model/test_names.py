"""Rules for names, and names that look alike."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.model.errors import Invalid
from hubbub.model.names import RESERVED, display_name, room_id, skeleton, user_name

NAMELIKE = st.text(
    st.characters(codec=None) | st.sampled_from("ab.-_ſßİΐﬃﬀµΩ\u0345\u0301\u1e9e\u03c2"),
    max_size=6,
)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("ana", "ana"),
        ("  Ana ", "ana"),
        ("ÉMILE", "émile"),
        ("e\u0301mile", "émile"),
        ("Straße", "strasse"),
        ("ﬁn", "fin"),
        ("a.b-c_d", "a.b-c_d"),
        ("李雷", "李雷"),
        ("7of9", "7of9"),
        ("x" * 32, "x" * 32),
    ],
)
def test_a_user_name_has_one_canonical_form(typed: str, name: str) -> None:
    assert user_name(typed) == name


@pytest.mark.parametrize(
    "typed",
    [
        *("", "   ", "x" * 33, "a b", "a/b", "~ana", "@ana", "#ana", "a:b", "*", "a\nb", "a\x00"),
        *(".ana", "ana.", "-a", "a-", "_", "\u0301a", "a\u200db", "a\u202eb", "a\ud800", "😀"),
        *sorted(RESERVED),
        "Server",
        "\uff33ystem",  # a full-width S
    ],
)
def test_an_invalid_user_name_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        user_name(typed)


@settings(max_examples=300, deadline=None)
@given(NAMELIKE)
def test_a_canonical_user_name_is_its_own_canonical_form(typed: str) -> None:
    try:
        name = user_name(typed)
    except Invalid:
        return
    assert user_name(name) == name
    assert 1 <= len(name) <= 32
    assert not set(name) & set(" \t\n@#~:*/\\")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ana", "аna"),  # Cyrillic а
        ("ana", "anа"),
        ("morgan", "rnorgan"),
        ("paypal", "раура1"),
        ("lili", "1i1i"),
        ("omega", "οmega"),  # Greek ο
        ("ana", "ana"),
    ],
)
def test_names_that_look_alike_have_the_same_skeleton(name: str, other: str) -> None:
    assert skeleton(user_name(name)) == skeleton(user_name(other))


def test_a_zero_looks_like_a_capital_o_but_handles_have_no_capitals() -> None:
    assert skeleton("BOB") == skeleton("B0B")
    assert skeleton(user_name("BOB")) != skeleton(user_name("B0B"))


@pytest.mark.parametrize(
    ("name", "other"), [("ana", "anna"), ("bo", "bob"), ("ana", "bo"), ("a.b", "ab"), ("u", "v")]
)
def test_names_that_look_different_have_different_skeletons(name: str, other: str) -> None:
    assert skeleton(name) != skeleton(other)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("  Ana  María ", "Ana María"), ("A\u0301", "Á"), ("👩 Ana", "👩 Ana"), ("x" * 64, "x" * 64)],
)
def test_a_display_name_is_a_single_normalized_line(typed: str, stored: str) -> None:
    assert display_name(typed) == stored


@pytest.mark.parametrize(
    "typed", ["", " \n ", "x" * 65, "a\x07", "a\u202eb", "a\u200bb", "a\ud800", "a\ue000"]
)
def test_a_display_name_has_no_invisible_characters(typed: str) -> None:
    with pytest.raises(Invalid):
        display_name(typed)


@pytest.mark.parametrize(
    ("typed", "expected"), [("general", "general"), (" #General ", "general"), ("9-to-5", "9-to-5")]
)
def test_a_room_id_is_a_slug(typed: str, expected: str) -> None:
    assert room_id(typed) == expected


@pytest.mark.parametrize("typed", ["", "#", "-a", "a b", "a_b", "über", "x" * 33, "a/b", "a\nb"])
def test_an_invalid_room_id_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        room_id(typed)
