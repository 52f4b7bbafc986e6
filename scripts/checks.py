"""Runs the project's checks: all of them, or those named on the command line.

The short ones run side by side, each printing its log whole when it ends. The Python tests use
every core by themselves, so they come last and alone, and their closing line ends the output.
Every check runs, whatever became of the others; any failure makes the exit code 1.
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

# The longest first, so that none of them is left running alone at the end.
SIDE_BY_SIDE: dict[str, tuple[str | Path, ...]] = {
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


def title(name: str, remark: str = "") -> str:
    return f"--- {name} {remark}".ljust(100, "-")


def run_quietly(name: str) -> tuple[str, bool, str]:
    started = time.monotonic()
    done = subprocess.run(
        SIDE_BY_SIDE[name],
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


def run_side_by_side(names: list[str]) -> list[str]:
    """Returns the names of those that failed."""
    failed = []
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for check in as_completed([pool.submit(run_quietly, name) for name in names]):
            name, passed, log = check.result()
            print(log, flush=True)
            if not passed:
                failed.append(name)
    return failed


def run_alone(names: list[str]) -> list[str]:
    """Returns the names of those that failed."""
    failed = []
    for name in names:
        print(title(name), flush=True)
        if subprocess.run(ALONE[name], cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    return failed


def main(chosen: list[str]) -> int:
    unknown = set(chosen) - SIDE_BY_SIDE.keys() - ALONE.keys()
    if unknown:
        known = ", ".join([*SIDE_BY_SIDE, *ALONE])
        print(f"No check is called {', '.join(sorted(unknown))}; there are: {known}.")
        return 2
    failed = run_side_by_side([name for name in SIDE_BY_SIDE if not chosen or name in chosen])
    failed += run_alone([name for name in ALONE if not chosen or name in chosen])
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
