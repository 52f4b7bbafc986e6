"""The data folder: its lock, the signing key, and the number of revs shown to clients."""

import os
import stat
from pathlib import Path

import pytest

from hubbub.model.settings import Worker
from hubbub.store.data_folder import DataFolder, FolderError


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "deep" / "data")
    folder.prepare()
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_empty_and_only_for_its_user(folder: DataFolder) -> None:
    assert mode(folder.path) == 0o700
    assert list(folder.path.iterdir()) == []
    folder.prepare()


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="--data"):
        DataFolder(tmp_path / "file").prepare()


def test_only_one_server_at_a_time_can_lock_it(folder: DataFolder) -> None:
    other = DataFolder(folder.path)
    assert folder.lock()
    assert not other.lock()
    folder.release()
    assert other.lock()
    other.release()


def test_the_key_is_created_once_and_only_for_its_user(folder: DataFolder) -> None:
    secret = folder.secret()
    assert len(secret) == 32
    assert mode(folder.path / "secret.key") == 0o600
    assert folder.secret() == DataFolder(folder.path).secret() == secret


def test_every_folder_has_its_own_key(tmp_path: Path) -> None:
    folders = [DataFolder(tmp_path / name) for name in "ab"]
    for folder in folders:
        folder.prepare()
    assert folders[0].secret() != folders[1].secret()


def test_a_damaged_key_is_refused(folder: DataFolder) -> None:
    (folder.path / "secret.key").write_bytes(b"short")
    with pytest.raises(FolderError, match="damaged"):
        folder.secret()


def test_the_number_of_shown_revs_is_stored_for_an_epoch(folder: DataFolder) -> None:
    epoch, other = "0123456789abcdef0123", "fedcba98765432100123"
    assert folder.shown(epoch) is None
    for total in (7, 123_456_789, 5):
        folder.note_shown(epoch, total)
        assert DataFolder(folder.path).shown(epoch) == total
    assert folder.shown(other) is None
    folder.note_shown(other, 1)
    assert (folder.shown(epoch), folder.shown(other)) == (None, 1)
    folder.release()


def test_each_worker_has_its_own_number_and_the_first_uses_the_servers_file(
    folder: DataFolder,
) -> None:
    epoch = "0123456789abcdef0123"
    folder.require_lock()
    workers = [DataFolder(folder.path, Worker(n, os.dup(folder.lock_file), False)) for n in (1, 2)]
    for total, worker in enumerate(workers, 7):
        worker.require_lock()
        worker.note_shown(epoch, total)
    assert [each.shown(epoch) for each in (folder, *workers)] == [7, 7, 8]
    for each in (folder, *workers):
        each.release()


def test_the_lock_is_released_by_the_last_worker(folder: DataFolder) -> None:
    other = DataFolder(folder.path)
    folder.require_lock()
    worker = DataFolder(folder.path, Worker(2, os.dup(folder.lock_file), False))
    worker.require_lock()
    folder.release()
    with pytest.raises(FolderError, match="Another"):
        other.require_lock()
    worker.release()
    other.require_lock()
    other.release()


def test_a_damaged_number_of_shown_revs_is_ignored(folder: DataFolder) -> None:
    (folder.path / "shown").write_bytes(b"?")
    assert folder.shown("epoch") is None
