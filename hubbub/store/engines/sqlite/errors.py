"""SQLite's errors, told apart as damage, refusals and passing failures, and put into words."""

import shlex
from pathlib import Path

import apsw

from hubbub.store.engines.database import DatabaseError

FAILURES = (apsw.Error,)
# Of a wrong statement, or of rows that contradict each other: by a bug, or by damage.
MISTAKES = (
    apsw.BindingsError,
    apsw.ConnectionClosedError,
    apsw.ConstraintError,
    apsw.CursorClosedError,
    apsw.IncompleteExecutionError,
    apsw.MismatchError,
    apsw.MisuseError,
    apsw.RangeError,
    apsw.ThreadingViolationError,
)
LOCKED = (apsw.BusyError, apsw.LockedError)

# Tables that are gone have no code of their own.
_DAMAGE_SAID = ("no such table", "no such column")


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that what there is cannot be read, now or later."""
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return True
    if isinstance(error, apsw.IOError):
        return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHORT_READ
    return isinstance(error, apsw.SQLError) and any(said in str(error) for said in _DAMAGE_SAID)


def said_by(error: Exception) -> str:
    """The error's message in one line."""
    return " ".join(str(error).split())


def damaged(path: Path, why: str) -> DatabaseError:
    return DatabaseError(
        f"{path} is damaged ({why}). Run hubbub doctor, then put back the latest backup: "
        f"{restoring(path.parent)}.",
        is_damage=True,
    )


def restoring(folder: Path) -> str:
    """The command that puts a backup back into this folder."""
    return f"hubbub restore FILE --data {shlex.quote(str(folder))}"


def refusal(path: Path, error: apsw.Error) -> DatabaseError:
    """Why this file cannot be used, and what to do."""
    why = said_by(error)
    if isinstance(error, apsw.NotADBError):
        return DatabaseError(
            f"{path} is not a database. Move it away, or give another folder with --data; if it "
            f"was a chat, put back the latest backup: {restoring(path.parent)}.",
            is_damage=True,
        )
    if is_damage(error):
        return damaged(path, why)
    if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError)):
        return DatabaseError(
            f"{path} cannot be opened ({why}). Make it, and all beside it, the server's user's."
        )
    return DatabaseError(f"{path} cannot be opened ({why}).")
