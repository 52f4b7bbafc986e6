"""The desk behind all doors: who may do how much, and where commands go."""

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
from hubbub.gateway.transport.turn_queue import Turns
from hubbub.gateway.websocket.socket import Socket
from hubbub.live.cluster.nodes import Nodes
from hubbub.live.hub import LOOKS_MAX, Hub
from hubbub.model.accounts import (
    About,
    Actor,
    InviteMade,
    InvitesPage,
    Limits,
    Prepared,
    ServerChanged,
    ServerInfo,
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

HERE_MAX = 1_000  # people who are told that they are meant by `@here`
# What leads to nothing: broken and refused commands, pings, requests answered with 4xx.
REFUSALS_PER_CONNECTION = RateLimit(per_s=10, burst=100)
REFUSALS_PER_ADDRESS = RateLimit(per_s=50, burst=1_000)


class Dispatcher:
    """What every door needs: identities, limits, the ledger and the hub."""

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
        self.ready = False
        self.epoch = ""
        self.per_user = RateLimiter(settings.commands_per_user, clock)
        self.per_address = AddressRateLimiter(settings.commands_per_address, clock)
        self.authenticator = Authenticator(settings, executor, hub, tokens, self.about, clock)
        self._refusals_from = AddressDebts(REFUSALS_PER_ADDRESS, clock)
        self.requests_from = AddressRateLimiter(settings.requests_per_address, clock)
        self.turns = Turns()
        self.connections = ConnectionLimiter(
            settings.connections_per_address if settings.limits else None, clock
        )
        self._user_slots = SlotCounter(settings.connections_per_user, "of yours")
        self._request_slots = SlotCounter(settings.connections_per_address, "from your address")
        self._address_slots = SlotCounter(settings.connections_per_address, "from your address")
        self.arrivals = AdmissionControl()
        """Connections whose token is being looked up."""
        self.resuming = AdmissionControl()
        """Connections that are being told where they are."""
        self._answers = Loader(executor.ask_each)
        self.sockets: set[Socket] = set()
        self.echoes = 0
        self._connections = 0
        self._someone_left = asyncio.Event()
        self._read_markers = ReadMarkers(executor.put)
        self._values: dict[str, str] = {}
        self._needs_owner = False
        self.is_shared = settings.database is not None
        """Whether other servers use the same database."""
        self.nodes: Nodes | None = None
        """Those servers, as this one knows of them."""
        hub.on_settings_changed = self._settings_changed

    def prepared(self, prepared: Prepared) -> None:
        """What the database says of the server, at start and after a change."""
        self._values = prepared.values
        self._needs_owner = prepared.needs_owner
        self.epoch = prepared.values["epoch"]
        self.tokens.guests_allowed = self.about().guests

    def about(self) -> ServerInfo:
        """What the server says of itself to anyone. The operator's word goes before the owner's."""
        settings, values = self.settings, self._values
        return ServerInfo(
            name=values.get("name", "Hubbub"),
            version=__version__,
            registration=settings.registration
            or values.get("registration", settings.default_registration),  # type: ignore[arg-type]
            guests=settings.lets_guests_in(values.get("guests")),
            needs_owner=self._needs_owner,
            limits=Limits(text=TEXT_MAX, frame_bytes=FRAME_MAX_BYTES, page=PAGE_MAX),
        )

    # Connections

    def take_connection_slot(self, address: str) -> None:
        """A WebSocket from here. Raises TooManyConnections, or Busy if there are enough in all."""
        if self._connections >= self.connections.sockets_max:
            self.connections.count("capacity")
            raise Busy("This server has as many connections as it can hold.", retry_after=10)
        if self.settings.limits:
            self._address_slots.take(networks_of(address)[0])
        self._connections += 1

    def release_connection_slot(self, address: str) -> None:
        self._connections -= 1
        self._someone_left.set()
        if self.settings.limits:
            self._address_slots.release(networks_of(address)[0])

    @contextlib.contextmanager
    def request_from(self, address: str) -> Iterator[None]:
        """While a request from here is answered. Raises RateLimited, TooManyConnections."""
        if not self.settings.limits:
            yield
            return
        self.requests_from.take(address)
        network, _ = networks_of(address)
        self._request_slots.take(network)
        try:
            yield
        finally:
            self._request_slots.release(network)

    def take_user_slot(self, key: str) -> None:
        """A connection of this person. Raises TooManyConnections."""
        if self.settings.limits:
            self._user_slots.take(key)

    def release_user_slot(self, key: str) -> None:
        if self.settings.limits:
            self._user_slots.release(key)

    async def all_gone(self) -> None:
        """Wait until no connection is left."""
        while self._connections:
            self._someone_left.clear()
            await self._someone_left.wait()

    # Commands

    async def identify(self, token: str | None) -> Actor:
        """Whose token this is. Raises SignInRequired or Forbidden."""
        return await self.tokens.identify(token)

    async def identify_arrival(self, token: str) -> Actor:
        """The same, for a connection that is to stay. Raises Busy as well."""
        async with self.arrivals.turn():
            return await self.tokens.identify(token)

    async def still(self, actor: Actor, token: str | None) -> Actor:
        """Somebody as they are by now. Raises SignInRequired or Forbidden.

        Whoever lets them in upon this, without waiting for anything else, is told of all that
        comes after.
        """
        if token:
            return await self.tokens.identify(token)
        if not self.tokens.guests_allowed:
            raise no_guests()
        return actor

    def limit(self, actor: Actor | None, address: str) -> None:
        """One command more of this person (None: a stranger), from this address.

        It is taken where a command comes in, once, whatever it leads to. Raises RateLimited.
        """
        if self.settings.limits:
            if actor is not None:
                self.per_user.take(actor.guest_key or actor.name)
            self.per_address.take(address)

    def throttle(self, address: str) -> Throttle | None:
        """A throttle for one connection; None where there are no limits."""
        if not self.settings.limits:
            return None
        return Throttle(REFUSALS_PER_CONNECTION, self._refusals_from, address, self.clock)

    def put(self, actor: Actor, command: Command, on_done: OnDone) -> None:
        """Have a command carried out; ``on_done`` gets the reply or the error, on the loop.

        Raises Busy; then nothing is done.
        """
        if isinstance(command, Post) and "@" in command.text:
            command = self._with_those_here(command)
        if isinstance(command, Read):
            self._read_markers.put(actor, command, on_done)
        elif isinstance(command, UpdateServer):
            self._check_given(command)
            self.executor.put(Job(actor, command, lambda result: self._updated(result, on_done)))
        else:
            self.executor.put(Job(actor, command, lambda result: on_done(self._complete(result))))

    async def execute(self, actor: Actor, command: Command) -> Reply:
        """Have a command carried out and wait for its reply. Raises HubbubError."""
        if isinstance(command, Query):
            if isinstance(command, About):
                return self.about()
            return self._answered(await self.ask(actor, command))
        on_done, done = future_for(asyncio.get_running_loop())
        self.put(actor, command, on_done)
        try:
            return await done
        finally:
            del on_done, done  # which hold an error that would hold this frame

    async def ask(self, actor: Actor, query: Query) -> Reply:
        """Answer a query, without counting it. Raises HubbubError."""
        return await self._by_now(actor, lambda: self.executor.ask(actor, query))

    async def _by_now(self, actor: Actor, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """An answer that holds nothing that was taken from the one who asks while it was made."""
        for _ in range(LOOKS_MAX):
            with self.hub.look(actor.key) as pending:
                reply = await ask()
            if not pending.is_revoked:
                return reply
        raise Busy()

    def _with_those_here(self, post: Post) -> Post:
        """Who is meant by ``@here`` only the hub can tell, and only now."""
        room = self.hub.rooms.get(post.room)
        if room is None or "@here" not in post.text.lower():
            return post
        present = sorted(self.hub.presence.of_room(room))[:HERE_MAX]
        fields = {name: getattr(post, name) for name in post.__struct_fields__}
        return PostHere(**fields, present=tuple(present))

    def _complete(self, result: Reply | HubbubError) -> Reply | HubbubError:
        return result if isinstance(result, HubbubError) else self._answered(result)

    def _answered(self, reply: Reply) -> Reply:
        """Add what only the gateway knows: addresses, and who is there."""
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
            return self._with_addresses(reply)
        return reply

    def _with_addresses(self, reply: InviteMade | InvitesPage) -> Reply:
        base = self.settings.base_url
        if isinstance(reply, InviteMade):
            invite = msgspec.structs.replace(reply.invite, url=base + reply.invite.url)
            return InviteMade(invite=invite)
        return InvitesPage(
            invites=[
                msgspec.structs.replace(invite, url=base + invite.url) for invite in reply.invites
            ]
        )

    def _check_given(self, command: UpdateServer) -> None:
        """What the operator has set cannot be changed from within. Raises Conflict."""
        for what in ("registration", "guests"):
            if getattr(command, what) is not None and getattr(self.settings, what) is not None:
                raise Conflict(
                    f"The operator has set “{what}” for this server; it is changed there."
                )

    def _updated(self, result: Reply | HubbubError, on_done: OnDone) -> None:
        on_done(Done() if isinstance(result, Prepared) else result)

    def _settings_changed(self, told: SettingsChanged) -> None:
        """What is told of the server, and who may come in, is from now on so."""
        self._values, self._needs_owner = told.values, told.needs_owner
        self.tokens.guests_allowed = self.about().guests
        self.hub.send_to_all(ServerChanged(server=self.about()))
        if not self.tokens.guests_allowed:
            self.hub.resume_guard.revoke_all()
            for client in [client for client in self.hub.clients if client.actor.is_guest]:
                client.handler.close(CLOSE_POLICY, "This server lets no guests in any more.")

    async def ask_with_others(self, actor: Actor, query: Query) -> Reply:
        """Answer what a crowd asks for at a time, for all of it together. Raises HubbubError."""
        return await self._by_now(actor, lambda: self._answers.load((actor, query)))

    async def rooms_to_visit(self, ids: set[str]) -> list[MyRoom]:
        """The rooms of these that a guest may look into."""
        return await self.executor.read(lambda tx: account_actions.visited(tx, ids))

    def flush(self) -> None:
        """Send on what waits here: the server is stopping."""
        self._read_markers.flush()

    async def stop(self) -> None:
        """Nothing is read any more."""
        await self._answers.stop()
