"""Reading /proc for processes of known behaviour."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import machine

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

#: Uses CPU in a child process, prints a line, and runs until its input ends.
BUSY_CHILD = """
import subprocess, sys
work = "sum(range(20_000_000)); print('done', flush=True); input()"
subprocess.run([sys.executable, "-c", work])
"""


def test_cpu_and_memory_count_what_a_process_started() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"done\n"
        tree = list(machine.process_tree(parent.pid))
        assert len(tree) == 2
        child = tree[1]
        # Each is in whole ticks, and the parent may have used less than one.
        assert machine.cpu_s(parent.pid) >= machine.cpu_s(child) > 0
        assert machine.memory_bytes(parent.pid) > machine.memory_bytes(child) > 1_000_000
        parent.communicate(b"\n")


# In a separate process, as this one's servers for other tests would count as well.
COUNTS = """
import os
from bench import machine
before = sum(os.times()[:4])
counted = machine.cpu_s(os.getpid())
after = sum(os.times()[:4])
# Each of the four sums is rounded down to a whole tick.
slack = 4 / machine.TICKS_PER_S
assert before - slack <= counted <= after + slack, (before, counted, after)
"""


def test_cpu_agrees_with_what_the_process_itself_knows() -> None:
    subprocess.run([sys.executable, "-c", COUNTS], check=True, cwd=ROOT)


def test_the_file_system_of_a_folder_has_a_name(tmp_path: Path) -> None:
    assert machine.file_system(Path("/proc")) == "proc"
    assert machine.file_system(tmp_path) not in {"proc", "unknown"}


def test_a_sync_takes_time_and_leaves_nothing_behind(tmp_path: Path) -> None:
    assert machine.sync_ms(tmp_path, times=3) > 0
    assert list(tmp_path.iterdir()) == []


#: Allocates 40 MB, frees it, and prints a line after each step.
PEAK = """
input()
held = bytearray(40_000_000)
del held
print("done", flush=True)
input()
"""


def test_a_peak_is_remembered_until_it_is_forgotten() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PEAK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = machine.peak_memory_bytes(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"done\n"
        assert machine.peak_memory_bytes(process.pid) > before + 30_000_000
        machine.reset_peak(process.pid)
        assert machine.peak_memory_bytes(process.pid) < before + 20_000_000
        assert machine.waited_s(process.pid) >= 0
        process.communicate(b"\n")
