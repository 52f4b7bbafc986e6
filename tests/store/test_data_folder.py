"""The data folder: one server at a time, its secret, and what it last showed."""

import os
import stat
from pathlib import Path

import pytest

from hubbub.model.settings import Worker
from hubbub.store.data_folder import DataFolder, FolderError


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "deep" / "data")
    made.prepare()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_for_its_user_alone_and_left_clean(folder: DataFolder) -> None:
    assert mode(folder.path) == 0o700
    assert list(folder.path.iterdir()) == []
    folder.prepare()


def test_what_is_no_folder_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="--data"):
        DataFolder(tmp_path / "file").prepare()


def test_one_server_has_it_at_a_time(folder: DataFolder) -> None:
    other = DataFolder(folder.path)
    assert folder.lock()
    assert not other.lock()
    folder.release()
    assert other.lock()
    other.release()


def test_the_secret_is_made_once_for_its_user_alone(folder: DataFolder) -> None:
    secret = folder.secret()
    assert len(secret) == 32
    assert mode(folder.path / "secret.key") == 0o600
    assert folder.secret() == DataFolder(folder.path).secret() == secret


def test_every_folder_has_a_secret_of_its_own(tmp_path: Path) -> None:
    made = [DataFolder(tmp_path / name) for name in "ab"]
    for one in made:
        one.prepare()
    assert made[0].secret() != made[1].secret()


def test_a_damaged_secret_is_told_and_not_used(folder: DataFolder) -> None:
    (folder.path / "secret.key").write_bytes(b"short")
    with pytest.raises(FolderError, match="damaged"):
        folder.secret()


def test_it_remembers_how_much_was_shown_of_an_epoch(folder: DataFolder) -> None:
    epoch, other = "0123456789abcdef0123", "fedcba98765432100123"
    assert folder.shown(epoch) is None
    for total in (7, 123_456_789, 5):
        folder.note_shown(epoch, total)
        assert DataFolder(folder.path).shown(epoch) == total
    assert folder.shown(other) is None
    folder.note_shown(other, 1)
    assert (folder.shown(epoch), folder.shown(other)) == (None, 1)
    folder.release()


def test_each_worker_remembers_for_itself_and_the_first_as_a_server_of_one(
    folder: DataFolder,
) -> None:
    epoch = "0123456789abcdef0123"
    folder.hold()
    workers = [DataFolder(folder.path, Worker(n, os.dup(folder.locked), False)) for n in (1, 2)]
    for total, worker in enumerate(workers, 7):
        worker.hold()
        worker.note_shown(epoch, total)
    assert [each.shown(epoch) for each in (folder, *workers)] == [7, 7, 8]
    for each in (folder, *workers):
        each.release()


def test_a_folder_is_free_when_the_last_worker_lets_it_go(folder: DataFolder) -> None:
    other = DataFolder(folder.path)
    folder.hold()
    worker = DataFolder(folder.path, Worker(2, os.dup(folder.locked), False))
    worker.hold()
    folder.release()
    with pytest.raises(FolderError, match="Another"):
        other.hold()
    worker.release()
    other.hold()
    other.release()


def test_a_damaged_note_is_as_none(folder: DataFolder) -> None:
    (folder.path / "shown").write_bytes(b"?")
    assert folder.shown("epoch") is None
