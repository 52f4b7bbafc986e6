"""SQLite's errors: which of them mean damage, and messages for people."""

import shlex
from pathlib import Path

import apsw

from hubbub.store.engines.database import DatabaseError

FAILURES = (apsw.Error,)
# Errors of a wrong statement or of inconsistent rows, which a bug or damage may cause.
STATEMENT_ERRORS = (
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

# SQLite has no error code for missing tables.
_DAMAGE_MESSAGES = ("no such table", "no such column")


def is_damage(error: BaseException) -> bool:
    """Whether the error means that the file is damaged, so that trying again does not help."""
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return True
    if isinstance(error, apsw.IOError):
        return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHORT_READ
    return isinstance(error, apsw.SQLError) and any(text in str(error) for text in _DAMAGE_MESSAGES)


def error_text(error: Exception) -> str:
    """The error's message in one line."""
    return " ".join(str(error).split())


def damage_error(path: Path, why: str) -> DatabaseError:
    return DatabaseError(
        f"{path} is damaged ({why}). Run hubbub doctor, then put back the latest backup: "
        f"{restore_command(path.parent)}.",
        is_damage=True,
    )


def restore_command(folder: Path) -> str:
    """The command that puts a backup back into this folder."""
    return f"hubbub restore FILE --data {shlex.quote(str(folder))}"


def open_error(path: Path, error: apsw.Error) -> DatabaseError:
    """The error that says why this file cannot be used, and what to do."""
    why = error_text(error)
    if isinstance(error, apsw.NotADBError):
        return DatabaseError(
            f"{path} is not a database. Move it away, or give another folder with --data; if it "
            f"was a chat, put back the latest backup: {restore_command(path.parent)}.",
            is_damage=True,
        )
    if is_damage(error):
        return damage_error(path, why)
    if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError)):
        return DatabaseError(
            f"{path} cannot be opened ({why}). Make the server's user the owner of the folder and "
            "its files."
        )
    return DatabaseError(f"{path} cannot be opened ({why}).")
