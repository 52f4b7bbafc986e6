"""Tokens of sessions, guests and devices: issued, checked, and resolved to actors."""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jwt

from hubbub.actions.current_actor import account_locked, no_guests, session_ended
from hubbub.gateway.dispatch.loader import Loader
from hubbub.model.accounts import OPERATOR, Actor, TouchSessions
from hubbub.model.errors import HubbubError, SignInRequired
from hubbub.model.names import GUEST_PREFIX
from hubbub.model.policy import ServerRole
from hubbub.store.executor import CommandExecutor
from hubbub.store.tx import Tx

ALGORITHM = "HS256"
# Characters. The longest is a guest's, whose name may have 32 characters of 12 bytes each in JSON.
TOKEN_MAX = 1024
DEVICE = "device"
DEVICE_S = 365 * 24 * 3600
ACCOUNTS_PER_DEVICE = 5  # the latest; several people may share a browser
CACHED_MAX = 20_000  # tokens whose actor is known without a query
STORE_LAST_USED_EVERY_S = 60.0
SESSIONS_PER_COMMAND = 500  # so that other commands need not wait long between them


def session_token(secret: bytes, session: str) -> str:
    """A token that names a session. Whether the session is valid is kept in the database."""
    return jwt.encode({"sid": session}, secret, ALGORITHM)


def guest_token(secret: bytes, key: str, handle: str) -> str:
    """A token that holds everything about a guest, who is not in the database until they post."""
    return jwt.encode({"guest": key, "name": handle}, secret, ALGORITHM)


class Device(NamedTuple):
    """A browser in which somebody has signed in before. It has its own limit of sign-in attempts.

    ``accounts`` are hashes, so that people who share the browser do not learn each other's names.
    """

    id: str
    accounts: tuple[str, ...]

    def is_known_for(self, name: str) -> bool:
        return _fingerprint(name) in self.accounts


def _fingerprint(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class SessionTokens:
    """Issues tokens, and finds the actor of a token."""

    def __init__(
        self,
        executor: CommandExecutor,
        secret: bytes,
        connected: Callable[[], Iterable[Actor]] = lambda: (),
    ) -> None:
        """``connected`` lists the actors of open connections, whose sessions count as used."""
        self._executor = executor
        self._secret = secret
        self._connected = connected
        self._cache: OrderedDict[str, Actor] = OrderedDict()
        self._revocations = 0  # how many sessions ended and accounts changed
        self._used: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._sessions = Loader(self._read_sessions)
        self.guests_allowed = False

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._store_last_used_periodically())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._sessions.stop()

    async def identify(self, token: str | None) -> Actor:
        """The owner of a token. Raises SignInRequired, or Forbidden if guests are not allowed."""
        if not token:
            raise SignInRequired()
        actor = self._cache.get(token) or await self._look_up(token)
        if actor.is_guest and not self.guests_allowed:
            raise no_guests()
        if actor.session:
            self._used.add(actor.session)
        return actor

    async def _look_up(self, token: str) -> Actor:
        claims = self._decode(token)
        if guest := _guest_from(claims):
            return guest
        while True:
            revocations = self._revocations
            actor = await self._sessions.load(str(claims.get("sid")))
            # A session that ended during the read must not be cached as valid.
            if revocations == self._revocations:
                self._add_to_cache(token, actor)
                return actor

    def _decode(self, token: str) -> dict[str, Any]:
        try:
            if len(token) > TOKEN_MAX:
                raise jwt.InvalidTokenError
            return jwt.decode(token, self._secret, [ALGORITHM])
        # The header is parsed before the signature is checked; its JSON may be nested deeply.
        except (jwt.InvalidTokenError, RecursionError) as error:
            raise SignInRequired("This token is invalid. Sign in again.") from error

    async def _read_sessions(self, ids: list[str]) -> list[Actor | HubbubError]:
        return await self._executor.read(
            lambda tx: [_session_actor(tx, session_id) for session_id in ids]
        )

    def _add_to_cache(self, token: str, actor: Actor) -> None:
        self._cache[token] = actor
        if len(self._cache) > CACHED_MAX:
            self._cache.popitem(last=False)

    def forget_sessions(self, sessions: tuple[str, ...]) -> None:
        self._revocations += 1
        ended = set(sessions)
        for token in [t for t, actor in self._cache.items() if actor.session in ended]:
            del self._cache[token]

    def forget_user(self, user: str) -> None:
        self._revocations += 1
        for token in [t for t, actor in self._cache.items() if actor.name == user]:
            del self._cache[token]

    def forget_all(self) -> None:
        """Clear the cache, as any session may have ended unnoticed."""
        self._revocations += 1
        self._cache.clear()

    def session_token(self, session: str) -> str:
        return session_token(self._secret, session)

    def new_guest(self, name: str) -> tuple[Actor, str]:
        """A new guest and their token."""
        handle = GUEST_PREFIX + name
        key = secrets.token_hex(16)
        actor = Actor(user_id=0, name=handle, role=ServerRole.GUEST, guest_key=key)
        return actor, guest_token(self._secret, key, handle)

    def find_device(self, token: str | None) -> Device | None:
        """The device that a token names; None without a token or if it is invalid."""
        if not token or len(token) > TOKEN_MAX:
            return None
        try:
            claims = jwt.decode(token, self._secret, [ALGORITHM], audience=DEVICE)
        except (jwt.InvalidTokenError, RecursionError):
            return None
        return Device(str(claims.get("id")), tuple(map(str, claims.get("accounts", ()))))

    def device_token(self, name: str, previous: str | None = None) -> str:
        """A new token for a device on which somebody has just signed in to this account.

        ``previous`` is the token that the device has had, if any, whose id is kept.
        """
        device = self.find_device(previous) or Device(secrets.token_urlsafe(12), ())
        account = _fingerprint(name)
        others = [other for other in device.accounts if other != account]
        claims = {
            "aud": DEVICE,  # so that it is not valid as a session's or guest's token
            "id": device.id,
            "accounts": [account, *others][:ACCOUNTS_PER_DEVICE],
            "exp": int(time.time()) + DEVICE_S,
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    async def _store_last_used_periodically(self) -> None:
        while True:
            await asyncio.sleep(STORE_LAST_USED_EVERY_S)
            await self.store_last_used()

    async def store_last_used(self) -> None:
        """Store the time of last use of the sessions used since; end those idle for too long."""
        used, self._used = self._used, set()
        in_use = list(used.union(actor.session for actor in self._connected() if actor.session))
        parts = [
            in_use[at : at + SESSIONS_PER_COMMAND]
            for at in range(0, len(in_use), SESSIONS_PER_COMMAND)
        ]
        *others, last = parts or [[]]
        try:
            for part in others:
                await self._executor.submit(
                    OPERATOR, TouchSessions(sessions=tuple(part), more=True)
                )
            await self._executor.submit(OPERATOR, TouchSessions(sessions=tuple(last)))
        except HubbubError:
            self._used |= used  # the disk may be full; the next round tries again


def _guest_from(claims: dict[str, Any]) -> Actor | None:
    key, name = claims.get("guest"), claims.get("name")
    if not isinstance(key, str) or not isinstance(name, str):
        return None
    return Actor(user_id=0, name=name, role=ServerRole.GUEST, guest_key=key)


def _session_actor(tx: Tx, session_id: str) -> Actor | HubbubError:
    """The actor of a session, or the error if it has ended or its account is locked."""
    session = tx.session(session_id)
    if session is None:
        return session_ended()
    if session.disabled:
        return account_locked()
    return Actor(
        user_id=session.user_id,
        name=session.name,
        role=ServerRole(session.role),
        session=session.id,
    )
