"""Running the server, and what is said when it has started."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
import typer

from hubbub import __version__, logs
from hubbub.cli.address import EVERYWHERE, for_people, in_network, on_this_machine
from hubbub.model.accounts import ServerInfo
from hubbub.model.settings import Settings, Worker

if TYPE_CHECKING:
    from hubbub.app import App

Line = tuple[str, str]
"""What it is about, and what there is to say."""

WIDTH = 16  # of what it is about


def trying(settings: Settings, *, through_make: bool = False) -> Settings:
    """Open to all who can reach it, until its owner decides otherwise."""
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
    """Say on stdout where the server is and what to do next."""
    # Whoever reads it may have gone; the server is there for others.
    with contextlib.suppress(OSError):
        typer.echo(greeting(app.settings, app.dispatcher.about(), app.owner_link))


def greeting(settings: Settings, about: ServerInfo, owner_link: str | None) -> str:
    lines = [
        *_addresses(settings, about),
        *_who(about, owner_link),
        ("Data", _where(settings)),
        *_processes(settings),
        ("Stop", "Ctrl-C"),
    ]
    told = "\n".join(f"  {what:<{WIDTH}}{line}".rstrip() for what, line in lines)
    return f"\nHubbub {__version__} is running.\n\n{told}\n"


def _where(settings: Settings) -> str:
    """Where everything is kept."""
    if settings.database is None:
        return str(settings.data.absolute())
    from hubbub.store.engines.postgres import without_password

    return without_password(settings.database)


def _processes(settings: Settings) -> Iterator[Line]:
    """Said by a worker, whose parent is the one to speak to."""
    if settings.workers > 1:
        told = f"{settings.workers}; new ones, one after another, with: kill -HUP {os.getppid()}"
        yield "Processes", told


def _addresses(settings: Settings, about: ServerInfo) -> Iterator[Line]:
    if settings.public_url:
        yield "Open", settings.base_url
    elif settings.host in EVERYWHERE:
        network = in_network()
        yield "Open", on_this_machine(settings.base_url)
        if network:
            yield "Other devices", f"{for_people(settings.base_url)} in the same network"
        yield "", _warning(about)
    else:
        yield "Open", settings.base_url
    if settings.is_loopback and settings.first_owns:
        command = "make run HOST=0.0.0.0" if settings.through_make else "hubbub try --host 0.0.0.0"
        yield "Other devices", command
        yield "", _warning(about).replace(" can", " can then")


def _warning(about: ServerInfo) -> str:
    if about.registration == "open" or about.guests:
        return "Anyone in the network can join."
    return "Anyone in the network can reach the page where people sign in."


def _who(about: ServerInfo, owner_link: str | None) -> Iterator[Line]:
    ways = {"open": "open to everyone", "invite": "by invitation", "closed": "closed"}
    guests = "guests may look in" if about.guests else "no guests"
    yield "Joining", f"{ways[about.registration]}; {guests}"
    if owner_link:
        yield "Owner", "nobody yet. This link makes its first user the owner, within 7 days:"
        yield "", for_link(owner_link)
    elif about.needs_owner:
        yield "Owner", "nobody yet. The first to sign up owns this server."


def for_link(link: str) -> str:
    """A link into this server that also works where it listens on all addresses."""
    base, path, code = link.partition("/join/")
    return for_people(base) + path + code
