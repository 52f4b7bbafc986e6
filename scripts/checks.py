"""Runs all checks of the project, or those named on the command line.

They run in parallel, and each prints its log when it ends, the Python tests last. All checks run
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

CORES = os.cpu_count() or 1
# Both often wait for servers and pages, so they have more workers than there are cores.
WORKERS = str(CORES + 1)
TESTS = "tests"
# The two longest have a thread each; the third takes the others, the longest first.
THREADS = 3
CHECKS: dict[str, tuple[str | Path, ...]] = {
    TESTS: (BIN / "pytest", "-n", WORKERS, "--dist", "loadgroup"),
    "browser": (*NPM, "e2e", "--", "--shuffle", "--workers", WORKERS),
    "web": (*NPM, "test"),
    "types": (BIN / "mypy",),
    "web types": (*NPM, "check"),
    "layers": (BIN / "lint-imports", "--no-logo"),
    "style": (BIN / "ruff", "check"),
    "format": (BIN / "ruff", "format", "--check"),
}


def title(name: str, note: str = "") -> str:
    return f"--- {name} {note}".ljust(100, "-")


def run(name: str) -> tuple[str, bool, str]:
    """Run a check, and return its name, whether it passed, and its log."""
    started = time.monotonic()
    done = subprocess.run(
        CHECKS[name],
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


def run_all(names: list[str]) -> list[str]:
    """Run these checks, and return the names of those that failed."""
    failed = []
    last = ""
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        for check in as_completed([pool.submit(run, name) for name in names]):
            name, passed, log = check.result()
            if name == TESTS:
                last = log
            else:
                print(log, flush=True)
            if not passed:
                failed.append(name)
    print(last, flush=True)
    return failed


def main(chosen: list[str]) -> int:
    unknown = set(chosen) - CHECKS.keys()
    if unknown:
        print(f"There is no check named {', '.join(sorted(unknown))}. Checks: {', '.join(CHECKS)}.")
        return 2
    names = [name for name in CHECKS if not chosen or name in chosen]
    print(f"Running: {', '.join(names)}", flush=True)
    failed = run_all(names)
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
