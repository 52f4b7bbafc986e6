"""Which database the settings name, and whether it still has what its folder knows of."""

from hubbub.store.database import Database
from hubbub.store.folder import DataFolder, FolderError
from hubbub.store.sqlite import Database as SqliteDatabase
from hubbub.store.sqlite import has_nothing, restoring


def database_of(url: str | None, folder: DataFolder) -> Database:
    """The PostgreSQL of this address, or the file in the data folder. Raises DatabaseError."""
    if url is None:
        return SqliteDatabase(folder.database)
    from hubbub.store.postgres import Database as PostgresDatabase

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
    names = [path.name for path in folder.traces()]
    if database.is_shared:
        # The folder may also have been that of a chat in a file.
        if "shown" not in names or not has_nothing(folder.database):
            return None
        way, names = f"hubbub restore FILE --database {database.name}", ["shown"]
    elif not names:
        return None
    else:
        way = restoring(folder.path)
    there = " and ".join(names) if len(names) < 3 else ", ".join(names)
    elsewhere = ""
    if not database.is_shared and folder.key.name not in names:
        elsewhere = " If it is in a PostgreSQL, give --database."
    return (
        f"There is no chat any more in {database.name}, but {there} in {folder.path} tells of one."
        f"{elsewhere} Put back the latest backup: {way}; or, for a new chat, move {there} away."
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
