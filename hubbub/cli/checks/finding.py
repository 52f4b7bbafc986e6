"""What a check comes to."""

from typing import Literal

import msgspec

from hubbub.model.errors import HubbubError

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


def refused(name: str, error: HubbubError) -> Finding:
    """What a start would end with: its message says why, and then what to do."""
    for mark in (". ", ": "):
        why, found, do = error.message.rpartition(mark)
        if found:
            return problem(name, f"{why}.", do[:1].upper() + do[1:])
    return problem(name, error.message, "Look into the log of the server.")
