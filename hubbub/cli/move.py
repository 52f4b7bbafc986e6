"""The command that moves a whole chat from one database into another."""

from typing import Annotated

import typer

from hubbub.cli.backup import describe_contents
from hubbub.cli.progress import Progress, stop_cleanly

Source = Annotated[
    str | None,
    typer.Option("--from", help="A folder, or postgresql://…", metavar="PLACE"),
]
Target = Annotated[
    str | None, typer.Option("--to", help="A folder, or postgresql://…", metavar="PLACE")
]
Undo = Annotated[
    str | None,
    typer.Option("--undo", help="Serve the old database again.", metavar="PLACE"),
]


def move(source: Source = None, target: Target = None, undo: Undo = None) -> None:
    """Move everything into another database; no server may be running on either.

    If it was interrupted, run the same command again to continue. Nobody is signed out.
    """
    if undo is not None:
        if source or target:
            raise typer.BadParameter("leave --from and --to out.", param_hint="--undo")
        _undo(undo)
    elif source is None or target is None:
        raise typer.BadParameter("give both --from and --to.", param_hint="hubbub move")
    else:
        _move(source, target)


def _move(source: str, target: str) -> None:
    from hubbub.cli.operator_client import require_owner
    from hubbub.store.copies import move

    source_location, target_location = move.parse_location(source), move.parse_location(target)
    for location in (source_location, target_location):
        if isinstance(location, move.FolderLocation):
            require_owner(location.folder.path)
    stop_cleanly()
    with Progress() as progress:
        result = move.move(source_location, target_location, progress)
    typer.echo(f"{target_location.name} has {describe_contents(result.contents)}, checked.")
    if not result.are_signed_in:
        typer.echo(
            "Its folder has another secret.key: everybody must sign in again, and bots need new "
            "tokens.",
            err=True,
        )


def _undo(source: str) -> None:
    from hubbub.store.copies import move

    location = move.parse_location(source)
    move.undo(location)
    typer.echo(f"{location.name} can be served again.")
