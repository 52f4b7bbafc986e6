"""Running the migrations from the program, with no configuration file."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from hubbub.model.errors import Unavailable


def upgrade(path: Path, version: str | None) -> None:
    """Bring the database at ``path`` from ``version`` (None: empty) to the newest schema."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)

    # The driver's own transactions leave DDL outside; a half-made schema must not stay.
    @event.listens_for(engine, "connect")
    def _(driver: sqlite3.Connection, _record: object) -> None:
        driver.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: object) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        was = f"from schema {version} " if version else ""
        raise Unavailable(
            f"The database could not be brought {was}to the newest schema: {error}"
        ) from error
    finally:
        engine.dispose()
