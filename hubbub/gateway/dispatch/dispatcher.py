"""Passes commands and queries of every interface to the executor and the hub, within limits."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from hubbub import __version__
from hubbub.actions import accounts as account_actions
from hubbub.actions.current_actor import no_guests
from hubbub.gateway.auth.authenticator import Authenticator
from hubbub.gateway.auth.tokens import SessionTokens
from hubbub.gateway.dispatch.admission import AdmissionControl
from hubbub.gateway.dispatch.limits import (
    AddressDebts,
    AddressRateLimiter,
    RateLimiter,
    SlotCounter,
    Throttle,
    networks_of,
)
from hubbub.gateway.dispatch.loader import Loader
from hubbub.gateway.dispatch.read_markers import ReadMarkers
from hubbub.gateway.transport.connection_limiter import ConnectionLimiter
from hubbub.gateway.transport.turn_queue import TurnQueue
from hubbub.gateway.websocket.socket import Socket
from hubbub.live.cluster.nodes import Nodes
from hubbub.live.hub import ENTER_ATTEMPTS_MAX, Hub
from hubbub.model.accounts import (
    About,
    Actor,
    InviteMade,
    InvitesPage,
    Limits,
    ServerChanged,
    ServerInfo,
    StartupState,
    UpdateServer,
)
from hubbub.model.base import Command, Done, Query, Reply
from hubbub.model.errors import (
    Busy,
    Conflict,
    HubbubError,
)
from hubbub.model.messages import (
    FRAME_MAX_BYTES,
    PAGE_MAX,
    TEXT_MAX,
    Post,
    PostHere,
)
from hubbub.model.outcome import SettingsChanged
from hubbub.model.reading import Read
from hubbub.model.rooms import MembersPage, MyRoom
from hubbub.model.settings import RateLimit, Settings
from hubbub.store.executor import CommandExecutor, Job, OnDone, future_for
from hubbub.wire.frames import CLOSE_POLICY

HERE_MENTIONS_MAX = 1_000  # people whom one `@here` can mention
# A refusal is an invalid or refused command, a ping, or a request answered with 4xx.
REFUSALS_PER_CONNECTION = RateLimit(per_s=10, burst=100)
REFUSALS_PER_ADDRESS = RateLimit(per_s=50, burst=1_000)


class Dispatcher:
    """Identifies callers, applies limits, and executes commands and queries."""

    def __init__(
        self,
        settings: Settings,
        executor: CommandExecutor,
        hub: Hub,
        tokens: SessionTokens,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.executor = executor
        self.hub = hub
        self.tokens = tokens
        self.clock = clock
        self.is_ready = False
        self.epoch = ""
        self.commands_per_user = RateLimiter(settings.commands_per_user, clock)
        self.commands_per_address = AddressRateLimiter(settings.commands_per_address, clock)
        self.authenticator = Authenticator(settings, executor, hub, tokens, self.server_info, clock)
        self._refusals_per_address = AddressDebts(REFUSALS_PER_ADDRESS, clock)
        self.requests_per_address = AddressRateLimiter(settings.requests_per_address, clock)
        self.turn_queue = TurnQueue()
        self.connection_limiter = ConnectionLimiter(
            settings.connections_per_address if settings.limits else None, clock
        )
        self._user_slots = SlotCounter(settings.connections_per_user, "You")
        self._request_slots = SlotCounter(settings.connections_per_address, "Your address")
        self._address_slots = SlotCounter(settings.connections_per_address, "Your address")
        self.identifying = AdmissionControl()
        """Connections whose token is being looked up."""
        self.welcoming = AdmissionControl()
        """Connections for which a welcome is being made."""
        self._query_loader = Loader(executor.ask_each)
        self.sockets: set[Socket] = set()
        self.echoes = 0
        self._connections = 0
        self._connection_closed = asyncio.Event()
        self._read_markers = ReadMarkers(executor.put)
        self._values: dict[str, str] = {}
        self._needs_owner = False
        self.is_shared = settings.database is not None
        """Whether other servers use the same database."""
        self.nodes: Nodes | None = None
        """This server's connection to the others, if there are any."""
        hub.on_settings_changed = self._on_settings_changed

    def load_server_state(self, prepared: StartupState) -> None:
        """Take over the epoch and the server's settings from the database, at the start."""
        self._values = prepared.values
        self._needs_owner = prepared.needs_owner
        self.epoch = prepared.values["epoch"]
        self.tokens.guests_allowed = self.server_info().guests

    def server_info(self) -> ServerInfo:
        """The public description of the server. The operator's settings override the owner's."""
        settings, values = self.settings, self._values
        return ServerInfo(
            name=values.get("name", "Hubbub"),
            version=__version__,
            registration=settings.registration
            or values.get("registration", settings.default_registration),  # type: ignore[arg-type]
            guests=settings.allows_guests(values.get("guests")),
            needs_owner=self._needs_owner,
            limits=Limits(text=TEXT_MAX, frame_bytes=FRAME_MAX_BYTES, page=PAGE_MAX),
        )

    # Connections

    def take_connection_slot(self, address: str) -> None:
        """Count one more WebSocket. Raises TooManyConnections, or Busy if the server is full."""
        if self._connections >= self.connection_limiter.sockets_max:
            self.connection_limiter.count("capacity")
            raise Busy(
                "This server has no room for more connections. Try again in a moment.",
                retry_after=10,
            )
        if self.settings.limits:
            self._address_slots.take(networks_of(address)[0])
        self._connections += 1

    def release_connection_slot(self, address: str) -> None:
        self._connections -= 1
        self._connection_closed.set()
        if self.settings.limits:
            self._address_slots.release(networks_of(address)[0])

    @contextlib.contextmanager
    def limit_request(self, address: str) -> Iterator[None]:
        """Hold a slot while a request is answered. Raises RateLimited, TooManyConnections."""
        if not self.settings.limits:
            yield
            return
        self.requests_per_address.take(address)
        network, _ = networks_of(address)
        self._request_slots.take(network)
        try:
            yield
        finally:
            self._request_slots.release(network)

    def take_user_slot(self, key: str) -> None:
        """Count one more connection of this person. Raises TooManyConnections."""
        if self.settings.limits:
            self._user_slots.take(key)

    def release_user_slot(self, key: str) -> None:
        if self.settings.limits:
            self._user_slots.release(key)

    async def wait_until_disconnected(self) -> None:
        """Wait until no WebSocket is left."""
        while self._connections:
            self._connection_closed.clear()
            await self._connection_closed.wait()

    # Commands

    async def identify(self, token: str | None) -> Actor:
        """The owner of a token. Raises SignInRequired or Forbidden."""
        return await self.tokens.identify(token)

    async def identify_connection(self, token: str) -> Actor:
        """The owner of a token, for a new WebSocket. Raises SignInRequired, Forbidden or Busy."""
        async with self.identifying.slot():
            return await self.tokens.identify(token)

    async def reidentify(self, actor: Actor, token: str | None) -> Actor:
        """The actor in their present state. Raises SignInRequired or Forbidden.

        If the caller then connects them to the hub without awaiting anything, no later change is
        missed.
        """
        if token:
            return await self.tokens.identify(token)
        if not self.tokens.guests_allowed:
            raise no_guests()
        return actor

    def limit_command(self, actor: Actor | None, address: str) -> None:
        """Charge one command to its author (None if not signed in) and address.

        Called once for each command, as soon as it is decoded. Raises RateLimited.
        """
        if self.settings.limits:
            if actor is not None:
                self.commands_per_user.take(actor.guest_key or actor.name)
            self.commands_per_address.take(address)

    def throttle(self, address: str) -> Throttle | None:
        """A throttle for one connection; None if limits are off."""
        if not self.settings.limits:
            return None
        return Throttle(REFUSALS_PER_CONNECTION, self._refusals_per_address, address, self.clock)

    def put(self, actor: Actor, command: Command, on_done: OnDone) -> None:
        """Queue a command. ``on_done`` gets the reply or the error, on the loop.

        Raises Busy if the queue is full; the command is then not executed.
        """
        if isinstance(command, Post) and "@" in command.text:
            command = self._with_present_people(command)
        if isinstance(command, Read):
            self._read_markers.put(actor, command, on_done)
        elif isinstance(command, UpdateServer):
            self._require_not_set_by_operator(command)
            self.executor.put(
                Job(actor, command, lambda result: self._on_server_updated(result, on_done))
            )
        else:
            self.executor.put(
                Job(actor, command, lambda result: on_done(self._complete_result(result)))
            )

    async def execute(self, actor: Actor, command: Command) -> Reply:
        """Execute a command or query and return its reply. Raises HubbubError."""
        if isinstance(command, Query):
            if isinstance(command, About):
                return self.server_info()
            return self._complete_reply(await self.ask(actor, command))
        on_done, done = future_for(asyncio.get_running_loop())
        self.put(actor, command, on_done)
        try:
            return await done
        finally:
            del on_done, done  # their exception would refer to this frame: a reference cycle

    async def ask(self, actor: Actor, query: Query) -> Reply:
        """Answer a query without additions of the gateway. Raises HubbubError."""
        return await self._retry_if_revoked(actor, lambda: self.executor.ask(actor, query))

    async def _retry_if_revoked(self, actor: Actor, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """Ask again if the actor's rights were revoked meanwhile. Raises Busy after a few tries."""
        for _ in range(ENTER_ATTEMPTS_MAX):
            with self.hub.track_resume(actor.key) as pending:
                reply = await ask()
            if not pending.is_revoked:
                return reply
        raise Busy()

    def _with_present_people(self, post: Post) -> Post:
        """Add the people who are present now to a post with ``@here``; only the hub knows them."""
        room = self.hub.rooms.get(post.room)
        if room is None or "@here" not in post.text.lower():
            return post
        present = sorted(self.hub.presence.room_states(room))[:HERE_MENTIONS_MAX]
        fields = {name: getattr(post, name) for name in post.__struct_fields__}
        return PostHere(**fields, present=tuple(present))

    def _complete_result(self, result: Reply | HubbubError) -> Reply | HubbubError:
        return result if isinstance(result, HubbubError) else self._complete_reply(result)

    def _complete_reply(self, reply: Reply) -> Reply:
        """Add what only the gateway knows: presence, and the URLs of invites."""
        if isinstance(reply, MembersPage):
            present = self.hub.presence
            return msgspec.structs.replace(
                reply,
                members=[
                    msgspec.structs.replace(member, presence=present.state(member.name))
                    for member in reply.members
                ],
            )
        if isinstance(reply, InviteMade | InvitesPage):
            return self._with_urls(reply)
        return reply

    def _with_urls(self, reply: InviteMade | InvitesPage) -> Reply:
        base = self.settings.base_url
        if isinstance(reply, InviteMade):
            invite = msgspec.structs.replace(reply.invite, url=base + reply.invite.url)
            return InviteMade(invite=invite)
        return InvitesPage(
            invites=[
                msgspec.structs.replace(invite, url=base + invite.url) for invite in reply.invites
            ]
        )

    def _require_not_set_by_operator(self, command: UpdateServer) -> None:
        """Raises Conflict if a setting of the command is fixed by the operator."""
        for name in ("registration", "guests"):
            if getattr(command, name) is not None and getattr(self.settings, name) is not None:
                raise Conflict(
                    f"“{name}” is fixed by this server's operator. Only the operator can change it."
                )

    def _on_server_updated(self, result: Reply | HubbubError, on_done: OnDone) -> None:
        on_done(Done() if isinstance(result, StartupState) else result)

    def _on_settings_changed(self, change: SettingsChanged) -> None:
        """Update the server's public settings, and disconnect guests if they are not allowed."""
        self._values, self._needs_owner = change.values, change.needs_owner
        self.tokens.guests_allowed = self.server_info().guests
        self.hub.send_to_all(ServerChanged(server=self.server_info()))
        if not self.tokens.guests_allowed:
            self.hub.resume_guard.revoke_all()
            for client in [client for client in self.hub.clients if client.actor.is_guest]:
                client.handler.close(CLOSE_POLICY, "This server no longer allows guests.")

    async def ask_batched(self, actor: Actor, query: Query) -> Reply:
        """Answer a query together with those of other connections. Raises HubbubError."""
        return await self._retry_if_revoked(actor, lambda: self._query_loader.load((actor, query)))

    async def list_guest_rooms(self, ids: set[str]) -> list[MyRoom]:
        """Those of these rooms that a guest may read."""
        return await self.executor.read(lambda tx: account_actions.list_guest_rooms(tx, ids))

    def flush(self) -> None:
        """Store pending read markers now, as the server is stopping."""
        self._read_markers.flush()

    async def stop(self) -> None:
        """Cancel batched queries."""
        await self._query_loader.stop()
