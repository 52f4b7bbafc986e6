"""Moves of a whole chat from one database into another."""

from typing import Annotated

import typer

from hubbub.cli.backup import told
from hubbub.cli.progress import Progress, stop_cleanly

Source = Annotated[
    str | None,
    typer.Option("--from", help="Where it is: a folder, or postgresql://…", metavar="PLACE"),
]
Target = Annotated[
    str | None, typer.Option("--to", help="Where it is to be, likewise.", metavar="PLACE")
]
Undo = Annotated[
    str | None,
    typer.Option("--undo", help="Serve one again that was moved away.", metavar="PLACE"),
]


def move(source: Source = None, target: Target = None, undo: Undo = None) -> None:
    """Move everything into another database, with no server on either.

    Stopped by whatever, the same command goes on. Nobody is signed out.
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

    here, there = move.location_of(source), move.location_of(target)
    for place in (here, there):
        if isinstance(place, move.FolderLocation):
            require_owner(place.folder.path)
    stop_cleanly()
    with Progress() as progress:
        moved = move.move(here, there, progress)
    typer.echo(f"{there.name} has {told(moved.contents)}, checked.")
    if not moved.are_signed_in:
        typer.echo(
            "Its folder has another secret.key: everybody signs in again, and bots need new "
            "tokens.",
            err=True,
        )


def _undo(source: str) -> None:
    from hubbub.store.copies import move

    place = move.location_of(source)
    move.undo(place)
    typer.echo(f"{place.name} may be served again.")
