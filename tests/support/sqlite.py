"""Opens SQLite files without the store, as another program would."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

BUSY_TIMEOUT_MS = 5_000
_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI


@contextlib.contextmanager
def opened(path: Path, query: str = "") -> Iterator[Any]:
    """An apsw.Connection in autocommit mode.

    ``query`` is the query of SQLite's URI, such as ``?immutable=1``.
    """
    driver = apsw.Connection(path.absolute().as_uri() + query, flags=_FLAGS)
    driver.set_busy_timeout(BUSY_TIMEOUT_MS)
    try:
        yield driver
    finally:
        driver.close()
