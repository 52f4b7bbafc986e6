"""The client's side of the JSON dialect: encodes commands, decodes events and replies."""

from typing import NamedTuple

import msgspec

from hubbub.model.base import Command, Event, Reply, Rev
from hubbub.model.errors import HubbubError, all_errors
from hubbub.model.events import EVENTS, AnyEvent


class SyncReply(Reply, frozen=True, kw_only=True):
    """The reply to a `sync` over a socket; its events came before it as ordinary frames.

    They go up to the rev ``through``. With ``more``, sync again from there. With ``reset`` they
    were the room's latest page, and everything cached of the room is invalid.
    """

    through: Rev
    more: bool = False
    reset: bool = False


class ReplyFrame(NamedTuple):
    """The reply to the command with this number; ``reply`` is still encoded."""

    number: int | None
    reply: bytes
    refusal: HubbubError | None


class CommandRefused(HubbubError):
    """An error with a ``code`` that this version does not know."""

    def __init__(
        self, message: str | None = None, *, retry_after: float | None = None, code: str
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.code = code  # type: ignore[misc]  # per instance, not per class


class _Refusal(msgspec.Struct):
    code: str = "internal"
    message: str | None = None
    retry_after: float | None = None


class _Frame(msgspec.Struct):
    on: str | None = None
    re: int | None = None
    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: _Refusal | None = None


class _Problem(msgspec.Struct):
    """An error document over HTTP (RFC 9457)."""

    code: str = "internal"
    detail: str | None = None
    retry_after: float | None = None


_frame = msgspec.json.Decoder(_Frame)
_event = msgspec.json.Decoder(AnyEvent)
_problem = msgspec.json.Decoder(_Problem)
_encode = msgspec.json.Encoder().encode

# `CommandRefused` is left out: it takes its code from the server.
ERRORS: dict[str, type[HubbubError]] = {
    error.code: error for error in all_errors() if error is not CommandRefused
}


def encode(command: Command, number: int | None) -> str:
    """The frame of a command; without a number it gets no reply."""
    return _encode(msgspec.structs.replace(command, id=number)).decode()


def decode(data: str | bytes) -> Event | ReplyFrame | None:
    """Decode one frame; None for an event that only a newer server knows.

    Raises msgspec.DecodeError if the frame is not of this protocol.
    """
    frame = _frame.decode(data)
    if frame.on is not None:
        event: Event | None = _event.decode(data) if frame.on in EVENTS else None
        return event
    refusal = None
    if frame.error is not None:
        error = frame.error
        refusal = error_of(error.code, error.message, error.retry_after)
    return ReplyFrame(frame.re, bytes(frame.ok), refusal)


def error_of(code: str, message: str | None, retry_after: float | None) -> HubbubError:
    """The error of the model for a code."""
    known = ERRORS.get(code)
    if known is None:
        return CommandRefused(message, retry_after=retry_after, code=code)
    return known(message, retry_after=retry_after)


def problem_of(body: bytes, status: int) -> HubbubError:
    """The error in a problem document, or a general error for a proxy's own page."""
    try:
        problem = _problem.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem(detail=f"The server answered with status {status}.")
    return error_of(problem.code, problem.detail, problem.retry_after)
