"""Backups of everything, with the server running or not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubbub.cli.options import Data, Store, settings_of
from hubbub.cli.progress import Progress, stop_cleanly
from hubbub.model.settings import Settings

if TYPE_CHECKING:
    from hubbub.store.copies.backup import RestoreResult
    from hubbub.store.copies.copy import Contents

PANEL = "Keep it safe"
KB = 1024

File = Annotated[Path, typer.Argument(help="The backup.", metavar="FILE")]


def backup(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    data: Data = None,
    database: Store = None,
) -> None:
    """Copy everything into one file, with the server running or not.

    It is checked before it gets its name. Whoever can read it can sign in as anyone.
    """
    settings = settings_of(data=data, database=database)
    stop_cleanly()
    with Progress() as progress:
        contents = _backed_up(settings, file, progress, force=force)
    typer.echo(f"{file} has {told(contents)} ({_size(file)}, checked).")


def _backed_up(settings: Settings, file: Path, progress: Progress, *, force: bool) -> "Contents":
    from hubbub.store.copies.backup import back_up, back_up_database
    from hubbub.store.data_folder import DataFolder
    from hubbub.store.engines.opening import database_of, require_chat

    chat = DataFolder(settings.data)
    if settings.database is not None:
        shared = database_of(settings.database, chat)
        return back_up_database(shared, file, progress, force=force)
    require_chat(chat)
    return back_up(chat, file, progress, force=force)


def restore(file: File, data: Data = None, database: Store = None) -> None:
    """Put a backup into a folder, or a PostgreSQL, that has no chat, with no server there.

    It is checked first; a damaged database is put aside. What came after the backup never
    happened; clients start over.
    """
    settings = settings_of(data=data, database=database)
    stop_cleanly()
    with Progress() as progress:
        place, restored = _restored(settings, file, progress)
    typer.echo(f"{place} has {told(restored.contents)}.")
    if restored.aside:
        typer.echo(f"The database that was there before is in {restored.aside}.", err=True)
    if not restored.are_signed_in:
        typer.echo(
            "It has another key than the backup: everybody signs in again, and bots need new "
            "tokens.",
            err=True,
        )


def _restored(settings: Settings, file: Path, progress: Progress) -> tuple[str, "RestoreResult"]:
    """Where, and what."""
    from hubbub.store.copies.backup import restore, restore_database
    from hubbub.store.data_folder import DataFolder
    from hubbub.store.engines.opening import database_of

    chat = DataFolder(settings.data)
    if settings.database is not None:
        shared = database_of(settings.database, chat)
        return shared.name, restore_database(file, shared, progress)
    from hubbub.cli.operator_client import require_owner

    require_owner(chat.path)
    return str(chat.path), restore(file, chat, progress)


def told(contents: "Contents") -> str:
    counts = (
        (contents.people, "account", "accounts"),
        (contents.rooms, "room", "rooms"),
        (contents.messages, "message", "messages"),
    )
    parts = [f"{count:,} {one if count == 1 else many}" for count, one, many in counts]
    return f"{parts[0]}, {parts[1]} and {parts[2]}, schema {contents.schema}"


def _size(file: Path) -> str:
    size = file.stat().st_size / KB
    return f"{size:,.0f} KB" if size < KB else f"{size / KB:,.1f} MB"
