"""Which database the settings name."""

from hubbub.store.database import Database
from hubbub.store.folder import DataFolder
from hubbub.store.sqlite import Database as SqliteDatabase


def database_of(url: str | None, folder: DataFolder) -> Database:
    """The PostgreSQL of this address, or the file in the data folder. Raises DatabaseError."""
    if url is None:
        return SqliteDatabase(folder.database)
    from hubbub.store.postgres import Database as PostgresDatabase

    return PostgresDatabase(url)
