"""Checks of the data folder: its permissions, its key, and its disk."""

import os
import re
import shlex
import shutil
import stat
from pathlib import Path

from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.database import DatabaseError
from hubbub.store.engines.opening import database_for, missing_chat_message
from hubbub.store.engines.sqlite.inspection import is_missing_or_empty

GB, MB = 10**9, 10**6
FREE_LOW = GB
FREE_LOW_SHARE = 0.1
FREE_CRITICAL = 100 * MB
KEY_BYTES = 32
OTHERS_MODE = 0o077  # permission bits

# With these files one could sign in as anyone, or change data.
SECRETS = ("hubbub.db", "hubbub.db-wal", "hubbub.db-shm", "secret.key", "nats.conf")
FILES = (*SECRETS, "shown", "hubbub.lock", "hubbub.sock")

# SQLite's log needs shared memory and kernel locks, which do not work over a network.
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "vboxsf"}
VOLATILE_FILE_SYSTEMS = {
    "tmpfs": "in memory",
    "ramfs": "in memory",
    "overlay": "in a container's own layer",
}


def folder_is_usable(folder: DataFolder, *, is_shared: bool) -> Finding:
    """Whether a server can use the folder. ``is_shared``: the chat itself is in PostgreSQL."""
    name, path = "data folder", folder.path
    try:
        if not path.exists():
            return _missing_folder(path, is_shared=is_shared)
        if not path.is_dir():
            return problem(name, f"{path} is not a folder.", "Give another with --data.")
        has_chat = is_shared or not is_missing_or_empty(folder.database)
        missing_chat = (
            None if has_chat else missing_chat_message(database_for(None, folder), folder)
        )
        owner = path.stat().st_uid
    except DatabaseError as error:
        return refused(name, error)
    except OSError as error:
        return problem(
            name,
            f"{path} cannot be read ({error.strerror}).",
            "Run this as the user who runs the server, or give another folder with --data.",
        )
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return problem(
            name, f"{path} is not writable.", "Give it to the server's user, or change --data."
        )
    if missing_chat:
        return refused(name, FolderError(missing_chat))
    if not has_chat:
        return warning(
            name,
            f"There is no chat in {path} yet; the first start creates it.",
            "If there should be one, give its folder with --data.",
        )
    if owner != os.geteuid():
        return warning(
            name,
            f"{path} belongs to another user than you.",
            "Run this as the user who runs the server; your rights may differ.",
        )
    return ok(name, f"{path.absolute()} exists and is writable.")


def _missing_folder(path: Path, *, is_shared: bool) -> Finding:
    parent = nearest_existing(path)
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        return problem(
            "data folder",
            f"There is no folder {path}, and it cannot be created in {parent}.",
            "Create it for the server's user, or give another with --data.",
        )
    if is_shared:
        return ok("data folder", f"There is no folder {path} yet; the first start creates it.")
    return warning(
        "data folder",
        f"There is no folder {path} yet; the first start creates it.",
        "If there should be one, give it with --data or HUBBUB_DATA.",
    )


def nearest_existing(path: Path) -> Path:
    """The path itself, or its nearest parent that exists."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def permissions(folder: DataFolder) -> Finding:
    """Whether only one user has access, who owns all files in the folder."""
    stats = {one: one.stat() for one in _files(folder)}
    owner = folder.path.stat().st_uid
    foreign = [one for one, found in stats.items() if found.st_uid != owner]
    if foreign:
        return problem(
            "permissions",
            f"{_file_names(foreign)} in {folder.path} belong to another user than the folder.",
            f"Give the folder and all its files to the server's user: chown -R USER "
            f"{shlex.quote(str(folder.path))}",
        )
    exposed = [one for one, found in stats.items() if found.st_mode & OTHERS_MODE]
    mode = stat.S_IMODE(folder.path.stat().st_mode)
    if not exposed and not mode & OTHERS_MODE:
        return ok("permissions", "Only its user has access to the data folder.")
    quoted = " ".join(shlex.quote(str(one)) for one in exposed)
    do = f"chmod 700 {shlex.quote(str(folder.path))}" + (
        f" && chmod 600 {quoted}" if exposed else ""
    )
    if any(one.name in SECRETS for one in exposed):
        return problem("permissions", f"Other users have access to {_file_names(exposed)}.", do)
    what = f"{folder.path} ({mode:04o})" if mode & OTHERS_MODE else _file_names(exposed)
    return warning("permissions", f"Other users have access to {what}.", do)


def _files(folder: DataFolder) -> list[Path]:
    return [path for name in FILES if (path := folder.path / name).exists()]


def _file_names(files: list[Path]) -> str:
    return ", ".join(one.name for one in files)


def key(folder: DataFolder) -> Finding:
    path = folder.path / "secret.key"
    try:
        size = len(path.read_bytes())
    except FileNotFoundError:
        return warning(
            "key",
            "There is no secret.key: the next start makes a new one, and all must sign in again.",
            "If you restored a copy, restore its secret.key too.",
        )
    except OSError as error:
        return problem(
            "key", f"{path} cannot be read ({error.strerror}).", "Give it to the server's user."
        )
    if size < KEY_BYTES:
        return problem(
            "key", f"{path} is damaged.", "Restore a copy, or remove it: all must sign in again."
        )
    return ok("key", "The key that signs sessions is present.")


def disk_space(path: Path) -> Finding:
    usage = shutil.disk_usage(nearest_existing(path))
    return free_space(usage.free, usage.total)


def free_space(free: int, total: int) -> Finding:
    """Whether enough space is free; ``free`` (in bytes) excludes what is reserved for root."""
    share = free / total if total else 0.0
    summary = (
        f"{format_bytes(free)} of {format_bytes(total)} ({share:.0%}) are free on the data's disk"
    )
    do = "Make room, or move the data folder to a larger disk while the server is stopped."
    if free < FREE_CRITICAL:
        return problem("disk space", f"{summary}: soon nothing can be written.", do)
    if free < FREE_LOW or share < FREE_LOW_SHARE:
        return warning("disk space", f"{summary}.", do)
    return ok("disk space", f"{summary}.")


def format_bytes(count: int) -> str:
    return f"{count / GB:.1f} GB" if count >= GB else f"{count / MB:.1f} MB"


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> Finding:
    try:
        kind = file_system_type(
            nearest_existing(path).resolve(), mounts.read_text(errors="surrogateescape")
        )
    except OSError:
        kind = ""
    if not kind:
        return ok("file system", "The type of file system is not known on this system.")
    if kind in NETWORK_FILE_SYSTEMS or kind.partition(".")[0] in ("fuse", "fuseblk"):
        return warning(
            "file system",
            f"The data is on {kind}, where SQLite's log and locks are not reliable.",
            "Move the data folder to a local disk (ext4, xfs, btrfs, zfs).",
        )
    if kind in VOLATILE_FILE_SYSTEMS:
        return warning(
            "file system",
            f"The data is on {kind}, {VOLATILE_FILE_SYSTEMS[kind]}, and is lost with it.",
            "Give a folder on a disk with --data; in a container, one on a volume.",
        )
    return ok("file system", f"The data is on {kind}.")


def file_system_type(path: Path, mountinfo: str) -> str:
    """The type of file system of an absolute path, empty if unknown.

    For the format of ``mountinfo`` see proc_pid_mountinfo(5).
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        if not rest or len(fields.split(" ")) < 5:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda o: chr(int(o[1], 8)), fields.split(" ")[4]))
        # A later mount on the same point hides the earlier one.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split(" ")[0]
    return kind
