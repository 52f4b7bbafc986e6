"""Wires the parts of a server together, and starts and stops them in order."""

import asyncio
import contextlib
import errno
import gc
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

import structlog
from aiohttp import web

from hubbub import __version__, actions, memory
from hubbub.actions.history import get_room_snapshot
from hubbub.actions.nodes import get_heads, list_entries_after
from hubbub.gateway.application import application, connection_factory
from hubbub.gateway.auth.tokens import SessionTokens
from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.operations import control_socket
from hubbub.gateway.operations.local_sockets import LocalSocket
from hubbub.gateway.transport.http_connection import Site
from hubbub.live.cluster.bus import Bus, NoBus
from hubbub.live.cluster.nodes import ClusterQueries, Nodes
from hubbub.live.hub import Hub
from hubbub.model.accounts import (
    OPERATOR,
    InviteMade,
    OwnerInvite,
    Prepare,
    SigningKey,
    StartupState,
    StoreSigningKey,
)
from hubbub.model.errors import HubbubError, Unavailable
from hubbub.model.outcome import Entry, Heads, RoomSnapshot
from hubbub.model.reading import Notice
from hubbub.model.settings import Settings, Worker
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.opening import open_chat
from hubbub.store.executor import CommandExecutor
from hubbub.wire import text
from hubbub.wire.frames import CLOSE_RESTART

# Connections not yet accepted; after a restart all clients reconnect at once. Linux uses
# net.core.somaxconn (4,096) if that is less. A client that finds it full retries after 1, 2, 4 s …
BACKLOG = 16_384
RECONNECT_AFTER_S = 2.0
RESTART_REASON = f"The server restarts. Reconnect in {RECONNECT_AFTER_S:.0f} s."
GOODBYE_TIMEOUT_S = 2.0
REQUEST_TIMEOUT_S = 0.5  # aiohttp waits twice: for responses, then for the requests it cancelled

# How long the writer thread waits for the loop to release the interpreter lock. With the default of
# 5 ms each of its steps would wait that long under load. If it were shorter than a fan-out to 200
# clients takes, the threads would take the lock from each other in the middle of one.
SWITCH_INTERVAL_S = 0.0015

log = structlog.get_logger()


class AddressError(HubbubError):
    """The server cannot listen on the address; the message says why and what to do."""

    code = "address"
    title = "The address cannot be used."


class App:
    """One server, or one of its processes."""

    def __init__(self, settings: Settings, worker: Worker | None = None) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data, worker)
        self._worker = worker
        self._admin: LocalSocket | None = None
        self.owner_link: str | None = None
        self.node = secrets.token_hex(8)
        # Set when the server cannot go on; `failure` says why.
        self.failed = asyncio.Event()
        self.failure: HubbubError | None = None
        self._is_shared = False
        self._shown = 0
        self._epoch = ""

    async def start(self) -> None:
        """Open the data, then listen. Raises FolderError, DatabaseError, AddressError …"""
        self.folder.prepare()
        self.folder.require_lock()
        database = open_chat(self.settings.database, self.folder)
        self._is_shared = database.is_shared
        self.hub = Hub(self._read_room, clock=time.monotonic)
        self.nodes = self._create_nodes() if database.is_shared else None
        self.executor = CommandExecutor(
            database,
            partial(actions.execute, allows_guests=self.settings.allows_guests),
            partial(actions.answer, allows_guests=self.settings.allows_guests),
            self.nodes.publish if self.nodes else self.hub.publish,
            quotas=self.settings.quotas,
            before_publish=self._note_published,
            can_run_concurrently=actions.can_run_concurrently,
            node=self.node,
            on_journal_entry=self.nodes.publish_entry if self.nodes else _no_journal,
        )
        self.executor.start()
        # Before the signing key is made, as its presence means that there has been a chat.
        startup = await self._prepare()
        self.tokens = SessionTokens(
            self.executor,
            await self._signing_key(),
            lambda: [client.actor for client in self.hub.clients],
        )
        self.hub.on_sessions_ended = self.tokens.forget_sessions
        self.hub.on_account_changed = self.tokens.forget_user
        self.dispatcher = Dispatcher(self.settings, self.executor, self.hub, self.tokens)
        self.dispatcher.nodes = self.nodes
        self.dispatcher.load_server_state(startup)
        await self._create_owner_link(startup)
        self.hub.start()
        if self.nodes:
            self.nodes.on_reset = self.tokens.forget_all
            await self.nodes.start(self._epoch)
        self.tokens.start()
        self.dispatcher.authenticator.start()
        self.dispatcher.connection_limiter.start()
        if self._worker is None or self._worker.number == 1:
            path = self.folder.socket
            self._admin = await control_socket.listen(self.executor, path, self.settings.base_url)
        await self._listen()
        self._trim_task = asyncio.get_running_loop().create_task(memory.trim_periodically())
        self.dispatcher.is_ready = True

    async def _signing_key(self) -> bytes:
        """The data folder's key; on a shared database, the one that all its servers use."""
        if not self._is_shared:
            return self.folder.secret()
        offered = StoreSigningKey(key=secrets.token_hex(32))
        kept: SigningKey = await self.executor.submit(OPERATOR, offered)
        return bytes.fromhex(kept.key)

    async def _prepare(self) -> StartupState:
        """Make or check the epoch and the lobby in the database."""
        known = await self.executor.read(lambda tx: tx.server_values())
        shown = self.folder.shown(known.get("epoch", ""))
        startup: StartupState = await self.executor.submit(
            OPERATOR, Prepare(shown=shown, shared=self._is_shared)
        )
        self._epoch, self._shown = startup.values["epoch"], startup.total
        self.folder.note_shown(self._epoch, self._shown)
        if known and known.get("epoch") != self._epoch:
            log.warning(
                "the database was replaced or restored: clients start over",
                changes=self._shown,
                shown="unknown" if shown is None else shown,
            )
        return startup

    async def _create_owner_link(self, startup: StartupState) -> None:
        """Make an invite link for the owner, if there is no owner yet."""
        # Each link invalidates the one before, so only one worker makes it, and only once.
        makes_owner_link = self._worker is None or self._worker.makes_owner_link
        if makes_owner_link and startup.needs_owner and not self.settings.first_owns:
            made: InviteMade = await self.executor.submit(OPERATOR, OwnerInvite())
            self.owner_link = self.settings.base_url + made.invite.url

    def _note_published(self, revs: int) -> None:
        """Note in the data folder that this many revs are about to be published.

        Called on the writer thread after the commit.
        """
        self._shown += revs
        self.folder.note_shown(self._epoch, self._shown)

    def _create_nodes(self) -> Nodes:
        """This node's connection to the others on the same database."""
        bus: Bus = NoBus()
        if self.settings.bus is not None:
            from hubbub.live.cluster.nats import NatsBus

            bus = NatsBus(self.settings.bus, f"hubbub {self.node}")
        nodes = Nodes(
            self.hub,
            bus,
            ClusterQueries(self._read_heads, self._read_entries),
            node=self.node,
            version=__version__,
        )
        nodes.on_database_replaced = self._on_database_replaced
        return nodes

    def _on_database_replaced(self) -> None:
        if self.failure is None:
            self.failure = Unavailable(
                "The database was replaced while this server ran. Start it again."
            )
            self.failed.set()

    async def _read_heads(self, rooms: list[str], people: list[str]) -> Heads:
        return await self.executor.read(lambda tx: get_heads(tx, rooms, people))

    async def _read_entries(self, after: int) -> list[Entry]:
        return await self.executor.read(lambda tx: list_entries_after(tx, after))

    async def _read_room(self, room: str, after: int | None) -> RoomSnapshot:
        return await self.executor.read(lambda tx: get_room_snapshot(tx, room, after))

    async def _listen(self) -> None:
        web_app = application(self.dispatcher, worker=self._worker)
        self._runner = web.AppRunner(web_app, shutdown_timeout=REQUEST_TIMEOUT_S, access_log=None)
        await self._runner.setup()
        assert self._runner.server is not None
        host, port, worker = self.settings.host, self.settings.port, self._worker
        # The kernel spreads connections over all sockets of one user that ask for it.
        self._site = Site(
            self._runner,
            connection_factory(web_app, self._runner.server),
            host,
            port,
            backlog=BACKLOG,
            reuse_port=worker is not None,
        )
        try:
            if worker and worker.makes_owner_link:
                _require_free(host, port)
            await self._site.start()
        except OSError as error:
            raise AddressError(_address_error_text(self.settings, error)) from error

    async def stop(self) -> None:
        """Stop listening, commit and answer what is queued, and close all connections."""
        self.dispatcher.is_ready = False
        self._trim_task.cancel()
        await self._site.stop()
        if self._admin:
            await self._admin.close()
        self.dispatcher.flush()
        await self.executor.drain()
        await self._say_goodbye()
        await self._runner.cleanup()
        if self.nodes:
            await self.nodes.stop()
        await self.hub.stop()
        await self.dispatcher.connection_limiter.stop()
        await self.dispatcher.stop()
        await self.tokens.stop()
        self.dispatcher.authenticator.stop()
        await self.executor.close()
        self.folder.release()

    async def _say_goodbye(self) -> None:
        """Tell all clients when to reconnect, and close their connections."""
        notice = Notice(text="The server restarts.", retry_after=RECONNECT_AFTER_S)
        line = text.server(f"The server restarts. Reconnect in {RECONNECT_AFTER_S:.0f} seconds")
        self.hub.say_goodbye(notice, line)
        for client in list(self.hub.clients):
            client.handler.close(CLOSE_RESTART, RESTART_REASON)
        # Connections that have not signed in yet, and those of the echo test.
        for open_socket in list(self.dispatcher.sockets):
            open_socket.close(CLOSE_RESTART, RESTART_REASON)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                await self.dispatcher.wait_until_disconnected()
        for open_socket in list(self.dispatcher.sockets):
            open_socket.abort()


def _no_journal(entry: Entry) -> None:
    """Without a shared database there is no journal."""
    raise AssertionError(entry)


def _require_free(host: str, port: int) -> None:
    """Raises OSError if the port is in use: with SO_REUSEPORT two servers could share it."""
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)


def _address_error_text(settings: Settings, error: OSError) -> str:
    host, port = settings.host, settings.port
    with_port, with_host = "with --port", "with --host"
    if settings.through_make:
        # The next port may be in use as well; then the one after it is suggested.
        with_port = f"with make run PORT={port + 1 if 1023 < port < 65_535 else Settings().port}"
        with_host = "with make run HOST=…"
    match error.errno:
        case errno.EADDRINUSE:
            message = f"Port {port} is in use by another program. Give another {with_port}."
        case errno.EACCES:
            message = f"Port {port} needs special rights. Give one above 1023 {with_port}."
        case errno.EADDRNOTAVAIL:
            message = f"{host} is not an address of this machine. Give another {with_host}."
        case _ if isinstance(error, socket.gaierror):
            message = f"{host} is not known as an address or a name. Give another {with_host}."
        case _:
            message = f"The server cannot listen on {host} port {port} ({error.strerror or error})."
    return message


async def run(
    settings: Settings, announce: Callable[[App], None], worker: Worker | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then stop cleanly; a second signal changes nothing.

    ``announce`` is called once the server answers. ``worker`` is given if this is one of several
    processes. Raises HubbubError if it cannot start.
    """
    _tune_process()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_, stopping.set)
    app = App(settings, worker)
    await app.start()
    # Objects made by now stay alive; the garbage collector need not visit them again.
    gc.collect()
    gc.freeze()
    announce(app)
    ends = [loop.create_task(event.wait()) for event in (stopping, app.failed)]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    log.info("stopping")
    await app.stop()
    if app.failure is not None:
        raise app.failure


def _tune_process() -> None:
    """Set up the process for thousands of connections and two busy threads."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(10_000, 20, 100)
    memory.configure_allocator()
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
