"""The JSON dialect: one JSON object in each frame. Decoding validates."""

from typing import NamedTuple

import msgspec

from hubbub.model.base import Command, Event, Reply, Value
from hubbub.model.commands import COMMANDS, AnyCommand
from hubbub.model.errors import HubbubError, Invalid, Malformed, UnknownCommand
from hubbub.model.messages import Changes


class _CommandHeader(msgspec.Struct):
    """The fields that are read from a command that cannot be decoded as a whole."""

    id: int | None = None
    do: str | None = None


class DecodedFrame(NamedTuple):
    """A command and its number, or the error for what could not be decoded."""

    id: int | None
    command: Command | HubbubError


class _Error(msgspec.Struct):
    code: str
    message: str
    retry_after: float | None


NO_NUL = "A text must not contain the character U+0000."

ERROR_MAX = 200  # characters of msgspec's message, which may quote a value as long as a frame

_decoder = msgspec.json.Decoder(AnyCommand)
_header_decoder = msgspec.json.Decoder(_CommandHeader)
_encoder = msgspec.json.Encoder()


def decode(data: str | bytes) -> DecodedFrame:
    """Decode one frame as a command. Never raises: an error is returned in the command's place."""
    try:
        command: Command = _decoder.decode(data)
        require_no_nul(data)
    # The model's own errors pass through msgspec unchanged, unless they are ValueErrors.
    except (HubbubError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return _decode_error(data, error)
    return DecodedFrame(command.id, command)


def require_no_nul(data: str | bytes) -> None:
    """Raises Invalid if a text in this JSON has U+0000, which PostgreSQL cannot store.

    All texts are checked, as names that are only searched for reach the database too.
    """
    if isinstance(data, bytes):
        if rb"\u0000" not in data:
            return
        data = data.decode()
    # In JSON a backslash begins an escape only after an even number of other backslashes.
    if r"\u0000" in data and r"\u0000" in data.replace(r"\\", " "):
        raise Invalid(NO_NUL)


def _decode_error(data: str | bytes, error: Exception) -> DecodedFrame:
    try:
        header = _header_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        header = _CommandHeader()
    if header.do is not None and header.do not in COMMANDS:
        return DecodedFrame(header.id, UnknownCommand(f"There is no command “{header.do[:40]}”."))
    return DecodedFrame(header.id, malformed(error))


def malformed(error: Exception) -> HubbubError:
    """The error for what could not be decoded: the model's own, or what does not fit and where."""
    found = validation_error(error)
    return found or Malformed(f"This could not be understood: {shortened(error)}.")


def shortened(error: Exception) -> str:
    """A library's error message, shortened if it is long."""
    text = str(error)
    return text if len(text) <= ERROR_MAX else f"{text[: ERROR_MAX - 1]}…"


def validation_error(error: Exception) -> HubbubError | None:
    """The model's own error, if that is what decoding raised, as a value; else None."""
    found = error if isinstance(error, HubbubError) else error.__cause__
    if not isinstance(found, HubbubError):
        return None
    if found is not error:
        error.__cause__ = error.__context__ = None  # else the two would refer to each other
    return found.as_value()


def encode(value: object) -> bytes:
    return _encoder.encode(value)


def event(value: Event) -> bytes:
    return _encoder.encode(value)


def reply(number: int | None, answer: Reply | Value) -> list[bytes]:
    """The frames of a reply. A sync's events come before it, as ordinary frames."""
    if not isinstance(answer, Changes):
        return [_encoder.encode({"re": number, "ok": answer})]
    frames = [_encoder.encode(change) for change in answer.events]
    return [*frames, sync_reply(number, answer.through, more=answer.more, reset=answer.reset)]


def sync_reply(number: int | None, through: int, *, more: bool, reset: bool) -> bytes:
    """The reply to a sync whose events have been sent."""
    return _encoder.encode({"re": number, "ok": {"through": through, "more": more, "reset": reset}})


def error(number: int | None, cause: HubbubError) -> bytes:
    body = _Error(cause.code, cause.message, cause.retry_after)
    return _encoder.encode({"re": number, "error": body})
