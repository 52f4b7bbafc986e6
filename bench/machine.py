"""Information about the machine and, from /proc, about processes."""

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

from bench.errors import BenchError

#: Enough for 10,000 connections in each of the server and the load, and some other files.
OPEN_FILES = 16_384
#: Not more, as some programs close every possible descriptor when they start.
OPEN_FILES_MAX = 65_536
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """Server and load have different cores, so that neither waits for the other."""

    server: int
    load: int


@cache
def cores() -> Cores:
    """The two cores, found once, before this process is pinned to one of them."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise BenchError("The benchmark needs two cores: one for the server, one for the load.")
    return Cores(server=allowed[0], load=allowed[1])


def pin_to_load_core() -> None:
    """Pin this process, and with it all loads that it starts, to the load's core."""
    os.sched_setaffinity(0, {cores().load})


@contextmanager
def on_server_core() -> Iterator[None]:
    """Processes started inside run on the server's core."""
    os.sched_setaffinity(0, {cores().server})
    try:
        yield
    finally:
        pin_to_load_core()


def raise_open_files() -> None:
    """Raise the limit as far as allowed; child processes inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if most < OPEN_FILES and os.geteuid() == 0:
        most = hard = OPEN_FILES
    if max(soft, most) < OPEN_FILES:
        raise BenchError(f"The limit of open files is {hard}; raise it to {OPEN_FILES}.")
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def open_files() -> int:
    """The limit of open files of this process and of each that it starts."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def process_tree(pid: int) -> Iterator[int]:
    """The pids of a process and of all its running descendants."""
    yield pid
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it ended meanwhile
        return
    for child in " ".join(lists).split():
        yield from process_tree(int(child))


def cpu_s(pid: int) -> float:
    """User and system time of all threads and children, ended children included."""
    used = 0.0
    for each in process_tree(pid):
        # The name (field 2) may contain spaces and brackets, so count from the last bracket.
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        used += sum(int(field) for field in fields[13:15]) / TICKS_PER_S  # of ended children
        used += time.clock_gettime(_clock_of(each))
    return used


def _clock_of(pid: int) -> int:
    """The CPU clock of a process; it counts ns, /proc only ticks (clock_getcpuclockid(3))."""
    return (~pid << 3) | 2


def waited_s(pid: int) -> float:
    """How long its threads, and those of its children, were ready to run but had no core."""
    waited_ns = 0
    for each in process_tree(pid):
        for path in Path(f"/proc/{each}/task").glob("*/schedstat"):
            with suppress(OSError):  # the thread ended meanwhile
                waited_ns += int(path.read_text().split()[1])
    return waited_ns / 1e9


def memory_bytes(pid: int) -> int:
    """Resident memory of the process and its children; shared pages count for each."""
    total_kb = 0
    for each in process_tree(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                total_kb += int(line.split()[1])
    return total_kb * 1024


def reset_peak(pid: int) -> None:
    """Reset the value of `peak_memory_bytes` (proc(5), clear_refs)."""
    for each in process_tree(pid):
        Path(f"/proc/{each}/clear_refs").write_text("5")


def peak_memory_bytes(pid: int) -> int:
    """The peak of resident memory since the start or `reset_peak`."""
    total_kb = 0
    for each in process_tree(pid):
        for line in Path(f"/proc/{each}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total_kb += int(line.split()[1])
    return total_kb * 1024


def file_system(path: Path) -> str:
    """The type of file system of `path`; measurements on tmpfs say nothing about a disk."""
    best = ("", "unknown")
    resolved = str(path.resolve())
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def sync_ms(folder: Path, times: int = 50) -> float:
    """The median duration of a 4 KB append with fdatasync in this folder."""
    path = folder / "sync"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return median(taken)


def description() -> dict[str, str]:
    processor = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": f"{os.getloadavg()[0]:.2f}",
    }
