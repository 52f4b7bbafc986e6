"""Erases the remains of deleted texts that SQLite leaves in its pages.

With ``secure_delete`` SQLite overwrites freed rows. But when it balances neighbouring pages of a
table, it moves rows between them, and leaves the old bytes in the unused space in the middle of
the page: a text that is deleted later would stay readable there. So after each checkpoint, the
unused space of every page that the checkpoint has written is overwritten.

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

# The first byte of a b-tree page → the size of its header.
_HEADER_BYTES = {2: 12, 5: 12, 10: 8, 13: 8}
_INDEX_TYPES, _TABLE_TYPES = (2, 10), (5, 13)

_PAGE_BYTES = tuple(1 << power for power in range(9, 17))  # all possible page sizes

# Other pages begin with a page number. Below this limit (128 GB of file), its first byte is not a
# b-tree type, so that no other page can be mistaken for a b-tree page.
_PAGES_MAX = 0x0200_0000


class Log(NamedTuple):
    """The content of a write-ahead log: the page size, the number of frames, and their pages."""

    page_bytes: int
    frames: int
    pages: set[int]


def read_log(path: Path) -> Log:
    """Read the valid frames of a log; older frames behind them are ignored."""
    try:
        with path.open("rb") as file:
            descriptor = file.fileno()
            header = os.pread(descriptor, _LOG_HEADER_BYTES, 0)
            size, salts = int.from_bytes(header[8:12], "big"), header[16:24]
            if size not in _PAGE_BYTES:
                return Log(0, 0, set())  # empty, or damaged, which SQLite ignores as well
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
    """Overwrite the unused space of these pages of an open file; returns how many had data in it.

    Only for the writer, between its transactions: no page may change meanwhile. Readers are not
    affected, as the used parts of pages stay the same.
    """
    count = 0
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
            count += 1
    return count


def is_page(page: bytes, at: int, *, is_index: bool) -> bool:
    """Whether this is a b-tree page of a table, or of an index (or a table without rowids)."""
    types = _INDEX_TYPES if is_index else _TABLE_TYPES
    return len(page) > at and page[at] in types and _unused(page, at) is not None


def _unused(page: bytes, at: int) -> tuple[int, int] | None:
    """The unused space of a b-tree page, between pointers and rows; None for other pages."""
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
