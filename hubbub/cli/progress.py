"""Progress of a long command, and how to stop one."""

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
    """Make SIGTERM do the same as Ctrl-C, so that no partial file stays behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class Progress:
    """Shows progress on stderr: a bar on a terminal, otherwise a line for each quarter."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._step = ""
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

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._bar:
            self._update_bar(self._bar, step, done, total)
        else:
            self._print_line(step, done, total)

    def _update_bar(self, bar: "Bar", step: str, done: int, total: int) -> None:
        if step != self._step or self._task is None:
            self._step = step
            self._task = bar.add_task(step, total=total or None)
        bar.update(self._task, completed=done)

    def _print_line(self, step: str, done: int, total: int) -> None:
        quarter = QUARTERS * done // total if total else 0
        if (step, quarter) == (self._step, self._quarter):
            return
        self._step, self._quarter = step, quarter
        typer.echo(f"{step}: {100 * done // total} %" if total else f"{step} …", err=True)
