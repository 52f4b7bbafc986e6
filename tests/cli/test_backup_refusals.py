"""Cases that `hubbub backup` and `hubbub restore` refuse without changing anything."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import CommandResult, hubbub
from tests.support.server import Server
from tests.support.sqlite import opened

FAILED = 1


def restore(file: Path, data: Path) -> CommandResult:
    return hubbub("restore", str(file), "--data", str(data))


@pytest.fixture
def file(backup_file: Path, tmp_path: Path) -> Path:
    """A copy of `backup_file` that a test may damage."""
    return Path(shutil.copy(backup_file, tmp_path / "file.db"))


def spoil_half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def spoil_page(file: Path) -> None:
    image = bytearray(file.read_bytes())
    with opened(file) as driver:
        found = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_users_name'"
        (page,) = driver.execute(found).fetchone()
    image[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    file.write_bytes(image)


def spoil_index(file: Path) -> None:
    """Make valid pages contradict each other, which only the full check finds."""
    with opened(file) as driver:
        driver.execute("PRAGMA writable_schema=ON")
        driver.execute("DELETE FROM sqlite_master WHERE name = 'ix_users_name'")
        driver.execute("INSERT INTO users (name, display_name, role, created_at) VALUES (1,1,1,1)")


def spoil_schema(file: Path) -> None:
    with opened(file) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")


def notes(file: Path) -> None:
    file.write_text("These are my notes. " * 400)


def songs(file: Path) -> None:
    file.unlink()
    with opened(file) as driver:
        driver.execute("CREATE TABLE songs (title)")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_half, "is damaged"),
        (spoil_page, "is damaged"),
        (spoil_index, "is damaged"),
        (spoil_schema, "was written by a newer Hubbub"),
        (notes, "is not a database"),
        (songs, "is not a Hubbub database"),
        (lambda file: file.write_bytes(b""), "is not a Hubbub database"),
        (Path.unlink, "does not exist"),
        (folder, "does not exist"),
    ],
)
def test_an_invalid_backup_is_refused_before_the_folder_is_changed(
    spoil: Callable[[Path], None], why: str, file: Path, tmp_path: Path
) -> None:
    spoil(file)
    result = restore(file, tmp_path / "data")
    assert result.code == FAILED
    sentence = result.err.splitlines()[-1]
    assert sentence.startswith("hubbub: ")
    assert why in sentence
    assert str(file) in sentence
    assert "Traceback" not in result.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("end", ["", "-wal"])
def test_a_folder_that_has_a_database_or_the_log_of_one_is_refused(
    end: str, backup_file: Path, tmp_path: Path
) -> None:
    there = tmp_path / f"hubbub.db{end}"
    there.write_text("mine")
    result = restore(backup_file, tmp_path)
    assert result.code == FAILED
    assert result.sentence.startswith(f"{there} already exists.")
    assert there.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [there]


def test_a_folder_with_a_running_server_is_refused(server: Server, backup_file: Path) -> None:
    assert "already exists. Stop its server" in restore(backup_file, server.data).sentence
    (server.data / "hubbub.db").unlink()
    for file in server.data.glob("hubbub.db-*"):
        file.unlink()
    result = restore(backup_file, server.data)
    assert result.code == FAILED
    assert result.err.endswith(f"A server is using {server.data}. Stop it first.\n")
    assert not (server.data / "hubbub.db").exists()


def test_a_folder_that_cannot_be_used_is_reported(backup_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("file", "file/below", "x" * 300):
        result = restore(backup_file, tmp_path / path)
        assert result.code == FAILED
        assert str(tmp_path / path) in result.err.splitlines()[-1]
        assert "Traceback" not in result.err


def test_a_backup_replaces_a_file_only_with_force(stopped_chat: Path, tmp_path: Path) -> None:
    def refused(file: Path, *options: str) -> str:
        result = hubbub("backup", str(file), "--data", str(stopped_chat), *options)
        assert result.code == FAILED
        return result.sentence

    file = tmp_path / "chat.db"
    file.write_text("mine")
    assert refused(file) == f"{file} already exists. Give another name, or --force."
    assert file.read_text() == "mine"
    assert refused(tmp_path, "--force").startswith(f"{tmp_path} is a folder.")
    assert refused(tmp_path / "no/chat.db").startswith(f"The folder {tmp_path / 'no'} does not")
    for name in ("hubbub.db", "chat.db"):
        assert "is in the data folder" in refused(stopped_chat / name, "--force")
    assert refused(Path("/dev/null"), "--force").startswith("/dev/null already exists.")

    assert hubbub("backup", str(file), "--data", str(stopped_chat), "--force").code == 0
    assert restore(file, tmp_path / "data").code == 0
    result = hubbub("backup", str(tmp_path / "other.db"), "--data", str(tmp_path / "nowhere"))
    assert result.sentence.startswith("There is no chat in")


def test_a_damaged_database_gives_no_backup(stopped_chat: Path, tmp_path: Path) -> None:
    database = shutil.copytree(stopped_chat, tmp_path / "data") / "hubbub.db"
    spoil_page(database)
    result = hubbub("backup", str(tmp_path / "chat.db"), "--data", str(database.parent))
    assert result.code == FAILED
    assert result.err.splitlines()[-1].startswith(f"hubbub: {database} is damaged")
    assert [one.name for one in tmp_path.iterdir() if "chat.db" in one.name] == []
