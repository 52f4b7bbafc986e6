"""A small disk that a test can fill."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mount_small(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of this size. Skips the test where none can be mounted."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount the small disk that this test fills")
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder))
    process = subprocess.run(mount, capture_output=True, text=True, check=False)
    if process.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {process.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)
