"""Which database the settings name, and whether it still has what its folder knows of."""

from hubbub.store.data_folder import DataFolder, FolderError
from hubbub.store.engines.database import Database
from hubbub.store.engines.sqlite.database import Database as SqliteDatabase
from hubbub.store.engines.sqlite.errors import restoring
from hubbub.store.engines.sqlite.inspection import has_nothing


def database_of(url: str | None, folder: DataFolder) -> Database:
    """The PostgreSQL of this address, or the file in the data folder. Raises DatabaseError."""
    if url is None:
        return SqliteDatabase(folder.database)
    from hubbub.store.engines.postgres import Database as PostgresDatabase

    return PostgresDatabase(url)


def chat_of(url: str | None, folder: DataFolder) -> Database:
    """The same with this release's schema, to be served from this folder.

    An empty database becomes a new chat, but not where there was one already: that would look as
    if nobody had ever said anything. Raises DatabaseError, MovedError, Unavailable.
    """
    database = database_of(url, folder)
    database.migrate(why_lost(database, folder))
    return database


def why_lost(database: Database, folder: DataFolder) -> str | None:
    """What to say of this database if there is no chat in it; None if that may well be."""
    key, shown = folder.key.exists(), folder.has_shown()
    if database.is_shared:
        # The folder may also have been that of a chat in a file.
        if not shown or not has_nothing(folder.database):
            return None
        sign, way = "shown", f"hubbub restore FILE --database {database.name}"
    elif key or shown:
        sign, way = "secret.key" if key else "shown", restoring(folder.path)
    elif folder.has_log():
        sign, way = f"{folder.database.name}-wal", restoring(folder.path)
    else:
        return None
    elsewhere = "" if key or database.is_shared else " If it is in a PostgreSQL, give --database."
    return (
        f"{database.name} has no chat, but {folder.path / sign} shows that there was one."
        f"{elsewhere} Put back the latest backup: {way}; or, for a new chat, move {folder.path} "
        "away."
    )


def require_chat(folder: DataFolder) -> None:
    """Raises FolderError or DatabaseError if the folder has no database."""
    try:
        is_there = not has_nothing(folder.database)
    except PermissionError as error:
        raise FolderError(f"The data folder {folder.path} is not yours to look into.") from error
    if is_there:
        return
    if lost := why_lost(SqliteDatabase(folder.database), folder):
        raise FolderError(lost)
    raise FolderError(f"There is no chat in {folder.path}. Give its folder with --data.")
