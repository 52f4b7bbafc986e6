"""One tree of errors: a stable ``code`` for programs, a sentence for people.

Every error that may reach a person derives from :class:`HubbubError`. Its message says what
to do next; ``retry_after`` (seconds) stands where trying again helps. Exceptions of libraries
are translated into this tree where they enter.
"""

import math
from typing import ClassVar, Self


class HubbubError(Exception):
    """A mistake of the server's own. Its log says more, under the answer's `X-Request-ID`."""

    # As the root of the tree it gives the others their shape; `status` is what HTTP answers.
    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on the server."

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.message = message or self.title
        # Rounded up: who waits for so long is never too early, and 0 would be no wait at all.
        self.retry_after = None if retry_after is None else math.ceil(retry_after * 100) / 100
        super().__init__(self.message)

    def as_value(self) -> Self:
        """Itself, to be kept or handed on instead of raised.

        The frames that it went through are forgotten: one of them may be what keeps it, and such
        a circle would hold what was refused until the collector comes by.
        """
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self


class Malformed(HubbubError):
    """What arrived cannot be decoded: broken JSON, a wrong type, a missing field."""

    code = "malformed"
    status = 400
    title = "This could not be understood."


class UnknownCommand(HubbubError):
    code = "unknown_command"
    status = 400
    title = "There is no such command."


class SignInRequired(HubbubError):
    code = "sign_in_required"
    status = 401
    title = "Sign in first."


class WrongCredentials(HubbubError):
    """Unknown name or wrong password: one answer for both, so that names cannot be probed."""

    code = "wrong_credentials"
    status = 401
    title = "Name or password is not right."


class Forbidden(HubbubError):
    code = "forbidden"
    status = 403
    title = "You may not do this."


class NotMember(HubbubError):
    code = "not_member"
    status = 403
    title = "Join this room first."


class WrongOrigin(HubbubError):
    code = "wrong_origin"
    status = 403
    title = "This page may not use this server."


class RegistrationClosed(HubbubError):
    code = "registration_closed"
    status = 403
    title = "This server takes no new accounts. Ask its owner for one."


class InviteRequired(HubbubError):
    code = "invite_required"
    status = 403
    title = "This server is joined by invitation. Ask its owner for an invite link."


class InviteInvalid(HubbubError):
    code = "invite_invalid"
    status = 403
    title = "This invite link has expired or has been used up. Ask for a new one."


class NotFound(HubbubError):
    """No such thing, or none that the one who asks may know of."""

    code = "not_found"
    status = 404
    title = "There is no such thing here."


class NameTaken(HubbubError):
    code = "name_taken"
    status = 409
    title = "This name is taken, or looks too much like one that is."


class Conflict(HubbubError):
    code = "conflict"
    status = 409
    title = "This is not possible as things stand."


class LastOwner(HubbubError):
    code = "last_owner"
    status = 409
    title = "Make somebody else an owner first."


class TooLarge(HubbubError):
    code = "too_large"
    status = 413
    title = "This is too large."


class WrongHost(HubbubError):
    """The Host header names a server that this one is not (DNS rebinding)."""

    code = "wrong_host"
    status = 421
    title = "This server does not answer to that host name. See --public-url."


class Invalid(HubbubError, ValueError):
    """It was understood, but a name, a text or a combination is not allowed."""

    # Also a ValueError, so that decoding a command may raise it.

    code = "invalid"
    status = 422
    title = "This breaks a rule."


class RateLimited(HubbubError):
    code = "rate_limited"
    status = 429
    title = "Too fast. Wait a moment and try again."


class QuotaReached(HubbubError):
    """One person has made, added or kept as much as one may. Nothing was done.

    ``retry_after`` is there if the quota is a day's.
    """

    code = "quota_reached"
    status = 429
    title = "You have reached a limit of this server."


class TooManyConnections(HubbubError):
    code = "too_many_connections"
    status = 429
    title = "Too many connections. Close one and try again."


class Busy(HubbubError):
    """A queue is full; nothing was done."""

    code = "busy"
    status = 503
    title = "The server is busy. Try again in a moment."

    def __init__(self, message: str | None = None, *, retry_after: float | None = 1.0) -> None:
        super().__init__(message, retry_after=retry_after)


class Unavailable(HubbubError):
    """Disk, lock or connection failed; whether it was done is not known. A retry settles it.

    ``is_damage``: what the database has there cannot be read, which time does not mend.
    """

    code = "unavailable"
    status = 503
    title = "The server cannot write to its database right now. Try again in a moment."

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after: float | None = 2.0,
        is_damage: bool = False,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.is_damage = is_damage


def every_error() -> list[type[HubbubError]]:
    """All errors of the tree, the root first; docs and OpenAPI are checked against it."""
    found: list[type[HubbubError]] = [HubbubError]
    for error in found:
        found.extend(error.__subclasses__())
    return found
