"""The checks of `hubbub doctor`. They change nothing, and take no lock that a server needs."""

import datetime
import resource
import time
from collections.abc import Generator, Iterator, Sequence

from hubbub.cli.checks import data, machine, public_access, server, storage
from hubbub.cli.checks.fetch import HttpReply
from hubbub.cli.checks.finding import Finding, ok, problem
from hubbub.gateway.http.static_files import BUILT_CLIENT
from hubbub.model.accounts import ServerInfo
from hubbub.model.settings import Settings
from hubbub.store.data_folder import DataFolder


def examine(settings: Settings, setting_errors: Sequence[str], *, full: bool) -> Iterator[Finding]:
    """Run all checks, and yield each finding as soon as it is known.

    ``setting_errors`` has a sentence about each invalid setting; ``settings`` has their defaults.
    """
    folder = DataFolder(settings.data)
    is_running = server.has_server(folder)
    yield from settings_valid(setting_errors)
    yield machine.python()
    yield machine.uvloop()
    yield machine.client_built(BUILT_CLIENT)
    yield machine.clock(datetime.datetime.now(datetime.UTC))
    if settings.database:
        values = yield from _check_postgres(
            settings, settings.database, folder, full=full, is_running=is_running
        )
    else:
        values = yield from _check_folder(folder, full=full, is_running=is_running)
    reply = server.fetch_readiness(settings)
    yield server.port(settings, reply, is_running=is_running)
    about = None
    if reply and is_running:
        about = yield from _check_server(settings, reply)
    else:
        yield machine.open_files(settings, _own_file_limit())
    yield _joining(settings, about, values)
    yield public_access.trusted_proxies(settings)
    yield from public_access.check_public_url(settings, is_running=is_running)


def settings_valid(setting_errors: Sequence[str]) -> Iterator[Finding]:
    for sentence in setting_errors:
        yield problem("settings", sentence, "Correct it; the other checks use its default.")
    if not setting_errors:
        yield ok("settings", "All settings are valid.")


def _check_folder(
    folder: DataFolder, *, full: bool, is_running: bool
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
    return (
        yield from data.check_database(
            folder, int(time.time() * 1000), full=full, is_running=is_running
        )
    )


def _check_postgres(
    settings: Settings, url: str, folder: DataFolder, *, full: bool, is_running: bool
) -> Generator[Finding, None, dict[str, str]]:
    """Check a chat in PostgreSQL; its data folder has little more than locks."""
    # Their drivers are loaded only if needed.
    from hubbub.cli.checks import bus, postgres

    usable = storage.folder_is_usable(folder, is_shared=True)
    yield usable
    if usable.state != "problem" and folder.path.exists():
        yield storage.permissions(folder)
    now_ms = int(time.time() * 1000)
    facts = yield from postgres.check_database(
        url, folder, now_ms, full=full, is_running=is_running
    )
    if facts.connections:
        processes = max(facts.connections.serving, settings.workers)
        yield postgres.connection_limit(facts.connections, processes)
    if settings.bus:
        yield from bus.check_bus(settings, facts.values.get("epoch"), is_running=is_running)
    else:
        yield bus.without_bus(settings, facts.connections)
    return facts.values


def _check_server(
    settings: Settings, reply: HttpReply
) -> Generator[Finding, None, ServerInfo | None]:
    yield server.ready(reply)
    about = server.about(settings)
    yield server.version(about)
    yield server.server_clock(reply)
    files = server.fetch_open_files(settings)
    yield machine.open_files(settings, files.limit if files else _own_file_limit())
    if files:
        yield server.files_left(files)
    return about


def _own_file_limit() -> float:
    """The hard limit of open files; a server started from this shell would raise its own to it."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def _joining(settings: Settings, about: ServerInfo | None, values: dict[str, str]) -> Finding:
    """Use the running server's settings, else the operator's settings, else the owner's."""
    if about:
        return public_access.joining(settings, about.registration, about.guests)
    registration = settings.registration or values.get(
        "registration", settings.default_registration
    )
    guests = settings.guests
    if guests is None:
        guests = values["guests"] == "1" if "guests" in values else settings.default_guests
    return public_access.joining(settings, registration, guests)
