"""The JSON dialect: one object in a frame. Decoding is validation."""

from typing import NamedTuple

import msgspec

from hubbub.model.base import Command, Event, Reply, Value
from hubbub.model.commands import COMMANDS, AnyCommand
from hubbub.model.errors import HubbubError, Invalid, Malformed, UnknownCommand
from hubbub.model.messages import Changes


class _Envelope(msgspec.Struct):
    """What can be read of a command that cannot be read as a whole."""

    id: int | None = None
    do: str | None = None


class Asked(NamedTuple):
    """A command and its number, or why there is none."""

    id: int | None
    command: Command | HubbubError


class _Error(msgspec.Struct):
    code: str
    message: str
    retry_after: float | None


NO_NUL = "No text may have the character U+0000."

ERROR_MAX = 200  # characters of what msgspec says; it may quote a value as long as a frame

_decoder = msgspec.json.Decoder(AnyCommand)
_envelope = msgspec.json.Decoder(_Envelope)
_encoder = msgspec.json.Encoder()


def decode(data: str | bytes) -> Asked:
    """One frame as a command. Never raises: what is wrong is answered to the command's number."""
    try:
        command: Command = _decoder.decode(data)
        require_no_nul(data)
    # A rule's own error passes through msgspec as it is, unless it is a ValueError.
    except (HubbubError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return _refused(data, error)
    return Asked(command.id, command)


def require_no_nul(data: str | bytes) -> None:
    """Raises Invalid if a text in this JSON has U+0000, which PostgreSQL cannot keep.

    Once for all texts, as names that are only looked for reach the database too.
    """
    if isinstance(data, bytes):
        if rb"\u0000" not in data:
            return
        data = data.decode()
    # In JSON only what follows an even number of backslashes is an escape.
    if r"\u0000" in data and r"\u0000" in data.replace(r"\\", " "):
        raise Invalid(NO_NUL)


def _refused(data: str | bytes, error: Exception) -> Asked:
    try:
        envelope = _envelope.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        envelope = _Envelope()
    if envelope.do is not None and envelope.do not in COMMANDS:
        return Asked(envelope.id, UnknownCommand(f"There is no command “{envelope.do[:40]}”."))
    return Asked(envelope.id, malformed(error))


def malformed(error: Exception) -> HubbubError:
    """The error for what was refused: the rule that was broken, or where it does not fit."""
    rule = rule_broken(error)
    return rule or Malformed(f"This could not be understood: {shortened(error)}.")


def shortened(error: Exception) -> str:
    """A library's error message, shortened if it is long."""
    text = str(error)
    return text if len(text) <= ERROR_MAX else f"{text[: ERROR_MAX - 1]}…"


def rule_broken(error: Exception) -> HubbubError | None:
    """The model's own error among those that decoding may raise, as a value; None for others."""
    found = error if isinstance(error, HubbubError) else error.__cause__
    if not isinstance(found, HubbubError):
        return None
    if found is not error:
        error.__cause__ = error.__context__ = None  # else the two would hold each other
    return found.as_value()


def encode(value: object) -> bytes:
    return _encoder.encode(value)


def event(happened: Event) -> bytes:
    return _encoder.encode(happened)


def reply(number: int | None, answer: Reply | Value) -> list[bytes]:
    """The frames of an answer. A sync's events come before it, as ordinary frames."""
    if not isinstance(answer, Changes):
        return [_encoder.encode({"re": number, "ok": answer})]
    frames = [_encoder.encode(happened) for happened in answer.events]
    return [*frames, synced(number, answer.through, more=answer.more, reset=answer.reset)]


def synced(number: int | None, through: int, *, more: bool, reset: bool) -> bytes:
    """The answer of a sync whose events have been sent."""
    return _encoder.encode({"re": number, "ok": {"through": through, "more": more, "reset": reset}})


def error(number: int | None, refused: HubbubError) -> bytes:
    wrong = _Error(refused.code, refused.message, refused.retry_after)
    return _encoder.encode({"re": number, "error": wrong})
