"""Who somebody is: the tokens of sessions, guests and devices."""

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
from hubbub.model.accounts import OPERATOR, Actor, SeeSessions
from hubbub.model.errors import HubbubError, SignInRequired
from hubbub.model.names import GUEST_PREFIX
from hubbub.model.policy import ServerRole
from hubbub.store.executor import CommandExecutor
from hubbub.store.tx import Tx

ALGORITHM = "HS256"
# The longest is a guest's, whose name may be 32 characters of 12 bytes each in JSON.
TOKEN_MAX = 1024
DEVICE = "device"
DEVICE_S = 365 * 24 * 3600
ACCOUNTS_PER_DEVICE = 5  # who signed in last; a browser may have several people
REMEMBERED_MAX = 20_000  # tokens whose actor is known without asking the database
SEEN_EVERY_S = 60.0
SEEN_AT_ONCE = 500  # sessions in one command: a busy server's others come between


def session_token(secret: bytes, session: str) -> str:
    """A token that names a session; whether it is still good stands in the database."""
    return jwt.encode({"sid": session}, secret, ALGORITHM)


def guest_token(secret: bytes, key: str, handle: str) -> str:
    """A token that says all there is of a guest until they post."""
    return jwt.encode({"guest": key, "name": handle}, secret, ALGORITHM)


class Device(NamedTuple):
    """A browser in which somebody has signed in before. That gives no rights, but a way to try.

    ``accounts`` are fingerprints, as whoever shares the browser need not learn the names.
    """

    id: str
    accounts: tuple[str, ...]

    def knows(self, name: str) -> bool:
        return _fingerprint(name) in self.accounts


def _fingerprint(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class SessionTokens:
    """Knows whose a token is."""

    def __init__(
        self,
        executor: CommandExecutor,
        secret: bytes,
        connected: Callable[[], Iterable[Actor]] = lambda: (),
    ) -> None:
        """``connected`` are those with an open connection, which counts as use of its session."""
        self._executor = executor
        self._secret = secret
        self._connected = connected
        self._remembered: OrderedDict[str, Actor] = OrderedDict()
        self._endings = 0  # of sessions, and changes of accounts
        self._seen: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._sessions = Loader(self._read_sessions)
        self.guests_allowed = False

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._note_for_ever())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._sessions.stop()

    async def identify(self, token: str | None) -> Actor:
        """Whose token this is. Raises SignInRequired, or Forbidden for guests no longer let in."""
        if not token:
            raise SignInRequired()
        actor = self._remembered.get(token) or await self._look_up(token)
        if actor.is_guest and not self.guests_allowed:
            raise no_guests()
        if actor.session:
            self._seen.add(actor.session)
        return actor

    async def _look_up(self, token: str) -> Actor:
        claims = self._claims(token)
        if guest := _guest(claims):
            return guest
        while True:
            endings = self._endings
            actor = await self._sessions.load(str(claims.get("sid")))
            # What ended while we were reading must not be remembered as good.
            if endings == self._endings:
                self._remember(token, actor)
                return actor

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            if len(token) > TOKEN_MAX:
                raise jwt.InvalidTokenError
            return jwt.decode(token, self._secret, [ALGORITHM])
        # The header's JSON, which may be nested deeply, is read before the signature is checked.
        except (jwt.InvalidTokenError, RecursionError) as error:
            raise SignInRequired("This token is not good. Sign in again.") from error

    async def _read_sessions(self, ids: list[str]) -> list[Actor | HubbubError]:
        return await self._executor.read(lambda tx: [_of_session(tx, each) for each in ids])

    def _remember(self, token: str, actor: Actor) -> None:
        self._remembered[token] = actor
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)

    def forget_sessions(self, sessions: tuple[str, ...]) -> None:
        self._endings += 1
        ended = set(sessions)
        for token in [t for t, actor in self._remembered.items() if actor.session in ended]:
            del self._remembered[token]

    def forget_user(self, user: str) -> None:
        self._endings += 1
        for token in [t for t, actor in self._remembered.items() if actor.name == user]:
            del self._remembered[token]

    def forget_all(self) -> None:
        """So much was missed that anybody may be somebody else by now."""
        self._endings += 1
        self._remembered.clear()

    def token(self, session: str) -> str:
        return session_token(self._secret, session)

    def new_guest(self, name: str) -> tuple[Actor, str]:
        """A guest who was not here before, and their token."""
        handle = GUEST_PREFIX + name
        key = secrets.token_hex(16)
        actor = Actor(user_id=0, name=handle, role=ServerRole.GUEST, guest_key=key)
        return actor, guest_token(self._secret, key, handle)

    def device(self, token: str | None) -> Device | None:
        """The device of which this is the token; None if there is none, or it is not good."""
        if not token or len(token) > TOKEN_MAX:
            return None
        try:
            claims = jwt.decode(token, self._secret, [ALGORITHM], audience=DEVICE)
        except (jwt.InvalidTokenError, RecursionError):
            return None
        return Device(str(claims.get("id")), tuple(map(str, claims.get("accounts", ()))))

    def device_token(self, name: str, before: str | None = None) -> str:
        """A token for a device on which somebody has just signed in to this account.

        ``before`` is the one that the device had so far, if any: it stays the same device.
        """
        device = self.device(before) or Device(secrets.token_urlsafe(12), ())
        account = _fingerprint(name)
        others = [one for one in device.accounts if one != account]
        claims = {
            "aud": DEVICE,  # so it is never taken for a session's or a guest's
            "id": device.id,
            "accounts": [account, *others][:ACCOUNTS_PER_DEVICE],
            "exp": int(time.time()) + DEVICE_S,
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    async def _note_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SEEN_EVERY_S)
            await self.note_seen()

    async def note_seen(self) -> None:
        """Keep when sessions were last used, a minute's at once; end those idle for too long."""
        seen, self._seen = self._seen, set()
        in_use = list(seen.union(actor.session for actor in self._connected() if actor.session))
        parts = [in_use[at : at + SEEN_AT_ONCE] for at in range(0, len(in_use), SEEN_AT_ONCE)]
        *others, last = parts or [[]]
        try:
            for part in others:
                await self._executor.submit(OPERATOR, SeeSessions(sessions=tuple(part), more=True))
            await self._executor.submit(OPERATOR, SeeSessions(sessions=tuple(last)))
        except HubbubError:
            self._seen |= seen  # the disk is full, or so: next time


def _guest(claims: dict[str, Any]) -> Actor | None:
    key, name = claims.get("guest"), claims.get("name")
    if not isinstance(key, str) or not isinstance(name, str):
        return None
    return Actor(user_id=0, name=name, role=ServerRole.GUEST, guest_key=key)


def _of_session(tx: Tx, session_id: str) -> Actor | HubbubError:
    """Whose session this is, or why it is nobody's any more."""
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
