"""The ``hubbub`` command as a person types it: a process with arguments, stdin and a folder."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from tests.support import forks
from tests.support.forks import ROOT, inherited_environment

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
    with TemporaryFile() as read, TemporaryFile() as out, TemporaryFile() as err:
        read.write(given or b"")
        read.seek(0)
        env = clean_environment({"PYTHONPATH": str(ROOT), **(environment or {})})
        process = forks.start(arguments, stdin=read, stdout=out, stderr=err, env=env, cwd=cwd)
        try:
            code = process.wait(ENDS_WITHIN_S)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return Said(code, out.read().decode(), err.read().decode())
