"""The commands, and how ``--help`` describes each."""

from typing import Annotated

import typer

from hubbub import __version__
from hubbub.cli import backup, doctor, move, people
from hubbub.cli.options import with_settings
from hubbub.model.settings import Settings

EPILOG = "Each setting can also be an environment variable: --public-url is HUBBUB_PUBLIC_URL."
CONTEXT = {"help_option_names": ["-h", "--help"]}
RUN = "Run a chat"

app = typer.Typer(
    add_completion=False, context_settings=CONTEXT, rich_markup_mode="rich", epilog=EPILOG
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hubbub {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def hubbub(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """A real-time chat that starts with one command and keeps every message."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("try", rich_help_panel=RUN, epilog=EPILOG)
@with_settings
def try_(settings: Settings) -> None:
    """Try Hubbub on this machine: everyone can join, guests too."""
    from hubbub.cli import serving

    serving.run(serving.trial_settings(settings))


@app.command("make-run", hidden=True)
@with_settings
def make_run(settings: Settings) -> None:
    """Do the same as `try`, but name the variables of `make run` instead of options."""
    from hubbub.cli import serving

    serving.run(serving.trial_settings(settings, through_make=True))


@app.command("serve", rich_help_panel=RUN, epilog=EPILOG)
@with_settings
def serve(settings: Settings) -> None:
    """Run a chat for others: by invitation, without guests."""
    from hubbub.cli import serving

    serving.run(settings)


app.command("backup", rich_help_panel=backup.PANEL)(backup.backup)
app.command("restore", rich_help_panel=backup.PANEL)(backup.restore)
app.command("move", rich_help_panel=backup.PANEL)(move.move)
app.command("doctor", cls=doctor.LenientCommand, rich_help_panel=RUN, epilog=EPILOG)(doctor.doctor)
app.command("invite", rich_help_panel=people.PANEL)(people.invite)
app.add_typer(people.users, name="user", rich_help_panel=people.PANEL)
