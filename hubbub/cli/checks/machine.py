"""Checks of this machine and this installation."""

import datetime
import platform
from importlib.util import find_spec
from pathlib import Path

import apsw

from hubbub import __version__
from hubbub.cli.checks.finding import Finding, ok, problem, warning
from hubbub.model.settings import Settings

YEARS = range(2025, 2100)  # plausible years of a clock
FILES_LOW = 4096
SPARE_FILES = 64  # for the database, the log, and what the libraries open


def python() -> Finding:
    versions = f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    return ok("program", f"Hubbub {__version__} on {versions}.")


def uvloop() -> Finding:
    if find_spec("uvloop") is None:
        return problem(
            "uvloop", "uvloop is missing, and the server needs it.", "pip install uvloop"
        )
    return ok("uvloop", "uvloop is installed.")


def client_built(folder: Path) -> Finding:
    """Whether ``folder`` has the built web client."""
    if not (folder / "index.html").is_file():
        return problem(
            "web client",
            "The web client is not built; people see a page that says so.",
            "In a checkout, run make web; otherwise install Hubbub's wheel again.",
        )
    return ok("web client", "The web client is built.")


def clock(now: datetime.datetime) -> Finding:
    if now.year not in YEARS:
        return problem(
            "clock",
            f"This machine's clock shows the year {now.year}.",
            "Set it, and synchronise it with NTP: messages and sessions carry its time.",
        )
    return ok("clock", f"This machine's clock shows {now:%Y-%m-%d %H:%M:%S} UTC.")


def open_files(settings: Settings, limit: float) -> Finding:
    """Whether the limit of open files is high enough; ``limit`` is infinite if there is none."""
    available = limit - SPARE_FILES
    do = "Raise it: LimitNOFILE= for systemd, ulimit -Hn in a shell, ulimits: for containers."
    if available < settings.connections_per_address:
        return warning(
            "open files",
            f"The server may have {limit:.0f} files open, and a single address may take "
            f"{settings.connections_per_address} connections: it could lock all others out.",
            do,
        )
    if limit < FILES_LOW:
        return warning(
            "open files",
            f"The server may have {limit:.0f} files open; each connection is one of them.",
            do,
        )
    return ok("open files", f"The server may have {limit:.0f} files open, connections included.")
