"""Signing up, in and out, and changing passwords."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hubbub.actions import accounts as account_actions
from hubbub.gateway.auth.passwords import PasswordQueue
from hubbub.gateway.auth.sign_in_limits import Attempt, SignInLimits
from hubbub.gateway.auth.tokens import SessionTokens
from hubbub.gateway.dispatch.limits import AddressRateLimiter
from hubbub.live.hub import Hub
from hubbub.model import names, policy
from hubbub.model.accounts import (
    OPERATOR,
    AccountAdded,
    Actor,
    AddAccount,
    ChangePassword,
    Me,
    OpenSession,
    ServerInfo,
    SetPassword,
    SignedIn,
    SignIn,
    SignInAsGuest,
    SignOut,
    SignUp,
)
from hubbub.model.base import Reply
from hubbub.model.errors import Busy, Forbidden, HubbubError, Invalid, WrongCredentials
from hubbub.model.policy import Action
from hubbub.model.settings import RateLimit, Settings
from hubbub.store.executor import CommandExecutor
from hubbub.store.statements.accounts import UserRow
from hubbub.store.tx import Tx

GUESTS_PER_ADDRESS = RateLimit(per_s=1, burst=60)


class Caller(NamedTuple):
    """The sender of a sign-in request.

    ``label`` describes their device. ``token`` is a session's token, ``device`` that of a browser
    in which somebody has signed in before. ``is_gone`` says whether the connection is closed.
    """

    address: str
    label: str
    token: str | None
    device: str | None
    is_gone: Callable[[], bool]


class SignInResult(NamedTuple):
    """The reply to a sign-in, and the device's new token."""

    reply: SignedIn
    device: str


class Authenticator:
    """Signs people up, in and out, checks passwords, and limits attempts."""

    def __init__(
        self,
        settings: Settings,
        executor: CommandExecutor,
        hub: Hub,
        tokens: SessionTokens,
        server_info: Callable[[], ServerInfo],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._executor = executor
        self._hub = hub
        self._tokens = tokens
        self._server_info = server_info
        self._passwords = PasswordQueue()
        self._limits = SignInLimits(settings.limits, clock)
        self._guests_per_address = AddressRateLimiter(GUESTS_PER_ADDRESS, clock)

    def start(self) -> None:
        self._passwords.start()

    def stop(self) -> None:
        self._passwords.stop()

    @property
    def refused(self) -> int:
        """The number of attempts refused because of a limit."""
        return self._limits.refused + self._guests_per_address.refused

    async def sign_up(self, command: SignUp, caller: Caller) -> SignInResult:
        """Raises NameTaken, InviteRequired, InviteInvalid, RegistrationClosed, RateLimited."""
        with _settling(self._limits.sign_up(command.name, caller.address)) as attempt:
            session = secrets.token_urlsafe(18)
            account = await self._new_account(command, session, caller.label)
            # Hashing is expensive, so refuse before it whatever can be refused.
            await self._executor.read(lambda tx: account_actions.require_may_join(tx, account))
            password_hash = await self._passwords.hash(
                command.password, attempt.path, caller.is_gone
            )
            added: AccountAdded = await self._executor.submit(
                OPERATOR, account.with_password(password_hash)
            )
        return self._sign_in_result(session, added, caller)

    async def _new_account(self, command: SignUp, session: str, label: str) -> AddAccount:
        loop = asyncio.get_running_loop()
        return AddAccount(
            name=command.name,
            skeleton=await loop.run_in_executor(None, names.skeleton, command.name),
            display_name=command.display_name or command.name,
            password_hash=None,
            registration=self._server_info().registration,
            first_owns=self._settings.first_owns,
            invite=command.invite,
            session=session,
            label=label,
        )

    async def sign_in(self, command: SignIn, caller: Caller) -> SignInResult:
        """Raises WrongCredentials, Forbidden if the account is locked, RateLimited."""
        name = _normalized_name(command.name)
        attempt = self._limits.sign_in(
            name, caller.address, await self._find_known_by(name, caller)
        )
        with _settling(attempt):
            user = await self._check(name, command.password, attempt, caller)
            session = secrets.token_urlsafe(18)
            opened: AccountAdded = await self._executor.submit(
                OPERATOR,
                OpenSession(
                    user_id=user.id,
                    session=session,
                    label=caller.label,
                    checked_hash=user.password_hash,
                ),
            )
        return self._sign_in_result(session, opened, caller)

    async def _find_known_by(self, name: str, caller: Caller) -> str | None:
        """The device or session by which the caller has signed in to this account before."""
        device = self._tokens.find_device(caller.device)
        if device is not None and device.is_known_for(name):
            return f"device {device.id}"
        if caller.token is not None:
            with contextlib.suppress(HubbubError):
                actor = await self._tokens.identify(caller.token)
                if actor.name == name and actor.session:
                    return f"session {actor.session}"
        return None

    def _sign_in_result(self, session: str, added: AccountAdded, caller: Caller) -> SignInResult:
        reply = SignedIn(token=self._tokens.session_token(session), me=added.me)
        return SignInResult(reply, self._tokens.device_token(added.me.name, caller.device))

    async def change_password(self, actor: Actor, command: ChangePassword, caller: Caller) -> Reply:
        """Raises WrongCredentials if the old password is wrong, RateLimited."""
        policy.require(Action.MANAGE_SELF, policy.server_standings(actor.role))
        known_by = f"session {actor.session}"
        attempt = self._limits.sign_in(actor.name, caller.address, known_by)
        with _settling(attempt):
            user = await self._check(actor.name, command.old, attempt, caller)
            password_hash = await self._passwords.hash(command.new, attempt.path, caller.is_gone)
            done: Reply = await self._executor.submit(
                actor,
                SetPassword(
                    user=actor.name,
                    password_hash=password_hash,
                    keep=actor.session,
                    checked_hash=user.password_hash,
                ),
            )
        return done

    async def _check(self, name: str, password: str, attempt: Attempt, caller: Caller) -> UserRow:
        """The account with this name and password. Raises WrongCredentials."""

        def find(tx: Tx) -> UserRow | None:
            return tx.user(name)

        user = await self._executor.read(find)
        password_hash = user.password_hash if user else None
        is_right = await self._passwords.is_right(
            password_hash, password, attempt.path, caller.is_gone
        )
        if user is None or not is_right:
            raise WrongCredentials()
        return user

    async def sign_out(self, actor: Actor) -> None:
        if actor.session:
            await self._executor.submit(actor, SignOut())

    async def sign_in_as_guest(self, command: SignInAsGuest, address: str) -> SignedIn:
        """Raises Forbidden if guests are not allowed, RateLimited."""
        actor, token = self.new_guest(command.name, address)
        return SignedIn(
            token=token, me=Me(name=actor.name, display_name=actor.name, role=actor.role)
        )

    def new_guest(self, name: str | None, address: str) -> tuple[Actor, str]:
        """A new guest with this name or a generated one, numbered if it is taken.

        Raises Forbidden if guests are not allowed, RateLimited.
        """
        if not self._tokens.guests_allowed:
            raise Forbidden("This server does not allow guests. Sign in, or ask its owner.")
        if self._settings.limits:
            self._guests_per_address.take(address)
        wanted = name or f"guest-{secrets.token_hex(2)}"
        taken = {client.actor.name for client in self._hub.clients if client.actor.is_guest}
        free_name, number = wanted, 1
        remote_presence = self._hub.presence.remote
        while (handle := names.GUEST_PREFIX + free_name) in taken or (
            remote_presence.state(handle) != "offline"
        ):
            number += 1
            free_name = f"{wanted[:28]}-{number}"
        return self._tokens.new_guest(free_name)


@contextlib.contextmanager
def _settling(attempt: Attempt) -> Iterator[Attempt]:
    """Confirm the attempt unless it failed; refund it if the password queue was full."""
    try:
        yield attempt
    except Busy:
        attempt.refund()
        raise
    attempt.confirm_success()


def _normalized_name(name: str) -> str:
    try:
        return names.user_name(name)
    except Invalid:
        return name
