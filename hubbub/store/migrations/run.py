"""Running the migrations from the program, with no configuration file."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, delete, event, insert, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from hubbub.model.errors import Unavailable
from hubbub.store.migrations import WORKS_WITH
from hubbub.store.tables import server

# Any number that no other program on this database takes: “hubbub” in bytes.
LOCK = int.from_bytes(b"hubbub")


def upgrade_sqlite(path: Path, version: str | None) -> None:
    """Bring the database at ``path`` from ``version`` (None: empty) to the newest schema."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)

    # The driver's own transactions leave DDL outside; a half-made schema must not stay.
    @event.listens_for(engine, "connect")
    def _(driver: sqlite3.Connection, _record: object) -> None:
        driver.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    _upgrade(engine, version)


def upgrade_postgres(engine: Engine, version: str | None) -> None:
    """The same for PostgreSQL; of several nodes that start at once, one does it."""

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})

    _upgrade(engine, version)


def _upgrade(engine: Engine, version: str | None) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _note_what_works(connection, config)
    except (SQLAlchemyError, CommandError) as error:
        was = f"from schema {version} " if version else ""
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise Unavailable(
            f"The database could not be brought {was}to the newest schema: {cause}."
        ) from (getattr(error, "orig", None) or error)
    finally:
        engine.dispose()


def _note_what_works(connection: Connection, config: Config) -> None:
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_revision("head")
    connection.execute(delete(server).where(server.c.key == WORKS_WITH))
    connection.execute(insert(server).values(key=WORKS_WITH, value=head.module.works_with))
