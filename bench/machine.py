"""What the machine is, and what /proc says of a process."""

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

#: 10,000 connections, with an end in the server and one in the load, and room beside them.
OPEN_FILES = 16_384
#: More are not asked for: some programs close every descriptor that they might have.
MOST_OPEN_FILES = 65_536
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """Server and load never share a core: what one uses the other does not wait for."""

    server: int
    load: int


@cache
def cores() -> Cores:
    """Found out once: later this process is itself pinned to one of them."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise BenchError("The benchmark needs two cores: one for the server, one for the load.")
    return Cores(server=allowed[0], load=allowed[1])


def keep_off_the_server() -> None:
    """Pins this process, and with it every load it starts, to the load's core."""
    os.sched_setaffinity(0, {cores().load})


@contextmanager
def on_the_servers_core() -> Iterator[None]:
    """What is started in the block inherits its core."""
    os.sched_setaffinity(0, {cores().server})
    try:
        yield
    finally:
        keep_off_the_server()


def raise_open_files() -> None:
    """To as many as may be had; child processes inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if most < OPEN_FILES and os.geteuid() == 0:
        most = hard = OPEN_FILES
    if max(soft, most) < OPEN_FILES:
        raise BenchError(f"The limit of open files is {hard}; raise it to {OPEN_FILES}.")
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def open_files() -> int:
    """How many this process, and each that it starts, may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def process_tree(pid: int) -> Iterator[int]:
    """A process and everything it started that still runs."""
    yield pid
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it ended while we looked
        return
    for child in " ".join(lists).split():
        yield from process_tree(int(child))


def cpu_s(pid: int) -> float:
    """User and system time of all threads and of all children, also of those that ended."""
    used = 0.0
    for each in process_tree(pid):
        # The name (field 2) may hold spaces and brackets: count from the last bracket.
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        used += sum(int(field) for field in fields[13:15]) / TICKS_PER_S  # of ended children
        used += time.clock_gettime(_clock_of(each))
    return used


def _clock_of(pid: int) -> int:
    """The CPU clock of another process, in ns where /proc has ticks (clock_getcpuclockid(3))."""
    return (~pid << 3) | 2


def waited_s(pid: int) -> float:
    """How long its threads were ready to run and had no core, its children's threads included."""
    waited_ns = 0
    for each in process_tree(pid):
        for path in Path(f"/proc/{each}/task").glob("*/schedstat"):
            with suppress(OSError):  # the thread ended while we looked
                waited_ns += int(path.read_text().split()[1])
    return waited_ns / 1e9


def memory_bytes(pid: int) -> int:
    """Resident memory of the process and its children, shared pages counted as if its own."""
    total_kb = 0
    for each in process_tree(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                total_kb += int(line.split()[1])
    return total_kb * 1024


def forget_peak(pid: int) -> None:
    """From now on `peak_memory_bytes` counts anew (proc(5), clear_refs)."""
    for each in process_tree(pid):
        Path(f"/proc/{each}/clear_refs").write_text("5")


def peak_memory_bytes(pid: int) -> int:
    """The most that was ever resident at once, or since `forget_peak`."""
    total_kb = 0
    for each in process_tree(pid):
        for line in Path(f"/proc/{each}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total_kb += int(line.split()[1])
    return total_kb * 1024


def file_system(path: Path) -> str:
    """The kind of file system that holds `path`: figures from a tmpfs say nothing of a disk."""
    best = ("", "unknown")
    resolved = str(path.resolve())
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def sync_ms(folder: Path, times: int = 50) -> float:
    """The median of what one 4 KB append with fdatasync takes here, in milliseconds."""
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
