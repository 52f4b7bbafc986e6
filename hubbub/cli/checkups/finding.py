"""What a check comes to."""

from typing import Literal

import msgspec

State = Literal["ok", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """One check's outcome. ``do`` says what to do about it; empty if there is nothing to do."""

    name: str
    state: State
    sentence: str
    do: str = ""


def ok(name: str, sentence: str) -> Finding:
    return Finding(name, "ok", sentence)


def warning(name: str, sentence: str, do: str) -> Finding:
    """Works, but not as it should, or not for ever."""
    return Finding(name, "warning", sentence, do)


def problem(name: str, sentence: str, do: str) -> Finding:
    """Does not work, or endangers what people wrote."""
    return Finding(name, "problem", sentence, do)
