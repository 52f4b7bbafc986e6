"""What SQLite leaves behind of deleted texts, overwritten.

With ``secure_delete`` SQLite overwrites what it frees. But when it evens out neighbouring pages
of a table it moves rows from one to the other, and leaves the old bytes in the unused middle of
the page they came from: a text that is deleted later would stay readable there. So after each
checkpoint the unused middle of every page that it has written is overwritten.

File formats: https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages) and 4.1 (the
write-ahead log).
"""

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
FILE_HEADER_BYTES = 100  # before the b-tree of page 1

# The first byte of a b-tree page, and how long the header is that it begins.
_HEADER_BYTES = {2: 12, 5: 12, 10: 8, 13: 8}
_OF_INDEXES, _OF_TABLES = (2, 10), (5, 13)

_PAGE_BYTES = tuple(1 << power for power in range(9, 17))  # that there can be

# Pages of other kinds begin with the number of a page. Below this one its first byte is none of
# the above, so no page is taken for what it is not; it is 128 GB into the file.
_PAGES_MAX = 0x0200_0000


class Log(NamedTuple):
    """What a write-ahead log holds: so many frames, each with a page of so many bytes."""

    page_bytes: int
    frames: int
    pages: set[int]


def read_log(path: Path) -> Log:
    """Only of what was written since the log last began anew, whatever lies behind in the file."""
    try:
        with path.open("rb") as file:
            descriptor = file.fileno()
            header = os.pread(descriptor, _LOG_HEADER_BYTES, 0)
            size, salts = int.from_bytes(header[8:12], "big"), header[16:24]
            if size not in _PAGE_BYTES:
                return Log(0, 0, set())  # empty, or damaged: SQLite does not read it either
            step = _FRAME_HEADER_BYTES + size
            pages, frames = set[int](), 0
            for at in range(_LOG_HEADER_BYTES, os.fstat(descriptor).st_size, step):
                frame = os.pread(descriptor, _FRAME_HEADER_BYTES, at)
                if frame[8:16] != salts:
                    break
                pages.add(int.from_bytes(frame[:4], "big"))
                frames += 1
            return Log(size, frames, pages)
    except FileNotFoundError:
        return Log(0, 0, set())


def overwrite_unused(database: int, page_bytes: int, pages: Iterable[int]) -> int:
    """Overwrite the unused middle of these pages of an open file; in how many there was something.

    Only for the one writer, between its transactions: no page may change meanwhile. Readers do
    not mind, as nothing is changed where a page has anything.
    """
    found = 0
    for number in sorted(pages):
        if not 0 < number < _PAGES_MAX:
            continue
        start = (number - 1) * page_bytes
        page = os.pread(database, page_bytes, start)
        unused = _unused(page, FILE_HEADER_BYTES if number == 1 else 0)
        if unused is None:
            continue
        begin, end = unused
        if any(page[begin:end]):
            os.pwrite(database, bytes(end - begin), start + begin)
            found += 1
    return found


def is_page(page: bytes, at: int, *, is_index: bool) -> bool:
    """Whether this begins as a page of a table does, or of an index (as one without rowids)."""
    kinds = _OF_INDEXES if is_index else _OF_TABLES
    return len(page) > at and page[at] in kinds and _unused(page, at) is not None


def _unused(page: bytes, at: int) -> tuple[int, int] | None:
    """Where a b-tree page has neither pointers nor rows; None unless it clearly is one."""
    header = _HEADER_BYTES.get(page[at]) if len(page) > at + 12 else None
    if header is None:
        return None
    free, count, end = struct.unpack_from("!HHH", page, at + 1)
    begin = at + header + 2 * count
    if not begin <= end <= len(page):
        return None
    rows = struct.unpack_from(f"!{count}H", page, at + header)
    is_sound = all(end <= row < len(page) for row in rows) and (not free or end <= free < len(page))
    return (begin, end) if is_sound else None
