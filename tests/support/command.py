"""Runs the ``hubbub`` command as a process with arguments, stdin and a working folder."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from tests.support import forks
from tests.support.forks import ROOT, inherited_environment

TIMEOUT_S = 30


class CommandResult(NamedTuple):
    """The exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The error: the single line on stderr, without the program's name."""
        assert self.out == "", f"errors belong on stderr: {self.out}"
        [line] = self.err.splitlines()
        assert line.startswith("hubbub: "), line
        assert line.endswith((".", "?")), line
        return line.removeprefix("hubbub: ")


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without the caller's settings, 80 columns wide."""
    return {**inherited_environment(), "COLUMNS": "80", **(more or {})}


def hubbub(
    *arguments: str,
    stdin: str | bytes | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> CommandResult:
    """Run ``hubbub`` to its end. By default stdin is empty and no terminal."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    with TemporaryFile() as read, TemporaryFile() as out, TemporaryFile() as err:
        read.write(given or b"")
        read.seek(0)
        env = clean_environment({"PYTHONPATH": str(ROOT), **(environment or {})})
        process = forks.start(arguments, stdin=read, stdout=out, stderr=err, env=env, cwd=cwd)
        try:
            code = process.wait(TIMEOUT_S)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return CommandResult(code, out.read().decode(), err.read().decode())
