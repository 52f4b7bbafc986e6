"""How far a long command is, and how it is stopped."""

import signal
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

QUARTERS = 4


def stop_cleanly() -> None:
    """SIGTERM does what Ctrl-C does, so that no part of a file stays behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class Progress:
    """How far it is: a bar on a terminal, or else a line now and then. On stderr."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._quarter = 0

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._bar:
            self._draw(self._bar, what, done, total)
        else:
            self._write(what, done, total)

    def _draw(self, bar: "Bar", what: str, done: int, total: int) -> None:
        if what != self._what or self._task is None:
            self._what = what
            self._task = bar.add_task(what, total=total or None)
        bar.update(self._task, completed=done)

    def _write(self, what: str, done: int, total: int) -> None:
        quarter = QUARTERS * done // total if total else 0
        if (what, quarter) == (self._what, self._quarter):
            return
        self._what, self._quarter = what, quarter
        typer.echo(f"{what}: {100 * done // total} %" if total else f"{what} …", err=True)
