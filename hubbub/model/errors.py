"""All errors: each has a stable ``code`` for programs and a sentence for people.

Every error that may reach a person derives from :class:`HubbubError`. Its message says what
to do next; ``retry_after`` (seconds) is set where trying again helps. Exceptions of libraries
are translated into these where they are first caught.
"""

import math
from typing import ClassVar, Self


class HubbubError(Exception):
    """A bug in the server. Its log has the details, under the response's `X-Request-ID`."""

    # `status` is the HTTP status. Subclasses override these three.
    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on the server."

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.message = message or self.title
        # Rounded up, so that nobody who waits this long is too early; 0 would mean no wait at all.
        self.retry_after = None if retry_after is None else math.ceil(retry_after * 100) / 100
        super().__init__(self.message)

    def as_value(self) -> Self:
        """This error without its traceback, to be stored or passed on instead of raised.

        A frame of the traceback may refer to the error. Such a reference cycle would keep the
        refused command in memory until the garbage collector runs.
        """
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self


class Malformed(HubbubError):
    """The input cannot be decoded: broken JSON, a wrong type, a missing field."""

    code = "malformed"
    status = 400
    title = "The request could not be decoded."


class UnknownCommand(HubbubError):
    code = "unknown_command"
    status = 400
    title = "There is no such command."


class SignInRequired(HubbubError):
    code = "sign_in_required"
    status = 401
    title = "Sign in first."


class WrongCredentials(HubbubError):
    """Unknown name or wrong password: one error for both, so that names cannot be probed."""

    code = "wrong_credentials"
    status = 401
    title = "The name or the password is wrong."


class Forbidden(HubbubError):
    code = "forbidden"
    status = 403
    title = "You do not have permission to do this."


class NotMember(HubbubError):
    code = "not_member"
    status = 403
    title = "Join this room first."


class WrongOrigin(HubbubError):
    code = "wrong_origin"
    status = 403
    title = "Pages from this origin may not use this server."


class RegistrationClosed(HubbubError):
    code = "registration_closed"
    status = 403
    title = "This server does not accept new accounts. Ask its owner for one."


class InviteRequired(HubbubError):
    code = "invite_required"
    status = 403
    title = "You need an invite to join this server. Ask its owner for an invite link."


class InviteInvalid(HubbubError):
    code = "invite_invalid"
    status = 403
    title = "This invite link has expired or has been used up. Ask for a new one."


class NotFound(HubbubError):
    """It does not exist, or the person who asks may not know that it does."""

    code = "not_found"
    status = 404
    title = "This does not exist, or you have no access to it."


class NameTaken(HubbubError):
    code = "name_taken"
    status = 409
    title = "This name is taken, or looks too similar to one that is."


class Conflict(HubbubError):
    code = "conflict"
    status = 409
    title = "This is not possible in the current state."


class LastOwner(HubbubError):
    code = "last_owner"
    status = 409
    title = "Make somebody else an owner first."


class TooLarge(HubbubError):
    code = "too_large"
    status = 413
    title = "This is too large."


class WrongHost(HubbubError):
    """The Host header has a name that is not this server's (protects from DNS rebinding)."""

    code = "wrong_host"
    status = 421
    title = "This server is not configured for that host name. See --public-url."


class Invalid(HubbubError, ValueError):
    """The request was decoded, but a name, a text or a combination is not allowed."""

    # Also a ValueError, because msgspec expects one from `__post_init__`.

    code = "invalid"
    status = 422
    title = "The request has a value that is not allowed."


class RateLimited(HubbubError):
    code = "rate_limited"
    status = 429
    title = "Too many requests. Wait a moment and try again."


class QuotaReached(HubbubError):
    """A person has reached one of their quotas. Nothing was done.

    ``retry_after`` is set for daily quotas.
    """

    code = "quota_reached"
    status = 429
    title = "You have reached one of this server's limits."


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
    """The disk, a lock or a connection failed. It is unknown whether the command was executed.

    A retry with the same nonce is safe. With ``is_damage`` the database is damaged, and trying
    again does not help.
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


def all_errors() -> list[type[HubbubError]]:
    """All error classes, the base class first; docs and OpenAPI are checked against them."""
    found: list[type[HubbubError]] = [HubbubError]
    for error in found:
        found.extend(error.__subclasses__())
    return found
