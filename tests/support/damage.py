"""Ways in which a database's file can come to harm, done to a data folder without a server."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support.sqlite import opened

PAGE_BYTES = 4_096
SEED = 20_261_128

Harm = Callable[[Path], None]
"""Done to the data folder."""


def roots(data: Path) -> dict[str, int]:
    """The page in which each table and each index begins."""
    with opened(data / "hubbub.db", "?immutable=1") as driver:
        found = "SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"
        return dict(driver.execute(found).fetchall())


def pages(data: Path) -> int:
    return (data / "hubbub.db").stat().st_size // PAGE_BYTES


def overwrite(data: Path, number: int, content: bytes, at: int = 0) -> None:
    """Part of a page, counted from 1, of the database of a server that has stopped."""
    with (data / "hubbub.db").open("r+b") as file:
        file.seek((number - 1) * PAGE_BYTES + at)
        file.write(content)


def noise(size: int = PAGE_BYTES, seed: int = SEED) -> bytes:
    return random.Random(seed).randbytes(size)


def replace(data: Path, old: bytes, new: bytes) -> None:
    """Everywhere in the file, wherever that is; as long as it was."""
    database = data / "hubbub.db"
    image = database.read_bytes()
    assert old in image
    assert len(old) == len(new)
    database.write_bytes(image.replace(old, new))


def change(data: Path, *statements: str) -> None:
    """As another program would, against all rules of ours."""
    with opened(data / "hubbub.db") as driver:
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute("PRAGMA ignore_check_constraints=ON")
        for statement in statements:
            driver.execute(statement)


# Of the whole file


def _emptied(data: Path) -> None:
    (data / "hubbub.db").write_bytes(b"")


def _gone(data: Path) -> None:
    (data / "hubbub.db").unlink()


def _gone_but_for_its_log(data: Path) -> None:
    _gone(data)
    (data / "hubbub.db-wal").write_bytes(noise())


def _cut(data: Path) -> None:
    image = (data / "hubbub.db").read_bytes()
    (data / "hubbub.db").write_bytes(image[: len(image) // 2])


def _zeroed(data: Path) -> None:
    (data / "hubbub.db").write_bytes(bytes(pages(data) * PAGE_BYTES))


def _notes(data: Path) -> None:
    (data / "hubbub.db").write_text("These are my notes. " * 400)


def _without_rooms(data: Path) -> None:
    """As it is if only the log had them, and is lost."""
    with opened(data / "hubbub.db") as driver:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
        for (name,) in driver.execute(names).fetchall():
            driver.execute(f'DELETE FROM "{name}"')  # noqa: S608 - our own names


def _without_a_table(data: Path) -> None:
    change(data, "DROP TABLE messages")


def _of_no_schema(data: Path) -> None:
    change(data, "UPDATE alembic_version SET version_num = 'x' || version_num")


def _half_moved(data: Path) -> None:
    change(data, "INSERT INTO server VALUES ('moved', '{\"move\": 1')")


def _room_of_no_kind(data: Path) -> None:
    change(data, "UPDATE rooms SET kind = 'publik' WHERE id = 'lobby'")


def _room_that_counts_in_words(data: Path) -> None:
    change(data, "UPDATE rooms SET rev = 'many' WHERE id = 'lobby'")


def _undecodable_lobby(data: Path) -> None:
    change(data, "UPDATE rooms SET title = CAST(x'ff4c' AS TEXT) WHERE id = 'lobby'")


REFUSED: dict[str, Harm] = {
    "empty": _emptied,
    "missing": _gone,
    "missing but for its log": _gone_but_for_its_log,
    "cut in half": _cut,
    "no header": lambda data: overwrite(data, 1, noise(16)),
    "first page zeroed": lambda data: overwrite(data, 1, bytes(PAGE_BYTES)),
    "schema overwritten": lambda data: overwrite(data, 1, noise(3_000), at=100),
    "zeroed throughout": _zeroed,
    "a text": _notes,
    "nothing in it": _without_rooms,
    "a table gone": _without_a_table,
    "of no schema": _of_no_schema,
    "half a mark of a move": _half_moved,
    "a lobby of no kind": _room_of_no_kind,
    "a lobby that counts in words": _room_that_counts_in_words,
    "a lobby that is no text": _undecodable_lobby,
}
"""After each of these the chat cannot be served, and a backup has to be put back."""


def songs(data: Path) -> None:
    _gone(data)
    with opened(data / "hubbub.db") as driver:
        driver.execute("CREATE TABLE songs (title)")


def folder(data: Path) -> None:
    _gone(data)
    (data / "hubbub.db").mkdir()


def link_to_nowhere(data: Path) -> None:
    _gone(data)
    (data / "hubbub.db").symlink_to(data / "nowhere.db")


def contents(data: Path) -> dict[str, bytes | None]:
    """All files of a folder, but the one that is made to lock it."""
    return {
        path.name: path.read_bytes() if path.is_file() else None
        for path in data.iterdir()
        if path.name != "hubbub.lock"
    }


def copy(data: Path, to: Path) -> Path:
    return shutil.copytree(data, to, symlinks=True)
