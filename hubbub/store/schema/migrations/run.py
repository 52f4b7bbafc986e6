"""Runs the migrations from the program, without a configuration file.

Alembic renders them as SQL, which our own connection executes. This works for both engines, and no
second library has to open the SQLite file.
"""

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import delete, insert
from sqlalchemy.exc import SQLAlchemyError

from hubbub.model.errors import Unavailable
from hubbub.store.engines.database import Connection, Database
from hubbub.store.engines.sql import Sql
from hubbub.store.schema.migrations import WORKS_WITH
from hubbub.store.schema.tables import server


def upgrade(db: Connection, database: Database) -> None:
    """Upgrade the database to the newest schema, in one transaction. Raises Unavailable.

    If several nodes start at the same time, one of them upgrades, and the others wait for it.
    """
    version = None
    try:
        db.begin_migration()
        version = _version_in(db)
        scripts = ScriptDirectory(str(Path(__file__).parent))
        head = scripts.get_revision("head")
        if version != head.revision:
            db.execute(_render_upgrade(version, db.dialect.name))
            db.run(Sql(delete(server).where(server.c.key == WORKS_WITH)))
            works_with = head.module.works_with
            db.run(Sql(insert(server).values(key=WORKS_WITH, value=works_with)))
        db.commit()
    except Exception as error:
        if not isinstance(error, (SQLAlchemyError, CommandError, *database.errors)):
            raise
        origin = f"from schema {version} " if version else ""
        cause = str(error).strip().splitlines()[0]
        raise Unavailable(
            f"The database could not be upgraded {origin}to the newest schema: {cause}."
        ) from error


def _version_in(db: Connection) -> str | None:
    if "alembic_version" not in db.tables():
        return None
    rows = db.execute("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None


def _render_upgrade(version: str | None, dialect: str) -> str:
    """The SQL of all migrations after this version (None: an empty database)."""
    config = Config(output_buffer=io.StringIO())
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["dialect"] = dialect
    command.upgrade(config, f"{version}:head" if version else "head", sql=True)
    assert isinstance(config.output_buffer, io.StringIO)
    return config.output_buffer.getvalue()
