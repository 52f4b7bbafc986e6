"""The data folder: its lock, the signing key, and the number of revs shown to clients."""

import contextlib
import fcntl
import os
import secrets
import struct
from pathlib import Path

from hubbub.model.errors import HubbubError
from hubbub.model.settings import Worker

_SHOWN_FORMAT = struct.Struct("<32sQ")  # epoch, how many revs have been shown


class FolderError(HubbubError):
    """The data folder cannot be used; the message says why, and what to do."""

    code = "data_folder"
    title = "The data folder cannot be used."


KEY_BYTES = 32


def _unusable(path: Path, error: OSError) -> FolderError:
    return FolderError(
        f"{path} cannot be opened ({error.strerror}). Make the server's user the owner of the "
        "folder and its files."
    )


class DataFolder:
    """Paths and small files of a server's data folder, which only its user can read.

    All workers of a server share one folder. Each notes in its own file how many revs it has shown;
    the first worker uses the same file as a server with one process.
    """

    def __init__(self, path: Path, worker: Worker | None = None) -> None:
        self.path = path
        self._worker = worker
        self.database = path / "hubbub.db"
        self.socket = path / "hubbub.sock"
        self.key = path / "secret.key"
        self._lock: int | None = None
        self._shown_file: int | None = None

    def prepare(self) -> None:
        """Create the folder if necessary. Raises FolderError if it cannot be used."""
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
                raise FolderError(f"{path} is a folder, but must be a file. Move it away.")

    def lock(self) -> bool:
        """Lock the folder for this process; False if another server has locked it.

        For a worker it is already locked: the worker keeps the lock file open, so that the lock is
        released only when all workers have ended.
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

    def require_lock(self) -> None:
        """Lock the folder for a server. Raises FolderError if another server has locked it."""
        if not self.lock():
            raise FolderError(
                f"Another Hubbub server is using {self.path}. "
                "Stop it, or give another folder with --data."
            )

    def has_log(self) -> bool:
        """Whether there is a write-ahead log, even without its database."""
        return self.database.with_name(self.database.name + "-wal").exists()

    @property
    def lock_file(self) -> int:
        """The descriptor of the lock file."""
        assert self._lock is not None
        return self._lock

    def metrics_socket(self, worker: int) -> Path:
        """The socket on which a worker provides its metrics to the others."""
        return self.path / f"worker-{worker}.sock"

    @property
    def _shown_path(self) -> Path:
        number = self._worker.number if self._worker else 1
        return self.path / ("shown" if number == 1 else f"shown-{number}")

    @property
    def _lock_path(self) -> Path:
        return self.path / "hubbub.lock"

    def release(self) -> None:
        for descriptor in (self._lock, self._shown_file):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._shown_file = None

    def secret(self) -> bytes:
        """The key that signs session tokens; created at first use, readable only by the owner."""
        self._create_key(secrets.token_bytes(KEY_BYTES))
        key = self._read_key()
        if len(key) < KEY_BYTES:
            raise FolderError(
                f"{self.key} is damaged. Remove it; then everybody has to sign in again."
            )
        return key

    def adopt_secret(self, key: bytes) -> bool:
        """Make this the signing key; False if the folder has another one, which stays.

        The other may have been created because this one had leaked.
        """
        if self.key.exists() and len(self._read_key()) < KEY_BYTES:
            self.key.unlink()  # damaged, so nothing was ever signed with it
        self._create_key(key)
        return self._read_key() == key

    def _read_key(self) -> bytes:
        try:
            return self.key.read_bytes()
        except OSError as error:
            raise _unusable(self.key, error) from error

    def _create_key(self, key: bytes) -> None:
        """Store the key, unless there is one."""
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(self.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())

    def shown(self, epoch: str) -> int | None:
        """The number of revs of this epoch shown to clients from this folder; None if unknown."""
        try:
            known, total = _SHOWN_FORMAT.unpack(self._shown_path.read_bytes())
        except (OSError, struct.error):
            return None
        return int(total) if known.rstrip(b"\0") == epoch.encode() else None

    def has_shown(self) -> bool:
        """Whether a server has ever shown anything to clients from this folder."""
        return self._shown_path.exists()

    def note_shown(self, epoch: str, total: int) -> None:
        """Store how many revs are about to be shown, so that an older copy can be detected later.

        It is not synced: the page cache survives the end of the process, and after a power failure
        a count that is too low is harmless.
        """
        # A full disk must not keep committed changes from being published.
        with contextlib.suppress(OSError):
            if self._shown_file is None:
                self._shown_file = os.open(self._shown_path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._shown_file, _SHOWN_FORMAT.pack(epoch.encode(), total), 0)
