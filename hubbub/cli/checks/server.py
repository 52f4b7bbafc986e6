"""Checks of the port, and of the server that listens there."""

import contextlib
import errno
import math
import re
import socket
import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

from hubbub import __version__
from hubbub.cli.address import WILDCARD_HOSTS
from hubbub.cli.checks.fetch import REQUEST_ERRORS, HttpReply, fetch
from hubbub.cli.checks.finding import Finding, ok, problem, warning
from hubbub.gateway.operations.local_sockets import address_of
from hubbub.model.accounts import ServerInfo
from hubbub.model.settings import Settings
from hubbub.store.data_folder import DataFolder

CLOCKS_APART_S = 10.0
FILES_FULL = 0.8  # the share of open files above which a warning is due
USE_SERVER_OPTIONS = (
    "Run doctor with the options and variables of the server, so that it can check it."
)


class OpenFiles(NamedTuple):
    """The number of files that the server has open, and its limit."""

    used: float
    limit: float


def has_server(folder: DataFolder) -> bool:
    """Whether a server uses this folder. Does not take the lock, which a start needs."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.closing(connection), address_of(folder.socket) as address:
            connection.connect(address)
    except BlockingIOError:
        return True  # its queue of connections is full
    except OSError:
        return False
    return True


def local_url(settings: Settings) -> str:
    """The server's URL on this machine, which bypasses any proxy."""
    host = settings.host
    if host in WILDCARD_HOSTS:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def fetch_readiness(settings: Settings) -> HttpReply | None:
    """The reply of the Hubbub on this port to /readyz; None if no Hubbub listens there."""
    try:
        reply = fetch(local_url(settings), "/readyz")
    except REQUEST_ERRORS:
        return None
    return reply if reply.header("Server") == "hubbub" else None


def port(settings: Settings, reply: HttpReply | None, *, is_running: bool) -> Finding:
    """Whether the port is this server's, or free for it.

    ``is_running``: a server uses the folder. ``reply`` is from the Hubbub on the port, if any.
    """
    address = f"{settings.host} port {settings.port}"
    if reply and is_running:
        return ok("port", f"The server listens on {address}.")
    if is_running:
        return warning(
            "port",
            f"A server uses this data folder, but it does not listen on {address}.",
            USE_SERVER_OPTIONS,
        )
    if reply:
        return problem(
            "port",
            f"Another Hubbub, with another data folder, listens on {address}.",
            "Give its folder with --data, or another port with --port.",
        )
    return port_free(settings.host, settings.port)


def port_free(host: str, number: int) -> Finding:
    """Whether a server could listen there. Binds the address for a moment."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                # As the server does, to ignore connections left in TIME_WAIT by its last run.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        return _cannot_bind(host, number, error)
    return ok("port", f"{host} port {number} is free.")


def _cannot_bind(host: str, number: int, error: OSError) -> Finding:
    match error.errno:
        case errno.EADDRINUSE:
            why = f"Port {number} is in use by another program."
            return problem("port", why, "Stop that program, or give another port with --port.")
        case errno.EACCES:
            why = f"Port {number} needs special rights."
            return problem("port", why, "Give a port above 1023, and put a proxy before it.")
        case errno.EADDRNOTAVAIL:
            why = f"{host} is not an address of this machine."
        case _ if isinstance(error, socket.gaierror):
            why = f"{host} is neither an address nor a known name."
        case _:
            why = f"A server cannot listen on {host} port {number} ({error.strerror or error})."
    return problem("port", why, "Give another address with --host, or 0.0.0.0 for all.")


def ready(reply: HttpReply) -> Finding:
    if reply.status != 200:
        return problem(
            "server",
            "The server listens but accepts no requests: it is starting or stopping.",
            "Wait a moment. If that does not help, read its log and restart it.",
        )
    return ok("server", "The server accepts requests.")


def about(settings: Settings) -> ServerInfo | None:
    """The server's information about itself; None if it gives none."""
    try:
        reply = fetch(local_url(settings), "/api/about")
        return msgspec.json.decode(reply.body, type=ServerInfo) if reply.status == 200 else None
    except (*REQUEST_ERRORS, msgspec.MsgspecError):
        return None


def version(info: ServerInfo | None) -> Finding:
    if info is None:
        return problem(
            "version",
            "The server does not give its version.",
            "Its version may differ much from this one. Restart it, so that both are the same.",
        )
    if info.version != __version__:
        return warning(
            "version",
            f"The server runs version {info.version}, but {__version__} is installed here.",
            "Restart the server to finish the update, or run the doctor of its installation.",
        )
    return ok("version", f"The server runs this version, {__version__}.")


def server_clock(reply: HttpReply, now_s: float | None = None) -> Finding:
    """Whether the clock in the server's Date header (whole seconds) agrees with this machine's."""
    now_s = time.time() if now_s is None else now_s
    try:
        apart_s = parsedate_to_datetime(reply.header("Date")).timestamp() - now_s
    except ValueError:
        return warning("server clock", "The server sends no Date header.", "Restart it.")
    if abs(apart_s) > CLOCKS_APART_S:
        how = "ahead of" if apart_s > 0 else "behind"
        return warning(
            "server clock",
            f"The server's clock is {abs(apart_s):.0f} s {how} this machine's.",
            "Synchronise both with NTP.",
        )
    return ok("server clock", "The server's clock agrees with this machine's.")


def fetch_open_files(settings: Settings) -> OpenFiles | None:
    """The numbers in the running server's metrics; None if they are missing (not on Linux)."""
    try:
        text = fetch(local_url(settings), "/metrics").body.decode(errors="replace")
    except REQUEST_ERRORS:
        return None
    return parse_open_files(text)


def parse_open_files(metrics: str) -> OpenFiles | None:
    """The numbers in a metrics page, for the worker with the fewest left if there are several."""
    used, limit = (
        re.findall(rf"^process_{name}_fds(?:{{.*}})? (\S+)$", metrics, re.MULTILINE)
        for name in ("open", "max")
    )
    workers = [OpenFiles(float(one), float(other)) for one, other in zip(used, limit, strict=True)]
    return min(workers, key=lambda files: files.limit - files.used, default=None)


def files_left(files: OpenFiles) -> Finding:
    summary = f"The server has {files.used:.0f} of {files.limit:.0f} files open"
    if files.used > FILES_FULL * files.limit and math.isfinite(files.limit):
        return warning(
            "files left",
            f"{summary}: soon it cannot accept more connections.",
            "Raise the limit: LimitNOFILE= for systemd, ulimit -Hn, or ulimits: for containers.",
        )
    return ok("files left", f"{summary}.")
