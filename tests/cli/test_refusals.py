"""Errors are printed as one sentence on stderr, with a non-zero exit code."""

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
from hubbub.model.quotas import QUOTA_RULES
from tests.support.command import hubbub
from tests.support.forks import ROOT
from tests.support.server import Server
from tests.support.sqlite import opened

FAILED, MISUSED = 1, 2

# Invalid values of each option; empty if it takes no value.
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
    **{f"--{name.replace('_', '-')}": ("0", "many", "1000001") for name in QUOTA_RULES},
}
# As a variable a switch takes a value, which may be invalid.
WRONG_AS_VARIABLE = {**WRONG, "--guests": ("perhaps",), "--no-limits": ("perhaps",)}
OPTIONS = [f"--{name.replace('_', '-')}" for name in inspect.signature(settings_of).parameters]


def test_the_table_of_invalid_values_is_complete() -> None:
    assert list(WRONG) == OPTIONS


@pytest.mark.parametrize("option", OPTIONS)
def test_an_invalid_value_is_refused_with_the_options_name(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in WRONG[option]:
        assert run(["serve", f"{option}={value}"]) == MISUSED
        [sentence] = capsys.readouterr().err.splitlines()
        assert sentence.startswith(f"hubbub: {option}: ")
        assert sentence.endswith(".")


@pytest.mark.parametrize("option", OPTIONS)
def test_an_invalid_variable_is_refused_with_its_name(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An empty variable counts as not set, and a folder has no other invalid value.
    value = next(filter(None, WRONG_AS_VARIABLE[option]), None)
    if value is None:
        assert option == "--data"
        return
    monkeypatch.setenv(variable(option), value)
    assert run(["serve"]) == MISUSED
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"hubbub: HUBBUB_{option[2:].replace('-', '_').upper()}: ")


def test_the_command_exits_with_the_code_and_prints_the_sentence() -> None:
    result = hubbub("serve", "--port", "http", environment={"HUBBUB_GUESTS": "true"})
    assert result.code == MISUSED
    assert result.sentence == "--port: “http” is not a port: give a number from 1 to 65535."


@pytest.mark.parametrize("option", ["--workers=2", "--bus=nats://127.0.0.1:4222"])
def test_sqlite_allows_only_one_process(option: str, tmp_path: Path) -> None:
    result = hubbub("serve", option, cwd=tmp_path)

    assert result.code == MISUSED
    assert result.sentence.startswith(option.partition("=")[0])
    assert "PostgreSQL" in result.sentence
    assert "--database" in result.sentence
    assert list(tmp_path.iterdir()) == []


class InterruptingImporter(MetaPathFinder):
    """Simulates Ctrl-C while the commands are being imported."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "hubbub.cli.commands":
            raise KeyboardInterrupt


def test_an_interrupt_while_loading_exits_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "hubbub.cli.commands", raising=False)
    monkeypatch.setattr(sys, "meta_path", [InterruptingImporter(), *sys.meta_path])

    assert run(["serve"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("host", ["::", "chat.example.org"])
def test_limits_cannot_be_disabled_unless_on_loopback(host: str, tmp_path: Path) -> None:
    result = hubbub("try", "--no-limits", "--host", host, cwd=tmp_path)

    assert result.code == MISUSED
    assert result.sentence.startswith("--no-limits: ")
    assert host in result.sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    ["bogus", "try --bogus", "try more", "user bogus", "user add", "serve --port", "invite -x"],
)
def test_wrong_command_lines_are_reported(arguments: str) -> None:
    result = hubbub(*arguments.split())

    assert result.code == MISUSED
    assert result.sentence


def test_a_port_or_folder_in_use_is_reported_and_its_server_keeps_running(
    server: Server, tmp_path: Path
) -> None:
    result = hubbub("serve", "--port", str(server.port), "--data", str(tmp_path / "other"))

    assert result.code == FAILED
    assert result.sentence == (
        f"Port {server.port} is in use by another program. Give another with --port."
    )

    result = hubbub("serve", "--port", "1", "--data", str(server.data))

    assert result.code == FAILED
    assert result.sentence.startswith(f"Another Hubbub server is using {server.data}.")
    assert server.is_ready()


def test_errors_of_make_run_name_the_variables_of_make(server: Server, tmp_path: Path) -> None:
    [recipe] = [line for line in make_run(f"PORT={server.port}") if "bin/hubbub" in line]
    _, program, *arguments = shlex.split(recipe)
    assert program.endswith("bin/hubbub")

    result = hubbub(*arguments, "--data", str(tmp_path / "other"))

    assert result.code == FAILED
    assert result.sentence == (
        f"Port {server.port} is in use by another program. "
        f"Give another with make run PORT={server.port + 1}."
    )

    result = hubbub(*arguments, "--host", "192.0.2.1", "--data", str(tmp_path / "other"))
    assert result.sentence.endswith("Give another with make run HOST=….")


def make_run(*variables: str) -> list[str]:
    """The commands that `make run` would run, one per item."""
    done = subprocess.run(
        ["make", "--dry-run", "run", *variables],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


# A documentation address (RFC 5737), and an address that needs no DNS lookup.
@pytest.mark.parametrize("host", ["192.0.2.1", "fe80::1%nowhere"])
def test_an_address_of_another_machine_is_reported(host: str, tmp_path: Path) -> None:
    result = hubbub("serve", "--host", host, "--data", str(tmp_path / "data"))

    assert result.code == FAILED
    assert host in result.sentence
    assert "--host" in result.sentence


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
def test_a_folder_that_cannot_be_created_is_reported(
    command: str, folder: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = hubbub(*command.split(), "--data", str(tmp_path / folder))

    assert result.code == FAILED
    assert str(tmp_path / folder) in result.sentence
    assert "--data" in result.sentence


def test_a_folder_that_is_not_writable_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    if os.geteuid() == 0:
        # Root ignores permissions, but nobody can create files in this file system.
        folder = Path("/proc/self/net")
    else:
        folder.chmod(0o500)
    result = hubbub("serve", "--data", str(folder))

    assert result.code == FAILED
    assert result.sentence.startswith(f"The data folder {folder} cannot be written (")


@pytest.fixture(scope="module")
def stopped_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a stopped chat."""
    folder = tmp_path_factory.mktemp("stopped") / "data"
    assert hubbub("invite", "--data", str(folder)).code == 0
    return folder


@pytest.fixture
def database(stopped_chat: Path, tmp_path: Path) -> Path:
    """The database of a copy of that folder."""
    return shutil.copytree(stopped_chat, tmp_path / "data") / "hubbub.db"


@pytest.mark.parametrize("command", ["serve", "user list"])
def test_a_database_of_a_newer_version_is_not_changed(command: str, database: Path) -> None:
    with opened(database) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
        driver.execute("UPDATE server SET value = '9999' WHERE key = 'works_with'")
    before = database.read_bytes()
    result = hubbub(*command.split(), "--data", str(database.parent))

    assert result.code == FAILED
    assert result.sentence.startswith(f"{database} was written by a newer Hubbub")
    assert database.read_bytes() == before


def test_a_file_that_is_not_a_database_is_not_changed(tmp_path: Path) -> None:
    database = tmp_path / "hubbub.db"
    database.write_text("These are my notes. " * 400)
    result = hubbub("serve", "--data", str(tmp_path))

    assert result.code == FAILED
    assert result.sentence.startswith(f"{database} is not a database.")
    assert database.read_text().startswith("These are my notes.")


def test_a_database_of_another_program_is_not_changed(tmp_path: Path) -> None:
    database = tmp_path / "hubbub.db"
    with opened(database) as driver:
        driver.execute("CREATE TABLE songs (title)")
    result = hubbub("serve", "--data", str(tmp_path))

    assert result.code == FAILED
    assert result.sentence.startswith(f"{database} is not a Hubbub database.")


@pytest.mark.parametrize("damage", ["header", "schema", "half"])
def test_a_damaged_database_is_reported(damage: str, database: Path) -> None:
    image = bytearray(database.read_bytes())
    match damage:
        case "header":
            image[:16] = b"\0" * 16
        case "schema":
            image[100:4096] = b"\xa5" * (4096 - 100)
        case "half":
            del image[len(image) // 2 :]
    database.write_bytes(image)
    result = hubbub("serve", "--data", str(database.parent))

    assert result.code == FAILED
    assert str(database) in result.sentence


def test_a_damaged_key_is_reported(database: Path) -> None:
    folder = database.parent
    (folder / "secret.key").write_bytes(b"short")
    result = hubbub("serve", "--data", str(folder))

    assert result.code == FAILED
    assert str(folder / "secret.key") in result.sentence
