"""The result of a check."""

from typing import Literal

import msgspec

from hubbub.model.errors import HubbubError

State = Literal["ok", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """The result of one check. ``do`` says what to do about it; it is empty if all is well."""

    name: str
    state: State
    sentence: str
    do: str = ""


def ok(name: str, sentence: str) -> Finding:
    return Finding(name, "ok", sentence)


def warning(name: str, sentence: str, do: str) -> Finding:
    """Something works, but not well, or it will fail later."""
    return Finding(name, "warning", sentence, do)


def problem(name: str, sentence: str, do: str) -> Finding:
    """Something does not work, or messages may be lost."""
    return Finding(name, "problem", sentence, do)


def refused(name: str, error: HubbubError) -> Finding:
    """An error with which a start would fail. Its message says why, and then what to do."""
    for separator in (". ", ": "):
        why, found, do = error.message.rpartition(separator)
        if found:
            return problem(name, f"{why}.", do[:1].upper() + do[1:])
    return problem(name, error.message, "Read the log of the server.")
