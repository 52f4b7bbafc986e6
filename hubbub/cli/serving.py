"""Running the server, and the greeting that it prints once it has started."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
import typer

from hubbub import __version__, logs
from hubbub.cli.address import WILDCARD_HOSTS, lan_address, local_url, reachable_url
from hubbub.model.accounts import ServerInfo
from hubbub.model.settings import Settings, Worker

if TYPE_CHECKING:
    from hubbub.app import App

GreetingLine = tuple[str, str]
"""A label and its text."""

LABEL_WIDTH = 16


def trial_settings(settings: Settings, *, through_make: bool = False) -> Settings:
    """Let in everybody who can reach the server, until its owner decides otherwise."""
    return msgspec.structs.replace(
        settings,
        default_registration="open",
        default_guests=True,
        first_owns=True,
        through_make=through_make,
    )


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises HubbubError if the server cannot start."""
    if settings.workers > 1:
        from hubbub.cli.processes import supervisor

        supervisor.run(settings)
    else:
        serve(settings, announce)


def serve(
    settings: Settings, announce: Callable[["App"], None], worker: Worker | None = None
) -> None:
    """Serve in this process, which may be one ``worker`` of several. Raises HubbubError."""
    logs.setup(settings.log_format, worker.number if worker else None)
    import uvloop

    from hubbub import app

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(app.run(settings, announce, worker))


def announce(app: "App") -> None:
    """Print to stdout where the server is and what to do next."""
    # A closed stdout must not stop the server.
    with contextlib.suppress(OSError):
        typer.echo(greeting(app.settings, app.dispatcher.server_info(), app.owner_link))


def greeting(settings: Settings, about: ServerInfo, owner_link: str | None) -> str:
    lines = [
        *_addresses(settings, about),
        *_joining(about, owner_link),
        ("Data", _data_location(settings)),
        *_processes(settings),
        ("Stop", "Ctrl-C"),
    ]
    text = "\n".join(f"  {label:<{LABEL_WIDTH}}{line}".rstrip() for label, line in lines)
    return f"\nHubbub {__version__} is running.\n\n{text}\n"


def _data_location(settings: Settings) -> str:
    """The data folder or the database, without its password."""
    if settings.database is None:
        return str(settings.data.absolute())
    from hubbub.store.engines.postgres import without_password

    return without_password(settings.database)


def _processes(settings: Settings) -> Iterator[GreetingLine]:
    """The number of workers. A worker prints it, so the signal must go to its parent."""
    if settings.workers > 1:
        text = f"{settings.workers}; restart them one by one with: kill -HUP {os.getppid()}"
        yield "Processes", text


def _addresses(settings: Settings, about: ServerInfo) -> Iterator[GreetingLine]:
    if settings.public_url:
        yield "Open", settings.base_url
    elif settings.host in WILDCARD_HOSTS:
        network = lan_address()
        yield "Open", local_url(settings.base_url)
        if network:
            yield "Other devices", f"{reachable_url(settings.base_url)} in the same network"
        yield "", _network_warning(about)
    else:
        yield "Open", settings.base_url
    if settings.is_loopback and settings.first_owns:
        command = "make run HOST=0.0.0.0" if settings.through_make else "hubbub try --host 0.0.0.0"
        yield "Other devices", command
        yield "", _network_warning(about).replace(" can", " can then")


def _network_warning(about: ServerInfo) -> str:
    if about.registration == "open" or about.guests:
        return "Anyone in the network can join."
    return "Anyone in the network can reach the page where people sign in."


def _joining(about: ServerInfo, owner_link: str | None) -> Iterator[GreetingLine]:
    ways = {"open": "open to everyone", "invite": "by invitation", "closed": "closed"}
    guests = "guests may look in" if about.guests else "no guests"
    yield "Joining", f"{ways[about.registration]}; {guests}"
    if owner_link:
        yield "Owner", "nobody yet. This link makes its first user the owner, within 7 days:"
        yield "", reachable_link(owner_link)
    elif about.needs_owner:
        yield "Owner", "nobody yet. The first to sign up owns this server."


def reachable_link(link: str) -> str:
    """The link, with a wildcard host replaced by an address that other machines can reach."""
    base, path, code = link.partition("/join/")
    return reachable_url(base) + path + code
