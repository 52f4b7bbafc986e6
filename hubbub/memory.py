"""Returns memory to the system after a peak, such as a flood of requests.

By default glibc keeps it: with every large block that is freed it raises the size from which freed
blocks are returned, up to 32 MB, and it has eight arenas for each core. Other C libraries return
memory by themselves.
"""

import asyncio
import contextlib
import ctypes
from typing import Any

TRIM_EVERY_S = 20.0

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def _glibc() -> Any:
    """The C library if it is glibc, else None."""
    with contextlib.suppress(OSError):
        library = ctypes.CDLL(None)
        if all(hasattr(library, name) for name in ("gnu_get_libc_version", "malloc_trim")):
            return library
    return None


def configure_allocator() -> None:
    """Have glibc return freed memory early. Call it before any thread starts."""
    if library := _glibc():
        library.mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
        library.mallopt(_M_TRIM_THRESHOLD, 1024 * 1024)
        library.mallopt(_M_ARENA_MAX, 2)


async def trim_periodically() -> None:
    """Also return free pages between used ones, every `TRIM_EVERY_S` until cancelled."""
    library = _glibc()
    if library is None:
        return
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(TRIM_EVERY_S)
        # ctypes releases the interpreter lock meanwhile.
        await loop.run_in_executor(None, library.malloc_trim, 0)
