"""Runs all checks of the project, or those named on the command line.

The short ones run in parallel, and each prints its log when it ends. The Python tests use all
cores themselves, so they run last and alone, and their summary ends the output. All checks run
even if others fail; any failure makes the exit code 1.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
NPM = (ROOT / "scripts" / "with-node", "npm", "--prefix", "web", "--silent", "run")

# The longest first, so that it does not run alone at the end.
PARALLEL: dict[str, tuple[str | Path, ...]] = {
    "browser": (*NPM, "e2e", "--", "--shuffle"),
    "types": (BIN / "mypy",),
    "web types": (*NPM, "check"),
    "web": (*NPM, "test"),
    "layers": (BIN / "lint-imports", "--no-logo"),
    "style": (BIN / "ruff", "check"),
    "format": (BIN / "ruff", "format", "--check"),
}
ALONE: dict[str, tuple[str | Path, ...]] = {
    "tests": (BIN / "pytest", "-n", "auto", "--dist", "loadgroup"),
}


def title(name: str, note: str = "") -> str:
    return f"--- {name} {note}".ljust(100, "-")


def run_quietly(name: str) -> tuple[str, bool, str]:
    started = time.monotonic()
    done = subprocess.run(
        PARALLEL[name],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    took = f"({time.monotonic() - started:.0f} s) "
    return name, done.returncode == 0, f"{title(name, took)}\n{done.stdout}"


def run_parallel(names: list[str]) -> list[str]:
    """Run these checks, and return the names of those that failed."""
    failed = []
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for check in as_completed([pool.submit(run_quietly, name) for name in names]):
            name, passed, log = check.result()
            print(log, flush=True)
            if not passed:
                failed.append(name)
    return failed


def run_alone(names: list[str]) -> list[str]:
    """Run these checks, and return the names of those that failed."""
    failed = []
    for name in names:
        print(title(name), flush=True)
        if subprocess.run(ALONE[name], cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    return failed


def main(chosen: list[str]) -> int:
    unknown = set(chosen) - PARALLEL.keys() - ALONE.keys()
    if unknown:
        known = ", ".join([*PARALLEL, *ALONE])
        print(f"There is no check named {', '.join(sorted(unknown))}. Checks: {known}.")
        return 2
    failed = run_parallel([name for name in PARALLEL if not chosen or name in chosen])
    failed += run_alone([name for name in ALONE if not chosen or name in chosen])
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
