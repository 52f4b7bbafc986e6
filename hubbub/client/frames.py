"""The client's side of the JSON dialect: commands to frames, frames to events and replies."""

from typing import NamedTuple

import msgspec

from hubbub.model.base import Command, Event, Reply, Rev
from hubbub.model.errors import HubbubError, every_error
from hubbub.model.events import EVENTS, AnyEvent


class SyncReply(Reply, frozen=True, kw_only=True):
    """What ends a `sync` over a socket: its events have come before, as ordinary frames.

    ``through`` is the rev up to which they go. With ``more``, sync again from there; with
    ``reset`` the events were the room's latest page, and what was cached of it is void.
    """

    through: Rev
    more: bool = False
    reset: bool = False


class ReplyFrame(NamedTuple):
    """The answer to the command with this number; ``reply`` is not decoded yet."""

    number: int | None
    reply: bytes
    refusal: HubbubError | None


class CommandRefused(HubbubError):
    """An error that this version does not know; ``code`` is the server's."""

    def __init__(
        self, message: str | None = None, *, retry_after: float | None = None, code: str
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.code = code  # type: ignore[misc]  # of this very error, not of its class


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
    """What HTTP answers instead of a refusal (RFC 9457)."""

    code: str = "internal"
    detail: str | None = None
    retry_after: float | None = None


_frame = msgspec.json.Decoder(_Frame)
_event = msgspec.json.Decoder(AnyEvent)
_problem = msgspec.json.Decoder(_Problem)
_encode = msgspec.json.Encoder().encode

# `CommandRefused` has no code of its own, but whatever the server says.
ERRORS: dict[str, type[HubbubError]] = {
    error.code: error for error in every_error() if error is not CommandRefused
}


def encode(command: Command, number: int | None) -> str:
    """One frame for a command; without a number it is not answered."""
    return _encode(msgspec.structs.replace(command, id=number)).decode()


def decode(data: str | bytes) -> Event | ReplyFrame | None:
    """One frame of the server's; None for an event that only a newer server knows.

    Raises msgspec.DecodeError if it is not of this protocol.
    """
    frame = _frame.decode(data)
    if frame.on is not None:
        event: Event | None = _event.decode(data) if frame.on in EVENTS else None
        return event
    refusal = None
    if frame.error is not None:
        wrong = frame.error
        refusal = error_of(wrong.code, wrong.message, wrong.retry_after)
    return ReplyFrame(frame.re, bytes(frame.ok), refusal)


def error_of(code: str, message: str | None, retry_after: float | None) -> HubbubError:
    """The model's error for a code."""
    known = ERRORS.get(code)
    if known is None:
        return CommandRefused(message, retry_after=retry_after, code=code)
    return known(message, retry_after=retry_after)


def problem_of(body: bytes, status: int) -> HubbubError:
    """The error in a problem document, or what a proxy's own page amounts to."""
    try:
        problem = _problem.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem(detail=f"The server answered with status {status}.")
    return error_of(problem.code, problem.detail, problem.retry_after)
