"""Who somebody is: passwords, session tokens, guests' tokens."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hubbub.actions.standing import account_locked, no_guests, session_ended
from hubbub.gateway.loader import Loader
from hubbub.model.accounts import OPERATOR, TOKEN_MAX, Actor, SeeSessions
from hubbub.model.errors import Busy, HubbubError, SignInRequired
from hubbub.model.names import GUEST_PREFIX
from hubbub.model.policy import ServerRole
from hubbub.store.ledger import Ledger
from hubbub.store.tx import Tx

ALGORITHM = "HS256"
HASHING_AT_ONCE = 2  # each takes 46 MiB
HASHING_WAITING_MAX = 32  # above it sign-ins are answered `busy`
REMEMBERED_MAX = 20_000  # tokens whose actor is known without asking the database
SEEN_EVERY_S = 60.0
SEEN_AT_ONCE = 500  # sessions in one command: a busy server's others come between

# OWASP's second choice for Argon2id, with one more pass.
_hasher = PasswordHasher(time_cost=2, memory_cost=47_104, parallelism=1)


def hash_password(password: str) -> str:
    """Argon2id; takes some 60 ms and 46 MiB, so never on the loop."""
    return _hasher.hash(password)


def password_is_right(password_hash: str | None, password: str) -> bool:
    """Takes the same time when there is no such account."""
    try:
        _hasher.verify(password_hash or _nobodys_hash(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return password_hash is not None


_nobody: list[str] = []


def _nobodys_hash() -> str:
    if not _nobody:
        _nobody.append(_hasher.hash(secrets.token_urlsafe()))
    return _nobody[0]


def session_token(secret: bytes, session: str) -> str:
    """A token that names a session; whether it is still good stands in the database."""
    return jwt.encode({"sid": session}, secret, ALGORITHM)


def guest_token(secret: bytes, key: str, handle: str) -> str:
    """A token that says all there is of a guest until they post."""
    return jwt.encode({"guest": key, "name": handle}, secret, ALGORITHM)


class Identity:
    """Knows whose a token is, and has passwords hashed off the loop."""

    def __init__(
        self,
        ledger: Ledger,
        secret: bytes,
        connected: Callable[[], Iterable[Actor]] = lambda: (),
    ) -> None:
        """``connected`` are those with an open connection, which counts as use of its session."""
        self._ledger = ledger
        self._secret = secret
        self._connected = connected
        self._hashing = ThreadPoolExecutor(HASHING_AT_ONCE, thread_name_prefix="hubbub-argon2")
        self._waiting = 0
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
        self._hashing.shutdown(wait=False, cancel_futures=True)

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
        return await self._ledger.read(lambda tx: [_of_session(tx, each) for each in ids])

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

    async def hash(self, password: str) -> str:
        """Raises Busy if too many wait."""
        return str(await self._off_the_loop(hash_password, password))

    async def is_right(self, password_hash: str | None, password: str) -> bool:
        """Raises Busy if too many wait."""
        return bool(await self._off_the_loop(password_is_right, password_hash, password))

    async def _off_the_loop(self, function: Any, *args: Any) -> Any:
        if self._waiting >= HASHING_WAITING_MAX:
            raise Busy("Many people are signing in. Try again in a moment.", retry_after=3)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._hashing, function, *args)
        finally:
            self._waiting -= 1

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
                await self._ledger.submit(OPERATOR, SeeSessions(sessions=tuple(part), more=True))
            await self._ledger.submit(OPERATOR, SeeSessions(sessions=tuple(last)))
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
