"""The one place where the parts are put together; the order in which they start and stop."""

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
from hubbub.actions.history import room_state
from hubbub.actions.nodes import entries_after, heads
from hubbub.gateway.application import application, arrivals
from hubbub.gateway.auth.tokens import SessionTokens
from hubbub.gateway.dispatch.dispatcher import Dispatcher
from hubbub.gateway.operations import control_socket
from hubbub.gateway.operations.local_sockets import LocalSocket
from hubbub.gateway.transport.http_connection import Site
from hubbub.live.cluster.bus import Bus, NoBus
from hubbub.live.cluster.nodes import Nodes, Reads
from hubbub.live.hub import Hub
from hubbub.model.accounts import (
    OPERATOR,
    InviteMade,
    KeepKey,
    KeyKept,
    OwnerInvite,
    Prepare,
    Prepared,
)
from hubbub.model.errors import HubbubError, Unavailable
from hubbub.model.outcome import Entry, Heads, RoomSnapshot
from hubbub.model.reading import Notice
from hubbub.model.settings import Settings, Worker
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.opening import chat_of
from hubbub.store.executor import CommandExecutor
from hubbub.wire import text
from hubbub.wire.frames import CLOSE_RESTART

# Connections not yet accepted: everyone comes back at once after a restart. Linux takes
# net.core.somaxconn (4,096) if that is less; whoever finds it full tries again after 1, 2, 4 s …
BACKLOG = 16_384
COME_BACK_AFTER_S = 2.0
COME_BACK = f"Restart: come back in {COME_BACK_AFTER_S:.0f} s."
GOODBYES_WITHIN_S = 2.0
REQUESTS_WITHIN_S = 0.5  # aiohttp waits twice: for the answers, and then for what it cancelled

# The writer thread waits this long for the loop to let go of the interpreter; the default of
# 5 ms would make each of its steps wait that long under load. Less than a fan-out to 200 takes
# would have the two threads take the interpreter from each other in the middle of it.
SWITCH_INTERVAL_S = 0.0015

log = structlog.get_logger()


class AddressError(HubbubError):
    """The address cannot be listened on; the message says why and what to do."""

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
        # Set when it cannot go on; `failure` says why.
        self.failed = asyncio.Event()
        self.failure: HubbubError | None = None
        self._is_shared = False
        self._shown = 0
        self._epoch = ""

    async def start(self) -> None:
        """Open the data, then the doors. Raises FolderError, DatabaseError, AddressError …"""
        self.folder.prepare()
        self.folder.hold()
        database = chat_of(self.settings.database, self.folder)
        self._is_shared = database.is_shared
        self.hub = Hub(self._read_room, clock=time.monotonic)
        self.nodes = self._among_others() if database.is_shared else None
        self.executor = CommandExecutor(
            database,
            partial(actions.execute, lets_guests_in=self.settings.lets_guests_in),
            partial(actions.answer, lets_guests_in=self.settings.lets_guests_in),
            self.nodes.show if self.nodes else self.hub.tell,
            quotas=self.settings.quotas,
            before_showing=self._about_to_show,
            may_share=actions.may_share,
            node=self.node,
            journaled=self.nodes.journaled if self.nodes else _unheard,
        )
        self.executor.start()
        # Before the key, which is the sign that there has been a chat.
        prepared = await self._prepare()
        self.tokens = SessionTokens(
            self.executor,
            await self._signing_key(),
            lambda: [client.actor for client in self.hub.clients],
        )
        self.hub.on_sessions_ended = self.tokens.forget_sessions
        self.hub.on_account_changed = self.tokens.forget_user
        self.dispatcher = Dispatcher(self.settings, self.executor, self.hub, self.tokens)
        self.dispatcher.nodes = self.nodes
        self.dispatcher.prepared(prepared)
        await self._greet_owner(prepared)
        self.hub.start()
        if self.nodes:
            self.nodes.on_start_over = self.tokens.forget_all
            await self.nodes.start(self._epoch)
        self.tokens.start()
        self.dispatcher.authenticator.start()
        self.dispatcher.connections.start()
        if self._worker is None or self._worker.number == 1:
            where = self.folder.socket
            self._admin = await control_socket.listen(self.executor, where, self.settings.base_url)
        await self._listen()
        self._trimming = asyncio.get_running_loop().create_task(memory.trim_for_ever())
        self.dispatcher.ready = True

    async def _signing_key(self) -> bytes:
        """The folder's; on a shared database, that of all its servers."""
        if not self._is_shared:
            return self.folder.secret()
        offered = KeepKey(key=secrets.token_hex(32))
        kept: KeyKept = await self.executor.submit(OPERATOR, offered)
        return bytes.fromhex(kept.key)

    async def _prepare(self) -> Prepared:
        """The epoch and the lobby."""
        known = await self.executor.read(lambda tx: tx.server_values())
        shown = self.folder.shown(known.get("epoch", ""))
        prepared: Prepared = await self.executor.submit(
            OPERATOR, Prepare(shown=shown, shared=self._is_shared)
        )
        self._epoch, self._shown = prepared.values["epoch"], prepared.total
        self.folder.note_shown(self._epoch, self._shown)
        if known and known.get("epoch") != self._epoch:
            log.warning(
                "the database is another than before: clients start over",
                changes=self._shown,
                shown="unknown" if shown is None else shown,
            )
        return prepared

    async def _greet_owner(self, prepared: Prepared) -> None:
        """A link for the owner, if there is none yet."""
        # Each link voids the one before, so it is for one to make it, and not again later.
        greets = self._worker is None or self._worker.greets
        if greets and prepared.needs_owner and not self.settings.first_owns:
            made: InviteMade = await self.executor.submit(OPERATOR, OwnerInvite())
            self.owner_link = self.settings.base_url + made.invite.url

    def _about_to_show(self, revs: int) -> None:
        """On the writer thread, between a commit and its showing."""
        self._shown += revs
        self.folder.note_shown(self._epoch, self._shown)

    def _among_others(self) -> Nodes:
        """This node's part in what several do on one database."""
        bus: Bus = NoBus()
        if self.settings.bus is not None:
            from hubbub.live.cluster.nats import NatsBus

            bus = NatsBus(self.settings.bus, f"hubbub {self.node}")
        nodes = Nodes(
            self.hub,
            bus,
            Reads(self._read_heads, self._read_entries),
            node=self.node,
            version=__version__,
        )
        nodes.on_other_database = self._other_database
        return nodes

    def _other_database(self) -> None:
        if self.failure is None:
            self.failure = Unavailable(
                "The database was replaced while this server ran. Start it again."
            )
            self.failed.set()

    async def _read_heads(self, rooms: list[str], people: list[str]) -> Heads:
        return await self.executor.read(lambda tx: heads(tx, rooms, people))

    async def _read_entries(self, after: int) -> list[Entry]:
        return await self.executor.read(lambda tx: entries_after(tx, after))

    async def _read_room(self, room: str, after: int | None) -> RoomSnapshot:
        return await self.executor.read(lambda tx: room_state(tx, room, after))

    async def _listen(self) -> None:
        served = application(self.dispatcher, worker=self._worker)
        self._runner = web.AppRunner(served, shutdown_timeout=REQUESTS_WITHIN_S, access_log=None)
        await self._runner.setup()
        assert self._runner.server is not None
        host, port, worker = self.settings.host, self.settings.port, self._worker
        # The kernel spreads connections over all sockets of one user that ask for it.
        self._site = Site(
            self._runner,
            arrivals(served, self._runner.server),
            host,
            port,
            backlog=BACKLOG,
            reuse_port=worker is not None,
        )
        try:
            if worker and worker.greets:
                _require_free(host, port)
            await self._site.start()
        except OSError as error:
            raise AddressError(_why_not(self.settings, error)) from error

    async def stop(self) -> None:
        """No new connections; what waits is committed and answered; goodbye to everyone."""
        self.dispatcher.ready = False
        self._trimming.cancel()
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
        await self.dispatcher.connections.stop()
        await self.dispatcher.stop()
        await self.tokens.stop()
        self.dispatcher.authenticator.stop()
        await self.executor.close()
        self.folder.release()

    async def _say_goodbye(self) -> None:
        """Tell everyone when to come back, and close."""
        notice = Notice(text="The server restarts.", retry_after=COME_BACK_AFTER_S)
        line = text.server(f"The server restarts. Come back in {COME_BACK_AFTER_S:.0f} seconds")
        self.hub.say_goodbye(notice, line)
        for client in list(self.hub.clients):
            client.handler.close(CLOSE_RESTART, COME_BACK)
        # Those who have not said who they are yet, and those who test.
        for each in list(self.dispatcher.sockets):
            each.close(CLOSE_RESTART, COME_BACK)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYES_WITHIN_S):
                await self.dispatcher.all_gone()
        for each in list(self.dispatcher.sockets):
            each.cut()


def _unheard(entry: Entry) -> None:
    """Only servers that share a database write a journal."""
    raise AssertionError(entry)


def _require_free(host: str, port: int) -> None:
    """Raises OSError if somebody listens there; as workers do, two servers could unnoticed."""
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)


def _why_not(settings: Settings, error: OSError) -> str:
    host, port = settings.host, settings.port
    with_port, with_host = "with --port", "with --host"
    if settings.through_make:
        # The next one may be taken as well; then the one after that is named.
        with_port = f"with make run PORT={port + 1 if 1023 < port < 65_535 else Settings().port}"
        with_host = "with make run HOST=…"
    match error.errno:
        case errno.EADDRINUSE:
            why = f"Port {port} is in use by another program. Give another {with_port}."
        case errno.EACCES:
            why = f"Port {port} needs special rights. Give one above 1023 {with_port}."
        case errno.EADDRNOTAVAIL:
            why = f"{host} is not an address of this machine. Give another {with_host}."
        case _ if isinstance(error, socket.gaierror):
            why = f"{host} is not known as an address or a name. Give another {with_host}."
        case _:
            why = f"{host} port {port} cannot be listened on ({error.strerror or error})."
    return why


async def run(
    settings: Settings, announce: Callable[[App], None], worker: Worker | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then stop cleanly; a second signal changes nothing.

    ``announce`` is called once the server answers. ``worker`` is given if this is one of several
    processes. Raises HubbubError if it cannot start.
    """
    _tune()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_, stopping.set)
    app = App(settings, worker)
    await app.start()
    # What has been made by now stays; the collector need not look at it again.
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


def _tune() -> None:
    """For thousands of connections and two busy threads."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(10_000, 20, 100)
    memory.give_back_early()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
