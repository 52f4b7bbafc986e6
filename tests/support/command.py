"""The ``hubbub`` command as a person types it: a process with arguments, stdin and a folder."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ENDS_WITHIN_S = 30


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What it says went wrong: the one line on stderr, without the program's name."""
        assert self.out == "", f"an error is told on stderr: {self.out}"
        [line] = self.err.splitlines()
        assert line.startswith("hubbub: "), line
        assert line.endswith((".", "?")), line
        return line.removeprefix("hubbub: ")


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hubbub", *arguments]


def inherited_environment() -> dict[str, str]:
    """Without the caller's own settings.

    Compiled modules are kept even if the caller's shell says otherwise: the suite starts Python
    hundreds of times, and each start would compile all of Hubbub again.
    """
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("HUBBUB_") and key != "PYTHONDONTWRITEBYTECODE"
    }


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Without the caller's own settings; 80 columns wide."""
    return {**inherited_environment(), "COLUMNS": "80", **(more or {})}


def hubbub(
    *arguments: str,
    stdin: str | bytes | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Said:
    """Run ``hubbub`` to its end. Without ``stdin`` there is nothing to read, and no terminal."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        command_line(*arguments),
        input=given or b"",
        capture_output=True,
        cwd=cwd,
        env=clean_environment({"PYTHONPATH": str(ROOT), **(environment or {})}),
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())
