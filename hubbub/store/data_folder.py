"""The data folder: one server at a time, its secret, and what it last showed."""

import contextlib
import fcntl
import os
import secrets
import struct
from pathlib import Path

from hubbub.model.errors import HubbubError
from hubbub.model.settings import Worker

_SHOWN = struct.Struct("<32sQ")  # epoch, how many revs have been shown


class FolderError(HubbubError):
    """The data folder cannot be used; the message says why and what to do."""

    code = "data_folder"
    title = "The data folder cannot be used."


KEY_BYTES = 32


def _unusable(path: Path, error: OSError) -> FolderError:
    return FolderError(
        f"{path} cannot be opened ({error.strerror}). Make it, and the folder, the server's user's."
    )


class DataFolder:
    """Paths and small files of one server's data. Only its user may look inside.

    A server of several processes has one folder. Each notes for itself what it has shown, the first
    one where a server of one process would.
    """

    def __init__(self, path: Path, worker: Worker | None = None) -> None:
        self.path = path
        self._worker = worker
        self.database = path / "hubbub.db"
        self.socket = path / "hubbub.sock"
        self.key = path / "secret.key"
        self._lock: int | None = None
        self._shown: int | None = None

    def prepare(self) -> None:
        """Make the folder if need be. Raises FolderError if it cannot be written."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.path / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except FileExistsError as error:
            raise FolderError(f"{self.path} is not a folder. Give another with --data.") from error
        except OSError as error:
            raise FolderError(
                f"The data folder {self.path} cannot be written ({error.strerror}). "
                "Give another with --data, or change its owner."
            ) from error
        for path in (self.key, self._shown_path, self._lock_path):
            if path.is_dir():
                raise FolderError(f"{path} is a folder, and has to be a file. Move it away.")

    def lock(self) -> bool:
        """Take the folder for this process; False if another server has it.

        For a worker it has been taken: it holds on to the file that is locked, so that the folder
        is free only when all of them have ended.
        """
        if self._worker:
            self._lock = self._worker.lock
            return True
        try:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unusable(self._lock_path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    def hold(self) -> None:
        """Take the folder for a server. Raises FolderError if another has it."""
        if not self.lock():
            raise FolderError(
                f"Another Hubbub server is using {self.path}. "
                "Stop it, or give another folder with --data."
            )

    def has_log(self) -> bool:
        """Whether the database, which may be gone, has a write-ahead log."""
        return self.database.with_name(self.database.name + "-wal").exists()

    @property
    def locked(self) -> int:
        """The open file by which the folder is held."""
        assert self._lock is not None
        return self._lock

    def metrics_socket(self, worker: int) -> Path:
        """Where the worker of this number tells the others how it is doing."""
        return self.path / f"worker-{worker}.sock"

    @property
    def _shown_path(self) -> Path:
        number = self._worker.number if self._worker else 1
        return self.path / ("shown" if number == 1 else f"shown-{number}")

    @property
    def _lock_path(self) -> Path:
        return self.path / "hubbub.lock"

    def release(self) -> None:
        for descriptor in (self._lock, self._shown):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._shown = None

    def secret(self) -> bytes:
        """The key that signs session tokens: made at first use, readable by the owner only."""
        self._put_key(secrets.token_bytes(KEY_BYTES))
        key = self._read_key()
        if len(key) < KEY_BYTES:
            raise FolderError(f"{self.key} is damaged. Remove it; everybody then signs in again.")
        return key

    def adopt_secret(self, key: bytes) -> bool:
        """Sign sessions with this key from now on; False if the folder has another, which stays.

        That one may have been made because this one had become known.
        """
        if self.key.exists() and len(self._read_key()) < KEY_BYTES:
            self.key.unlink()  # damaged: nothing was ever signed with it
        self._put_key(key)
        return self._read_key() == key

    def _read_key(self) -> bytes:
        try:
            return self.key.read_bytes()
        except OSError as error:
            raise _unusable(self.key, error) from error

    def _put_key(self, key: bytes) -> None:
        """Only if there is none."""
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(self.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())

    def shown(self, epoch: str) -> int | None:
        """How many revs of this epoch a server in this folder has shown; None if unknown."""
        try:
            known, total = _SHOWN.unpack(self._shown_path.read_bytes())
        except (OSError, struct.error):
            return None
        return int(total) if known.rstrip(b"\0") == epoch.encode() else None

    def has_shown(self) -> bool:
        """Whether a server in this folder has ever shown anything."""
        return self._shown_path.exists()

    def note_shown(self, epoch: str, total: int) -> None:
        """Note what is about to be shown, so that a database from an older copy is found out.

        Not synced: it must outlive the process, which page cache does; after a loss of power a
        count that is too low is harmless.
        """
        # A full disk must not stop what has been committed from being shown.
        with contextlib.suppress(OSError):
            if self._shown is None:
                self._shown = os.open(self._shown_path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._shown, _SHOWN.pack(epoch.encode(), total), 0)
