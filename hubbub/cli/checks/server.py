"""The port, and the server that listens there."""

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
from hubbub.cli.address import EVERYWHERE
from hubbub.cli.checks.fetch import UNHEARD, HttpReply, ask
from hubbub.cli.checks.finding import Finding, ok, problem, warning
from hubbub.gateway.operations.local_sockets import address_of
from hubbub.model.accounts import ServerInfo
from hubbub.model.settings import Settings
from hubbub.store.data_folder import DataFolder

CLOCKS_APART_S = 10.0
FILES_FULL = 0.8
THEIRS = "Give doctor the options and variables of the server, so that it is looked at too."


class Files(NamedTuple):
    """How many files the server has open, and how many it may have."""

    used: float
    most: float


def has_server(folder: DataFolder) -> bool:
    """Whether a server listens in this folder; without touching the lock that a start needs."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.closing(connection), address_of(folder.socket) as address:
            connection.connect(address)
    except BlockingIOError:
        return True  # too many ask at once
    except OSError:
        return False
    return True


def nearby(settings: Settings) -> str:
    """The address at which a program beside the server reaches it, past any proxy."""
    host = settings.host
    if host in EVERYWHERE:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def listener(settings: Settings) -> HttpReply | None:
    """What the Hubbub on this port says of being ready; None if none listens there."""
    try:
        heard = ask(nearby(settings), "/readyz")
    except UNHEARD:
        return None
    return heard if heard.header("Server") == "hubbub" else None


def port(settings: Settings, heard: HttpReply | None, *, runs: bool) -> Finding:
    """``runs`` says whether a server has the folder, ``heard`` whether one has the port."""
    where = f"{settings.host} port {settings.port}"
    if heard and runs:
        return ok("port", f"The server listens on {where}.")
    if runs:
        return warning(
            "port", f"A server has this data folder, but it does not listen on {where}.", THEIRS
        )
    if heard:
        return problem(
            "port",
            f"Another Hubbub, with another data folder, listens on {where}.",
            "Give that one's folder with --data, or another port with --port.",
        )
    return bindable(settings.host, settings.port)


def bindable(host: str, number: int) -> Finding:
    """Whether a server could listen there; found out by taking the address for a moment."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                # As the server does, which need not wait for what its last run left behind.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        return _not_bindable(host, number, error)
    return ok("port", f"{host} port {number} is free.")


def _not_bindable(host: str, number: int, error: OSError) -> Finding:
    match error.errno:
        case errno.EADDRINUSE:
            why = f"Port {number} is in use by another program."
            return problem("port", why, "End that program, or give another port with --port.")
        case errno.EACCES:
            why = f"Port {number} needs special rights."
            return problem("port", why, "Give one above 1023 with --port, and a proxy before it.")
        case errno.EADDRNOTAVAIL:
            why = f"{host} is not an address of this machine."
        case _ if isinstance(error, socket.gaierror):
            why = f"{host} is not known as an address or a name."
        case _:
            why = f"{host} port {number} cannot be listened on ({error.strerror or error})."
    return problem("port", why, "Give another address with --host, or 0.0.0.0 for all.")


def ready(heard: HttpReply) -> Finding:
    if heard.status != 200:
        return problem(
            "server",
            "The server listens but takes no requests: it starts or stops.",
            "Wait a moment. If it stays so, look into its log and restart it.",
        )
    return ok("server", "The server takes requests.")


def about(settings: Settings) -> ServerInfo | None:
    """What the server says of itself; None if it does not."""
    try:
        heard = ask(nearby(settings), "/api/about")
        return msgspec.json.decode(heard.body, type=ServerInfo) if heard.status == 200 else None
    except (*UNHEARD, msgspec.MsgspecError):
        return None


def version(said: ServerInfo | None) -> Finding:
    if said is None:
        return problem(
            "version",
            "The server does not say who it is.",
            "It may be a version far from this one. Restart it, so that both are the same.",
        )
    if said.version != __version__:
        return warning(
            "version",
            f"The server runs {said.version}, but what is installed here is {__version__}.",
            "Restart the server to finish the update, or run the doctor that belongs to it.",
        )
    return ok("version", f"The server runs this version, {__version__}.")


def server_clock(heard: HttpReply, now_s: float | None = None) -> Finding:
    """The server's clock, as its answer says it in whole seconds, against this machine's."""
    now_s = time.time() if now_s is None else now_s
    try:
        apart_s = parsedate_to_datetime(heard.header("Date")).timestamp() - now_s
    except ValueError:
        return warning("server clock", "The server does not tell the time.", "Restart it.")
    if abs(apart_s) > CLOCKS_APART_S:
        how = "ahead of" if apart_s > 0 else "behind"
        return warning(
            "server clock",
            f"The server's clock is {abs(apart_s):.0f} s {how} this machine's.",
            "Keep both right with NTP.",
        )
    return ok("server clock", "The server's clock agrees with this machine's.")


def files_of(settings: Settings) -> Files | None:
    """The running server's own figures; None where there are none (not Linux)."""
    try:
        text = ask(nearby(settings), "/metrics").body.decode(errors="replace")
    except UNHEARD:
        return None
    return files_in(text)


def files_in(metrics: str) -> Files | None:
    """Of the figures; with several workers those of the one that has least left."""
    used, most = (
        re.findall(rf"^process_{name}_fds(?:{{.*}})? (\S+)$", metrics, re.MULTILINE)
        for name in ("open", "max")
    )
    workers = [Files(float(one), float(other)) for one, other in zip(used, most, strict=True)]
    return min(workers, key=lambda files: files.most - files.used, default=None)


def files_left(files: Files) -> Finding:
    told = f"The server has {files.used:.0f} of {files.most:.0f} files open"
    if files.used > FILES_FULL * files.most and math.isfinite(files.most):
        return warning(
            "files left",
            f"{told}: soon it can take no more connections.",
            "Raise the limit: LimitNOFILE= for systemd, ulimit -Hn, or ulimits: for containers.",
        )
    return ok("files left", f"{told}.")
