"""Ways to damage the database file of a data folder whose server has stopped."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support.sqlite import opened

PAGE_BYTES = 4_096
SEED = 20_261_128

Damage = Callable[[Path], None]
"""A function that damages a data folder."""


def root_pages(data: Path) -> dict[str, int]:
    """The root page of each table and each index."""
    with opened(data / "hubbub.db", "?immutable=1") as driver:
        query = "SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"
        return dict(driver.execute(query).fetchall())


def page_count(data: Path) -> int:
    return (data / "hubbub.db").stat().st_size // PAGE_BYTES


def overwrite(data: Path, number: int, content: bytes, at: int = 0) -> None:
    """Overwrite part of a page of the database; pages are numbered from 1."""
    with (data / "hubbub.db").open("r+b") as file:
        file.seek((number - 1) * PAGE_BYTES + at)
        file.write(content)


def noise(size: int = PAGE_BYTES, seed: int = SEED) -> bytes:
    return random.Random(seed).randbytes(size)


def replace(data: Path, old: bytes, new: bytes) -> None:
    """Replace bytes everywhere in the database file, by as many others."""
    database = data / "hubbub.db"
    image = database.read_bytes()
    assert old in image
    assert len(old) == len(new)
    database.write_bytes(image.replace(old, new))


def run_sql(data: Path, *statements: str) -> None:
    """Change the database without constraints."""
    with opened(data / "hubbub.db") as driver:
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute("PRAGMA ignore_check_constraints=ON")
        for statement in statements:
            driver.execute(statement)


# Damage of the whole file


def _truncate(data: Path) -> None:
    (data / "hubbub.db").write_bytes(b"")


def _delete(data: Path) -> None:
    (data / "hubbub.db").unlink()


def _only_log(data: Path) -> None:
    _delete(data)
    (data / "hubbub.db-wal").write_bytes(noise())


def _cut_in_half(data: Path) -> None:
    image = (data / "hubbub.db").read_bytes()
    (data / "hubbub.db").write_bytes(image[: len(image) // 2])


def _fill_with_zeros(data: Path) -> None:
    (data / "hubbub.db").write_bytes(bytes(page_count(data) * PAGE_BYTES))


def _write_text(data: Path) -> None:
    (data / "hubbub.db").write_text("These are my notes. " * 400)


def _delete_all_rows(data: Path) -> None:
    """The state after the loss of a log that had all rows."""
    with opened(data / "hubbub.db") as driver:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
        for (name,) in driver.execute(query).fetchall():
            driver.execute(f'DELETE FROM "{name}"')  # noqa: S608 - our own names


def _drop_table(data: Path) -> None:
    run_sql(data, "DROP TABLE messages")


def _invalid_schema_version(data: Path) -> None:
    run_sql(data, "UPDATE alembic_version SET version_num = 'x' || version_num")


def _truncated_move_marker(data: Path) -> None:
    run_sql(data, "INSERT INTO server VALUES ('moved', '{\"move\": 1')")


def _invalid_room_kind(data: Path) -> None:
    run_sql(data, "UPDATE rooms SET kind = 'publik' WHERE id = 'lobby'")


def _text_for_a_number(data: Path) -> None:
    run_sql(data, "UPDATE rooms SET rev = 'many' WHERE id = 'lobby'")


def _undecodable_title(data: Path) -> None:
    run_sql(data, "UPDATE rooms SET title = CAST(x'ff4c' AS TEXT) WHERE id = 'lobby'")


REFUSED: dict[str, Damage] = {
    "empty": _truncate,
    "missing": _delete,
    "missing but for its log": _only_log,
    "cut in half": _cut_in_half,
    "no header": lambda data: overwrite(data, 1, noise(16)),
    "first page zeroed": lambda data: overwrite(data, 1, bytes(PAGE_BYTES)),
    "schema overwritten": lambda data: overwrite(data, 1, noise(3_000), at=100),
    "all zeros": _fill_with_zeros,
    "a text file": _write_text,
    "no rows": _delete_all_rows,
    "a missing table": _drop_table,
    "an invalid schema version": _invalid_schema_version,
    "a truncated move marker": _truncated_move_marker,
    "a lobby of an invalid kind": _invalid_room_kind,
    "a lobby with a text for a number": _text_for_a_number,
    "a lobby with an undecodable title": _undecodable_title,
}
"""Damage after which the chat cannot be served, and a backup has to be restored."""


def other_programs_database(data: Path) -> None:
    _delete(data)
    with opened(data / "hubbub.db") as driver:
        driver.execute("CREATE TABLE songs (title)")


def folder_instead_of_file(data: Path) -> None:
    _delete(data)
    (data / "hubbub.db").mkdir()


def broken_link(data: Path) -> None:
    _delete(data)
    (data / "hubbub.db").symlink_to(data / "nowhere.db")


def contents(data: Path) -> dict[str, bytes | None]:
    """The content of all files of a folder, except the lock file."""
    return {
        path.name: path.read_bytes() if path.is_file() else None
        for path in data.iterdir()
        if path.name != "hubbub.lock"
    }


def copy(data: Path, to: Path) -> Path:
    return shutil.copytree(data, to, symlinks=True)
