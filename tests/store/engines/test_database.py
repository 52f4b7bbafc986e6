"""SQLite: the schema, and files that are refused."""

from pathlib import Path
from typing import Any

import apsw
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_mock_engine

from hubbub.store.engines.database import DatabaseError
from hubbub.store.engines.sqlite.connection import DIALECT
from hubbub.store.engines.sqlite.database import Database
from hubbub.store.schema import migrations
from hubbub.store.schema.migrations import HEAD
from hubbub.store.schema.tables import metadata
from tests.support.sqlite import opened


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "hubbub.db"
    Database(path).migrate()
    return path


def schema_of(path: Path) -> dict[str, Any]:
    """The schema as SQLite describes it: columns, defaults, keys, indexes, rowids."""
    with opened(path) as driver:
        tables = {
            row[1]: row[4:6]
            for row in driver.execute("PRAGMA table_list")
            if not row[1].startswith("sqlite_") and row[1] != "alembic_version"
        }
        return {
            name: {
                "without rowid, strict": flags,
                "columns": driver.execute(f"PRAGMA table_xinfo({name})").fetchall(),
                "foreign keys": sorted(
                    row[2:] for row in driver.execute(f"PRAGMA foreign_key_list({name})")
                ),
                "indexes": sorted(
                    (*row[2:], tuple(driver.execute(f"PRAGMA index_xinfo({row[1]})")))
                    for row in driver.execute(f"PRAGMA index_list({name})")
                ),
            }
            for name, flags in tables.items()
        }


def test_the_migrations_create_the_tables_of_the_module(migrated: Path, tmp_path: Path) -> None:
    described = tmp_path / "described.db"
    with opened(described) as driver:
        engine = create_mock_engine(
            "sqlite://", lambda sql, *_, **__: driver.execute(str(sql.compile(dialect=DIALECT)))
        )
        metadata.create_all(engine, checkfirst=False)
    actual, expected = schema_of(migrated), schema_of(described)
    assert set(actual) == set(expected) == set(metadata.tables)
    for name in expected:
        assert actual[name] == expected[name]


def test_a_migrated_database_has_its_schema_version(migrated: Path) -> None:
    with opened(migrated) as driver:
        assert driver.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [HEAD]
    versions = [script.revision for script in scripts.walk_revisions()]
    assert versions == sorted(versions, reverse=True), "names must sort in chronological order"


def test_migrating_again_changes_nothing(migrated: Path) -> None:
    before = migrated.read_bytes()
    Database(migrated).migrate()
    assert migrated.read_bytes() == before


def refusal(path: Path) -> str:
    """The error message with which this file is refused."""
    with pytest.raises(DatabaseError) as caught:
        Database(path).migrate()
    assert str(path) in caught.value.message
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    return caught.value.message


def test_an_incompatible_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hubbub.db"
    Database(path).migrate()
    with opened(path) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
        driver.execute("UPDATE server SET value = '9999' WHERE key = 'works_with'")
    assert "written by a newer Hubbub (schema 9999" in refusal(path)


def test_a_newer_schema_that_works_with_this_release_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "hubbub.db"
    Database(path).migrate()
    with opened(path) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
        driver.execute("UPDATE server SET value = ? WHERE key = 'works_with'", (HEAD,))
    before = path.read_bytes()
    Database(path).migrate()
    assert path.read_bytes() == before


@pytest.mark.parametrize("table", ["recipes", "alembic_version", "rooms"])
def test_a_database_of_another_program_is_refused_and_not_changed(
    tmp_path: Path, table: str
) -> None:
    path = tmp_path / "hubbub.db"
    with opened(path) as driver:
        driver.execute(f"CREATE TABLE {table} (version_num)")
    before = path.read_bytes()
    assert "not a Hubbub database" in refusal(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["hubbub.db"]


@pytest.mark.parametrize("content", [b"Dear diary, today I chatted. " * 40, b"\x00" * 5000])
def test_a_file_that_is_not_a_database_is_refused_and_not_changed(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "hubbub.db"
    path.write_bytes(content)
    assert "is not a database" in refusal(path)
    assert path.read_bytes() == content


def test_a_folder_instead_of_the_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hubbub.db"
    path.mkdir()
    assert "cannot be opened" in refusal(path)


def test_an_empty_file_is_a_new_database(tmp_path: Path) -> None:
    path = tmp_path / "hubbub.db"
    path.touch()
    Database(path).migrate()
    assert set(schema_of(path)) == set(metadata.tables)


def test_a_reader_cannot_write(migrated: Path) -> None:
    reader = Database(migrated).reader()
    try:
        with pytest.raises(apsw.ReadOnlyError):
            reader.execute("DELETE FROM rooms")
    finally:
        reader.close()


def test_a_commit_is_on_disk_before_it_is_acknowledged(migrated: Path) -> None:
    writer = Database(migrated).writer()
    try:
        pragmas = {
            name: writer.execute(f"PRAGMA {name}")[0][0]
            for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
        }
        assert pragmas == {
            "journal_mode": "wal",
            "synchronous": 2,
            "secure_delete": 1,
            "foreign_keys": 1,
        }
    finally:
        writer.close()
