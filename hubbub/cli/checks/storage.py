"""Where the data is: the folder, who may look into it, and the disk below it."""

import os
import re
import shlex
import shutil
import stat
from pathlib import Path

from hubbub.cli.checks.finding import Finding, ok, problem, refused, warning
from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.database import DatabaseError
from hubbub.store.engines.opening import database_of, why_lost
from hubbub.store.engines.sqlite.inspection import has_nothing

GB, MB = 10**9, 10**6
FREE_LOW = GB
FREE_LOW_SHARE = 0.1
FREE_NONE = 100 * MB
KEY_BYTES = 32
OTHERS = 0o077  # the group's and everybody's bits of a mode

# What whoever can read it can do more with than look.
SECRETS = ("hubbub.db", "hubbub.db-wal", "hubbub.db-shm", "secret.key", "nats.conf")
FILES = (*SECRETS, "shown", "hubbub.lock", "hubbub.sock")

# SQLite's log is shared memory, and its locks are the kernel's: over a network neither holds.
FAR = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "vboxsf"}
FLEETING = {"tmpfs": "in memory", "ramfs": "in memory", "overlay": "in a container's own layer"}


def folder_is_usable(folder: DataFolder, *, is_shared: bool) -> Finding:
    """``is_shared``: the chat itself is in a PostgreSQL."""
    name, path = "data folder", folder.path
    try:
        if not path.exists():
            return _to_be_made(path, is_shared=is_shared)
        if not path.is_dir():
            return problem(name, f"{path} is not a folder.", "Give another with --data.")
        there = is_shared or not has_nothing(folder.database)
        lost = None if there else why_lost(database_of(None, folder), folder)
        owner = path.stat().st_uid
    except DatabaseError as error:
        return refused(name, error)
    except OSError as error:
        return problem(
            name,
            f"{path} cannot be looked into ({error.strerror}).",
            "Run this as the user who runs the server, or give another folder with --data.",
        )
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return problem(
            name, f"{path} cannot be written.", "Make it the server's user's, or change --data."
        )
    if lost:
        return refused(name, FolderError(lost))
    if not there:
        return warning(
            name,
            f"There is no chat in {path} yet; the first start makes it.",
            "If there should be one, give its folder with --data.",
        )
    if owner != os.geteuid():
        return warning(
            name,
            f"{path} belongs to another user than the one who asks now.",
            "Run this as the user who runs the server, as what one may do another may not.",
        )
    return ok(name, f"{path.absolute()} is there and can be written.")


def _to_be_made(path: Path, *, is_shared: bool) -> Finding:
    above = nearest(path)
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        return problem(
            "data folder",
            f"There is no folder {path}, and it cannot be made in {above}.",
            "Make it for the server's user, or give another with --data.",
        )
    if is_shared:
        return ok("data folder", f"There is no folder {path} yet; the first start makes it.")
    return warning(
        "data folder",
        f"There is no folder {path} yet; the first start makes it.",
        "If there should be one, give it with --data or HUBBUB_DATA.",
    )


def nearest(path: Path) -> Path:
    """The path itself, or what there is of the way to it."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def permissions(folder: DataFolder) -> Finding:
    """Whether only one user may look inside, and everything in it is that user's."""
    stats = {one: one.stat() for one in _files(folder)}
    owner = folder.path.stat().st_uid
    strange = [one for one, found in stats.items() if found.st_uid != owner]
    if strange:
        return problem(
            "permissions",
            f"{_named(strange)} in {folder.path} belong to another user than the folder.",
            f"chown the folder and all in it to the server's user: chown -R USER "
            f"{shlex.quote(str(folder.path))}",
        )
    wide = [one for one, found in stats.items() if found.st_mode & OTHERS]
    mode = stat.S_IMODE(folder.path.stat().st_mode)
    if not wide and not mode & OTHERS:
        return ok("permissions", "Only its user may look into the data folder.")
    quoted = " ".join(shlex.quote(str(one)) for one in wide)
    do = f"chmod 700 {shlex.quote(str(folder.path))}" + (f" && chmod 600 {quoted}" if wide else "")
    if any(one.name in SECRETS for one in wide):
        return problem(
            "permissions", f"Others than their user may have {_named(wide)} for themselves.", do
        )
    what = f"{folder.path} ({mode:04o})" if mode & OTHERS else _named(wide)
    return warning("permissions", f"Others than its user may look into {what}.", do)


def _files(folder: DataFolder) -> list[Path]:
    return [path for name in FILES if (path := folder.path / name).exists()]


def _named(files: list[Path]) -> str:
    return ", ".join(one.name for one in files)


def key(folder: DataFolder) -> Finding:
    path = folder.path / "secret.key"
    try:
        size = len(path.read_bytes())
    except FileNotFoundError:
        return warning(
            "key",
            "There is no secret.key: the next start makes a new one, and all sign in again.",
            "If this is a copy put back, put the secret.key beside it back too.",
        )
    except OSError as error:
        return problem(
            "key", f"{path} cannot be read ({error.strerror}).", "Make it the server's user's."
        )
    if size < KEY_BYTES:
        return problem(
            "key", f"{path} is damaged.", "Put a copy back, or remove it: all then sign in again."
        )
    return ok("key", "The key that signs sessions is there.")


def disk_space(path: Path) -> Finding:
    usage = shutil.disk_usage(nearest(path))
    return room_on_disk(usage.free, usage.total)


def room_on_disk(free: int, total: int) -> Finding:
    """Both in bytes; ``free`` is what others than root may use."""
    share = free / total if total else 0.0
    told = f"{shown_bytes(free)} of {shown_bytes(total)} ({share:.0%}) are free on the data's disk"
    do = "Make room, or move the data folder to a larger disk while the server is stopped."
    if free < FREE_NONE:
        return problem("disk space", f"{told}: soon nothing can be written any more.", do)
    if free < FREE_LOW or share < FREE_LOW_SHARE:
        return warning("disk space", f"{told}.", do)
    return ok("disk space", f"{told}.")


def shown_bytes(count: int) -> str:
    return f"{count / GB:.1f} GB" if count >= GB else f"{count / MB:.1f} MB"


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> Finding:
    try:
        kind = kind_of(nearest(path).resolve(), mounts.read_text(errors="surrogateescape"))
    except OSError:
        kind = ""
    if not kind:
        return ok("file system", "Which kind it is cannot be told on this system.")
    if kind in FAR or kind.partition(".")[0] in ("fuse", "fuseblk"):
        return warning(
            "file system",
            f"The data is on {kind}, where SQLite's log and locks may not hold.",
            "Move the data folder to a local disk (ext4, xfs, btrfs, zfs).",
        )
    if kind in FLEETING:
        return warning(
            "file system",
            f"The data is on {kind}, {FLEETING[kind]}: it is lost when that goes.",
            "Give a folder on a disk with --data; in a container, one on a volume.",
        )
    return ok("file system", f"The data is on {kind}.")


def kind_of(path: Path, mountinfo: str) -> str:
    """The kind of file system that an absolute path is on, empty if unknown.

    For the form of ``mountinfo`` see proc_pid_mountinfo(5).
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        if not rest or len(fields.split(" ")) < 5:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda o: chr(int(o[1], 8)), fields.split(" ")[4]))
        # A later mount on the same point hides the one before.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split(" ")[0]
    return kind
