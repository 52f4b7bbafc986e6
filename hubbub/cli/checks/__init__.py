"""What `hubbub doctor` looks at. It changes nothing, and holds nothing that a server needs."""

import datetime
import resource
import time
from collections.abc import Generator, Iterator, Sequence

from hubbub.cli.checks import data, machine, public_access, server, storage
from hubbub.cli.checks.fetch import HttpReply
from hubbub.cli.checks.finding import Finding, ok, problem
from hubbub.gateway.http.static_files import BUILT
from hubbub.model.accounts import ServerInfo
from hubbub.model.settings import Settings
from hubbub.store.data_folder import DataFolder


def examine(settings: Settings, wrong: Sequence[str], *, full: bool) -> Iterator[Finding]:
    """All checks, each told as soon as it is done. ``wrong`` are the settings that are not valid.

    In place of those ``settings`` has their defaults.
    """
    folder = DataFolder(settings.data)
    runs = server.has_server(folder)
    yield from valid(wrong)
    yield machine.python()
    yield machine.uvloop()
    yield machine.client_built(BUILT)
    yield machine.clock(datetime.datetime.now(datetime.UTC))
    if settings.database:
        values = yield from _shared(settings, settings.database, folder, full=full, runs=runs)
    else:
        values = yield from _place(folder, full=full, runs=runs)
    heard = server.listener(settings)
    yield server.port(settings, heard, runs=runs)
    said = None
    if heard and runs:
        said = yield from _server(settings, heard)
    else:
        yield machine.open_files(settings, _files_at_most())
    yield _joining(settings, said, values)
    yield public_access.trusted(settings)
    yield from public_access.public(settings, runs=runs)


def valid(wrong: Sequence[str]) -> Iterator[Finding]:
    for sentence in wrong:
        yield problem("settings", sentence, "Correct it; the rest is looked at with its default.")
    if not wrong:
        yield ok("settings", "All settings make sense.")


def _place(
    folder: DataFolder, *, full: bool, runs: bool
) -> Generator[Finding, None, dict[str, str]]:
    usable = storage.folder_is_usable(folder, is_shared=False)
    yield usable
    if usable.state == "problem":
        return {}
    yield storage.disk_space(folder.path)
    yield storage.file_system(folder.path)
    if not folder.path.exists():
        return {}
    yield storage.permissions(folder)
    if not folder.database.exists():
        return {}
    yield storage.key(folder)
    return (yield from data.data(folder, int(time.time() * 1000), full=full, runs=runs))


def _shared(
    settings: Settings, url: str, folder: DataFolder, *, full: bool, runs: bool
) -> Generator[Finding, None, dict[str, str]]:
    """Of a server whose chat is in a PostgreSQL; the folder has little more than locks then."""
    # Loaded by those who use them.
    from hubbub.cli.checks import bus, postgres

    usable = storage.folder_is_usable(folder, is_shared=True)
    yield usable
    if usable.state != "problem" and folder.path.exists():
        yield storage.permissions(folder)
    now_ms = int(time.time() * 1000)
    known = yield from postgres.data(url, folder, now_ms, full=full, runs=runs)
    if known.connections:
        serving = max(known.connections.serving, settings.workers)
        yield postgres.room_for(known.connections, serving)
    if settings.bus:
        yield from bus.bus(settings, known.values.get("epoch"), runs=runs)
    else:
        yield bus.none(settings, known.connections)
    return known.values


def _server(settings: Settings, heard: HttpReply) -> Generator[Finding, None, ServerInfo | None]:
    yield server.ready(heard)
    said = server.about(settings)
    yield server.version(said)
    yield server.server_clock(heard)
    files = server.files_of(settings)
    yield machine.open_files(settings, files.most if files else _files_at_most())
    if files:
        yield server.files_left(files)
    return said


def _files_at_most() -> float:
    """What a server started here could raise its limit to, as it does at its start."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if most == resource.RLIM_INFINITY else most


def _joining(settings: Settings, said: ServerInfo | None, values: dict[str, str]) -> Finding:
    """By what the server says; without one, by the operator's word, or else by the owner's."""
    if said:
        return public_access.joining(settings, said.registration, said.guests)
    registration = settings.registration or values.get(
        "registration", settings.default_registration
    )
    guests = settings.guests
    if guests is None:
        guests = values["guests"] == "1" if "guests" in values else settings.default_guests
    return public_access.joining(settings, registration, guests)
