"""Commands that back up and restore everything, with the server running or not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubbub.cli.options import Data, DatabaseUrl, settings_of
from hubbub.cli.progress import Progress, stop_cleanly
from hubbub.model.settings import Settings

if TYPE_CHECKING:
    from hubbub.store.copies.backup import RestoreResult
    from hubbub.store.copies.copy import Contents

PANEL = "Backups and moves"
KB = 1024

File = Annotated[Path, typer.Argument(help="The backup.", metavar="FILE")]


def backup(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Copy everything into one file, with the server running or not.

    The copy is checked before it gets its name. Keep it safe: with it one can sign in as anyone.
    """
    settings = settings_of(data=data, database=database)
    stop_cleanly()
    with Progress() as progress:
        contents = _back_up(settings, file, progress, force=force)
    typer.echo(f"{file} has {describe_contents(contents)} ({_format_size(file)}, checked).")


def _back_up(settings: Settings, file: Path, progress: Progress, *, force: bool) -> "Contents":
    from hubbub.store.copies.backup import back_up, back_up_database
    from hubbub.store.data_folder import DataFolder
    from hubbub.store.engines.opening import database_for, require_chat

    chat = DataFolder(settings.data)
    if settings.database is not None:
        shared = database_for(settings.database, chat)
        return back_up_database(shared, file, progress, force=force)
    require_chat(chat)
    return back_up(chat, file, progress, force=force)


def restore(file: File, data: Data = None, database: DatabaseUrl = None) -> None:
    """Restore a backup into a folder or PostgreSQL without a chat; no server may be running.

    The backup is checked first, and a damaged database is kept under another name. Everything
    after the backup is lost, and clients start over.
    """
    settings = settings_of(data=data, database=database)
    stop_cleanly()
    with Progress() as progress:
        place, restored = _restore(settings, file, progress)
    typer.echo(f"{place} has {describe_contents(restored.contents)}.")
    if restored.aside:
        typer.echo(f"The database that was there before is in {restored.aside}.", err=True)
    if not restored.are_signed_in:
        typer.echo(
            "Its key differs from the backup's: everybody must sign in again, and bots need new "
            "tokens.",
            err=True,
        )


def _restore(settings: Settings, file: Path, progress: Progress) -> tuple[str, "RestoreResult"]:
    """Restore, and return the name of the target with the result."""
    from hubbub.store.copies.backup import restore, restore_database
    from hubbub.store.data_folder import DataFolder
    from hubbub.store.engines.opening import database_for

    chat = DataFolder(settings.data)
    if settings.database is not None:
        shared = database_for(settings.database, chat)
        return shared.name, restore_database(file, shared, progress)
    from hubbub.cli.operator_client import require_owner

    require_owner(chat.path)
    return str(chat.path), restore(file, chat, progress)


def describe_contents(contents: "Contents") -> str:
    counts = (
        (contents.people, "account", "accounts"),
        (contents.rooms, "room", "rooms"),
        (contents.messages, "message", "messages"),
    )
    parts = [f"{count:,} {one if count == 1 else many}" for count, one, many in counts]
    return f"{parts[0]}, {parts[1]} and {parts[2]}, schema {contents.schema}"


def _format_size(file: Path) -> str:
    size = file.stat().st_size / KB
    return f"{size:,.0f} KB" if size < KB else f"{size / KB:,.1f} MB"
