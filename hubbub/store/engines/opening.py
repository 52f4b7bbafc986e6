"""Opens the configured database, and refuses one that has lost its chat."""

from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.database import Database
from hubbub.store.engines.sqlite.database import Database as SqliteDatabase
from hubbub.store.engines.sqlite.errors import restore_command
from hubbub.store.engines.sqlite.inspection import is_missing_or_empty


def database_for(url: str | None, folder: DataFolder) -> Database:
    """The PostgreSQL at this URL, or SQLite in the data folder. Raises DatabaseError."""
    if url is None:
        return SqliteDatabase(folder.database)
    from hubbub.store.engines.postgres import Database as PostgresDatabase

    return PostgresDatabase(url)


def open_chat(url: str | None, folder: DataFolder) -> Database:
    """The database with this release's schema, to be served.

    An empty database is set up for a new chat, unless the data folder shows that there was a chat
    before, which has been lost. Raises DatabaseError, MovedError, Unavailable.
    """
    database = database_for(url, folder)
    database.migrate(missing_chat_message(database, folder))
    return database


def missing_chat_message(database: Database, folder: DataFolder) -> str | None:
    """The error message for an empty database that should have a chat; None if it need not."""
    key, shown = folder.key.exists(), folder.has_shown()
    if database.is_shared:
        # The folder may have belonged to a chat in SQLite before.
        if not shown or not is_missing_or_empty(folder.database):
            return None
        evidence, command = "shown", f"hubbub restore FILE --database {database.name}"
    elif key or shown:
        evidence, command = "secret.key" if key else "shown", restore_command(folder.path)
    elif folder.has_log():
        evidence, command = f"{folder.database.name}-wal", restore_command(folder.path)
    else:
        return None
    hint = "" if key or database.is_shared else " If it is in a PostgreSQL, give --database."
    return (
        f"{database.name} has no chat, but {folder.path / evidence} shows that there was one."
        f"{hint} Put back the latest backup: {command}; or, for a new chat, move {folder.path} "
        "away."
    )


def require_chat(folder: DataFolder) -> None:
    """Raises FolderError or DatabaseError if the folder has no database."""
    try:
        exists = not is_missing_or_empty(folder.database)
    except PermissionError as error:
        raise FolderError(
            f"You have no permission to read the data folder {folder.path}."
        ) from error
    if exists:
        return
    if missing_chat := missing_chat_message(SqliteDatabase(folder.database), folder):
        raise FolderError(missing_chat)
    raise FolderError(f"There is no chat in {folder.path}. Give its folder with --data.")
