"""The commands, and how each is told of in ``--help``."""

from typing import Annotated

import typer

from hubbub import __version__
from hubbub.cli import backup, doctor, move, people
from hubbub.cli.options import with_settings
from hubbub.model.settings import Settings

EPILOG = "Settings can also stand in the environment: --public-url is HUBBUB_PUBLIC_URL."
CONTEXT = {"help_option_names": ["-h", "--help"]}
RUN = "Run a chat"

app = typer.Typer(
    add_completion=False, context_settings=CONTEXT, rich_markup_mode="rich", epilog=EPILOG
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hubbub {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def hubbub(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Tell the version.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """A real-time chat that starts with one command and keeps every message."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("try", rich_help_panel=RUN, epilog=EPILOG)
@with_settings
def try_(settings: Settings) -> None:
    """Try it on this machine: open to everyone, guests too."""
    from hubbub.cli import serving

    serving.run(serving.trying(settings))


@app.command("make-run", hidden=True)
@with_settings
def make_run(settings: Settings) -> None:
    """Do what `try` does, for `make run`: name its variables where `try` names options."""
    from hubbub.cli import serving

    serving.run(serving.trying(settings, through_make=True))


@app.command("serve", rich_help_panel=RUN, epilog=EPILOG)
@with_settings
def serve(settings: Settings) -> None:
    """Run it for others: by invitation, without guests."""
    from hubbub.cli import serving

    serving.run(settings)


app.command("backup", rich_help_panel=backup.PANEL)(backup.backup)
app.command("restore", rich_help_panel=backup.PANEL)(backup.restore)
app.command("move", rich_help_panel=backup.PANEL)(move.move)
app.command("doctor", cls=doctor.Forgiving, rich_help_panel=RUN, epilog=EPILOG)(doctor.doctor)
app.command("invite", rich_help_panel=people.PANEL)(people.invite)
app.add_typer(people.users, name="user", rich_help_panel=people.PANEL)
