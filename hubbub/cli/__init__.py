"""The ``hubbub`` command.

Only what the command at hand needs is imported: the server's parts by the commands that run it,
and Rich by nothing but ``--help``.
"""

import os
import sys
from collections.abc import Sequence

import typer

from hubbub.model.errors import HubbubError

FAILED = 1
INTERRUPTED = 130  # what shells expect after Ctrl-C: 128 and the signal's number


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command given by the arguments, and exit. What went wrong is told in a sentence."""
    os.umask(0o077)  # what people write to each other is nobody else's on this machine
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    try:
        from hubbub.cli.commands import app

        # Its own way of telling about errors is a box of several lines.
        code = typer.main.get_command(app).main(
            arguments, prog_name="hubbub", standalone_mode=False
        )
    except typer.BadParameter as error:
        return _tell(wrong_value(error), error.exit_code)
    except typer.TyperException as error:
        return _tell(error.format_message(), error.exit_code, _hint(error))
    except HubbubError as error:
        return _tell(error.message, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED  # while it was still loading
    except typer.Abort:
        return _tell("Stopped.", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _tell(sentence: str, code: int, hint: str = "") -> int:
    sentence = sentence if sentence.endswith((".", "?")) else sentence + "."
    typer.echo(f"hubbub: {sentence}{hint}", err=True)
    return code


def wrong_value(error: typer.BadParameter) -> str:
    """Which option or variable has a wrong value, and what is wrong with it."""
    if error.param is None or error.ctx is None or error.param.name is None or not error.message:
        named = error.param_hint
        return f"{named}: {error.message}" if named else error.format_message()
    source = error.ctx.get_parameter_source(error.param.name)
    if source is None or source.name != "ENVIRONMENT":
        return f"{error.param.opts[0]}: {error.message}"
    # Only as a variable does a switch have a value.
    is_switch = getattr(error.param, "is_flag", False)
    return f"{error.param.envvar}: {'give true or false.' if is_switch else error.message}"


def _hint(error: typer.TyperException) -> str:
    """Where to read on, as the command itself was not understood."""
    context = getattr(error, "ctx", None)
    return f" See {context.command_path} --help." if context else ""
