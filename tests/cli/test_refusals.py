"""What cannot be done is told in one sentence on stderr, with a code that is not zero."""

import inspect
import os
import shlex
import shutil
import subprocess
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

from hubbub.cli import run
from hubbub.cli.options import settings_of, variable
from hubbub.model.quotas import RULES
from tests.support.command import hubbub
from tests.support.forks import ROOT
from tests.support.server import Server
from tests.support.sqlite import opened

FAILED, MISUSED = 1, 2

# For each option, values that make no sense; None where any value at all is one too many.
WRONG: dict[str, tuple[str, ...]] = {
    "--host": ("", "http://localhost", "a b", "me@here", "localhost:80", "::zz", "a..b", "x" * 70),
    "--port": ("0", "65536", "-1", "http", "8080.5", "８０"),
    "--data": ("",),
    "--public-url": (
        "chat.example.org",
        "ftp://chat.example.org",
        "https://a.org/chat",
        "https://",
    ),
    "--log-format": ("xml",),
    "--database": ("sqlite:///chat.db", "db.example.org", "postgresql://db:port/chat", "a b"),
    "--bus": ("bus.example.org:4222", "http://bus.example.org", "nats://bus:port"),
    "--workers": ("0", "65", "many"),
    "--registration": ("perhaps",),
    "--guests": (),
    "--allowed-hosts": ("https://chat.lan", "*.lan"),
    "--allowed-origins": ("chat.lan", "https://chat.lan/page", "https://chat.lan:port"),
    "--trusted-proxies": ("proxy.lan", "10.0.0.0/40"),
    "--commands-per-user": ("20", "0:60", "20:0", "nan:1", "inf:60", "many"),
    "--commands-per-address": ("-1:5",),
    "--requests-per-address": ("200",),
    "--connections-per-user": ("0", "many"),
    "--connections-per-address": ("0", "1e3"),
    "--send-buffer-bytes": ("65535", "64k"),
    "--no-limits": (),
    **{f"--{name.replace('_', '-')}": ("0", "many", "1000001") for name in RULES},
}
# As a variable a switch has a value, and that may be wrong too.
WRONG_AS_VARIABLE = {**WRONG, "--guests": ("perhaps",), "--no-limits": ("perhaps",)}
OPTIONS = [f"--{name.replace('_', '-')}" for name in inspect.signature(settings_of).parameters]


def test_the_table_of_wrong_values_is_complete() -> None:
    assert list(WRONG) == OPTIONS


@pytest.mark.parametrize("option", OPTIONS)
def test_a_value_that_makes_no_sense_is_refused_by_the_options_name(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in WRONG[option]:
        assert run(["serve", f"{option}={value}"]) == MISUSED
        [sentence] = capsys.readouterr().err.splitlines()
        assert sentence.startswith(f"hubbub: {option}: ")
        assert sentence.endswith(".")


@pytest.mark.parametrize("option", OPTIONS)
def test_a_variable_that_makes_no_sense_is_refused_by_its_own_name(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An empty variable is one that is not set, and for a folder no other value is wrong.
    value = next(filter(None, WRONG_AS_VARIABLE[option]), None)
    if value is None:
        assert option == "--data"
        return
    monkeypatch.setenv(variable(option), value)
    assert run(["serve"]) == MISUSED
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"hubbub: HUBBUB_{option[2:].replace('-', '_').upper()}: ")


def test_the_command_ends_with_the_code_and_the_sentence() -> None:
    said = hubbub("serve", "--port", "http", environment={"HUBBUB_GUESTS": "true"})
    assert said.code == MISUSED
    assert said.sentence == "--port: “http” is not a port: give a number from 1 to 65535."


@pytest.mark.parametrize("option", ["--workers=2", "--bus=nats://127.0.0.1:4222"])
def test_sqlite_stays_one_process_and_the_refusal_says_why(option: str, tmp_path: Path) -> None:
    said = hubbub("serve", option, cwd=tmp_path)

    assert said.code == MISUSED
    assert said.sentence.startswith(option.partition("=")[0])
    assert "PostgreSQL" in said.sentence
    assert "--database" in said.sentence
    assert list(tmp_path.iterdir()) == []


class Interrupting(MetaPathFinder):
    """Ctrl-C in the middle of loading the commands."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "hubbub.cli.commands":
            raise KeyboardInterrupt


def test_an_interrupt_while_it_loads_ends_it_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "hubbub.cli.commands", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])

    assert run(["serve"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("host", ["::", "chat.example.org"])
def test_limits_cannot_be_switched_off_where_others_come_in(host: str, tmp_path: Path) -> None:
    said = hubbub("try", "--no-limits", "--host", host, cwd=tmp_path)

    assert said.code == MISUSED
    assert said.sentence.startswith("--no-limits: ")
    assert host in said.sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    ["bogus", "try --bogus", "try more", "user bogus", "user add", "serve --port", "invite -x"],
)
def test_what_is_not_understood_is_told(arguments: str) -> None:
    said = hubbub(*arguments.split())

    assert said.code == MISUSED
    assert said.sentence


def test_a_port_or_a_folder_in_use_is_told_and_the_server_there_goes_on(
    server: Server, tmp_path: Path
) -> None:
    said = hubbub("serve", "--port", str(server.port), "--data", str(tmp_path / "other"))

    assert said.code == FAILED
    assert said.sentence == (
        f"Port {server.port} is in use by another program. Give another with --port."
    )

    said = hubbub("serve", "--port", "1", "--data", str(server.data))

    assert said.code == FAILED
    assert said.sentence.startswith(f"Another Hubbub server is using {server.data}.")
    assert server.is_ready()


def test_what_make_run_starts_names_the_variables_of_make(server: Server, tmp_path: Path) -> None:
    [recipe] = [line for line in make_run(f"PORT={server.port}") if "bin/hubbub" in line]
    _, program, *arguments = shlex.split(recipe)
    assert program.endswith("bin/hubbub")

    said = hubbub(*arguments, "--data", str(tmp_path / "other"))

    assert said.code == FAILED
    assert said.sentence == (
        f"Port {server.port} is in use by another program. "
        f"Give another with make run PORT={server.port + 1}."
    )

    said = hubbub(*arguments, "--host", "192.0.2.1", "--data", str(tmp_path / "other"))
    assert said.sentence.endswith("Give another with make run HOST=….")


def make_run(*variables: str) -> list[str]:
    """The commands that `make run` would run, one on each line."""
    done = subprocess.run(
        ["make", "--dry-run", "run", *variables],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


# An address of the documentation's (RFC 5737), and a name for which nobody need be asked.
@pytest.mark.parametrize("host", ["192.0.2.1", "fe80::1%nowhere"])
def test_an_address_that_is_not_this_machines_is_told(host: str, tmp_path: Path) -> None:
    said = hubbub("serve", "--host", host, "--data", str(tmp_path / "data"))

    assert said.code == FAILED
    assert host in said.sentence
    assert "--host" in said.sentence


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        ("serve", "file"),
        ("serve", "file/below"),
        ("serve", "x" * 300),
        ("user add ana --bot", "file/below"),
        ("invite", "x" * 300),
    ],
)
def test_a_folder_that_cannot_be_made_is_told(command: str, folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = hubbub(*command.split(), "--data", str(tmp_path / folder))

    assert said.code == FAILED
    assert str(tmp_path / folder) in said.sentence
    assert "--data" in said.sentence


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    if os.geteuid() == 0:
        # Permissions do not hold root back; this file system takes no files from anyone.
        folder = Path("/proc/self/net")
    else:
        folder.chmod(0o500)
    said = hubbub("serve", "--data", str(folder))

    assert said.code == FAILED
    assert said.sentence.startswith(f"The data folder {folder} cannot be written (")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a chat that has been stopped."""
    folder = tmp_path_factory.mktemp("left") / "data"
    assert hubbub("invite", "--data", str(folder)).code == 0
    return folder


@pytest.fixture
def database(left: Path, tmp_path: Path) -> Path:
    """A copy of its database, in a folder with all that belongs to it."""
    return shutil.copytree(left, tmp_path / "data") / "hubbub.db"


@pytest.mark.parametrize("command", ["serve", "user list"])
def test_a_database_from_a_newer_version_is_left_alone(command: str, database: Path) -> None:
    with opened(database) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
        driver.execute("UPDATE server SET value = '9999' WHERE key = 'works_with'")
    before = database.read_bytes()
    said = hubbub(*command.split(), "--data", str(database.parent))

    assert said.code == FAILED
    assert said.sentence.startswith(f"{database} was written by a newer Hubbub")
    assert database.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "hubbub.db"
    database.write_text("These are my notes. " * 400)
    said = hubbub("serve", "--data", str(tmp_path))

    assert said.code == FAILED
    assert said.sentence.startswith(f"{database} is not a database.")
    assert database.read_text().startswith("These are my notes.")


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "hubbub.db"
    with opened(database) as driver:
        driver.execute("CREATE TABLE songs (title)")
    said = hubbub("serve", "--data", str(tmp_path))

    assert said.code == FAILED
    assert said.sentence.startswith(f"{database} holds something that is not Hubbub's.")


@pytest.mark.parametrize("where", ["header", "schema", "half"])
def test_a_damaged_database_is_told(where: str, database: Path) -> None:
    image = bytearray(database.read_bytes())
    match where:
        case "header":
            image[:16] = b"\0" * 16
        case "schema":
            image[100:4096] = b"\xa5" * (4096 - 100)
        case "half":
            del image[len(image) // 2 :]
    database.write_bytes(image)
    said = hubbub("serve", "--data", str(database.parent))

    assert said.code == FAILED
    assert str(database) in said.sentence


def test_a_damaged_key_is_told(database: Path) -> None:
    folder = database.parent
    (folder / "secret.key").write_bytes(b"short")
    said = hubbub("serve", "--data", str(folder))

    assert said.code == FAILED
    assert str(folder / "secret.key") in said.sentence
