"""Having what was needed once, as in a flood, go back to the system.

By itself glibc keeps it: it raises the size from which on a freed block is returned with every
large block that is freed, up to 32 MB, and has arenas for eight threads of each core. Other
libraries do not, and need no word of ours.
"""

import asyncio
import contextlib
import ctypes
from typing import Any

TRIM_EVERY_S = 20.0

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def _glibc() -> Any:
    """The C library, or None if it is another."""
    with contextlib.suppress(OSError):
        library = ctypes.CDLL(None)
        if all(hasattr(library, name) for name in ("gnu_get_libc_version", "malloc_trim")):
            return library
    return None


def give_back_early() -> None:
    """Set the allocator up; call it before there are threads."""
    if library := _glibc():
        library.mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
        library.mallopt(_M_TRIM_THRESHOLD, 1024 * 1024)
        library.mallopt(_M_ARENA_MAX, 2)


async def trim_for_ever() -> None:
    """Return free pages in the midst of used ones, too, now and then."""
    library = _glibc()
    if library is None:
        return
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(TRIM_EVERY_S)
        # ctypes lets the interpreter go meanwhile.
        await loop.run_in_executor(None, library.malloc_trim, 0)
