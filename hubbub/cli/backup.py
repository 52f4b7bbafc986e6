"""Backups of the data folder, with the server running or not."""

import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from hubbub.cli.options import Data, settings_of

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from hubbub.store.backup import Contents

PANEL = "Keep it safe"
QUARTERS = 4
KB = 1024

File = Annotated[Path, typer.Argument(help="The backup.", metavar="FILE")]


def backup(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    data: Data = None,
) -> None:
    """Copy everything into one file, with the server running or not.

    It is checked before it gets its name. Whoever can read it can sign in as anyone.
    """
    from hubbub.cli.door import require_chat
    from hubbub.store.backup import back_up
    from hubbub.store.folder import DataFolder

    chat = DataFolder(settings_of(data=data).data)
    require_chat(chat)
    _stop_cleanly()
    with _Progress() as progress:
        contents = back_up(chat, file, progress, force=force)
    typer.echo(f"{file} has {_told(contents)} ({_size(file)}, checked).")


def restore(file: File, data: Data = None) -> None:
    """Put a backup into a folder that has no chat, with no server there.

    It is checked first. What came after it never happened; clients start over.
    """
    from hubbub.cli.door import require_owner
    from hubbub.store.backup import restore as put_back
    from hubbub.store.folder import DataFolder

    settings = settings_of(data=data)
    chat = DataFolder(settings.data)
    require_owner(chat.path)
    _stop_cleanly()
    with _Progress() as progress:
        restored = put_back(file, chat, progress)
    typer.echo(f"{chat.path} has {_told(restored.contents)}.")
    if not restored.are_signed_in:
        typer.echo(
            f"It has another {chat.key.name} than the backup: everybody signs in again, and bots "
            "need new tokens.",
            err=True,
        )


def _stop_cleanly() -> None:
    """SIGTERM does what Ctrl-C does, so that no part of a file stays behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _told(contents: "Contents") -> str:
    counts = (
        (contents.people, "account", "accounts"),
        (contents.rooms, "room", "rooms"),
        (contents.messages, "message", "messages"),
    )
    told = [f"{count:,} {one if count == 1 else many}" for count, one, many in counts]
    return f"{told[0]}, {told[1]} and {told[2]}, schema {contents.schema}"


def _size(file: Path) -> str:
    size = file.stat().st_size / KB
    return f"{size:,.0f} KB" if size < KB else f"{size / KB:,.1f} MB"


class _Progress:
    """How far it is: a bar on a terminal, or else a line now and then. On stderr."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
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

    def _draw(self, bar: "Progress", what: str, done: int, total: int) -> None:
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
